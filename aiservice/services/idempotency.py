"""Idempotency-Key across processes: of all who come with one key, one makes the call, and the others get its answer.

    claim    a row (client, key) is taken before the provider is asked, for 6 seconds at a time, under a fence
    renew    while the call runs its holder moves the end on; what a killed one held is taken over by who has watched
             it stay over for 3 seconds (its holder may have been cut off from the database, as the watcher was)
    end      the answer, sealed per client and kept for 24 hours, and the call's settlement are written in the
             transaction that ends the claim; the ledger's journal comes after. Whose worker dies before has no answer,
             and is settled as interrupted; whose worker dies after has it, and is settled as it was
    give up  a call that came to nothing is forgotten, and the next may try

A holder that stood still so long that another took over cannot end the call: what it has is not kept. A stream that can
be resumed is such a call, with or without a key of its client's (`services/resumption.py`).

Fails closed: without the database nothing that came with a key is begun. Only what is over may be given out late.
"""

import asyncio
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from aiservice.errors import IdempotencyMismatch, Overloaded
from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.principal import Principal
from aiservice.services.bodies import Bodies, BodyTooLarge
from aiservice.services.kept_answer import KeptAnswer, packed, unpacked
from aiservice.services.vault import Vault
from aiservice.store import idempotency as store
from aiservice.store import units
from aiservice.store.bodies import NewBody
from aiservice.store.cluster import clock_us
from aiservice.store.idempotency import Found, FoundCall
from aiservice.store.session import DATABASE_ERRORS, Database

KEPT_US = DAY_US
LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
WATCH_SECONDS = 3.0
_PURGE_BATCH = 500
_MOST_WATCHED = 10_000

CallName = tuple[str, str]
"""(client id, MAC of the key with all that it is scoped to)."""


@dataclass(slots=True, frozen=True)
class StreamOf:
    """What a stream that can be resumed speaks, and a MAC of what whoever asked for it may do."""

    surface: str
    rights: bytes


