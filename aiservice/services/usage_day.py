"""The last 24 hours of usage beside those before them: what an overview shows, in few statements."""

from dataclasses import dataclass, replace

from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US
from aiservice.services.usage_metrics import metric_of
from aiservice.services.usage_reading import Reading
from aiservice.services.usage_series import Frame
from aiservice.services.usage_sums import Sums
from aiservice.store.session import AsyncSession
from aiservice.store.usage import EVERY_SUM, Scope


@dataclass(slots=True)
class Day:
    """`now` are the 24 hours up to this minute, `before` those before them (None: nothing is known of then), `hours`
    the 24 of the clock that end with this one: None where nothing is known of one."""

    now: Sums
    before: Sums | None
    hours: list[Sums | None]


async def last_day(session: AsyncSession, scope: Scope, now_us: int) -> Day:
    """Both ends are cut to their minute, this minute included."""
    end_us = now_us // MINUTE_US * MINUTE_US + MINUTE_US
    since_us, this_hour = end_us - MINUTE_US - DAY_US, now_us // HOUR_US * HOUR_US
    metric = replace(metric_of("requests"), columns=EVERY_SUM)
    reading = await Reading.begin(session, scope, (since_us, end_us), (), metric)
    known_us = await reading.known_since(since_us)
    hours = await reading.whole_points(HOUR_US)  # the first is the part of its hour that is within the 24
    frame = Frame([this_hour + (n - 23) * HOUR_US for n in range(24)], HOUR_US, known_us)
    before = await replace(reading, span=(since_us - DAY_US, since_us)).whole() if known_us <= since_us else None
    return Day(sum(hours.values(), Sums()), before, frame.points(hours))
