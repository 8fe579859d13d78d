"""An answer that several requests with one Idempotency-Key share: its call, its recording, and how it may be kept."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from aiservice.dialects._base import ClientRequest, Outcome, StreamWriter
from aiservice.errors import AnswerNotKept, BrokerError, InternalFault, InvalidRequest
from aiservice.gateway.exchange import EXCHANGE, Exchange, Handler, Scope
from aiservice.gateway.recording import Header, Recording
from aiservice.gateway.respond import KeepAlive, end_stream, send_error
from aiservice.kit.event_ids import EventIds
from aiservice.services.idempotency import CallName, StreamOf
from aiservice.services.kept_answer import KeptAnswer
from aiservice.services.resumption import Part
from aiservice.services.settlement import Settlement, pack_settlement
from aiservice.wire import Ask

_OF_ONE_EXCHANGE = frozenset({b"x-request-id", b"request-id", b"x-aiservice-cache", b"retry-after"})


def is_of_one_exchange(header: bytes) -> bool:
    """Whether a header (by its name) is about one exchange, and not about the answer."""
    return header in _OF_ONE_EXCHANGE or header.startswith((b"x-ratelimit-", b"ratelimit"))


def path_of_events(request_id: str) -> bytes:
    """Where the rest of a stream can be had."""
    return b"/ai-service/%b/events" % request_id.encode()


@dataclass(slots=True)
class SharedAnswer:
    """One call under way in this process, and what everybody who came with its key follows.

    `is_replay`: the answer was kept from the request `original_id`. `is_waiting`: no provider was asked yet.
    `stream`: its answer is a stream that can be resumed, whose events get ids; `parts` of it were kept on its way.
    `frees_key`: what it came to is nothing that its key gives from now on. `is_counted`: among what its client asks.
    """

    name: CallName
    fingerprint: bytes
    request_id: str
    handler: Handler
    scope: Scope
    raw: bytes
    body: object
    recording: Recording = field(default_factory=Recording)
    original_id: str = ""
    is_replay: bool = False
    is_waiting: bool = True
    stopped_by: BrokerError | None = None
    is_read: bool = False
    task: "asyncio.Task[None] | None" = None
    is_counted: bool = False
    frees_key: bool = False
    stream: StreamOf | None = None
    parts: int = 0
    _ids: EventIds | None = None
    _pieces_kept: int = 0

    @property
    def is_stream(self) -> bool:
        """Whether the answer is asked for in pieces."""
        dialect = self.handler.dialect
        return dialect is not None and isinstance(self.body, dict) and dialect.wants_stream(self.body)

    @property
    def is_in_events(self) -> bool:
        """Whether those are events, which can be numbered."""
        return self.is_stream and self.handler.dialect is not None and self.handler.dialect.has_events

    @property
    def is_begun_stream(self) -> bool:
        """Whether the head of a stream that can be resumed is out."""
        return self._ids is not None

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Takes the next message of the call's answer. Events of a stream that can be resumed are numbered."""
        if message["type"] == "http.response.start":
            if self.stream is not None and message["status"] == 200 and not self.recording.status:
                self._ids = EventIds(self.request_id)
                message["headers"] = [*message["headers"], (b"x-aiservice-events", path_of_events(self.request_id))]
        elif self._ids is not None and not self.recording.is_whole:
            piece = self._ids.number(message.get("body", b""))
            message["body"] = piece if message.get("more_body") else piece + self._ids.end()
        await self.recording.send(message)

    def unkept_part(self) -> tuple[Part, int] | None:
        """What the stream has said since its last part, and how many pieces that makes; None where that is nothing."""
        if self._ids is None or not self.recording.is_kept:
            return None
        said, pieces = self.recording.since(self._pieces_kept)
        return (Part(self.name[0], self.request_id, self.parts, said), pieces) if said else None

    def part_written(self, pieces: int) -> None:
        """The part that was told last is kept, with so many pieces. 0: nobody knows; then the next says it again, and
        whoever has read it goes on from its last id."""
        self.parts, self._pieces_kept = self.parts + 1, max(pieces, self._pieces_kept)

    async def receive(self) -> MutableMapping[str, Any]:
        """What the call hears of its client: the body, and never that it leaves."""
        if self.is_read:
            await asyncio.get_running_loop().create_future()
        self.is_read = True
        return {"type": "http.request", "body": self.raw, "more_body": False}

    def stop(self, why: BrokerError) -> None:
        """Ends the wait for another process' answer; a call that is being made is ended where it is made."""
        if self.is_waiting and self.task is not None:
            self.stopped_by = why
            self.task.cancel()

    def is_answer(self, refused: BrokerError | None) -> bool:
        """Whether what was recorded is what the key gives from now on."""
        exchange: Exchange | None = self.scope.get(EXCHANGE)
        if not self.recording.is_whole:
            return False
        if refused is not None:
            return refused.provider is not None and 400 <= refused.status < 500 and refused.status != 429
        if exchange is None:
            return self.recording.status < 300
        is_broken_off = exchange.outcome == "upstream_truncated" and exchange.first_byte_us is not None
        return exchange.outcome in ("finished", "budget_exhausted") or is_broken_off

    def answer(self) -> KeptAnswer | None:
        """The answer as it is kept, without the secret it may hold; None where it is too long."""
        recording = self.recording
        if not recording.is_kept:
            return None
        body, headers = recording.body, recording.headers
        if self.handler.without_secret is not None:
            body = self.handler.without_secret(body)
            length = (b"content-length", b"%d" % len(body))
            headers = (*(header for header in headers if header[0] != b"content-length"), length)
        return KeptAnswer(self.request_id, recording.status, headers, body)

    def packed_settlement(self) -> bytes | None:
        """The call's settlement, to be kept with its answer; None where there is none, as for a token."""
        exchange: Exchange | None = self.scope.get(EXCHANGE)
        if exchange is None or exchange.settlement is None:
            return None
        return pack_settlement(exchange.settlement)

    def take_settlement(self) -> Settlement | None:
        """The call's settlement, once."""
        exchange: Exchange | None = self.scope.get(EXCHANGE)
        if exchange is None:
            return None
        row, exchange.settlement = exchange.settlement, None
        return row

    async def replay(self, kept: KeptAnswer | None) -> None:
        """Gives out an answer that was kept.

        Raises:
            AnswerNotKept: it was not.
        """
        if kept is None:
            raise AnswerNotKept
        self.is_replay, self.original_id = True, kept.request_id
        if self.recording.status and kept.status != self.recording.status:  # a stream's head is out
            await self.fail(_told_in(kept))
            return
        await self.recording.send({"type": "http.response.start", "status": kept.status, "headers": kept.headers})
        await end_stream(self.recording.send, kept.body)

    async def fail(self, error: BrokerError, *, is_rendered: bool = False) -> None:
        """Ends with an error: in an event where the head is out, else in the words of each who follows, or
        (`is_rendered`) in one answer for all."""
        recording = self.recording
        send = recording.send if self.is_waiting else self.send
        if recording.is_whole:
            return
        if not recording.status:
            if is_rendered:
                await send_error(send, error, self.request_id, self.handler.dialect)
            else:
                recording.fail(error)
        elif self.is_stream:
            await end_stream(send, self._writer().failed(error, Outcome(self.request_id, 0, "", "", "")))

    def keep_alive(self) -> KeepAlive:
        """Keeps a stream's followers from thinking it dead while another process makes the call; started."""
        keep_alive = KeepAlive(self.recording.send, list[Header], self._writer().keep_alive())
        keep_alive.start()
        return keep_alive

    def _writer(self) -> StreamWriter:
        dialect = self.handler.dialect
        if dialect is None or not isinstance(self.body, dict):
            raise InternalFault
        if dialect.takes_forms:  # whose files are not kept
            return dialect.writer(ClientRequest(Ask("", "image", {}, is_stream=True)))
        return dialect.writer(dialect.read(self.body))


def _told_in(kept: KeptAnswer) -> BrokerError:
    """The error in an answer that was kept, in any dialect's words: a refusal of the request itself."""
    told = orjson.loads(kept.body).get("error", {})
    return InvalidRequest(told.get("message"), code=told.get("code") or told.get("type"))
