"""When what keeps failing is left alone, and when it is tried again. Pure: the caller says what time it is."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Rule:
    """Opens after `failures` in a row, or after `seconds` of them without a success (at least two); then one request
    in `probe_seconds` may try."""

    failures: int
    seconds: float
    probe_seconds: float


class Breaker:
    """A row of failures without a success between. `next_try` (seconds of the caller's clock) is None while closed.

    It exists only in trouble: one success, and its owner drops it.
    """

    __slots__ = ("failures", "last_code", "last_status", "next_try", "opened", "probes", "rule", "since")

    def __init__(self, rule: Rule, now: float) -> None:
        self.rule = rule
        self.since = now
        self.failures = self.probes = 0
        self.next_try: float | None = None
        self.opened: float | None = None
        self.last_code = ""
        self.last_status: int | None = None

    def failed(self, code: str, now: float) -> None:
        """One more failure."""
        self.failures += 1
        self.last_code = code
        is_long = self.failures > 1 and now - self.since >= self.rule.seconds
        if self.failures >= self.rule.failures or is_long:
            self.open(code, now)

    def open(self, code: str, now: float) -> None:
        """Leaves it alone from now on. An open one stays as it is."""
        if self.next_try is None:
            self.last_code = code
            self.opened, self.next_try = now, now + self.rule.probe_seconds

    def wait_seconds(self, now: float) -> float:
        """How long until the next request may try; 0.0 where one may now."""
        return 0.0 if self.next_try is None or now >= self.next_try else self.next_try - now

    def take_probe(self, now: float) -> None:
        """The request that goes now is the probe: the next may go a while later, whatever becomes of this one."""
        if self.next_try is not None:
            self.probes += 1
            self.next_try = now + self.rule.probe_seconds
