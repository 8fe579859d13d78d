"""How much happened in the last so many seconds, in fixed memory and whole numbers.

A window is cut into 60 parts; each keeps its sum and when something was last added to it. A part leaves the window once
its newest moment has: what is counted is never less than what a true sliding window holds, and never more than one that
is a sixtieth longer. `store/window_script.py` is the same in Redis.
"""

PARTS = 60
_PLACES = PARTS + 1  # the oldest part may be half in the window, the newest half full


class SlidingWindow:
    """Times are integers of microseconds of one clock. Small steps back count as standing still; a clock that jumps
    back by more than the window begins anew.

    Its fields without an underscore are for the limiter, which asks so often that a call for each costs too much: it
    reads and writes them in the way of `used`, `add` and `standing`.
    """

    __slots__ = (
        "_last",
        "_newest",
        "_part_us",
        "_sums",
        "latest_us",
        "still_from",
        "still_until",
        "sum",
        "total",
        "window_us",
    )

    def __init__(self, window_us: int) -> None:
        self.window_us = window_us
        self._part_us = window_us // PARTS
        self._sums = [0] * _PLACES  # of the newest part it stands in `sum`, and here once there is a newer one
        self._last = [0] * _PLACES
        self._newest = 0  # the number of the newest part: its time divided by the length of a part
        self.total = 0
        """What the window held when it was last looked at, or more was added."""
        self.sum = self.latest_us = 0
        """The newest part's sum, and when something was last added to it."""
        self.still_from = self.still_until = 0
        """Between them nothing leaves the window, and the newest part is the newest: no need to `look`."""

    def used(self, now: int) -> int:
        """What the window holds at `now`."""
        if not self.still_from <= now < self.still_until:
            self.look(now)
        return self.total

    def add(self, now: int, amount: int) -> int:
        """Adds `amount`, just after `used(now)`; returns the part it is in, for `give_back`."""
        self.sum += amount
        self.latest_us = now
        self.total += amount
        return self._newest

    def part_of(self, added_us: int) -> int:
        """The part in which what was added then is."""
        return added_us // self._part_us

    def give_back(self, part: int, amount: int) -> None:
        """Takes back some of what was added in `part`, if that has not left the window."""
        if part == self._newest:
            amount = min(amount, self.sum)
            self.sum -= amount
            self.total -= amount
        elif 0 < self._newest - part < _PLACES:
            place = part % _PLACES
            amount = min(amount, self._sums[place])
            self._sums[place] -= amount
            self.total -= amount

    def parts(self, now: int) -> list[tuple[int, int]]:
        """What is in the window at `now`: each part's sum, and how long ago its newest moment was, oldest first."""
        self.used(now)
        self._put_down()
        places = [(self._newest + step) % _PLACES for step in range(1, _PLACES + 1)]
        return [(self._sums[place], max(0, now - self._last[place])) for place in places if self._sums[place]]

    def wait_us(self, now: int, amount: int, limit: int) -> int:
        """How long until `amount` fits under `limit`, just after `used(now)`; 0 when it does. At the longest until
        nothing is left of what is in the window now: an `amount` over `limit` never fits."""
        self._put_down()
        over = self.total + amount - limit
        wait = 0
        for step in range(1, _PLACES + 1):
            if over <= 0:
                break
            place = (self._newest + step) % _PLACES
            if self._sums[place]:
                over -= self._sums[place]
                wait = self._last[place] + self.window_us - now
        return wait

    def standing(self, now: int) -> tuple[int, int]:
        """What the window holds at `now`, and how long until nothing of that is left."""
        if not self.still_from <= now < self.still_until:
            self.look(now)
        return self.total, self.latest_us + self.window_us - now if self.sum else self.empty_in_us(now)

    def empty_in_us(self, now: int) -> int:
        """How long until nothing of what is in the window now is left, just after `used(now)`."""
        if not self.total:
            return 0
        self._put_down()
        for step in range(_PLACES):
            place = (self._newest - step) % _PLACES
            if self._sums[place]:
                return self._last[place] + self.window_us - now
        return 0

    def look(self, now: int) -> None:
        """Lets go of what has left the window by `now`."""
        number = now // self._part_us
        if number != self._newest:
            self._move_on(number)
        oldest = (self._newest + 1) % _PLACES
        if self._sums[oldest] and self._last[oldest] <= now - self.window_us:
            self.total -= self._sums[oldest]
            self._sums[oldest] = 0
        self.still_from = self._newest * self._part_us
        self.still_until = self.still_from + self._part_us
        if self._sums[oldest]:
            self.still_until = min(self.still_until, self._last[oldest] + self.window_us)

    def _put_down(self) -> None:
        place = self._newest % _PLACES
        self._sums[place], self._last[place] = self.sum, self.latest_us

    def _move_on(self, number: int) -> None:
        gone = number - self._newest
        if gone >= _PLACES or gone <= -_PLACES:
            self._sums = [0] * _PLACES
            self.total = 0
        elif gone < 0:
            return
        else:
            self._put_down()
            for part in range(self._newest + 1, number + 1):
                place = part % _PLACES
                self.total -= self._sums[place]
                self._sums[place] = 0
        self._newest = number
        self.sum = self.latest_us = 0
