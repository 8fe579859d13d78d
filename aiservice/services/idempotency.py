"""Idempotency-Key across processes: of all who come with one key, one makes the call, and the others get its answer.

    claim    a row (client, key) is taken before the provider is asked, for 6 seconds at a time, under a fence
    renew    while the call runs its holder moves the end on; what a killed one held is taken over by who has watched
             it stay over for 3 seconds (its holder may have been cut off from the database, as the watcher was)
    end      the answer is sealed per client and kept for 24 hours, in the transaction that ends the claim
    give up  a call that came to nothing is forgotten, and the next may try

A holder that stood still so long that another took over cannot end the call: what it has is not kept.

Fails closed: without the database nothing that came with a key is begun. Only what is over may be given out late.
"""

import asyncio
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import orjson

from aiservice.errors import IdempotencyMismatch, Overloaded
from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.principal import Principal
from aiservice.services.bodies import Bodies, BodyTooLarge
from aiservice.services.vault import Vault
from aiservice.store import idempotency as store
from aiservice.store.cluster import clock_us
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database
from aiservice.tables import IdempotentCall, SealedBody

KEPT_US = DAY_US
LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
WATCH_SECONDS = 3.0
_KIND = "replay"
_PURGE_BATCH = 500
_MOST_WATCHED = 10_000

CallName = tuple[str, str]
"""(client id, MAC of the key with all that it is scoped to)."""


@dataclass(slots=True, frozen=True)
class KeptAnswer:
    """An answer as it went out: to which request, with which headers (names and values as on the wire)."""

    request_id: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(slots=True, frozen=True)
class Claim:
    """The right to make a call. `is_again`: an earlier holder had begun it and did not come to its end."""

    name: CallName
    fence: int
    is_again: bool = False


@dataclass(slots=True, frozen=True)
class Elsewhere:
    """Another process is making the call."""


@dataclass(slots=True, frozen=True)
class Ended:
    """The call is over. `answer` is None where it could not be kept."""

    answer: KeptAnswer | None


