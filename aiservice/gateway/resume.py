"""Gives whoever was cut off the rest of a stream: `GET /ai-service/{id}/events`, or its POST with `Last-Event-ID`.

From this worker's recording where the call is made here; else from what was kept, to its end. A stream that was lost
with its worker ends in an error event without an id, so that asking again with the last id goes on from the same place.

Whoever asks for it makes a request, and takes its place in its caller's limits of requests; it costs no tokens and no
money, and no place among those at once: the stream itself may have it still.
"""

import re
from collections import Counter
from collections.abc import Mapping
from urllib.parse import parse_qs

from aiservice.dialects._base import ClientRequest, Dialect, Outcome, StreamWriter
from aiservice.errors import AnswerNotKept, BrokerError, InternalFault, InvalidRequest, Overloaded, RateLimited
from aiservice.gateway.admit import InFlight
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Scope, Send
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.repeat_headers import event_id_in
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import Header, end_stream, send_nothing, send_piece, start_stream
from aiservice.gateway.resume_ending import Ending
from aiservice.gateway.shared_answer import SharedAnswer, is_of_one_exchange, path_of_events
from aiservice.kit.event_ids import Rest
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.resumption import Said, Told, no_such_stream, other_body
from aiservice.wire import Ask

_PATH = re.compile(r"/ai-service/([^/]{1,100})/events")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_POLL_SECONDS = (0.05, 0.5)  # at first, at most
_QUIET_SECONDS = 7.5
_MOST_AT_ONCE = 200  # of a client, in this worker
_MOST_HELD_BYTES = 32 << 20  # likewise, of answers that are on their way out to who reads slowly


class Resume:
    """One object a worker. `streams` are those that this worker makes, by request id; `dialects` by surface."""

    def __init__(
        self, core: Core, in_flight: InFlight, streams: Mapping[str, SharedAnswer], dialects: Mapping[str, Dialect]
    ) -> None:
        self._core = core
        self._in_flight = in_flight
        self._streams = streams
        self._dialects = dialects
        self._under_way: Counter[str] = Counter()
        self._held_bytes: Counter[str] = Counter()

    def route_with_argument(self, path: str) -> dict[str, Handler] | None:
        """The route of a stream's events, or None."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        stream = found[1]

        async def run(scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
            principal = await authenticate(self._core, scope)
            after, is_eventsource = _place(scope, stream)
            asked = Asked(self._core, principal, (stream, after), request_id)
            asked.is_eventsource = is_eventsource
            await self.give(asked, receive, send)

        return {"GET": Handler(run, scope_name="key")}

    async def give(self, asked: "Asked", receive: Receive, send: Send) -> None:
        """Sends the rest of a stream, until it ends or its client leaves.

        Raises:
            NotFound: the caller has no such stream.
            IdempotencyMismatch: it was asked for with another body.
            AnswerNotKept: it was too long to be kept, or was destroyed since.
            Overloaded: the database did not answer, or the vault is sealed.
            RateLimited: the caller's limits of requests are used up, or its client resumes too many at once.
        """
        await count_request(self._core.limiter, asked.principal, asked.request_id)
        stream = self._streams.get(asked.stream)
        if stream is not None:
            asked.check(stream, self._core.idempotency.rights_of(asked.principal))
        client_id, token = asked.principal.client_id, f"resume {asked.request_id}"
        if self._under_way[client_id] >= _MOST_AT_ONCE:
            raise _too_many()
        self._under_way[client_id] += 1
        ending = Ending(receive, asked.principal.key_ends_us)
        self._in_flight.add(token, asked.principal, ending.stop)
        try:
            if stream is not None:
                await self._from_here(asked, stream, ending, send)
            else:
                await self._from_store(asked, ending, send)
            self._core.replays.note(asked.request_id, asked.stream)
        finally:
            self._under_way[client_id] -= 1
            if not self._under_way[client_id]:
                del self._under_way[client_id]
            self._in_flight.remove(token)
            ending.close()

    async def _from_here(self, asked: "Asked", stream: SharedAnswer, ending: Ending, send: Send) -> None:
        if not stream.recording.is_joinable:
            raise _not_kept()
        recording, told = stream.recording, False

        def headers() -> list[Header]:
            nonlocal told
            told = True
            return asked.headers(recording.headers, is_over=False)

        is_whole = await recording.follow(ending.receive, send, headers, Rest(asked.stream, asked.after))
        if is_whole or ending.error is None:
            return
        if not told:
            raise ending.error
        await end_stream(send, self._last_words(stream.handler.dialect, ending.error, asked.stream))

    async def _from_store(self, asked: "Asked", ending: Ending, send: Send) -> None:
        look, rest = self._core.resumption.look, Rest(asked.stream, asked.after)
        found = await look(asked.principal, asked.stream, None, asked.fingerprint)
        if isinstance(found, Told):
            await self._whole(asked, found, rest, send)
            return
        if found.surface not in self._dialects:
            raise _of_another_release()
        await start_stream(send, asked.headers((), is_over=False))
        pause, most = _POLL_SECONDS
        quiet_seconds = 0.0
        while isinstance(found, Said):
            dialect = self._dialects[found.surface]
            said = b"".join(map(rest.of, found.pieces))
            if not said and quiet_seconds >= _QUIET_SECONDS:
                said = _writer(dialect).keep_alive()
            if said:
                await send_piece(send, said)
                pause, quiet_seconds = _POLL_SECONDS[0], 0.0
            if (found.is_lost and not found.has_more) or ending.error is not None:
                await end_stream(send, self._last_words(dialect, ending.error or _lost(), asked.stream))
                return
            if not found.has_more:
                await ending.wait(pause)
                pause, quiet_seconds = min(pause * 1.5, most), quiet_seconds + pause
            if ending.has_left:
                return
            try:
                found = await look(asked.principal, asked.stream, found.last)
            except BrokerError as error:
                await end_stream(send, self._last_words(dialect, error, asked.stream))
                return
        if found.answer is None:
            await end_stream(send, self._last_words(dialect, _not_kept(), asked.stream))
        else:
            await end_stream(send, rest.of(found.answer.body))

    async def _whole(self, asked: "Asked", told: Told, rest: Rest, send: Send) -> None:
        """What is left of a stream that has ended, at once."""
        answer = told.answer
        if answer is None:
            raise _not_kept()
        left = rest.of(answer.body) if answer.status == 200 else answer.body  # refused, in one piece
        if not left and asked.is_eventsource:
            await send_nothing(send, asked.headers((), is_over=True))  # so that an EventSource asks no more
            return
        client_id, size = asked.principal.client_id, len(answer.body)
        if self._held_bytes[client_id] and self._held_bytes[client_id] + size > _MOST_HELD_BYTES:
            raise _too_many()
        self._held_bytes[client_id] += size
        try:
            headers = asked.headers(answer.headers, is_over=True)
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await end_stream(send, left)
        finally:
            self._held_bytes[client_id] -= size
            if not self._held_bytes[client_id]:
                del self._held_bytes[client_id]

    def _last_words(self, dialect: Dialect | None, error: BrokerError, stream: str) -> bytes:
        return b"" if dialect is None else _writer(dialect).failed(error, Outcome(stream, 0, "", "", ""))


class Asked:
    """Who wants which stream's rest, from where on. `is_eventsource`: a GET with `Last-Event-ID`, whose senders ask
    again until they are told 204."""

    def __init__(self, core: Core, principal: Principal, event_id: tuple[str, int], request_id: str) -> None:
        self._core = core
        self.principal = principal
        self.stream, self.after = event_id
        self.request_id = request_id
        self.is_eventsource = False
        self.fingerprint: bytes | None = None

    def check(self, stream: SharedAnswer, rights: bytes) -> None:
        """Raises `NotFound` unless the stream is the caller's, `IdempotencyMismatch` where it is of another body."""
        is_theirs = stream.name[0] == self.principal.client_id
        if not is_theirs or stream.stream is None or stream.stream.rights != rights:
            raise no_such_stream(self.stream)
        if self.fingerprint is not None and stream.fingerprint != self.fingerprint:
            raise other_body()

    def headers(self, recorded: "tuple[Header, ...]", *, is_over: bool) -> list[Header]:
        """What this client is told: of the recorded headers what is about the answer, and what is its own."""
        return [
            *(header for header in recorded if not is_of_one_exchange(header[0])),
            (b"x-request-id", self.request_id.encode()),
            (b"x-aiservice-original-request", self.stream.encode()),
            (b"x-aiservice-cache", b"hit" if is_over else b"coalesced"),
            *(() if recorded else ((b"x-aiservice-events", path_of_events(self.stream)),)),
            *headers_of_caller(self._core.limiter, self.principal),
        ]


