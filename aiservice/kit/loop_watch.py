"""How late the event loop runs, and what holds it up: a blocked loop stalls every answer of the process at once.

A timer on the loop notes how late it is called; a thread beside it notices when it is not called at all, and writes
down what every thread was doing. Sources of lateness are our own code and the machine; both count.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

TICK_SECONDS = 0.1
DUMP_AFTER_SECONDS = 1.0
_WINDOW_TICKS = 600  # a minute
_LOOK_SECONDS = 0.25

log = logging.getLogger(__name__)


class LoopWatch:
    """The watch of one loop. `also` is called in the thread about once a second, whatever the loop does."""

    def __init__(self, also: Callable[[], None] | None = None) -> None:
        self._also = also
        self._lags: deque[float] = deque(maxlen=_WINDOW_TICKS)
        self._due = 0.0
        self._longest = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._is_ending = threading.Event()

    def start(self) -> None:
        """Begins, on the running loop; starts one thread."""
        loop = asyncio.get_running_loop()
        self._due = time.monotonic() + TICK_SECONDS
        self._timer = loop.call_later(TICK_SECONDS, self._tick, loop)
        self._thread = threading.Thread(target=self._look, args=(threading.get_ident(),), name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends; waits for the thread a second at most."""
        self._is_ending.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join(1.0)

    def begin_anew(self) -> None:
        """Forgets what was late until now: on the loop, once a start with its imports and collections is over."""
        self._lags.clear()
        self._longest = 0.0
        self._due = time.monotonic() + TICK_SECONDS

    @property
    def stalled_seconds(self) -> float:
        """For how long the loop has done nothing; 0 while it runs. May be asked by any thread."""
        return max(0.0, time.monotonic() - self._due) if self._due else 0.0

    @property
    def p99_seconds(self) -> float:
        """The lateness that 99 of 100 ticks of the last minute stayed below."""
        lags = sorted(self._lags)
        return lags[min(len(lags) - 1, int(len(lags) * 0.99))] if lags else 0.0

    @property
    def longest_seconds(self) -> float:
        """The worst lateness since the start, or since it began anew."""
        return self._longest

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        lag = max(0.0, now - self._due)
        self._lags.append(lag)
        self._longest = max(self._longest, lag)
        self._due = now + TICK_SECONDS
        self._timer = loop.call_later(TICK_SECONDS, self._tick, loop)

    def _look(self, loop_thread: int) -> None:
        dumped_for, also_at = 0.0, 0.0
        while not self._is_ending.wait(_LOOK_SECONDS):
            stalled = self.stalled_seconds
            if stalled > DUMP_AFTER_SECONDS and dumped_for != self._due:
                dumped_for = self._due  # once for one stall
                log.error("The event loop has stood still for %.1f s.\n%s", stalled, _stacks(loop_thread))
            if self._also is not None and time.monotonic() >= also_at:
                also_at = time.monotonic() + 1.0
                self._also()


def _stacks(first: int) -> str:
    """What every thread is doing, the loop's own first."""
    frames = sys._current_frames()
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident in sorted(frames, key=lambda ident: ident != first):
        stack = "".join(traceback.format_stack(frames[ident])[-12:])
        parts.append(f"{names.get(ident, ident)}:\n{stack}")
    return "\n".join(parts)
