"""One call to a provider for all who ask the same at once: who came first makes it, the others follow it live.

The first's ledger row holds what the call cost; the others' hold nothing. Where the first hangs up, its call goes on as
long as somebody follows. Where the first is cut off (its key revoked, its budget spent), who followed is told so.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Self

from aiservice.errors import BrokerError, Overloaded
from aiservice.gateway.answer_form import Batches, free_answer, free_events, merged
from aiservice.gateway.exchange import Exchange, ProviderGaveUp, Send
from aiservice.gateway.source import EventSource, TakeEvents
from aiservice.services.cache_tally import NOTHING_SAVED, Saved
from aiservice.wire import Answer, AttemptFailure, Blame, FinishReason, StreamEvent

MOST_HELD_BYTES = 4 << 20
"""What is held of a stream for who may still come; a longer one has no new followers, and is not kept."""
ENDED = "shared_call_ended"


class Flight:
    """A call under way. `leader` is the exchange that makes it; it `has_claim` where no other process makes it as well,
    and `writing` ends when its answer is where those find it."""

    def __init__(self, leader: Exchange) -> None:
        self.leader = leader
        self.answer: Answer | None = None
        self.batches: Batches = []
        self.error: Exception | None = None
        self.saved: Saved = NOTHING_SAVED
        self.is_over = False
        self.is_joinable = True
        self.followers = 0
        self.has_claim = False
        self.writing: asyncio.Task[None] | None = None
        self._held_bytes = 0
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(self, events: list[StreamEvent]) -> None:
        """The leader's stream has said this."""
        for event in events:
            self._held_bytes += 100 + len(event.frame or b"") + len(event.text)
        self.batches.append(free_events(events))
        self.is_joinable = self._held_bytes <= MOST_HELD_BYTES
        self._tell()

    def end(self, answer: Answer | None = None, saved: Saved = NOTHING_SAVED) -> None:
        """The answer is whole."""
        if not self.is_over:
            self.answer = None if answer is None else free_answer(answer)
            self.saved, self.is_over = saved, True
            self._tell()

    def fail(self, error: BaseException) -> None:
        """There is no whole answer, for this reason."""
        if not self.is_over:
            is_told = isinstance(error, ProviderGaveUp | BrokerError)
            self.error = error if is_told and isinstance(error, Exception) else None
            self.is_over, self.is_joinable = True, False
            if self.error is None:
                self.error = _cut()
            self._tell()

    def failure(self) -> Exception | None:
        """Why there is no whole answer, as one follower is told it: errors are given headers of their own."""
        error = self.error
        if isinstance(error, ProviderGaveUp):
            return ProviderGaveUp(error.failure, error.connection)
        return copy.copy(error)

    async def news(self) -> None:
        """Returns when there is more than there was."""
        await asyncio.shield(self._news)

    async def alone(self) -> None:
        """Returns when nobody follows."""
        while self.followers and not self.is_over:
            await self.news()

    def left_by_all(self, left: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Ends when the leader's client has hung up (`left`) and nobody follows."""

        async def both() -> None:
            await left()
            await self.alone()

        return both

    def join(self) -> None:
        self.followers += 1

    def leave(self) -> None:
        self.followers -= 1
        if not self.followers:
            self._tell()

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.get_running_loop().create_future()
        if not told.done():
            told.set_result(None)


class LedStream:
    """The leader's stream: what it gives is noted for the others. `at_end` gets the reasons for which its choices
    ended, when all of it has come; `at_close` is called in any case."""

    def __init__(
        self,
        stream: EventSource,
        flight: Flight,
        at_end: Callable[[list[FinishReason | None]], None],
        at_close: Callable[[], None],
    ) -> None:
        self._stream = stream
        self._flight = flight
        self._at_end = at_end
        self._at_close = at_close
        self._take: TakeEvents = _take_nothing
        self._reasons: list[FinishReason | None] = []

    @property
    def failure(self) -> ProviderGaveUp | None:
        return self._stream.failure

    async def pump(self, take: TakeEvents) -> bool:
        self._take = take
        if await self._stream.pump(self._note):
            return True
        failure = self._stream.failure
        if failure is None:
            self._at_end(self._reasons)
        else:
            self._flight.fail(failure)
        return False

    def give_up(self) -> None:
        self._flight.fail(_cut())
        self._stream.give_up()

    def _note(self, events: list[StreamEvent]) -> bool:
        for event in events:
            if event.finish_reason is not None:
                self._reasons.append(event.finish_reason)
        self._flight.note(events)
        return self._take(events)

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flight.fail(error or _cut())  # unless it has ended
        self._at_close()
        await self._stream.__aexit__(kind, error, trace)


class FollowedStream:
    """Somebody else's stream, from its beginning; `at_end` is called when all of it has come."""

    def __init__(self, flight: Flight, at_end: Callable[[], None]) -> None:
        self._flight = flight
        self._at_end = at_end
        self._taken = 0
        self._waiting: Batches = []
        self.failure: ProviderGaveUp | None = None

    async def pump(self, take: TakeEvents) -> bool:
        flight = self._flight
        while True:
            self._waiting += merged(flight.batches[self._taken :])
            self._taken = len(flight.batches)
            while self._waiting:
                if not take(self._waiting.pop(0)):
                    return True
            if flight.is_over:
                error = flight.failure()
                if error is None:
                    self._at_end()
                else:
                    self.failure = error if isinstance(error, ProviderGaveUp) else _gave_up(flight, error)
                return False
            await flight.news()

    def give_up(self) -> None:
        """The others go on."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        self._flight.leave()


class KeptStream:
    """A stream that was kept."""

    failure: ProviderGaveUp | None = None

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    async def pump(self, take: TakeEvents) -> bool:
        while self._batches:
            if not take(self._batches.pop(0)):
                return True
        return False

    def give_up(self) -> None:
        self._batches = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        self._batches = []


class Outlet:
    """Where a stream goes whose call others may follow: when its client has left, nowhere, and the call goes on for
    them."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_closed = False
        self.flight: Flight | None = None

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if not self._is_closed:
            await self._send(message)

    async def client_left(self) -> None:
        """Returns when the call need not go on."""
        self._is_closed = True
        if self.flight is not None:
            await self.flight.alone()


def _cut() -> Overloaded:
    return Overloaded(
        "The same request was under way for somebody else of this client, and was cut off. Send yours again.",
        code=ENDED,
        retry_after=0,
    )


def _gave_up(flight: Flight, error: Exception) -> ProviderGaveUp:
    told = error if isinstance(error, BrokerError) else _cut()
    candidate = flight.leader.candidate
    failure = AttemptFailure(told.status, told.code, told.message, Blame.RETRY, retry_after_seconds=told.retry_after)
    return ProviderGaveUp(failure, candidate.connection.name if candidate else "")


def _take_nothing(_events: list[StreamEvent]) -> bool:
    return False
