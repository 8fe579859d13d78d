"""How many requests began when, as bars over the log: those that went well, and those that did not.

Read from the roll-ups, wherever these know what is asked for; what they do not tell apart (endings, the cache, another
try) is counted in indexes that hold nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US
from aiservice.services.usage_sums import plan
from aiservice.store import request_bars as store
from aiservice.store import usage as usage_store
from aiservice.store.request_log import Ending
from aiservice.store.session import AsyncSession
from aiservice.store.usage import Scope

WIDTHS_US = (*(n * MINUTE_US for n in (1, 5, 15)), *(n * HOUR_US for n in (1, 3)), DAY_US, 7 * DAY_US, 30 * DAY_US)
MOST_BARS = 62
_Counts = dict[int, tuple[int, int]]  # by the bar's start: requests, and how many of them failed


@dataclass(slots=True, frozen=True)
class Bar:
    """The requests begun in [start_us, end_us): `errors` of them failed."""

    start_us: int
    end_us: int
    requests: int
    errors: int


@dataclass(slots=True, frozen=True)
class Bars:
    """Bars of one width, oldest first; the first and last may reach over the span's ends, and count what is in it."""

    width_us: int
    bars: tuple[Bar, ...]

    @property
    def requests(self) -> int:
        return sum(bar.requests for bar in self.bars)

    @property
    def errors(self) -> int:
        return sum(bar.errors for bar in self.bars)


async def bars_of(session: AsyncSession, scope: Scope, ending: Ending, span: tuple[int, int]) -> Bars:
    """The bars of [start, end), which is cut to its minutes, the end's own included."""
    start_us, end_us = span[0] // MINUTE_US * MINUTE_US, -(-span[1] // MINUTE_US) * MINUTE_US
    width_us = width_of(end_us - start_us)
    if ending.is_rare:
        counts = await store.counted(session, scope, ending, (start_us, end_us), width_us)
    else:
        counts = await _summed(session, scope, (start_us, end_us), width_us)
        if ending != Ending():
            others = await store.counted_others(session, scope, ending, (start_us, end_us), width_us)
            counts = _without(counts, others)
    first = start_us // width_us * width_us
    bars = (Bar(at, at + width_us, *counts.get(at, (0, 0))) for at in range(first, end_us, width_us))
    return Bars(width_us, tuple(bars))


def width_of(span_us: int) -> int:
    """The narrowest width of which a span needs no more than `MOST_BARS`."""
    return next((width for width in WIDTHS_US if span_us <= width * (MOST_BARS - 2)), WIDTHS_US[-1])


async def _summed(session: AsyncSession, scope: Scope, span: tuple[int, int], width_us: int) -> _Counts:
    """From the roll-ups: days are the coarsest that there are."""
    grain_us = min(width_us, DAY_US)
    parts = plan(span, await usage_store.dirty_hours(session), grain_us)
    asked = usage_store.Asked(scope, (), grain_us, ("requests", "errors"))
    rows = await usage_store.sums(session, parts, asked)
    return _added(((bucket, requests, errors) for bucket, _, (requests, errors) in rows), width_us)


def _added(rows: Iterable[tuple[int, int, int]], width_us: int) -> _Counts:
    counts: _Counts = {}
    for at_us, requests, errors in rows:
        start = at_us // width_us * width_us
        known = counts.get(start, (0, 0))
        counts[start] = (known[0] + requests, known[1] + errors)
    return counts


def _without(counts: _Counts, others: _Counts) -> _Counts:
    """All of them but the others; those that are not summed yet are not taken off twice."""
    return {
        start: (max(requests - others.get(start, (0, 0))[0], 0), max(errors - others.get(start, (0, 0))[1], 0))
        for start, (requests, errors) in counts.items()
    }
