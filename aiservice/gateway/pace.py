"""Whether a stream gives as many tokens a second as its request's terms ask for (`fallback_below_throughput`).

Its first tokens are held back until they show that it does, so that the request can still go elsewhere; after that the
last seconds are looked at. Nothing is done here for a piece of a stream that is on its way to the client: the sweep of
the deadlines looks a few times a second (`upstream/deadlines.py`), at those streams alone that have such terms.

Of a silence one second counts, and then its own deadlines hold: what a model thinks, or a tool of its vendor does, is
not slow. The time in which the client does not take what is there does not count either.
"""

from collections import deque
from collections.abc import Callable, Iterable

from aiservice.wire import EventKind, StreamEvent

PROOF_SECONDS = 2.0
"""As much as a stream has to give in this time is held back, unless it takes longer: then it is too slow."""
WINDOW_SECONDS = 5.0
MOST_SILENCE_SECONDS = 1.0
_SAID = frozenset({EventKind.TEXT, EventKind.REASONING, EventKind.REFUSAL})


class Pace:
    """One stream's. `delivered` tells the tokens that its client was given, and `may_leave` whether another attempt is
    to be had: if not, the stream is left as it is. `tell` is told the tokens a second of one that is too slow."""

    __slots__ = (
        "_at",
        "_characters",
        "_delivered",
        "_held_pieces",
        "_is_held",
        "_least",
        "_may_leave",
        "_seconds",
        "_seen",
        "_silence",
        "_tell",
        "_window",
        "is_over",
    )

    def __init__(
        self,
        least: float,
        now: float,
        delivered: Callable[[], int],
        may_leave: Callable[[], bool],
        tell: Callable[[float], None],
    ) -> None:
        """`least` tokens a second from `now` on, seconds of the loop's clock."""
        self._least = least
        self._at = now
        self._delivered, self._may_leave, self._tell = delivered, may_leave, tell
        self._held_pieces = self._characters = self._seen = 0
        self._seconds = self._silence = 0.0
        self._is_held = True
        self._window = deque([(0.0, 0)])  # (seconds that count, tokens) at each look, the oldest first
        self.is_over = False

    def holds(self, events: Iterable[StreamEvent]) -> bool:
        """Whether a stream whose client was given nothing yet, and that has now said `events`, has more to show."""
        for event in events:
            call = event.tool_call
            if call is not None or event.kind in _SAID:
                self._held_pieces += 1
                self._characters += len(event.text if call is None else call.arguments)
        return not self.is_over and self._held < self._least * PROOF_SECONDS

    def released(self) -> None:
        """What was held back goes to the client: from here on it is counted there."""
        self._is_held = False

    def is_too_slow(self, now: float, *, is_waiting: bool) -> bool:
        """Looks at the stream; whether it is to be given up."""
        passed, self._at = now - self._at, now
        tokens = self._held if self._is_held else self._delivered()
        has_come, self._seen = tokens > self._seen, max(tokens, self._seen)
        if self.is_over or not is_waiting:
            return False
        if has_come:
            self._silence = 0.0
        self._seconds += min(passed, max(MOST_SILENCE_SECONDS - self._silence, 0.0))
        self._silence += passed
        return self._is_behind()

    @property
    def _held(self) -> int:
        return max(self._held_pieces, -(-self._characters // 4))

    def _is_behind(self) -> bool:
        window, span = self._window, PROOF_SECONDS if self._is_held else WINDOW_SECONDS
        window.append((self._seconds, self._seen))
        while len(window) > 1 and window[1][0] <= self._seconds - span:
            window.popleft()
        took, given = self._seconds - window[0][0], self._seen - window[0][1]
        if took < span or given + 1 >= self._least * took:  # the next token may be all but there
            return False
        if not self._may_leave():
            self.is_over = True
            return False
        self._tell(given / took)
        return True
