"""Deadlines of many calls watched by one timer: a chunk of a stream costs a counter, not a timer or a task.

The sweep looks at every call a few times a second. What it finds overdue it cancels, and the call turns that
cancellation (and only that one) into a failure. A deadline is therefore late by at most one period.
"""

import asyncio
from typing import Final, Protocol

from aiservice.settings import Deadlines
from aiservice.upstream.failures import UpstreamFailure, failed

MAX_PERIOD_SECONDS: Final = 0.25
MIN_PERIOD_SECONDS: Final = 0.01
_SAID_SOMETHING: Final = 2  # events: the head is the first


class Pace(Protocol):
    """Whether a stream keeps up with what is asked of it, looked at by the sweep."""

    def is_too_slow(self, now: float, *, is_waiting: bool) -> bool:
        """Whether it does not, now, of the loop's clock; the time while nobody waits for the provider is not its."""


class Watch:
    """The deadlines of one call. Times in seconds of the loop's clock.

    `is_waiting` is True only while the call waits for the provider: a slow client is not the provider's silence.
    `has_sent` turns true before the first byte of the request is written.
    `reads` and `events` are counters that the sweep compares with what it saw before.
    """

    __slots__ = (
        "_cancelling",
        "_fruitless_since",
        "_seen_events",
        "_seen_reads",
        "_silent_since",
        "_started",
        "deadlines",
        "events",
        "expired",
        "has_begun",
        "has_sent",
        "is_silence_watched",
        "is_stream",
        "is_waiting",
        "pace",
        "reads",
        "task",
    )

    def __init__(self, deadlines: Deadlines, now: float, task: "asyncio.Task[object] | None", is_stream: bool) -> None:
        self.deadlines = deadlines
        self._started = self._silent_since = self._fruitless_since = now
        self._seen_reads = self._seen_events = self._cancelling = 0
        self.task = task
        self.is_stream = is_stream
        self.reads = self.events = 0
        self.is_waiting = True
        self.has_begun = self.has_sent = False
        self.is_silence_watched = True
        self.pace: Pace | None = None
        self.expired: str | None = None

    def begun(self) -> None:
        """The head of the answer has come: from here on the idle deadline counts, not the one for the first byte."""
        if self.has_begun:
            return
        self.has_begun = True
        self.reads += 1
        self.events += 1

    def check(self, now: float) -> None:
        """Marks the call as expired and cancels its wait where a deadline has passed."""
        if self.expired is not None:
            return
        if self.reads != self._seen_reads or not self.is_waiting:
            self._seen_reads = self.reads
            self._silent_since = now
        if self.events != self._seen_events or not self.is_waiting:
            self._seen_events = self.events
            self._fruitless_since = now
        self.expired = self._overdue(now)
        if self.pace is not None and self.pace.is_too_slow(now, is_waiting=self.is_waiting):
            self.expired = self.expired or "upstream_too_slow"
        if self.expired is not None and self.is_waiting and self.task is not None:
            self._cancelling = self.task.cancelling()
            self.task.cancel()

    def _overdue(self, now: float) -> str | None:
        limits = self.deadlines
        if now - self._started > limits.total:
            return "upstream_total_timeout"
        if not self.is_waiting:
            return None
        if self.is_stream and self.events < _SAID_SOMETHING and now - self._started > limits.first_event:
            return "upstream_stalled"
        allowed = limits.idle if self.has_begun else limits.first_byte
        if self.is_silence_watched and now - self._silent_since > allowed:
            return "upstream_idle_timeout" if self.has_begun else "upstream_first_byte_timeout"
        if self.is_stream and self.has_begun and now - self._fruitless_since > limits.progress:
            return "upstream_no_progress"
        return None

    def failure(self) -> UpstreamFailure | None:
        """After a CancelledError: the failure it stands for, or None where somebody else cancelled the task."""
        if self.expired is None or self.task is None:
            return None
        if self.task.uncancel() > self._cancelling:
            return None
        return failed(self.expired)


class Watchdog:
    """All calls under way in one event loop, and the one timer that looks after them."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._period = MAX_PERIOD_SECONDS
        self._timed_for: Deadlines | None = None

    def watch(self, deadlines: Deadlines, *, is_stream: bool, task: "asyncio.Task[object] | None" = None) -> Watch:
        """Starts to watch a call of `task`, which is the current one (given by who knows it: to ask takes a while);
        `release` ends it."""
        loop = asyncio.get_running_loop()
        watch = Watch(deadlines, loop.time(), task or asyncio.current_task(loop), is_stream)
        self._watches.add(watch)
        if deadlines is not self._timed_for:
            self._timed_for = deadlines
            shortest = min(
                deadlines.first_byte, deadlines.idle, deadlines.total, deadlines.progress, deadlines.first_event
            )
            self._period = min(self._period, max(MIN_PERIOD_SECONDS, shortest / 10))
        if self._timer is None:
            self._timer = loop.call_later(self._period, self._sweep, loop)
        return watch

    def release(self, watch: Watch) -> None:
        self._watches.discard(watch)

    @property
    def count(self) -> int:
        """Calls under way."""
        return len(self._watches)

    def close(self) -> None:
        """Stops the timer; calls still under way are no longer watched."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for watch in tuple(self._watches):
            watch.check(now)
        self._timer = loop.call_later(self._period, self._sweep, loop) if self._watches else None
