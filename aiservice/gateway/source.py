"""Where an answer may come from: a provider, the cache, or somebody else's call. What all of them can do."""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from aiservice.gateway.exchange import Exchange, ProviderGaveUp
from aiservice.services.candidates import Candidate
from aiservice.wire import Answer, StreamEvent

TakeEvents = Callable[[list[StreamEvent]], bool]


class EventSource(Protocol):
    """A stream under way: `pump` gives its events, and after them `failure` says how it ended."""

    @property
    def failure(self) -> ProviderGaveUp | None: ...

    async def pump(self, take: TakeEvents) -> bool:
        """Hands events to `take` until it returns False. True then; False once the stream has ended."""
        ...

    def give_up(self) -> None:
        """Nothing more of it is wanted."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class AnswerSource(Protocol):
    """Gives an exchange its answer."""

    def whole(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[Answer]: ...

    def open_stream(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[EventSource]: ...

    def continued(self, exchange: Exchange, candidates: tuple[Candidate, ...]) -> Awaitable[EventSource | None]:
        """A stream that goes on from what was delivered; None where nobody can, or may."""
        ...

    def broke_off(self, exchange: Exchange, gave_up: ProviderGaveUp) -> None:
        """A stream that had begun has failed."""
        ...
