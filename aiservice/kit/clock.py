"""Time as integers: microseconds since the Unix epoch, UTC."""

import time
from datetime import UTC, datetime

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def now_us() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def from_us(at_us: int) -> datetime:
    """The aware UTC datetime of `at_us`."""
    return datetime.fromtimestamp(at_us / SECOND_US, UTC)


def iso(at_us: int | None) -> str | None:
    """RFC 3339 with milliseconds and `Z`; None stays None."""
    if at_us is None:
        return None
    return from_us(at_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
