"""LOG_PAYLOADS: what clients ask and are answered, kept for some days where an admin wants it, for who may see it.

Off by default, twice: the setting allows it, a client's switch turns it on. Kept sealed per client (`bodies.py`), shown
to the client's owner and, with an entry in the audit log, to admins; gone after `PAYLOADS_KEPT` or with the client's
data key.

Fails open: a request never waits for it. What was asked and answered goes into a queue of bounded length and size, and
is sealed and written behind it; what finds no room is dropped and counted.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from aiservice.errors import BrokerError, NotFound
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import Person
from aiservice.services.audit_entry import record
from aiservice.services.bodies import Bodies
from aiservice.services.changes import ChangeFeed
from aiservice.services.clients import visible_client
from aiservice.services.rights import needs, scope
from aiservice.services.step_up import require_password_said
from aiservice.settings import Settings
from aiservice.store import clients as client_store
from aiservice.store import request_log as log_store
from aiservice.store.bodies import NewBody
from aiservice.store.session import DATABASE_ERRORS, Database
from aiservice.store.usage import Scope
from aiservice.wire import EventKind, StreamEvent

MAX_PART_BYTES = 1 << 20
"""What is kept of a request's body, and of an answer's; the rest is cut off."""
_KIND = "payload"
_MAX_WAITING = 1_000
_MAX_WAITING_BYTES = 64 << 20
_BATCH = 32
_CLOSE_SECONDS = 2.0
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, BrokerError)
_TEXTS = {EventKind.TEXT: "text", EventKind.REASONING: "reasoning", EventKind.REFUSAL: "refusal"}

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Payload:
    """A request under way whose body and answer are to be kept. A stream's answer is put together from its events."""

    client_id: str
    request_id: str
    request: bytes
    answer: bytes | None = None
    _texts: dict[str, list[str]] = field(default_factory=dict)
    _calls: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    _characters: int = 0

    def note(self, events: Iterable[StreamEvent]) -> None:
        """Takes what events of a stream deliver."""
        for event in events:
            name = _TEXTS.get(event.kind)
            if self._characters > MAX_PART_BYTES:
                return
            if name is not None:
                self._texts.setdefault(name, []).append(event.text)
                self._characters += len(event.text)
            elif event.tool_call is not None:
                call = event.tool_call
                pieces = self._calls.setdefault((event.choice, call.index), [call.name or ""])
                pieces.append(call.arguments)
                self._characters += len(call.arguments)

    @property
    def size(self) -> int:
        return len(self.request) + len(self.answer or b"") + self._characters

    def packed(self) -> bytes:
        """As it is kept."""
        answer = self.answer if self.answer is not None else self._assembled()
        return orjson.dumps(
            {
                "request": _text(self.request),
                "answer": None if answer is None else _text(answer),
                "is_cut": max(len(self.request), len(answer or b""), self._characters) > MAX_PART_BYTES,
            }
        )

    def _assembled(self) -> bytes | None:
        parts: dict[str, Any] = {name: "".join(texts) for name, texts in self._texts.items()}
        if self._calls:
            parts["tool_calls"] = [
                {"name": pieces[0], "arguments": "".join(pieces[1:])} for _, pieces in sorted(self._calls.items())
            ]
        if not parts:
            return None
        return str(parts["text"]).encode() if list(parts) == ["text"] else orjson.dumps(parts)


@dataclass(slots=True, frozen=True)
class KeptPayload:
    """What was asked and answered, as text. `answer` is None where nothing was; `is_cut`: it was longer."""

    request: str
    answer: str | None
    is_cut: bool
    expires_us: int


