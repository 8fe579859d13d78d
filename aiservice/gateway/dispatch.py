"""Sends a request to its candidates in order until one answers. Falls back only before the first event."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from aiservice.errors import BrokerError, NoProvider
from aiservice.gateway.counting import count_answer, estimated_count
from aiservice.gateway.exchange import (
    ABANDONED,
    ABANDONED_UNSENT,
    CIRCUIT_OPEN,
    Candidate,
    Exchange,
    ProviderGaveUp,
)
from aiservice.providers._base import AttemptFailed, LocalProvider, StreamReader
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.services.health import ConnectionHealth
from aiservice.settings import Deadlines
from aiservice.upstream.client import Target, Upstream, UpstreamStream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase, check_base_url
from aiservice.upstream.local import LocalStream
from aiservice.wire import (
    Answer,
    Attempt,
    AttemptFailure,
    Blame,
    EventKind,
    HttpCall,
    HttpReply,
    StreamEvent,
)

_TARGET_SECONDS = 60.0  # how long an opened key may be used without asking the vault again
_DRAIN_SECONDS = 0.05
_NOWHERE = ParsedBase("https", "localhost", 443, "")
TakeEvents = Callable[[list[StreamEvent]], bool]


class Dispatcher:
    """Turns candidates into attempts. Holds the targets (address and credential) of the connections in use."""

    def __init__(
        self, upstream: Upstream, connections: Connections, deadlines: Deadlines, health: ConnectionHealth
    ) -> None:
        self._upstream = upstream
        self._connections = connections
        self._deadlines = deadlines
        self._health = health
        self._targets: dict[str, tuple[ConnectionView, float, Target]] = {}

    async def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Answer:
        """The first whole answer.

        Raises:
            ProviderGaveUp: no candidate gave one.
            NoProvider: the circuit breaker of every candidate is open.
        """
        gave_up: ProviderGaveUp | None = None
        for candidate in candidates:
            if self._is_left_alone(exchange, candidate):
                continue
            exchange.candidate = candidate
            began = time.perf_counter()
            try:
                answer = await self._ask(exchange, candidate)
            except asyncio.CancelledError:
                _note(exchange, candidate, began, _abandoned(exchange))
                raise
            except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
                gave_up = self._gave_up(exchange, candidate, began, exc)
                if gave_up.failure.blame is Blame.CALLER:
                    raise gave_up from exc
                continue
            _note(exchange, candidate, began, None)
            exchange.finish_reason = answer.finish_reason
            exchange.usage, exchange.is_usage_valid = answer.usage, answer.is_usage_valid
            if answer.usage is None:
                count_answer(exchange, answer)
            return answer
        raise gave_up or _all_down(exchange)

    async def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> "OpenStream":
        """The first stream that gave an event.

        Raises:
            ProviderGaveUp: no candidate gave one.
            NoProvider: the circuit breaker of every candidate is open.
        """
        gave_up: ProviderGaveUp | None = None
        for candidate in candidates:
            if self._is_left_alone(exchange, candidate):
                continue
            exchange.candidate = candidate
            began = time.perf_counter()
            try:
                stream = await self._begin(exchange, candidate)
            except asyncio.CancelledError:
                _note(exchange, candidate, began, _abandoned(exchange))
                raise
            except (AttemptFailed, UpstreamFailure, BrokerError) as exc:
                gave_up = self._gave_up(exchange, candidate, began, exc)
                if gave_up.failure.blame is Blame.CALLER:
                    raise gave_up from exc
                continue
            _note(exchange, candidate, began, None)
            return stream
        raise gave_up or _all_down(exchange)

    def broke_off(self, exchange: Exchange, gave_up: ProviderGaveUp) -> None:
        """A stream that had begun has failed: a sign for the next requests, too."""
        if exchange.candidate is not None:
            self._health.failed(exchange.candidate.connection.id, gave_up.failure)

    def _is_left_alone(self, exchange: Exchange, candidate: Candidate) -> bool:
        """Whether the candidate's circuit breaker is open; then it is noted as passed over."""
        wait = self._health.wait_seconds(candidate.connection.id)
        if not wait:
            return False
        _note(exchange, candidate, time.perf_counter(), AttemptFailure(503, CIRCUIT_OPEN, "", Blame.FAILOVER))
        exchange.passed_over += 1
        exchange.next_try_seconds = min(exchange.next_try_seconds or wait, wait)
        return True

    def _gave_up(self, exchange: Exchange, candidate: Candidate, began: float, exc: Exception) -> ProviderGaveUp:
        assert isinstance(exc, (AttemptFailed, UpstreamFailure, BrokerError))  # noqa: S101 - what the callers catch
        failure = _failure_of(exc)
        _note(exchange, candidate, began, failure)
        self._health.failed(candidate.connection.id, failure)
        return ProviderGaveUp(failure, candidate.connection.name)

    async def _ask(self, exchange: Exchange, candidate: Candidate) -> Answer:
        provider, ask = candidate.provider, exchange.request.ask
        if ask.kind == "token-count" and not provider.counts_tokens:
            return estimated_count(exchange)
        call = provider.build(ask, candidate.model)
        target = await self._target(candidate)
        began = time.perf_counter()
        try:
            reply = await self._upstream.send(target, call, request_id=exchange.request_id, deadlines=self._deadlines)
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
            exchange.is_attempt_sent = call.was_sent
        if reply.status != 200:
            raise AttemptFailed(provider.failure(reply))
        answer = provider.read(ask, call, reply)
        self._health.succeeded(candidate.connection.id)
        return answer

    async def _begin(self, exchange: Exchange, candidate: Candidate) -> "OpenStream":
        provider, ask = candidate.provider, exchange.request.ask
        call = provider.build(ask, candidate.model)
        target = await self._target(candidate)
        began = time.perf_counter()
        try:
            raw = await self._upstream.open_stream(
                target, call, request_id=exchange.request_id, deadlines=self._deadlines
            )
            if raw.status != 200:
                raise AttemptFailed(provider.failure(await raw.reply()))
            stream = OpenStream(raw, provider.reader(ask, call), candidate.connection.name)
            await stream.wait_for_first()
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
            exchange.is_attempt_sent = call.was_sent
        self._health.succeeded(candidate.connection.id)
        return stream

    async def _target(self, candidate: Candidate) -> Target:
        view = candidate.connection
        now = time.monotonic()
        known = self._targets.get(view.id)
        if known is not None and known[0] is view and known[1] > now:
            return known[2]
        provider = candidate.provider
        if isinstance(provider, LocalProvider):
            target = Target(view.id, view.revision, _NOWHERE, local=InProcess(provider))
        else:
            key = await self._connections.secret(view)
            target = Target(
                view.id,
                view.revision,
                check_base_url(view.base_url, view.is_private_allowed),
                (lambda _call: provider.auth_headers(key)) if key is not None else (lambda _call: ()),
                view.is_private_allowed,
            )
        self._targets[view.id] = (view, now + _TARGET_SECONDS, target)
        return target


