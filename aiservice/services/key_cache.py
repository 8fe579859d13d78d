"""Verified credentials in memory: bounded, found by the hash of the whole credential, dropped by what they rest on.

How a key stands, whoever asks, is kept beside them under its public id: 12 bytes, where a hash has 32.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from aiservice.principal import Principal


class Entry(NamedTuple):
    """A verified credential. `rests_on` are the ids of the key, client and person whose change ends it.

    Of a key whose tokens are asked for also what decides about them; a token's own entry has neither.
    """

    principal: Principal
    ends_us: int
    rests_on: tuple[str, ...]
    token_version: int = 0
    ended_tokens: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Generation:
    entries: dict[bytes, Entry] = field(default_factory=dict)
    by_subject: dict[str, set[bytes]] = field(default_factory=dict)


class KeyCache:
    """Two generations: what was used since the last turn, and what was used in the one before.

    The young one becomes the old one when it is half full, so what is used stays and nothing is ever sorted: a reading
    costs one or two dictionary look-ups.
    """

    def __init__(self, max_entries: int) -> None:
        self._half = max(1, max_entries // 2)
        self._young = _Generation()
        self._old = _Generation()

    def __len__(self) -> int:
        return len(self._young.entries) + len(self._old.entries)

    def get(self, digest: bytes) -> Entry | None:
        """The entry of the credential whose SHA-256 is `digest`."""
        entry = self._young.entries.get(digest)
        if entry is None:
            entry = self._old.entries.get(digest)
            if entry is not None:
                self.put(digest, entry)
        return entry

    def put(self, digest: bytes, entry: Entry) -> None:
        """Keeps `entry` until something it rests on is dropped, or until it falls out of use."""
        if len(self._young.entries) >= self._half:
            self._old, self._young = self._young, _Generation()
        self._old.entries.pop(digest, None)
        self._young.entries[digest] = entry
        for subject in entry.rests_on:
            self._young.by_subject.setdefault(subject, set()).add(digest)

    def drop(self, subject: str) -> None:
        """Forgets every entry that rests on `subject`."""
        for generation in (self._young, self._old):
            for digest in generation.by_subject.pop(subject, ()):
                generation.entries.pop(digest, None)