def _place(scope: Scope, stream: str) -> tuple[int, bool]:
    """After which event a client wants the rest of a stream; and whether its `Last-Event-ID` says so, which is newer
    than what stands in the address.

    Raises:
        InvalidRequest: the number is none, or the id is another stream's.
    """
    event_id = event_id_in(scope)
    if event_id is not None:
        if event_id[0] != stream:
            raise InvalidRequest(
                "The Last-Event-ID header is of another stream than the address.",
                code="invalid_last_event_id",
                param="Last-Event-ID",
            )
        return event_id[1], True
    after = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after", ["0"])
    if len(after) != 1 or not _NUMBER.fullmatch(after[0]):
        raise InvalidRequest(
            "'after' must be the number of an event, or 0 for all.", code="invalid_after", param="after"
        )
    return int(after[0]), False


def _writer(dialect: Dialect) -> StreamWriter:
    return dialect.writer(ClientRequest(Ask("chat", "chat", {}, is_stream=True)))


def _lost() -> InternalFault:
    return InternalFault(
        "The process that was giving this answer has ended, and with it what had not been said yet. Send the request "
        "again for a new answer.",
        code="stream_lost",
    )


def _of_another_release() -> Overloaded:
    return Overloaded(
        "This stream is made by a worker of a newer release, in words not known here yet. Ask again in a moment.",
        code="stream_elsewhere",
        retry_after=1,
    )


def _too_many() -> RateLimited:
    return RateLimited(
        "This client resumes too many streams at once. Let some of them end, or ask again in a moment.",
        code="too_many_resumes",
        retry_after=1,
    )


def _not_kept() -> AnswerNotKept:
    return AnswerNotKept(
        "What is left of this stream is not kept: it is over 4 MiB, or was destroyed since. Send the request again."
    )
