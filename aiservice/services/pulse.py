"""How one provider connection does, as this worker sees it: its breakers, who waits for it, and its last answers.

Two kinds of breaker. The connection's own counts signs that nobody answers there. A model's counts answers that are
none for anybody who asks for it: a key that is refused, an account without credit, failure upon failure.
"""

from asyncio import Task
from collections import deque
from itertools import islice
from typing import Any, Protocol

from aiservice.services.breaker import Breaker, Rule
from aiservice.wire import AttemptFailure

OPENS_AFTER_FAILURES = 5
OPENS_AFTER_SECONDS = 2.0
PROBE_SECONDS = 5.0
DEAD_KEY_FAILURES = 3
DEAD_KEY_SECONDS = 30.0
FAILING_FAILURES = 10
MOST_WAITING_OUT = 5
"""So many requests wait for a silent provider until the deadline; those behind them go on to the next candidate."""
SILENT = "upstream_silent"
BARS, BAR_SECONDS = 90, 10.0
RECENT_BARS = 30
WINDOW_SECONDS = RECENT_BARS * BAR_SECONDS
LEAST_PATIENCE_SECONDS = 1.0
_PATIENCE = 4  # times what nineteen of twenty answers needed
_LEAST_SAMPLES = 20
_SAMPLES = 512
_P95_SECONDS = 5.0  # how long a figure of the samples is used
_DOWN = Rule(OPENS_AFTER_FAILURES, OPENS_AFTER_SECONDS, PROBE_SECONDS)
_DEAD_KEY = Rule(DEAD_KEY_FAILURES, float("inf"), DEAD_KEY_SECONDS)
_FAILING = Rule(FAILING_FAILURES, float("inf"), PROBE_SECONDS)
# A provider's own 500, its refusals and its limits say nothing against the next request.
_SIGNS_OF_DOWN = frozenset(
    {
        "provider_timeout",
        "upstream_bad_reply",
        "upstream_connect_failed",
        "upstream_connect_timeout",
        "upstream_dns_failed",
        "upstream_first_byte_timeout",
        "upstream_idle_timeout",
        "upstream_no_progress",
        "upstream_reset",
        "upstream_stalled",
        "upstream_tls_failed",
        "upstream_truncated",
    }
)
_STATUSES_OF_DOWN = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 529})
DEAD_KEY_CODES = frozenset({"upstream_auth_failed", "upstream_quota_exhausted", "upstream_credential_invalid"})
_FAILING_CODES = frozenset({"provider_failed", "provider_invalid_answer", "provider_overloaded"})


class Waiter(Protocol):
    """One attempt that waits for the first byte. `is_movable`: its request has another place to go."""

    began: float
    task: "Task[Any] | None"
    is_movable: bool
    is_moved: bool


class Pulse:
    """One connection. Times are seconds of one clock that the caller reads."""

    __slots__ = (
        "_p95",
        "_p95_at",
        "bar",
        "bar_ends",
        "bars",
        "down",
        "heard",
        "last_failure",
        "models",
        "samples",
        "waiting",
    )

    def __init__(self, now: float) -> None:
        self.heard = now
        self.waiting: dict[Waiter, None] = {}  # in the order in which they began
        self.down: Breaker | None = None
        self.models: dict[str, Breaker] = {}
        self.samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)  # (when, seconds waited) of answers
        self.bars: deque[list[int]] = deque(maxlen=BARS)  # [slot of ten seconds, answers, failures]
        self.last_failure: tuple[float, str, str] | None = None  # (when, code, model)
        self.bar, self.bar_ends = [0, 0, 0], 0.0
        self._p95, self._p95_at = float("inf"), 0.0

    def failed(self, failure: AttemptFailure, model: str, now: float) -> None:
        """An attempt failed that had been made."""
        code, status = failure.code, failure.upstream_status
        is_sign = code in _SIGNS_OF_DOWN or status in _STATUSES_OF_DOWN
        if not is_sign and status is None and code not in DEAD_KEY_CODES:
            return  # ours: the vault is sealed, a field cannot be carried
        if is_sign:
            self._count(now, code, model)
            if self.down is None:
                self.down = Breaker(_DOWN, now)
            self.down.failed(code, now)
            self.down.last_status = status
            return
        self.heard = now
        self.down = None  # only a provider that is up can refuse
        if code in DEAD_KEY_CODES or code in _FAILING_CODES:
            self._count(now, code, model)
            breaker = self.models.get(model)
            if breaker is None:
                breaker = self.models[model] = Breaker(_DEAD_KEY if code in DEAD_KEY_CODES else _FAILING, now)
            breaker.failed(code, now)
            breaker.last_status = status

    def recovered(self, model: str) -> None:
        """It has given an answer."""
        self.down = None
        if self.models:
            self.models.pop(model, None)

    def open_breaker(self, model: str) -> Breaker | None:
        """The open breaker in a request's way, the one that opens last where there are two."""
        down = self.down if self.down is not None and self.down.next_try is not None else None
        of_model = self.models.get(model) if self.models else None
        if of_model is None or of_model.next_try is None:
            return down
        if down is None or (down.next_try or 0.0) < of_model.next_try:
            return of_model
        return down

    def fall_silent(self, now: float) -> list[Waiter]:
        """Opens the breaker of a connection that says nothing; those of its waiters that may go on elsewhere."""
        if self.down is None:
            self.down = Breaker(_DOWN, now)
        self.down.open(SILENT, now)
        self._count(now, SILENT, "")
        behind = islice(tuple(self.waiting), MOST_WAITING_OUT, None)
        return [waiter for waiter in behind if waiter.is_movable and not waiter.is_moved and waiter.task is not None]

    def patience_seconds(self, now: float) -> float:
        """How long a first byte may be waited for before that is strange; infinite where too little is known."""
        if now - self._p95_at > _P95_SECONDS:
            self._p95_at = now
            good = self.waits(now)
            self._p95 = good[len(good) * 95 // 100] if len(good) >= _LEAST_SAMPLES else float("inf")
        return max(LEAST_PATIENCE_SECONDS, _PATIENCE * self._p95)

    def waits(self, now: float) -> list[float]:
        """The seconds that the last answers needed to their first byte, shortest first."""
        return sorted(waited for at, waited in list(self.samples) if now - at < WINDOW_SECONDS)

    def is_silent(self, now: float) -> bool:
        """Whether it has said nothing for so long, with so many waiting, that it looks dead. An open breaker knows."""
        if now - self.heard <= LEAST_PATIENCE_SECONDS or (self.down is not None and self.down.next_try is not None):
            return False
        last_to_wait_out = next(islice(self.waiting, MOST_WAITING_OUT - 1, None))
        patience = self.patience_seconds(now)
        return now - last_to_wait_out.began > patience and now - self.heard > patience

    def _count(self, now: float, code: str, model: str) -> None:
        bar = self.bar if now < self.bar_ends else self.new_bar(now)
        bar[2] += 1
        self.last_failure = (now, code, model)

    def new_bar(self, now: float) -> list[int]:
        """The bar of ten seconds that begins, for whoever finds that the last one has ended."""
        slot = int(now / BAR_SECONDS)
        self.bar, self.bar_ends = [slot, 0, 0], (slot + 1) * BAR_SECONDS
        self.bars.append(self.bar)
        return self.bar
