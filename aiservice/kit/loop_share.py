"""Background work that may hold the event loop for a small share of its time only, however much of it there is.

What holds the loop is each step that a coroutine takes between two waits; what it waits for (a database, a lock) does
not: the loop is others' meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from time import perf_counter, process_time
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_SHORTEST_REST = 0.002  # seconds: timers go by the millisecond
_LOOK_SECONDS = 1.0
_LEAST_UNUSED = 0.4  # of the time: under full load it goes on slowly, but on it goes


async def in_turns(items: Iterable[T], at_once: int = 50) -> AsyncIterator[T]:
    """The items, one after another; after every `at_once` of them whatever else waits for the loop has its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if number % at_once == 0:
            await asyncio.sleep(0)


class LoopShare:
    """Runs pieces of work one after another. `share` of the time that this process leaves unused is theirs, 0 to 1: a
    loop that is busy has less to spare. `rested` is for how many seconds it has stood still so far though there was
    work to do, within pieces and after them."""

    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise ValueError("a share is above 0 and at most 1")
        self._share = share
        self._looked_at = (perf_counter(), process_time())
        self._unused = 1.0
        self.rested = 0.0

    async def run(self, work: Coroutine[Any, Any, T], *, is_spread: bool = False) -> T:
        """Gives what `work` gives, or raises what it raises, once the loop has been others' for long enough.

        Spread work also rests between its steps, so that nobody waits for more than one of them: not for work that
        holds what somebody else waits for.
        """
        stepped = _Stepped(work, self._meanwhile if is_spread else None)
        began = perf_counter()
        try:
            answer = await stepped
        except Exception:
            await self._rest(stepped, began)
            raise
        await self._rest(stepped, began)
        return answer

    def _now(self) -> float:
        """The share of all time: what others leave unused was looked at a moment ago."""
        (looked_at, used), now = self._looked_at, perf_counter()
        if now - looked_at >= _LOOK_SECONDS:
            self._looked_at = (now, process_time())
            self._unused = min(1.0, max(_LEAST_UNUSED, 1 - (self._looked_at[1] - used) / (now - looked_at)))
        return self._share * self._unused

    def _meanwhile(self) -> float:
        return min(1.0, 2 * self._now())

    async def _rest(self, stepped: "_Stepped[Any]", began: float) -> None:
        ended = perf_counter()
        await asyncio.sleep(stepped.seconds / self._now() - (ended - began))
        self.rested += stepped.rested + perf_counter() - ended


class _Stepped(Generic[T]):
    """A coroutine that is awaited through, standing still between its steps so that they are at most `share()` of the
    time. `seconds` is how long they took, `rested` how long it stood still. Tasks that it starts are not in it."""

    def __init__(self, work: Coroutine[Any, Any, T], share: Callable[[], float] | None) -> None:
        self.seconds = 0.0
        self.rested = 0.0
        self._work = work
        self._share = share
        self._owed = 0.0

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
                stopped = perf_counter()
                self.seconds += stopped - began
            sent, thrown = None, None
            try:
                sent = yield waits_for
                yield from self._stand_still(stopped - began, perf_counter() - stopped)
            except BaseException as exc:  # noqa: BLE001 - a cancellation, too, is the work's own
                thrown = exc

    def _stand_still(self, held: float, waited: float) -> Generator[Any, Any, None]:
        """After a step, and the wait that it ended with."""
        if self._share is None:
            return
        self._owed = max(0.0, self._owed + held * (1 / self._share() - 1) - waited)
        if self._owed >= _SHORTEST_REST:
            began = perf_counter()
            yield from asyncio.sleep(self._owed).__await__()
            self.rested += perf_counter() - began
            self._owed = 0.0