class OpenStream:
    """A provider's stream with its reader: `pump` gives its events, and after them `failure` says how it ended."""

    def __init__(self, raw: UpstreamStream, reader: StreamReader, connection: str) -> None:
        self._raw = raw
        self._reader = reader
        self._connection = connection
        self._first: list[StreamEvent] | None = None
        self._take: TakeEvents = _take_nothing
        self._is_over = self._is_held_back = False
        self._fault: Exception | None = None
        self.failure: ProviderGaveUp | None = None

    async def wait_for_first(self) -> None:
        """Returns when there is an event to pass on.

        Raises:
            AttemptFailed: the provider said an error first, or nothing.
            UpstreamFailure: the connection failed first.
        """
        try:
            events = await self._read()
        except BaseException:
            await self._raw.aclose()
            raise
        if events is None or events[0].kind is EventKind.ERROR:
            await self._raw.aclose()
            failure = events[0].failure if events else None
            raise AttemptFailed(failure or _truncated())
        self._first = events

    async def pump(self, take: TakeEvents) -> bool:
        """Hands events to `take` at the moment they arrive, until it returns False.

        True then; False once the stream has ended, whole or not. What `take` raises is raised here.
        """
        self._take = take
        first, self._first = self._first, None
        if first is not None:
            self._give(first)
        while not self._is_over and not self._is_held_back:
            try:
                if not await self._raw.pour(self._feed):
                    self._is_over = True
                    if rest := self._reader.end():
                        self._give(rest)
            except UpstreamFailure as exc:
                self._ended(exc.failure)
            if self._fault is not None:
                raise self._fault
        if self._is_held_back:
            self._is_held_back = False
            return True
        self._ended(None)
        return False

    def _feed(self, chunk: bytes) -> bool:
        try:
            events = self._reader.feed(chunk)
            if not events:
                return True
            if events[0].kind is not EventKind.OTHER:
                self._raw.progressed()
            return self._give(events)
        except Exception as exc:  # noqa: BLE001 - `pump` raises it: here the event loop would get it
            self._fault = exc
            return False

    def _give(self, events: list[StreamEvent]) -> bool:
        kind = events[-1].kind
        if kind is EventKind.ERROR:
            self._ended(events.pop().failure)
        elif kind is EventKind.END:
            self._is_over = True
        if events and not self._take(events):
            self._is_held_back = True
            return False
        return not self._is_over

    def _ended(self, failure: AttemptFailure | None) -> None:
        """Notes how the stream ended. One that said it was done has given its whole answer, whatever came after."""
        self._is_over = True
        if not self._reader.is_finished and self.failure is None:
            self.failure = ProviderGaveUp(failure or _truncated(), self._connection)

    async def _read(self) -> list[StreamEvent] | None:
        feed, raw = self._reader.feed, self._raw
        async for chunk in raw:
            events = feed(chunk)
            if events:
                if events[0].kind is not EventKind.OTHER:
                    raw.progressed()
                return events
        self._is_over = True
        return self._reader.end() or None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.failure is None:
            # Behind the end marker comes the end of the body; with it read, the connection can be used again.
            with contextlib.suppress(TimeoutError, UpstreamFailure):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self._raw.pour(_drop)
        await self._raw.aclose()


