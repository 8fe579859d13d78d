"""How many more attempts than requests one worker makes: a fifth, so that a provider in trouble is not finished off.

The first attempt of a request is the request's own. Every further one counts: the next candidate, the same one again,
one that is moved on because its provider fell silent. Where there are few requests, ten in ten seconds are allowed all
the same: a fallback must work on a quiet night. Fails closed: without room, the failure that there is is told.
"""

import time
from collections.abc import Callable

WINDOW_SECONDS = 10
PART = 5  # one further attempt in so many requests
LEAST = 10


class RetryBudget:
    """Counts whole seconds of the last ten: what is counted is never younger than it is."""

    __slots__ = ("_asked", "_clock", "_further", "_second")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = [0] * WINDOW_SECONDS
        self._further = [0] * (WINDOW_SECONDS + 1)
        self._second = int(clock())

    def asked(self, now: float) -> None:
        """A client's request is about to be sent to a provider, at that moment of the clock."""
        second = int(now)
        if second != self._second:
            self._move_on(second)
        self._asked[second % WINDOW_SECONDS] += 1

    def spend(self) -> bool:
        """Takes one further attempt; False: there is no room for it."""
        second = int(self._clock())
        if second != self._second:
            self._move_on(second)
        if sum(self._further) >= max(LEAST, sum(self._asked) // PART):
            return False
        self._further[second % (WINDOW_SECONDS + 1)] += 1
        return True

    @property
    def is_half_left(self) -> bool:
        """Whether less than half of it is spent: what is only somebody's wish leaves the rest to failures."""
        asked, further = self.figures
        return 2 * further < max(LEAST, asked // PART)

    @property
    def figures(self) -> tuple[int, int]:
        """(requests, further attempts) of the last ten seconds."""
        self._move_on(int(self._clock()))
        return sum(self._asked), sum(self._further)

    def _move_on(self, second: int) -> None:
        for passed in range(self._second + 1, min(second, self._second + WINDOW_SECONDS + 1) + 1):
            self._asked[passed % WINDOW_SECONDS] = 0
            self._further[passed % (WINDOW_SECONDS + 1)] = 0
        if second - self._second > WINDOW_SECONDS + 1:
            self._asked = [0] * WINDOW_SECONDS
            self._further = [0] * (WINDOW_SECONDS + 1)
        self._second = second