class Payloads:
    """Keeps and shows payloads."""

    def __init__(self, db: Database, bodies: Bodies, changes: ChangeFeed, settings: Settings) -> None:
        self._db = db
        self._bodies = bodies
        self._changes = changes
        self._kept_us = settings.payloads_kept * SECOND_US
        self.is_allowed = settings.log_payloads == "on"
        """Whether the setting lets a client's switch count."""
        self.dropped = 0
        """How many found no room, or no database."""
        self._waiting: deque[Payload] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()

    def hand_over(self, payload: Payload) -> None:
        """Takes a payload whose request has ended. Never waits and never fails."""
        payload.request = payload.request[: MAX_PART_BYTES + 1]
        if payload.answer is not None:
            payload.answer = payload.answer[: MAX_PART_BYTES + 1]
        if len(self._waiting) >= _MAX_WAITING or self._waiting_bytes + payload.size > _MAX_WAITING_BYTES:
            self.dropped += 1
            return
        self._waiting.append(payload)
        self._waiting_bytes += payload.size
        self._news.set()

    async def run(self) -> None:
        """Writes what waits, until cancelled; what then still waits is written, if that is quick."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                await self.flush()
        finally:
            try:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self.flush()
            except TimeoutError:
                log.warning("%d payloads were not kept: the shutdown came first.", len(self._waiting))

    async def flush(self) -> None:
        """Writes all that waits."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            self._waiting_bytes -= sum(payload.size for payload in batch)
            try:
                await self._write(batch)
            except _FAILURES as error:
                self.dropped += len(batch)
                log.warning("%d payloads were not kept (%s).", len(batch), type(error).__name__)

    async def _write(self, batch: list[Payload]) -> None:
        rows: list[NewBody] = []
        for payload in batch:
            expires_us = now_us() + self._kept_us
            row = await self._bodies.seal(payload.client_id, _KIND, payload.request_id, payload.packed(), expires_us)
            if row is not None:
                rows.append(row)
        async with self._db.write() as session:
            for row in rows:
                await self._bodies.add(session, row)

    @needs("payload.read")
    async def of(self, actor: Person, request_id: str) -> KeptPayload | None:
        """What was asked and answered in a request, for the client's owner, or for an admin, which is written into the
        audit log; None where nothing is kept.

        Raises:
            NotFound: there is no such request that the actor may see.
            Overloaded: the vault is sealed.
        """
        async with self._db.read() as session:
            entry = await log_store.one(session, Scope(scope(actor, "payload.read")), request_id)
            if entry is None:
                raise NotFound(f"There is no request {request_id[:60]}.", code="request_not_found")
            owner = await client_store.owner_of(session, entry.client_id)
        found = await self._bodies.get_with_end(entry.client_id, _KIND, request_id)
        if found is None:
            return None
        if owner != actor.user_id:
            async with self._db.write() as session:  # before it is shown
                record(session, actor, "payload.read", request_id, after={"client": entry.client})
        told = orjson.loads(found[0])
        return KeptPayload(told["request"], told["answer"], told["is_cut"], found[1])

    @needs("payload.read")
    async def is_kept(self, actor: Person, request_id: str) -> bool:
        """Whether `of` would show something; shows nothing, and is no entry in the audit log.

        Raises:
            NotFound: as `of`.
        """
        async with self._db.read() as session:
            entry = await log_store.one(session, Scope(scope(actor, "payload.read")), request_id)
        if entry is None:
            raise NotFound(f"There is no request {request_id[:60]}.", code="request_not_found")
        return await self._bodies.has(entry.client_id, _KIND, request_id)

    @needs("client.payloads")
    async def switch(self, actor: Person, name_or_id: str, *, is_on: bool) -> str:
        """Keeps the payloads of a client from now on (≤ 1 s), or no longer; returns its name.

        Raises:
            NotFound: there is no such client that the actor may see.
            PermissionDenied: the actor is no admin, or has not said their password lately (`step_up_required`).
        """
        async with self._db.write() as session:
            client = await visible_client(session, actor, name_or_id)
            if is_on:
                await require_password_said(session, actor)
            if client.keeps_payloads != is_on:
                before = {"keeps_payloads": client.keeps_payloads}
                client.keeps_payloads = is_on
                record(session, actor, "client.payloads", client.id, before=before, after={"keeps_payloads": is_on})
                self._changes.publish(session, "client", client.id)
            return client.name


def _text(content: bytes) -> str:
    return content[:MAX_PART_BYTES].decode(errors="replace")
