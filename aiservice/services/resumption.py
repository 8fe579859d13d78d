"""Streams that can be resumed: what one says is kept on its way, so that whoever was cut off can have the rest.

    part      what was said in a quarter of a second, sealed per client; written by the worker that makes the call
    answer    at the stream's end, in the transaction of `Idempotency.end`, in place of its parts; 24 hours
    look      what there is beyond a part: of a stream that runs, of one that was lost with its worker, or the answer

A stream belongs to its client's callers of the same rights. To everybody else there is none.

Fails open for the stream itself: a part that cannot be written is written later, and nobody waits for it.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aiservice.errors import BrokerError, IdempotencyMismatch, NotFound
from aiservice.kit.clock import now_us
from aiservice.principal import Principal
from aiservice.services.bodies import Bodies, BodyTooLarge
from aiservice.services.idempotency import KEPT_US, Idempotency, answering
from aiservice.services.kept_answer import KeptAnswer, unpacked
from aiservice.store import idempotency as store
from aiservice.store import units
from aiservice.store.bodies import FoundBody, NewBody
from aiservice.store.session import DATABASE_ERRORS, Database

_AT_ONCE = 64  # parts of a unit of work
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, BrokerError)


@dataclass(slots=True, frozen=True)
class Part:
    """What a stream has said since its last part: whole events. `number` counts its parts from 0 on."""

    client_id: str
    request_id: str
    number: int
    content: bytes


@dataclass(slots=True, frozen=True)
class Said:
    """What a stream that has not ended has said beyond a part; `last` names its last, and `has_more` is kept after it.
    `is_lost`: its worker is dead."""

    surface: str
    pieces: list[bytes]
    last: str | None
    is_lost: bool
    has_more: bool = False


@dataclass(slots=True, frozen=True)
class Told:
    """A stream that has ended. `answer` is None where it is not kept."""

    surface: str
    answer: KeptAnswer | None


@dataclass(slots=True)
class Resumption:
    """Keeps parts of streams and gives them out again."""

    db: Database
    calls: Idempotency
    bodies: Bodies

    async def keep(self, parts: Sequence[Part]) -> bool:
        """Keeps parts of streams under way; False where the database did not take them all."""
        try:
            for first in range(0, len(parts), _AT_ONCE):
                sealed = [await self._sealed(part) for part in parts[first : first + _AT_ONCE]]
                rows = [row for row in sealed if row is not None]
                if rows:
                    await units.write(self.db, lambda _now, rows=rows: store.put_parts(rows))  # type: ignore[misc]
        except _FAILURES:
            return False
        return True

    async def look(
        self, principal: Principal, request_id: str, part_id: str | None = None, fingerprint: bytes | None = None
    ) -> Said | Told:
        """What there is of a stream beyond a part (None: from its beginning).

        Raises:
            NotFound: the caller has no such stream.
            IdempotencyMismatch: it was asked for with another body than `fingerprint` is of.
            Overloaded: the database did not answer, or the vault is sealed.
        """
        with answering("What there is of this stream cannot be looked up right now. Try again shortly."):
            unit = partial(store.stream_of, principal.client_id, request_id, part_id)
            found, parts = await units.read(self.db, unit)
            if found is None or found.call.expires_us <= found.at_us or not self._may(principal, found.call):
                raise no_such_stream(request_id)
            call, surface = found.call, found.call.surface or ""
            if fingerprint is not None and not hmac.compare_digest(call.fingerprint, fingerprint):
                raise other_body()
            if call.state != store.RUNNING:
                return Told(surface, await self._answer(principal.client_id, found))
            pieces = [await self._opened(principal.client_id, name, body) for name, body in parts]
        if None in pieces:
            return Told(surface, None)  # the client was shredded
        last = parts[-1][0] if parts else part_id
        is_lost = self.calls.is_dead(principal.client_id, call, found.at_us)
        said = [piece for piece in pieces if piece is not None]
        return Said(surface, said, last, is_lost, has_more=len(parts) == store.MOST_PARTS)

    def _may(self, principal: Principal, call: store.FoundCall) -> bool:
        return call.rights is not None and hmac.compare_digest(call.rights, self.calls.rights_of(principal))

    async def _sealed(self, part: Part) -> NewBody | None:
        name = f"{part.request_id}:{part.number:06}"
        try:
            return await self.bodies.seal(part.client_id, store.PART, name, part.content, now_us() + KEPT_US)
        except BodyTooLarge:
            return None

    async def _opened(self, client_id: str, name: str, found: FoundBody) -> bytes | None:
        return await self.bodies.open_found(client_id, store.PART, name, found)

    async def _answer(self, client_id: str, found: store.Found) -> KeptAnswer | None:
        if found.body is None:
            return None
        kept = await self.bodies.open_found(client_id, store.REPLAY, found.call.name, found.body)
        return None if kept is None else unpacked(kept)


def no_such_stream(request_id: str) -> NotFound:
    """The caller has no stream of that name, or it is over for more than 24 hours."""
    return NotFound(
        f"There is no stream {request_id[:60]} that this key could resume. Streams can be resumed for 24 hours, where "
        "their request had an Idempotency-Key or the header x-aiservice-resumable: true.",
        code="stream_not_found",
    )


def other_body() -> IdempotencyMismatch:
    """A stream is resumed with another body than it was asked for with."""
    return IdempotencyMismatch(
        "This Last-Event-ID is of a stream that was asked for with another body. Send the same body, or leave the "
        "header out to ask for something new.",
        code="last_event_id_of_another_request",
    )