def _take_nothing(_events: list[StreamEvent]) -> bool:
    return False


def _drop(_chunk: bytes) -> bool:
    return True


class InProcess:
    """A provider of this process behind the door that all providers are behind."""

    def __init__(self, provider: LocalProvider) -> None:
        self._provider = provider

    async def serve(self, call: HttpCall) -> HttpReply:
        return self._provider.serve(call)

    async def serve_stream(self, call: HttpCall) -> LocalStream:
        return LocalStream(self._chunks(call))

    async def _chunks(self, call: HttpCall) -> AsyncIterator[bytes]:
        for chunk in self._provider.serve_stream(call):
            yield chunk


def _truncated() -> AttemptFailure:
    return AttemptFailure(
        502,
        "upstream_truncated",
        "The provider's answer ended before it was whole.",
        Blame.FAILOVER,
        upstream_status=200,
    )


def _abandoned(exchange: Exchange) -> AttemptFailure:
    """The client left, or the broker stopped, while the provider was at work, or before it had been asked."""
    code = ABANDONED if exchange.is_attempt_sent else ABANDONED_UNSENT
    return AttemptFailure(499, code, "The attempt was given up.", Blame.CALLER)


def _all_down(exchange: Exchange) -> NoProvider:
    wait = exchange.next_try_seconds
    return NoProvider(
        "Every provider that could serve this request has just failed several times in a row and is left alone for a "
        f"moment. The next request goes through in {wait:.0f} s.",
        code="provider_down",
        retry_after=wait,
    )


def _failure_of(exc: AttemptFailed | UpstreamFailure | BrokerError) -> AttemptFailure:
    if isinstance(exc, BrokerError):  # the vault is sealed, an envelope does not open, a path may not leave
        blame = Blame.CALLER if exc.status < 500 else Blame.FAILOVER
        return AttemptFailure(exc.status, exc.code, exc.message, blame, retry_after_seconds=exc.retry_after)
    return exc.failure


def _note(exchange: Exchange, candidate: Candidate, began: float, failure: AttemptFailure | None) -> None:
    attempt = Attempt(candidate.connection.name, candidate.model, candidate.reason)
    attempt.start_ms = int((began - exchange.started) * 1000)
    attempt.duration_ms = int((time.perf_counter() - began) * 1000)
    if failure is None:
        attempt.status = 200
    else:
        attempt.status = failure.upstream_status or failure.status
        attempt.code = failure.code
    exchange.attempts.append(attempt)
