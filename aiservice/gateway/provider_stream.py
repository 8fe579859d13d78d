"""A provider's answer under way: its bytes poured through its reader, and how it ended; also of one in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

from aiservice.gateway.exchange import ProviderGaveUp
from aiservice.gateway.pace import Pace
from aiservice.kit.strict_json import SMALL_BYTES
from aiservice.providers._base import AttemptFailed, LocalProvider, StreamReader
from aiservice.upstream.client import UpstreamStream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.local import LocalStream
from aiservice.wire import AttemptFailure, Blame, EventKind, HttpCall, HttpReply, StreamEvent

_DRAIN_SECONDS = 0.05
_SILENT = frozenset({EventKind.OTHER, EventKind.USAGE})  # events that tell the client nothing
_LAST = frozenset({EventKind.ERROR, EventKind.END})
# Members of an Enum take seven times as long to get at as a name does, and these are got at for each event.
_OTHER, _ERROR, _END = EventKind.OTHER, EventKind.ERROR, EventKind.END
TakeEvents = Callable[[list[StreamEvent]], bool]


class OpenStream:
    """A provider's stream with its reader: `pump` gives its events, and after them `failure` says how it ended."""

    def __init__(self, raw: UpstreamStream, reader: StreamReader, connection: str) -> None:
        self._raw = raw
        self._reader = reader
        self._connection = connection
        self._first: list[StreamEvent] | None = None
        self._take: TakeEvents = _take_nothing
        self._is_over = self._is_held_back = False
        self._is_given_up = False
        self._fault: Exception | None = None
        self.failure: ProviderGaveUp | None = None

    @property
    def media_type(self) -> str:
        """That of sound, which is passed on as it is."""
        return self._reader.media_type

    async def wait_for_first(self) -> None:
        """Returns when there is an event to pass on.

        Raises:
            AttemptFailed: the provider said an error first, or nothing.
            UpstreamFailure: the connection failed first.
        """
        try:
            events = await self._read_first()
        except BaseException:
            await self._raw.aclose()
            raise
        if (failure := self._failure_before_all(events)) is not None:
            await self._raw.aclose()
            raise AttemptFailed(failure)
        self._first = events

    async def show(self, pace: Pace) -> None:
        """Reads on until the stream has shown that it keeps to the pace, or has ended: until then the request may still
        go elsewhere. From here on it fails where it does not. Raises as `wait_for_first`."""
        said, raw = self._first or [], self._raw
        raw.keep_to(pace)
        try:
            events = said
            while pace.holds(events) and not self._is_over and said[-1].kind not in _LAST:
                chunk = await anext(raw, None)
                self._is_over = chunk is None
                events = self._reader.end() if chunk is None else self._reader.feed(chunk)
                if events and events[0].kind is not EventKind.OTHER:
                    raw.progressed()
                said += events
        except BaseException:
            await raw.aclose()
            raise
        if (said and said[-1].kind is EventKind.ERROR) or (self._is_over and not self._reader.is_finished):
            await raw.aclose()
            raise AttemptFailed((said[-1].failure if said else None) or _truncated())
        pace.released()

    def _failure_before_all(self, events: list[StreamEvent]) -> AttemptFailure | None:
        """Why the stream failed before it said anything; None where it said something, or is whole."""
        if events and events[-1].kind is EventKind.ERROR and all(event.kind in _SILENT for event in events[:-1]):
            return events[-1].failure or _truncated()
        if self._is_over and not self._reader.is_finished and all(event.kind in _SILENT for event in events):
            return _truncated()
        return None

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
                    if rest := await self._rest():
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

    def give_up(self) -> None:
        """Nothing more of it is wanted: the provider is let go at once."""
        self._is_over = self._is_given_up = True

    def _feed(self, chunk: bytes) -> bool:
        try:
            events = self._reader.feed(chunk)
            if not events:
                return True
            if events[0].kind is not _OTHER:
                self._raw.watch.events += 1  # as `progressed`, without a step
            return self._give(events)
        except Exception as exc:  # noqa: BLE001 - `pump` raises it: here the event loop would get it
            self._fault = exc
            return False

    def _give(self, events: list[StreamEvent]) -> bool:
        kind = events[-1].kind
        if kind is _ERROR:
            self._ended(events.pop().failure)
        elif kind is _END:
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

    async def _read_first(self) -> list[StreamEvent]:
        """All up to the first event that says something: until then, the request may still go elsewhere."""
        feed, raw = self._reader.feed, self._raw
        found: list[StreamEvent] = []
        async for chunk in raw:
            events = feed(chunk)
            if events:
                found += events
                if events[-1].kind not in _SILENT or any(event.kind not in _SILENT for event in events):
                    raw.progressed()
                    return found
        self._is_over = True
        found += await self._rest()
        return found

    async def _rest(self) -> list[StreamEvent]:
        """What the reader holds when the connection has closed."""
        if self._reader.has_much:
            return await asyncio.to_thread(self._reader.end)
        return self._reader.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self.failure is None and not self._is_given_up:
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
        if len(call.body) > SMALL_BYTES:
            return await asyncio.to_thread(self._provider.serve, call)
        return self._provider.serve(call)

    async def serve_stream(self, call: HttpCall) -> LocalStream:
        return LocalStream(self._chunks(call), headers={})

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