@dataclass(slots=True)
class Idempotency:
    """What happened to the calls of keys. `worker_id` is this worker among those of the cluster."""

    db: Database
    vault: Vault
    bodies: Bodies
    worker_id: str
    _running: dict[CallName, int] = field(default_factory=dict)
    _over: dict[CallName, tuple[int, float]] = field(default_factory=dict)
    _secret: bytes = b""

    def name_of(self, principal: Principal, route: str, key: str) -> CallName:
        """The name of the call that `key` stands for: the client's, on this route, by callers of the same rights. Who
        may do less than another never gets what that one was given."""
        rights = orjson.dumps(
            [
                route,
                key,
                principal.is_test,
                *(None if names is None else sorted(names) for names in _rights_of(principal)),
            ]
        )
        return principal.client_id, self._mac(b"name\0", rights).hex()

    def fingerprint_of(self, body: object, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """32 bytes for what is asked: the same for JSON bodies that say the same, whatever their order and spacing."""
        plain = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        return self._mac(b"body\0", orjson.dumps(headers) + b"\0" + plain)

    async def claim(self, name: CallName, fingerprint: bytes, request_id: str) -> Claim | Elsewhere | Ended:
        """Takes the right to make the call, or tells what became of it.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            Overloaded: the database did not answer, or the vault is sealed.
        """
        with _answering():
            async with self.db.read() as session:
                row = await store.get(session, name)
                known = None if row is None else await self._standing(session, row, fingerprint)
            standing = known or await self._take(name, fingerprint, request_id)
            return await self._with_answer(name) if isinstance(standing, Ended) else standing

    async def end(self, claim: Claim, answer: KeptAnswer | None) -> bool:
        """Ends a call with its answer, which is kept for 24 hours (None: it cannot be); False where another has taken
        the call over.

        Raises:
            Overloaded: the database did not answer, or the vault is sealed; try again.
        """
        with _answering():
            kept = None if answer is None else await self._seal(claim.name, answer)
            async with self.db.write() as session:
                row = await store.get(session, claim.name, is_held=True)
                is_ours = row is not None and (row.holder, row.fence, row.state) == (
                    self.worker_id,
                    claim.fence,
                    store.RUNNING,
                )
                if row is not None and is_ours:
                    row.expires_us = await clock_us(session) + KEPT_US
                    if kept is not None:
                        kept.expires_us = row.expires_us
                    is_kept = kept is not None and await self.bodies.add(session, kept)
                    row.state = store.ANSWERED if is_kept else store.UNKEPT
        self._running.pop(claim.name, None)
        return is_ours

    async def give_up(self, claim: Claim) -> None:
        """Forgets a call that came to nothing. Where the database does not answer, the claim ends by itself."""
        self._running.pop(claim.name, None)
        with suppress(*DATABASE_ERRORS):
            async with self.db.write() as session:
                await store.drop(session, claim.name, self.worker_id, claim.fence)

    async def renew(self) -> None:
        """Keeps what this worker holds. For a job, every `RENEW_SECONDS`."""
        if self._running:
            names = list(self._running)
            async with self.db.write() as session:
                until_us = await clock_us(session) + int(LEASE_SECONDS * SECOND_US)
                for first in range(0, len(names), _PURGE_BATCH):
                    await store.renew(session, names[first : first + _PURGE_BATCH], self.worker_id, until_us)

    async def purge(self) -> int:
        """Forgets calls whose 24 hours are over; their answers go by themselves. For a job."""
        count = 0
        while True:
            async with self.db.write() as session:
                removed = await store.remove_expired(session, await clock_us(session), _PURGE_BATCH)
            count += removed
            if removed < _PURGE_BATCH:
                return count
            await asyncio.sleep(0)

    async def _take(self, name: CallName, fingerprint: bytes, request_id: str) -> Claim | Elsewhere | Ended:
        async with self.db.write() as session:
            now = await clock_us(session)
            new = IdempotentCall(
                client_id=name[0],
                name=name[1],
                fingerprint=fingerprint,
                request_id=request_id,
                state=store.RUNNING,
                holder=self.worker_id,
                fence=1,
                lease_us=now + int(LEASE_SECONDS * SECOND_US),
                created_us=now,
                expires_us=now + KEPT_US,
            )
            is_again = False
            if not await store.add(session, new):
                row = await store.get(session, name, is_held=True)
                assert row is not None  # noqa: S101 - the purge takes none that was found a moment ago
                standing = await self._standing(session, row, fingerprint)
                if standing is not None:
                    return standing
                is_again = row.state == store.RUNNING
                new.fence = row.fence + 1
                await session.merge(new)
            self._running[name] = new.fence
            self._over.pop(name, None)
            return Claim(name, new.fence, is_again)

    async def _standing(
        self, session: AsyncSession, row: IdempotentCall, fingerprint: bytes
    ) -> Elsewhere | Ended | None:
        """How a call stands; None where it may be begun."""
        now = await clock_us(session)
        if row.expires_us <= now:
            return None
        if not hmac.compare_digest(row.fingerprint, fingerprint):
            raise IdempotencyMismatch
        if row.state != store.RUNNING:
            return Ended(None)
        return Elsewhere() if row.lease_us > now or not self._was_watched(row) else None

    def _was_watched(self, row: IdempotentCall) -> bool:
        """Whether the lease, which is over, has been seen to stay so for long enough."""
        name, now = (row.client_id, row.name), time.monotonic()
        lease_us, since = self._over.get(name, (0, now))
        if lease_us != row.lease_us:
            if len(self._over) >= _MOST_WATCHED:
                self._over.clear()
            self._over[name] = (row.lease_us, now)
            return False
        return now - since >= WATCH_SECONDS

    async def _with_answer(self, name: CallName) -> Ended:
        kept = await self.bodies.get(name[0], _KIND, name[1])
        return Ended(None if kept is None else _unpacked(kept))

    async def _seal(self, name: CallName, answer: KeptAnswer) -> SealedBody | None:
        try:
            return await self.bodies.seal(name[0], _KIND, name[1], _packed(answer), 0)
        except BodyTooLarge:
            return None

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        if not self._secret:
            self._secret = self.vault.derive(b"idempotency v1")
        return hmac.digest(self._secret, purpose + content, "sha256")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        raise Overloaded(
            "What became of this Idempotency-Key cannot be looked up right now. Try again shortly, with the same key.",
            code="database_unavailable",
            retry_after=1,
        ) from error


def _rights_of(principal: Principal) -> tuple[frozenset[str] | None, ...]:
    return principal.scopes, principal.connections, principal.models


def _packed(answer: KeptAnswer) -> bytes:
    head = {
        "request_id": answer.request_id,
        "status": answer.status,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in answer.headers],
    }
    return orjson.dumps(head) + b"\n" + answer.body


def _unpacked(kept: bytes) -> KeptAnswer:
    head, _, body = kept.partition(b"\n")
    told = orjson.loads(head)
    headers = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"])
    return KeptAnswer(told["request_id"], told["status"], headers, body)
