"""Cached answers as they leave the process: sealed under their client's data key, gone with it.

    value  = 1 || revision of the data key (4 bytes) || length of the client's id || the id || sealed
    sealed = `bodies.seal_under` of: when it was made, when it goes (µs UTC, 8 bytes each), length of the request's id,
             the id, the answer; bound to the client, the revision and the cache's key

Fails open: what cannot be sealed is not kept, what does not open was not kept.
"""

import logging
import time

from aiservice.errors import BrokerError
from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.services.bodies import Bodies, open_under, seal_under
from aiservice.services.cached_answer import CachedAnswer
from aiservice.store.session import DATABASE_ERRORS

_FORMAT = 1
_TRUSTED_SECONDS = 300.0
_AGAIN_SECONDS = 1.0  # how often a revision that is not ours is looked for
_MOST_KEYS = 1_000

_ERRORS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, BrokerError)

log = logging.getLogger(__name__)


class CacheSeal:
    """Seals and opens; remembers data keys for five minutes, or until `forget`."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._keys: dict[str, tuple[int, Secret, float]] = {}

    def forget(self, client_id: str) -> None:
        """The client's data key may be another now, or none."""
        self._keys.pop(client_id, None)

    def forget_all(self) -> None:
        self._keys.clear()

    async def seal(self, key: bytes, answer: CachedAnswer) -> bytes | None:
        """The value for `key`; None where it cannot be sealed."""
        known = await self._key(answer.client_id, None, is_made=True)
        if known is None:
            return None
        revision, secret = known
        client, request = answer.client_id.encode(), answer.request_id.encode()
        plain = b"".join(
            (
                answer.made_us.to_bytes(8),
                answer.ends_us.to_bytes(8),
                len(request).to_bytes(1),
                request,
                answer.packed,
            )
        )
        head = b"".join((_FORMAT.to_bytes(1), revision.to_bytes(4), len(client).to_bytes(1), client))
        return head + seal_under(secret, plain, _aad(key, answer.client_id, revision))

    async def open(self, key: bytes, value: bytes) -> CachedAnswer | None:
        """The answer in a value; None where it is none of ours, or its client's data key is gone."""
        if len(value) < 6 or value[0] != _FORMAT:
            return None
        revision, end = int.from_bytes(value[1:5]), 6 + value[5]
        client_id = value[6:end].decode("ascii", "replace")
        known = await self._key(client_id, revision, is_made=False)
        if known is None or known[0] != revision:
            return None
        try:
            plain = open_under(known[1], value[end:], _aad(key, client_id, revision))
        except crypto.BadEnvelope:
            log.error("ALERT: a cached answer of client %s does not open.", client_id[:40])  # noqa: TRY400
            return None
        start = 17 + plain[16]
        times = int.from_bytes(plain[:8]), int.from_bytes(plain[8:16])
        return CachedAnswer(client_id, plain[17:start].decode(), *times, plain[start:])

    async def _key(self, client_id: str, revision: int | None, *, is_made: bool) -> tuple[int, Secret] | None:
        now = time.monotonic()
        known = self._keys.get(client_id)
        if known is not None:
            age = now - known[2]
            is_other = revision not in (None, known[0])
            if age < (_AGAIN_SECONDS if is_other else _TRUSTED_SECONDS):
                return known[0], known[1]
        try:
            found = await self._bodies.data_key(client_id, is_made=is_made)
        except _ERRORS:
            return None
        if found is None:
            self.forget(client_id)
            return None
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        self._keys[client_id] = (*found, now)
        return found


def _aad(key: bytes, client_id: str, revision: int) -> bytes:
    return crypto.bind("cached answer", {"client": client_id, "key": key.hex(), "revision": revision})
