"""What was sent to one provider in the last window: requests and tokens, all of them in one ring of parts, since every
call counts in each. Counts as `kit/sliding_window.py` does: never less than is true, at most a part too long."""

PARTS = 60
_PLACES = PARTS + 1
MEASURES = ("requests", "tokens", "input_tokens", "output_tokens")
"""What is counted; the numbers of a call, a part or the whole window stand in this order."""
_CATCH_UP = 1.1
_ROOM_WEIGHT = 2.0
_FAR_PARTS = 45
_NEAR_PARTS = 10  # a pace is held over the parts that leave next, however uneven they are

Counts = list[int]


class CallWindow:
    """Times are integers of microseconds of one monotonic clock."""

    __slots__ = ("_last", "_newest", "_part_us", "_sums", "totals", "window_us")

    def __init__(self, window_us: int) -> None:
        self.window_us = window_us
        self._part_us = max(1, window_us // PARTS)
        self._sums: list[Counts] = [[0, 0, 0, 0] for _ in range(_PLACES)]
        self._last = [0] * _PLACES
        self._newest = 0
        self.totals: Counts = [0, 0, 0, 0]
        """What the window holds, as of the last `move`."""

    def move(self, now: int) -> None:
        """Lets go of what has left the window by `now`."""
        number = now // self._part_us
        if number != self._newest:
            self._move_on(number)
        oldest = (self._newest + 1) % _PLACES
        if self._sums[oldest][0] and self._last[oldest] <= now - self.window_us:
            self._drop(oldest)

    def add(self, now: int, input_tokens: int, output_tokens: int) -> int:
        """Counts a call, just after `move(now)`; the part it is in, for `change`."""
        place = self._newest % _PLACES
        sums, totals, both = self._sums[place], self.totals, input_tokens + output_tokens
        sums[0] += 1
        sums[1] += both
        sums[2] += input_tokens
        sums[3] += output_tokens
        totals[0] += 1
        totals[1] += both
        totals[2] += input_tokens
        totals[3] += output_tokens
        self._last[place] = now
        return self._newest

    def change(self, part: int, requests: int, input_tokens: int, output_tokens: int) -> None:
        """Corrects what was counted in `part`, if that is still in the window; counts do not fall below 0."""
        if self._newest - part >= _PLACES:
            return
        sums = self._sums[part % _PLACES]
        for place, more in enumerate((requests, input_tokens + output_tokens, input_tokens, output_tokens)):
            change = max(more, -sums[place])
            sums[place] += change
            self.totals[place] += change

    def wait_us(self, now: int, place: int, over: int) -> int:
        """How long until `over` of measure `place` has left the window; at the longest until all of it has."""
        wait = 0
        for step in range(1, _PLACES + 1):
            if over <= 0:
                break
            at = (self._newest + step) % _PLACES
            if self._sums[at][place]:
                over -= self._sums[at][place]
                wait = self._last[at] + self.window_us - now
        return max(wait, 1) if over <= 0 or wait else self.window_us

    def pace(self, now: int, place: int, room: float, limit: float) -> float:
        """The highest even pace, in units of measure `place` a microsecond, that reaches no wall in a whole window:
        what is in it leaves when it does, and `room` is free now. A little over `limit` a window, to catch up."""
        highest = limit * min(_CATCH_UP + _ROOM_WEIGHT * room / limit, 2.0) / self.window_us
        free = room
        for step in range(1, _PLACES + 1):
            at = (self._newest + step) % _PLACES
            leaving = self._sums[at][place]
            if not leaving:
                continue
            after = self._last[at] + self.window_us - now
            free += leaving
            if self._part_us * _NEAR_PARTS < after < self._part_us * _FAR_PARTS:
                highest = min(highest, max(free, 0.0) / after)
        return highest

    def _move_on(self, number: int) -> None:
        gone = number - self._newest
        if gone < 0 and gone > -_PLACES:
            return
        if gone >= _PLACES or gone < 0:
            for place in range(_PLACES):
                self._drop(place)
        else:
            for part in range(self._newest + 1, number + 1):
                self._drop(part % _PLACES)
        self._newest = number

    def _drop(self, place: int) -> None:
        sums = self._sums[place]
        if sums[0] or sums[1]:
            totals = self.totals
            for at in range(4):
                totals[at] -= sums[at]
                sums[at] = 0
