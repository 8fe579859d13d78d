"""How fast the events of one socket are taken (T-61): some at once, then so many a second. What comes faster waits its
turn; where too much waits already, it is dropped. A page never sends as much, a script that floods does.

In memory, per worker: a socket is in one worker for its life. Fails open: nothing here waits for anything else.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

EVENTS_PER_SECOND = 100
AT_ONCE = 200
MOST_WAITING = 300
_MOST_SOCKETS = 10_000


class EventPace:
    """GCRA by socket: one number each, when the next event would be due at the steady pace."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait_seconds(self, sid: str) -> float | None:
        """How long the event that just came waits; None: it is dropped."""
        now = self._clock()
        due = max(self._due.get(sid, now), now) + 1 / EVENTS_PER_SECOND
        wait = due - now - AT_ONCE / EVENTS_PER_SECOND
        if wait > MOST_WAITING / EVENTS_PER_SECOND:
            return None
        self._due[sid] = due
        self._due.move_to_end(sid)
        if len(self._due) > _MOST_SOCKETS:
            self._due.popitem(last=False)
        return max(0.0, wait)
