"""What this worker has seen of the places that requests go to: how busy they are, how quick, and who asked where.

In memory, per worker, written at the begin and the end of an attempt without a lock or a wait. Fails open: a place of
which nothing is known is as good as any, so that something becomes known.
"""

import time
from asyncio import Task
from collections import deque
from collections.abc import Callable, Collection
from math import exp
from typing import Any

from aiservice.services.pulse import Pulse
from aiservice.wire import Usage

Place = tuple[str, str]
"""A connection's id and a model."""

_TAU_SECONDS = 10.0
"""How fast what was seen fades: a place that was slow is tried again."""
_MAX_PLACES = 4_000
_MAX_STICKY = 20_000
STICKY_SECONDS = 300.0
SAMPLES = 200
_TAKEN_IN_AT_ONCE = 64
_LEAST_TOKENS = 16
_LEAST_SECONDS = 0.1
"""Of a stream whose tokens come closer together, somebody on the way has gathered them: all of its time is taken."""
KNOWN_SECONDS = 300.0
"""How long a place's throughput is known after an answer has shown it: one that was slow is tried again."""
_MICRO = 1_000_000


class PeakEwma:
    """A mean that takes a worse value at once and a better one slowly (Finagle's peak-EWMA). Seconds."""

    __slots__ = ("at", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.at = 0.0

    def add(self, seconds: float, now: float) -> None:
        """Takes what was measured."""
        if seconds >= self.value:
            self.value = seconds
        else:
            weight = exp((self.at - now) / _TAU_SECONDS)
            self.value = self.value * weight + seconds * (1.0 - weight)
        self.at = now

    def now(self, now: float) -> float:
        """What is left of it: nothing measured for long means nothing known."""
        return self.value * exp((self.at - now) / _TAU_SECONDS) if self.value else 0.0


class Fact:
    """What was seen of one place. What its answers said of their length is taken in when somebody asks, or with many
    others at once, which is cheaper."""

    __slots__ = ("_inputs", "_outputs", "_rate", "_rate_at", "clock", "ended", "first", "in_flight", "whole")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.in_flight = 0
        self.first = PeakEwma()  # time to the first byte of streams
        self.whole = PeakEwma()
        self.ended: list[tuple[int, int, int, float, float]] = []
        """Of answers not taken in yet: tokens of answer and prompt, the prompt's estimate, seconds it was given in, and
        when that was over."""
        self._rate = self._rate_at = 0.0
        self._outputs: deque[int] = deque(maxlen=SAMPLES)
        self._inputs: deque[float] = deque(maxlen=SAMPLES)

    @property
    def outputs(self) -> Collection[int]:
        """Tokens of the last answers."""
        self.take_in()
        return self._outputs

    @property
    def inputs(self) -> Collection[float]:
        """Tokens of the last prompts, as parts of their estimates."""
        self.take_in()
        return self._inputs

    @property
    def tokens_per_second(self) -> float:
        """That of its answers while they come; 0.0 where nobody knows."""
        self.take_in()
        return self._rate if self._rate and self.clock() - self._rate_at < KNOWN_SECONDS else 0.0

    def take_in(self) -> None:
        """Takes in what `ended`."""
        ended, self.ended = self.ended, []
        rate, rate_at = self._rate, self._rate_at
        for outputs, inputs, estimated, seconds, at in ended:
            self._outputs.append(outputs)
            if estimated:
                self._inputs.append(inputs / estimated)
            if outputs >= _LEAST_TOKENS and seconds > 0:  # as `_measured` has it, without a call for each
                seen = outputs / seconds
                rate = rate + (seen - rate) / 8 if rate and at - rate_at < KNOWN_SECONDS else seen
                rate_at = at
        self._rate, self._rate_at = rate, rate_at

    def crawled(self, rate: float) -> None:
        """A stream was given up that gave `rate` tokens a second: too slow for who asked. That counts for half."""
        self.take_in()
        self._measured(max(rate, 0.1), 2, self.clock())

    def _measured(self, rate: float, part: int, at: float) -> None:
        known = self._rate if at - self._rate_at < KNOWN_SECONDS else 0.0
        self._rate, self._rate_at = known + (rate - known) / part if known else rate, at

    def latency(self, now: float, *, is_stream: bool) -> float:
        """Seconds to the first byte, or to the whole answer; 0.0 where nobody knows."""
        mine, other = (self.first, self.whole) if is_stream else (self.whole, self.first)
        return mine.now(now) or other.now(now)


class Load:
    """One attempt under way at a place. It is over once: `ended` or `failed`, whoever says so first.

    While it waits for its first byte it stands among those of its connection's `pulse`; `is_movable` says that its
    request has another place to go, `is_moved` that the breaker has cancelled its `task` for that. A stream's first
    event came at `first_at`, and for `held_seconds` its client did not take what was there.
    """

    __slots__ = ("began", "fact", "first_at", "held_seconds", "is_movable", "is_moved", "is_over", "pulse", "task")

    def __init__(
        self, fact: Fact, pulse: Pulse, began: float, task: "Task[Any] | None" = None, *, is_movable: bool = False
    ) -> None:
        self.fact = fact
        self.pulse = pulse
        self.began = began
        self.task = task
        self.is_movable = is_movable
        self.is_moved = self.is_over = False
        self.first_at = self.held_seconds = 0.0
        fact.in_flight += 1

    def ended(self, usage: Usage, est_input_tokens: int, now: float) -> None:
        """The answer is whole `now`: how long it was, and how quick."""
        fact = self.fact
        if not self.is_over:
            self.is_over = True
            fact.in_flight -= 1
        if usage.source == "reported":
            ended = fact.ended
            seconds = now - self.began
            if first_at := self.first_at:
                seconds = now - first_at - self.held_seconds
                if seconds < _LEAST_SECONDS:
                    seconds = now - self.began - self.held_seconds
            ended.append((usage.output_tokens, usage.input_tokens, est_input_tokens, seconds, now))
            if len(ended) >= _TAKEN_IN_AT_ONCE:
                fact.take_in()

    def failed(self) -> None:
        """The attempt gave nothing. How long that took counts as well: a place that hangs is slow."""
        now = self.first_at or self.fact.clock()
        for mean in (self.fact.first, self.fact.whole):
            if now - self.began > mean.value:
                mean.add(now - self.began, now)
        self.over()

    def over(self) -> None:
        """The attempt is over, and nothing is learned from it."""
        if not self.is_over:
            self.is_over = True
            self.fact.in_flight -= 1


class RoutingFacts:
    """All that one worker knows."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._facts: dict[Place, Fact] = {}
        self._sticky: dict[tuple[str, int], tuple[str, float]] = {}

    def fact(self, place: Place) -> Fact | None:
        """What is known of a place, if anything is."""
        return self._facts.get(place)

    def of(self, place: Place) -> Fact:
        """The same; a new one, where nothing is known."""
        fact = self._facts.get(place)
        if fact is None:
            if len(self._facts) >= _MAX_PLACES:  # models may be named by callers: never let them fill the memory
                self._facts = {key: each for key, each in self._facts.items() if each.in_flight}
            fact = self._facts[place] = Fact(self.clock)
        return fact

    # Whose prompt a provider may still have in its cache

    def stick(self, client_id: str, prefix: int, connection_id: str) -> None:
        """The client's prompt that begins so is in the cache of that connection."""
        if len(self._sticky) >= _MAX_STICKY:
            now = self.clock()
            self._sticky = {key: each for key, each in self._sticky.items() if each[1] > now}
            if len(self._sticky) >= _MAX_STICKY:
                self._sticky.clear()
        self._sticky[client_id, prefix] = (connection_id, self.clock() + STICKY_SECONDS)

    def stuck(self, client_id: str, prefix: int) -> str | None:
        """The connection that had the client's prompt of this beginning within the last minutes."""
        found = self._sticky.get((client_id, prefix))
        return found[0] if found is not None and found[1] > self.clock() else None
