"""What was sent to one provider in the last window: requests and tokens, in parts of a window's 240th, since every
call counts in each. Only parts in which a call went are kept: where few go, each is counted to the microsecond; where
many go, never less than is true, and at most a part too long."""

from collections import deque

_PARTS = 240
_FLOOR = 0.75  # of the even pace: so much is kept for later
_SOON_PART = 30  # of a window: what leaves within that counts as there already
_CATCH_UP, _ROOM_WEIGHT, _FASTEST = 1.3, 2.0, 2.0  # times the even pace: the most, more where much room is left
MEASURES = ("requests", "tokens", "input_tokens", "output_tokens")
"""What is counted; the numbers of a call, a part or the whole window stand in this order."""

Counts = tuple[int, int, int, int]


class Part:
    """What went within one part of a window; `is_gone`: it has left it."""

    __slots__ = ("first_us", "input_tokens", "is_gone", "last_us", "output_tokens", "requests")

    def __init__(self, now: int) -> None:
        self.first_us = self.last_us = now
        self.requests = self.input_tokens = self.output_tokens = 0
        self.is_gone = False

    def held(self, place: int) -> int:
        """What it holds of one measure (`MEASURES`)."""
        if place == 0:
            return self.requests
        if place == 1:
            return self.input_tokens + self.output_tokens
        return self.input_tokens if place == 2 else self.output_tokens


class CallWindow:
    """Times are integers of microseconds of one monotonic clock."""

    __slots__ = ("_input_tokens", "_output_tokens", "_part_us", "_parts", "_requests", "window_us")

    def __init__(self, window_us: int) -> None:
        self.window_us = window_us
        self._part_us = max(1, window_us // _PARTS)
        self._parts: deque[Part] = deque()
        self._requests = self._input_tokens = self._output_tokens = 0

    @property
    def totals(self) -> Counts:
        """What the window holds, as of the last `move`, in the order of `MEASURES`."""
        inputs, outputs = self._input_tokens, self._output_tokens
        return self._requests, inputs + outputs, inputs, outputs

    def move(self, now: int) -> None:
        """Lets go of what has left the window by `now`."""
        parts, gone_us = self._parts, now - self.window_us
        while parts and parts[0].last_us <= gone_us:
            part = parts.popleft()
            part.is_gone = True
            self._requests -= part.requests
            self._input_tokens -= part.input_tokens
            self._output_tokens -= part.output_tokens

    def add(self, now: int, input_tokens: int, output_tokens: int) -> Part:
        """Counts a call, just after `move(now)`; the part it is in, for `change`."""
        parts = self._parts
        if parts and now - parts[-1].first_us < self._part_us:
            part = parts[-1]
            part.last_us = now
        else:
            part = Part(now)
            parts.append(part)
        part.requests += 1
        part.input_tokens += input_tokens
        part.output_tokens += output_tokens
        self._requests += 1
        self._input_tokens += input_tokens
        self._output_tokens += output_tokens
        return part

    def change(self, part: Part, requests: int, input_tokens: int, output_tokens: int) -> None:
        """Corrects what was counted in `part`, if that is still in the window; counts do not fall below 0."""
        if part.is_gone:
            return
        if requests:
            requests = max(requests, -part.requests)
            part.requests += requests
            self._requests += requests
        if input_tokens:
            input_tokens = max(input_tokens, -part.input_tokens)
            part.input_tokens += input_tokens
            self._input_tokens += input_tokens
        if output_tokens:
            output_tokens = max(output_tokens, -part.output_tokens)
            part.output_tokens += output_tokens
            self._output_tokens += output_tokens

    def wait_us(self, now: int, place: int, over: int) -> int:
        """How long until `over` of measure `place` has left the window; at the longest until all of it has."""
        wait = self.window_us
        for part in self._parts:
            if held := part.held(place):
                over -= held
                wait = part.last_us + self.window_us - now
                if over <= 0:
                    break
        return max(wait, 1)

    def pace(self, now: int, place: int, room: float, limit: float) -> float:
        """How fast calls may go now, in units of measure `place` a microsecond.

        What leaves the window can be used again at once; only so much of it is kept back that the pace has not to fall
        below a floor within three quarters of a window, when less leaves. So what is given is used, and what came as a
        burst does not come back as one.
        """
        even = limit / self.window_us
        floor, soon, far = even * _FLOOR, self.window_us // _SOON_PART, self.window_us * 3 // 4
        spare, lowest, free = limit, even, room
        age_us = self.window_us - now
        for part in self._parts:
            after = part.last_us + age_us
            if after > far:
                break
            if after > soon:
                spare = min(spare, free - floor * after)
                if spare <= 0:
                    lowest = min(lowest, free / after)
            free += part.held(place)
        if spare <= 0:
            return max(lowest, 0.0)
        return min(floor + spare / soon, even * min(_CATCH_UP + _ROOM_WEIGHT * room / limit, _FASTEST))
