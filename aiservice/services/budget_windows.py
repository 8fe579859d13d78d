"""When a budget begins anew: windows of the calendar (UTC), or rolling ones made of parts.

A rolling window is the sum of its parts: a part leaves it as a whole, so it is at most one part too strict and never
over (as the windows of limits are, `kit/sliding_window.py`).
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aiservice.kit.clock import DAY_US, HOUR_US, SECOND_US, from_us

PERIODS = ("day", "week", "month")
# Of rolling windows: how long they are, and their parts. A month is 30 days.
_ROLLING = {"day": (DAY_US, HOUR_US), "week": (7 * DAY_US, 6 * HOUR_US), "month": (30 * DAY_US, DAY_US)}


class Window(NamedTuple):
    """Microseconds UTC: what is spent now is written at `start_us`, and counts together with all since `since_us`; at
    `ends_us` another window, or part of one, begins."""

    start_us: int
    since_us: int
    ends_us: int


def window_at(period: str, at_us: int, *, is_rolling: bool) -> Window:
    """The window that a request of that moment belongs to."""
    if is_rolling:
        length_us, part_us = _ROLLING[period]
        start_us = at_us // part_us * part_us
        return Window(start_us, start_us - length_us, start_us + part_us)
    day = from_us(at_us).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        first, then = day, day + timedelta(days=1)
    elif period == "week":
        first = day - timedelta(days=day.weekday())
        then = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        then = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
    start_us = _us(first)
    return Window(start_us, start_us, _us(then))


def resets_us(period: str, window: Window, spent_since: list[tuple[int, int]], *, is_rolling: bool) -> int:
    """When something of what was spent comes back. `spent_since` is (start, spent) of the window's parts."""
    if not is_rolling:
        return window.ends_us
    length_us, part_us = _ROLLING[period]
    first = next((start for start, spent in sorted(spent_since) if spent), window.start_us)
    return first + length_us + part_us


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_US
