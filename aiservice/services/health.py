"""Circuit breakers: a provider connection that fails is left alone, but for one request now and then that tries it.

In memory, per worker: every worker finds out for itself, within a few requests. Fails open: what is not known to be
down is tried.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiservice.wire import AttemptFailure

OPENS_AFTER_FAILURES = 5
OPENS_AFTER_SECONDS = 2.0
PROBE_SECONDS = 5.0
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
        "upstream_tls_failed",
        "upstream_truncated",
    }
)
_STATUSES_OF_DOWN = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 529})


@dataclass(slots=True)
class _Trouble:
    """A row of failures without a success between. `next_try` is None while the breaker is closed."""

    since: float
    failures: int = 0
    next_try: float | None = None
    last_code: str = ""


class ConnectionHealth:
    """The breaker of every connection. A connection without trouble has no entry: asking for it is one look-up.

    Closed until five failures in a row, or failures for two seconds without a success; then open: refused, but for one
    request every five seconds, whose success closes it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def wait_seconds(self, connection_id: str) -> float:
        """0.0 where a request may go now (with an open breaker it is the probe); else how long until the next may."""
        trouble = self._troubles.get(connection_id)
        if trouble is None or trouble.next_try is None:
            return 0.0
        now = self._clock()
        if now < trouble.next_try:
            return trouble.next_try - now
        trouble.next_try = now + PROBE_SECONDS
        return 0.0

    def succeeded(self, connection_id: str) -> None:
        """The connection gave an answer, or a refusal that only a provider that is up can give."""
        if self._troubles:
            self._troubles.pop(connection_id, None)

    def failed(self, connection_id: str, failure: AttemptFailure) -> None:
        """An attempt failed; counts only where that is a sign that the provider is down."""
        if failure.code not in _SIGNS_OF_DOWN and failure.upstream_status not in _STATUSES_OF_DOWN:
            if failure.upstream_status is not None:
                self.succeeded(connection_id)
            return
        now = self._clock()
        trouble = self._troubles.setdefault(connection_id, _Trouble(now))
        trouble.failures += 1
        trouble.last_code = failure.code
        is_due = trouble.failures >= OPENS_AFTER_FAILURES or (
            trouble.failures > 1 and now - trouble.since >= OPENS_AFTER_SECONDS
        )
        if trouble.next_try is None and is_due:
            trouble.next_try = now + PROBE_SECONDS

    def open_connections(self) -> dict[str, str]:
        """The connections whose breaker is open, each with the code of its last failure."""
        return {name: trouble.last_code for name, trouble in self._troubles.items() if trouble.next_try is not None}

    def forget(self, connection_id: str) -> None:
        """Call it when a connection has changed: what was true of the old one need not be of the new."""
        self._troubles.pop(connection_id, None)
