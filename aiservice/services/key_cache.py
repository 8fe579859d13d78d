"""Verified credentials in memory: bounded, found by the hash of the whole credential, dropped by what they rest on."""

from dataclasses import dataclass, field

from aiservice.principal import Principal

# (principal, the time in microseconds UTC at which it ends, ids of the key, client and person it rests on)
Entry = tuple[Principal, int, tuple[str, ...]]


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
        for subject in entry[2]:
            self._young.by_subject.setdefault(subject, set()).add(digest)

    def drop(self, subject: str) -> None:
        """Forgets every entry that rests on `subject`."""
        for generation in (self._young, self._old):
            for digest in generation.by_subject.pop(subject, ()):
                generation.entries.pop(digest, None)
