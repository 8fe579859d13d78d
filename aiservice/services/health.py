"""Which provider connections answer: breakers that leave alone what fails, and what was seen of each.

In memory, per worker: every worker finds out for itself, within a few requests. Fails open: what is not known to be
down is tried, and where everything is, too.
"""

import time
from asyncio import Task
from collections.abc import Callable
from math import inf
from typing import Any

from aiservice.services.breaker import Breaker
from aiservice.services.health_views import picture
from aiservice.services.pulse import (
    DEAD_KEY_CODES,
    LEAST_PATIENCE_SECONDS,
    MOST_WAITING_OUT,
    PROBE_SECONDS,
    Pulse,
)
from aiservice.services.retry_budget import RetryBudget
from aiservice.services.routing_facts import Fact, Load
from aiservice.wire import AttemptFailure

__all__ = ["PROBE_SECONDS", "ConnectionHealth"]

_FIRST_PROBE_SECONDS = 2.0  # of a connection whose answers were too few to say how long they take
_MOST_DOUBLINGS = 2  # a probe is some client's request: nobody is to wait long for what is most likely still down


class ConnectionHealth:
    """The pulse of every connection that was asked, and the budget of further attempts.

    A breaker is closed until five failures in a row, or failures for two seconds without a success; then open: passed
    over, but for one request every five seconds, whose success closes it. A refused key opens it for its model after
    three refusals and for thirty seconds at a time, and failure upon failure after ten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._pulses: dict[str, Pulse] = {}
        self.budget = RetryBudget(clock)
        self.tell_dead_key: Callable[[str, str, str], None] | None = None
        """Called with connection id, model and code when a provider refuses our key or account."""

    def pulse(self, connection_id: str) -> Pulse:
        """The pulse of a connection; a new one knows nothing."""
        pulse = self._pulses.get(connection_id)
        if pulse is None:
            pulse = self._pulses[connection_id] = Pulse(self.clock())
        return pulse

    def asked(self) -> float:
        """A request's first attempt is about to begin: now, of the clock, which is told."""
        now = self.clock()
        self.budget.asked(now)
        return now

    def begin(
        self, connection_id: str, fact: Fact, task: "Task[Any] | None", began: float, *, is_movable: bool
    ) -> Load:
        """An attempt begins to wait for its first byte, now, at a place of which `fact` is known. Where its connection
        has fallen silent, the breaker opens, and who waits behind the first five is moved on to another place, as far
        as the budget goes."""
        pulse = self._pulses.get(connection_id)
        if pulse is None:
            pulse = self.pulse(connection_id)
        waiter = Load(fact, pulse, began, task, is_movable=is_movable)
        waiting = pulse.waiting
        waiting[waiter] = None  # it is one of those that may be moved on
        if len(waiting) > MOST_WAITING_OUT and began - pulse.heard > LEAST_PATIENCE_SECONDS and pulse.is_silent(began):
            self._move_on(pulse, began)
        return waiter

    def answered(self, waiter: Load, model: str, *, is_stream: bool) -> float:
        """The attempt has its first byte, or its whole answer: now, of the clock, which is told."""
        pulse, now = waiter.pulse, self.clock()
        if is_stream:
            waiter.first_at = waiter.first_at or now
            took, mean = waiter.first_at - waiter.began, waiter.fact.first
        else:
            took, mean = now - waiter.began, waiter.fact.whole
        if took >= mean.value:
            mean.value, mean.at = took, now
        else:
            mean.add(took, now)
        pulse.heard = now
        pulse.samples.append((now, took))
        bar = pulse.bar if now < pulse.bar_ends else pulse.new_bar(now)
        bar[1] += 1
        if pulse.down is not None or pulse.models:
            pulse.recovered(model)
        return now

    def open_breaker(self, connection_id: str, model: str) -> Breaker | None:
        """The open breaker in a request's way; None, which is usual, where it may go."""
        pulse = self._pulses.get(connection_id)
        if pulse is None or (pulse.down is None and not pulse.models):
            return None
        return pulse.open_breaker(model)

    def is_left_alone(self, connection_id: str, model: str = "") -> bool:
        """Whether a request would be refused now. Takes no probe."""
        breaker = self.open_breaker(connection_id, model)
        return breaker is not None and breaker.wait_seconds(self.clock()) > 0

    def wait_seconds(self, connection_id: str, model: str = "") -> float:
        """0.0 where a request may go now (with an open breaker it is the probe); else how long until the next may."""
        pulse = self._pulses.get(connection_id)
        breaker = None if pulse is None else pulse.open_breaker(model)
        if pulse is None or breaker is None:
            return 0.0
        now = self.clock()
        if wait := breaker.wait_seconds(now):
            return wait
        for each in (pulse.down, pulse.models.get(model)):
            if each is not None:
                each.take_probe(now)
        return 0.0

    def probe_seconds(self, connection_id: str, model: str) -> float | None:
        """How long a probe is waited for: twice as long as the one before. None where this is no probe."""
        pulse = self._pulses.get(connection_id)
        breaker = None if pulse is None else pulse.open_breaker(model)
        if pulse is None or breaker is None:
            return None
        patience = pulse.patience_seconds(self.clock())
        first = patience if patience < inf else _FIRST_PROBE_SECONDS
        return first * float(2 ** min(max(breaker.probes - 1, 0), _MOST_DOUBLINGS))

    def succeeded(self, connection_id: str, model: str = "") -> None:
        """The connection gave an answer."""
        pulse = self._pulses.get(connection_id)
        if pulse is not None:
            pulse.recovered(model)

    def failed(self, connection_id: str, failure: AttemptFailure, model: str = "") -> None:
        """An attempt failed; counts only where that is a sign that the next would, too."""
        self.pulse(connection_id).failed(failure, model, self.clock())
        if self.tell_dead_key is not None and failure.code in DEAD_KEY_CODES:
            self.tell_dead_key(connection_id, model, failure.code)

    def open_connections(self) -> dict[str, str]:
        """The connections whose own breaker is open, each with the code of its last failure."""
        return {
            name: pulse.down.last_code
            for name, pulse in list(self._pulses.items())
            if pulse.down is not None and pulse.down.next_try is not None
        }

    def said(self) -> dict[str, Any]:
        """What is known of every connection, as JSON holds it. May be called in any thread."""
        now = self.clock()
        return {name: picture(pulse, now) for name, pulse in list(self._pulses.items())}

    def _move_on(self, pulse: Pulse, now: float) -> None:
        for waiter in pulse.fall_silent(now):
            if not self.budget.spend():
                break
            waiter.is_moved = True
            if waiter.task is not None:
                waiter.task.cancel()

    def forget(self, connection_id: str) -> None:
        """Call it when a connection has changed: what was true of the old one need not be of the new."""
        self._pulses.pop(connection_id, None)
