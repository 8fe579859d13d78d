"""Background work that may hold the event loop for a small share of its time only, however much of it there is.

What holds the loop is each step that a coroutine takes between two waits; what it waits for (a database, a lock) does
not. After every piece of work all of it rests as long as makes its steps that share.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator, Iterable
from time import perf_counter
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def in_turns(items: Iterable[T], at_once: int = 100) -> AsyncIterator[T]:
    """The items, one after another; after every `at_once` of them whatever else waits for the loop has its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if number % at_once == 0:
            await asyncio.sleep(0)


class LoopShare:
    """Runs pieces of work one after another. `share` of the loop's time is theirs, 0 to 1."""

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise ValueError("a share is above 0 and at most 1")
        self._rest = 1 / share - 1

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Gives what `work` gives, or raises what it raises, once it has rested for it."""
        stepped = _Stepped(work)
        try:
            answer = await stepped
        except Exception:
            await asyncio.sleep(stepped.seconds * self._rest)
            raise
        await asyncio.sleep(stepped.seconds * self._rest)
        return answer


class _Stepped(Generic[T]):
    """A coroutine that is awaited through; `seconds` is how long its steps took so far. Tasks that it starts are not
    in it."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.seconds = 0.0
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        sent: Any = None
        thrown: BaseException | None = None
        while True:
            began = perf_counter()
            try:
                waits_for = steps.send(sent) if thrown is None else steps.throw(thrown)
            except StopIteration as done:
                answer: T = done.value
                return answer
            finally:
                self.seconds += perf_counter() - began
            sent, thrown = None, None
            try:
                sent = yield waits_for
            except BaseException as exc:  # noqa: BLE001 - a cancellation, too, is the work's own
                thrown = exc
