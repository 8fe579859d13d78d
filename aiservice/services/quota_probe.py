"""Whether a provider gives more by now than was learned: looked at now and then, while somebody waits, by calls that go
beyond it. One that is taken lets more go, twice as many in every round trip, as TCP starts; one that is refused ends
the look. How often depends on what looks cost: of all calls at most eight in a thousand may be refused for it."""

from collections.abc import Iterable
from math import inf

from aiservice.services.quota_bound import Bound
from aiservice.services.quota_turn import Turn

NEAR = 0.93  # of what was learned: below that there is no reason to look for more
_SURELY_GIVEN = 0.995  # of it: above that each call that is tried is one that may be refused
_REFUSED_PART = 0.008
_NOISE = 0.025  # of a limit: calls overtake each other on their way, and leave a window part by part


class Probe:
    """One lane's looks for more. Times are microseconds of the lane's clock."""

    __slots__ = ("_before", "_calls", "_gap_us", "_last_us", "_next_call_us", "_next_us", "_refused", "_window_us",
                 "out", "room")  # fmt: skip

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._before: dict[int, float] = {}
        self._gap_us = window_us // 60
        self._next_us = self._last_us = self._next_call_us = 0
        self._calls = self._refused = 0
        self.room = 0
        """How many calls may be under way beyond what was learned; 0 while nobody looks."""
        self.out = 0

    def may_look(self, bounds: Iterable[Bound], now: int) -> bool:
        """Whether calls may go beyond what was learned now."""
        if not self.room:
            is_paid = self._calls * _REFUSED_PART >= self._refused
            if now < self._next_us or not (is_paid or now >= self._last_us + 7 * self._window_us // 4):
                return False
            self.room = 1
            self._before = {bound.place: bound.learned for bound in bounds}
        return True

    @staticmethod
    def is_beyond(bound: Bound, held: float) -> bool:
        """Whether with `held` in the window a call is one that may be refused."""
        return held > bound.learned * _SURELY_GIVEN

    def wait_us(self, now: int) -> int:
        """How long until the next call may go beyond; 0 is now."""
        return self._window_us // 240 if self.out >= self.room else max(0, self._next_call_us - now)

    def sent(self, turn: Turn, bounds: Iterable[Bound], now: int) -> None:
        """Notes a call that goes beyond. Near the limit they go one after another, so that few are refused."""
        self.out += 1
        if not self._has_moved(turn, bounds, _NOISE):
            self._next_call_us = now + self._window_us // (2 * turn.counts[0] + 1)

    def called(self) -> None:
        """Notes a call that was taken, whether it was beyond or not: it earns the next look."""
        self._calls += 1

    def taken(self, turn: Turn, bounds: Iterable[Bound], *, is_news: bool) -> None:
        """A call beyond was taken. It is no news where a refusal has said more since it went."""
        self.out = max(0, self.out - 1)
        if not is_news:
            return
        is_within = True
        for bound in bounds:
            if bound.learned < inf:
                is_within &= turn.counts[bound.place] <= bound.learned
                bound.grew(turn.counts[bound.place])
        if self.room and (is_within or self._has_moved(turn, bounds, _NOISE)):
            self.room += 1

    def refused_too(self) -> None:
        """Another call was refused that was under way with one that is known of: looks cost that as well."""
        self._refused += 1

    def failed(self, turn: Turn, bounds: Iterable[Bound], retry_after_us: int, now: int) -> None:
        """A call beyond was refused: the limit is where it was, and the next look is further away; or it has moved, and
        the next comes soon, whatever it costs."""
        self.stop()
        has_moved = self._has_moved(turn, bounds, 2 * _NOISE)
        self._calls, self._refused, self._last_us = 0, int(not has_moved), now
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
        the call came near to: the calls' mix alone moves some."""
        before, near = self._before, False
        for bound in bounds:
            start = before.get(bound.place, inf)
            if bound.learned < inf and start < inf and turn.counts[bound.place] >= NEAR * start:
                near = True
                if abs(bound.learned - start) <= by * bound.learned:
                    return False
        return near
