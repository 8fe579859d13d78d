"""Idempotency-Key of management calls: of all that come with one key, one takes effect.

    claim    a row (person, key with its route) is taken before anything is done, for two minutes
    effect   the first unit of work that the call commits says so in that row, in the same commit: a call either took
             effect and is known to have, or did not and may be made again. Who lost the row meanwhile commits nothing
    answer   is kept, sealed, for 24 hours, without any secret that it gave out
    give up  a call that was refused and changed nothing is forgotten

Unlike inference nobody joins a call under way: the second is told to come again. Fails closed.
"""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import orjson

from aiservice.errors import AnswerNotKept, Conflict, IdempotencyMismatch
from aiservice.kit import crypto
from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.principal import Person
from aiservice.services.idempotency import answering
from aiservice.services.vault import Vault
from aiservice.store import management_calls as store
from aiservice.store.cluster import clock_us
from aiservice.store.management_calls import Name
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import ManagementCall

LEASE_US = 120 * SECOND_US
KEPT_US = DAY_US
_PURPOSE = "management answer"


@dataclass(slots=True)
class Claim:
    """The right to make a call; whether it `has_effect` by now, and `is_over`: what runs on behind it is not its."""

    name: Name
    request_id: str
    has_effect: bool = False
    is_over: bool = False


@dataclass(slots=True, frozen=True)
class Kept:
    """What a call came to, as it is told again."""

    status: int
    body: bytes


_call: ContextVar[Claim | None] = ContextVar("management_call", default=None)


class ManagementCalls:
    """What happened to the calls of keys."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db = db
        self._vault = vault
        db.before_commit(self._note_effect)

    async def claim(self, actor: Person, route: str, key: str, body: bytes, request_id: str) -> Claim | Kept:
        """The right to make the call, or what it came to before. `body` is what is compared.

        Raises:
            IdempotencyMismatch: the key was used with another body.
            Conflict: it is being made right now; AnswerNotKept: it took effect, and its answer was lost with its maker.
            Overloaded: the database did not answer, or the vault is sealed.
        """
        key_of_macs = self._vault.derive(b"management idempotency v1")
        name = Name(actor.user_id, hmac.digest(key_of_macs, orjson.dumps([route, key]), "sha256").hex())
        fingerprint = hmac.digest(key_of_macs, b"body\0" + body, "sha256")
        with answering():
            async with self._db.write() as session:
                now = await clock_us(session)
                row = {
                    "fingerprint": fingerprint,
                    "request_id": request_id,
                    "state": store.RUNNING,
                    "lease_us": now + LEASE_US,
                    "expires_us": now + KEPT_US,
                    "status": None,
                    "answer": None,
                }
                if await store.add(session, {"user_id": name.user_id, "name": name.mac, **row}):
                    return Claim(name, request_id)
                found = await store.find(session, name)
                if found is None:  # forgotten between the two statements
                    raise _in_flight()
                if found.expires_us > now and (kept := self._kept(found, name, fingerprint, now)) is not None:
                    return kept
                if not await store.take_over(session, found, row):
                    raise _in_flight()
        return Claim(name, request_id)

    def _kept(self, found: ManagementCall, name: Name, fingerprint: bytes, now_us: int) -> Kept | None:
        """What a call came to; None where its maker died before it took effect. Raises as `claim`."""
        if not hmac.compare_digest(found.fingerprint, fingerprint):
            raise IdempotencyMismatch
        if found.answer is not None and found.status is not None:
            return Kept(found.status, crypto.unseal(self._key(), found.answer, _bound(name)))
        if found.state != store.RUNNING:
            raise AnswerNotKept(
                "The request with this Idempotency-Key took effect, but its answer was lost. Look at what it was to "
                "change; send a new key to do it again."
            )
        if found.lease_us > now_us:
            raise _in_flight()
        return None

    @asynccontextmanager
    async def making(self, claim: Claim) -> AsyncIterator[None]:
        """What is committed in this block is the call's effect."""
        token = _call.set(claim)
        try:
            yield
        finally:
            claim.is_over = True
            _call.reset(token)

    async def end(self, claim: Claim, kept: Kept) -> None:
        """Keeps what the call came to for 24 hours. Where that fails, the key says that the answer was lost."""
        sealed = crypto.seal(self._key(), kept.body, _bound(claim.name))
        with answering():
            async with self._db.write() as session:
                await store.answer(session, claim.name, claim.request_id, kept.status, sealed)

    async def give_up(self, claim: Claim) -> None:
        """Forgets a call that came to nothing."""
        with answering():
            async with self._db.write() as session:
                await store.drop(session, claim.name, claim.request_id)

    async def purge(self) -> int:
        """Forgets calls whose 24 hours are over; for a job."""
        async with self._db.write() as session:
            return await store.remove_expired(session, await clock_us(session))

    async def _note_effect(self, session: AsyncSession) -> None:
        claim = _call.get()
        if claim is None or claim.is_over:
            return
        if not await store.mark_done(session, claim.name, claim.request_id):
            raise _in_flight()
        claim.has_effect = True

    def _key(self) -> bytes:
        return self._vault.derive(b"management answers v1")


def _bound(name: Name) -> bytes:
    return crypto.bind(_PURPOSE, {"owner": name.user_id, "name": name.mac})


def _in_flight() -> Conflict:
    return Conflict(
        "The request with this Idempotency-Key is still being made. Ask again in a second.",
        code="idempotency_in_flight",
        retry_after=1,
    )