@dataclass(slots=True, frozen=True)
class Claim:
    """The right to make a call. `is_again`: an earlier holder had begun it and did not come to its end."""

    name: CallName
    fence: int
    request_id: str
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
                *_rights_of(principal),
            ]
        )
        return principal.client_id, self._mac(b"name\0", rights).hex()

    def stream_name_of(self, client_id: str, request_id: str) -> CallName:
        """The name of a stream that was asked for without a key, or lost its key to another call."""
        return client_id, self._mac(b"stream\0", request_id.encode()).hex()

    def rights_of(self, principal: Principal) -> bytes:
        """32 bytes for what a caller may do: who may do something else is not given what it was given."""
        return self._mac(b"rights\0", orjson.dumps([principal.is_test, *_rights_of(principal)]))

    def fingerprint_of(self, body: object, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """32 bytes for what is asked: the same for JSON bodies that say the same, whatever their order and spacing."""
        plain = body if isinstance(body, bytes) else orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        return self._mac(b"body\0", orjson.dumps(headers) + b"\0" + plain)

    async def claim(
        self,
        name: CallName,
        fingerprint: bytes,
        request_id: str,
        stream: StreamOf | None = None,
        *,
        is_known: bool = False,
    ) -> Claim | Elsewhere | Ended:
        """Takes the right to make the call, or tells what became of it. `is_known`: there was one a moment ago.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            Overloaded: the database did not answer, or the vault is sealed.
        """
        row = self._row(name, fingerprint, request_id, stream)
        with answering():
            found = await units.read(self.db, partial(store.find, name)) if is_known else None
            if found is None:
                found = await units.write(self.db, lambda now: store.add_or_find(_from(row, now), now))
                if found is None:
                    return self._taken(Claim(name, 1, request_id))
            if not (standing := self._standing(name[0], found, fingerprint)):
                return await self._take_over(name, found, row)
            if isinstance(standing, Elsewhere) or found.body is None:
                return standing
            kept = await self.bodies.open_found(name[0], store.REPLAY, name[1], found.body)
            return Ended(None if kept is None else unpacked(kept))

    async def end(
        self,
        claim: Claim,
        answer: KeptAnswer | None,
        settlement: bytes | None = None,
        *,
        frees_key: bool = False,
        has_parts: bool = False,
    ) -> bool:
        """Ends a call with its answer, which is kept for 24 hours (None: it cannot be), and with its settlement; False
        where another has taken the call over. With `frees_key` only its stream can be had of it, and who comes with the
        key makes a new call. What was kept of the stream on its way (`has_parts`) goes.

        Raises:
            Overloaded: the database did not answer, or the vault is sealed; try again.
        """
        client_id = claim.name[0]
        new_name = self.stream_name_of(client_id, claim.request_id)[1] if frees_key else claim.name[1]
        parts = claim.request_id if has_parts else None

        def ending(now: int, body: NewBody | None) -> units.Steps[str | None]:
            how = store.Ending(
                claim.name, self.worker_id, claim.fence, new_name, now + KEPT_US, body, settlement, parts
            )
            return store.end(how)

        with answering():
            kept = None if answer is None else await self._seal((client_id, new_name), answer)
            state = await units.write(self.db, partial(ending, body=kept))
            if state == store.UNKEPT and kept is not None:
                self.bodies.forget_key(client_id)  # it was shredded since
        self._running.pop(claim.name, None)
        return state is not None

    async def give_up(self, claim: Claim) -> None:
        """Forgets a call that came to nothing. Where the database does not answer, the claim ends by itself."""
        self._running.pop(claim.name, None)
        with suppress(*DATABASE_ERRORS):
            await units.write(self.db, lambda _now: store.drop(claim.name, self.worker_id, claim.fence))

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

    def _row(self, name: CallName, fingerprint: bytes, request_id: str, stream: StreamOf | None) -> dict[str, Any]:
        return {
            "client_id": name[0],
            "name": name[1],
            "fingerprint": fingerprint,
            "request_id": request_id,
            "state": store.RUNNING,
            "holder": self.worker_id,
            "fence": 1,
            "rights": stream.rights if stream is not None else None,
            "surface": stream.surface if stream is not None else None,
        }

    async def _take_over(self, name: CallName, found: Found, row: dict[str, Any]) -> Claim | Elsewhere:
        """A call that is over for long, or whose holder is dead, is begun anew. A stream that was lost with its holder
        can still be asked for by its own name."""
        call = found.call
        is_again = call.state == store.RUNNING and call.expires_us > found.at_us
        stays = is_again and call.surface is not None
        new_name = self.stream_name_of(name[0], call.request_id)[1] if stays else None
        claim = Claim(name, call.fence + 1, row["request_id"], is_again)
        row = {**row, "fence": claim.fence}
        took = await units.write(self.db, lambda now: store.take_over(call, _from(row, now), new_name))
        return self._taken(claim) if took else Elsewhere()

    def _taken(self, claim: Claim) -> Claim:
        self._running[claim.name] = claim.fence
        self._over.pop(claim.name, None)
        return claim

    def _standing(self, client_id: str, found: Found, fingerprint: bytes) -> Elsewhere | Ended | None:
        """How a call stands; None where it may be begun."""
        call = found.call
        if call.expires_us <= found.at_us:
            return None
        if not hmac.compare_digest(call.fingerprint, fingerprint):
            raise IdempotencyMismatch
        if call.state != store.RUNNING:
            return Ended(None)
        return None if self.is_dead(client_id, call, found.at_us) else Elsewhere()

    def is_dead(self, client_id: str, call: FoundCall, at_us: int) -> bool:
        """Whether the lease of a running call is over and has been seen to stay so for long enough."""
        name, now = (client_id, call.name), time.monotonic()
        if call.lease_us > at_us:
            return False
        lease_us, since = self._over.get(name, (0, now))
        if lease_us != call.lease_us:
            if len(self._over) >= _MOST_WATCHED:
                self._over.clear()
            self._over[name] = (call.lease_us, now)
            return False
        return now - since >= WATCH_SECONDS

    async def _seal(self, name: CallName, answer: KeptAnswer) -> NewBody | None:
        try:
            return await self.bodies.seal(name[0], store.REPLAY, name[1], packed(answer), 0)
        except BodyTooLarge:
            return None

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        if not self._secret:
            self._secret = self.vault.derive(b"idempotency v1")
        return hmac.digest(self._secret, purpose + content, "sha256")


@contextmanager
def answering(
    otherwise: str = "What became of this Idempotency-Key cannot be looked up right now. Try again with it shortly.",
) -> Iterator[None]:
    """Turns a database that does not answer into `Overloaded`, with these words."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise Overloaded(otherwise, code="database_unavailable", retry_after=1) from error


def _rights_of(principal: Principal) -> list[list[str] | None]:
    rights = (principal.scopes, principal.connections, principal.models)
    return [None if names is None else sorted(names) for names in rights]


def _from(row: dict[str, Any], now_us: int) -> dict[str, Any]:
    """A new call's row, beginning now."""
    lease_us = now_us + int(LEASE_SECONDS * SECOND_US)
    return {**row, "lease_us": lease_us, "created_us": now_us, "expires_us": now_us + KEPT_US}
