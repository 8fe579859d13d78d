"""Whether a provider gives more by now than was learned: looked at now and then, while somebody waits, by calls that go
beyond it, one after the other. When so many were taken that it can be no noise, twice as many may go in every round
trip, as TCP starts; one that is refused ends the look. Looks are paid for: of all calls at most four in a thousand may
be refused for them, but one is made every 7/4 windows at the latest."""

from collections.abc import Iterable
from math import inf

from aiservice.services.quota_bound import Bound
from aiservice.services.quota_turn import Turn

NEAR = 0.93  # of what was learned: below that there is no reason to look for more
_REFUSED_PART = 0.004
_MOST_PAID, _MOST_OWED = 2.0, -2.0
_NOISE = 0.012  # of a limit: calls overtake each other on their way, and their sizes differ


class Probe:
    """One lane's looks for more. Times are microseconds of the lane's clock."""

    __slots__ = ("_before", "_gap_us", "_last_us", "_next_us", "_paid", "_window_us", "out", "room")

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._before: dict[int, float] = {}
        self._gap_us = window_us // 60
        self._next_us = self._last_us = 0
        self._paid = 1.0
        """How many calls may be refused for looks."""
        self.room = 0
        """How many calls may be under way beyond what was learned; 0 while nobody looks."""
        self.out = 0

    @property
    def is_ramp(self) -> bool:
        """Whether more is given, and it is being found out how much."""
        return self.room > 1

    def may_look(self, bounds: Iterable[Bound], now: int) -> bool:
        """Whether calls may go beyond what was learned now."""
        if not self.room:
            if now < self._next_us or (self._paid < 0 and now < self._last_us + 7 * self._window_us // 4):
                return False
            self.room = 1
            self._before = {bound.place: bound.learned for bound in bounds}
        return True

    @staticmethod
    def is_beyond(bound: Bound, held: float) -> bool:
        """Whether with `held` in the window a call is one that may be refused."""
        return held > bound.learned

    def wait_us(self) -> int:
        """How long until the next call may go beyond; 0 is now."""
        return self._window_us // 240 if self.out >= self.room else 0

    def sent(self) -> None:
        """Notes a call that goes beyond."""
        self.out += 1

    def called(self) -> None:
        """Notes a call that was taken, whether it was beyond or not: it earns the next look."""
        if self._paid < _MOST_PAID:
            self._paid += _REFUSED_PART

    def taken(self, turn: Turn, bounds: Iterable[Bound], *, is_news: bool) -> None:
        """A call beyond was taken. It is no news where a refusal has said more since it went."""
        self.out = max(0, self.out - 1)
        if not is_news:
            return
        for bound in bounds:
            if bound.learned < inf:
                bound.grew(turn.counts[bound.place])
        if self.room and self._has_moved(turn, bounds, _NOISE):
            self.room += 1

    def refused_too(self) -> None:
        """Another call was refused that was under way with one that is known of: looks cost that as well."""
        self._paid = max(self._paid - 1.0, _MOST_OWED)

    def failed(self, turn: Turn, bounds: Iterable[Bound], retry_after_us: int, now: int) -> None:
        """A call beyond was refused: the limit is where it was, and the next look is further away; or it has moved, and
        the next comes soon."""
        self.stop()
        self.refused_too()
        self._last_us = now
        has_moved = self._has_moved(turn, bounds, 2 * _NOISE)
        gap_us = self._window_us // 60 if has_moved else min(self._gap_us * 2, self._window_us // 3)
        self._gap_us = max(gap_us, 40 * retry_after_us)
        self._next_us = now + self._gap_us

    def stop(self) -> None:
        """Ends a look."""
        self.room = self.out = 0

    def begin_anew(self, now: int) -> None:
        """Looks come soon again: the limit has just been found, and not exactly."""
        self._gap_us = self._window_us // 60
        self._next_us = now + self._gap_us

    def let_go(self) -> None:
        """A call beyond has ended and says nothing."""
        self.out = max(0, self.out - 1)

    def _has_moved(self, turn: Turn, bounds: Iterable[Bound], by: float) -> bool:
        """Whether what was learned has changed by more than that part of it since the look began, in every measure that
        the call came near to, or by three times that in one: the calls' mix alone moves some."""
        moved = []
        for bound in bounds:
            start = self._before.get(bound.place, inf)
            if bound.learned < inf and start < inf and turn.counts[bound.place] >= NEAR * start:
                moved.append(abs(bound.learned - start) / bound.learned)
        return bool(moved) and (min(moved) > by or max(moved) > 3 * by)
