"""The last 24 hours of usage: what minutes say, whatever is folded; what is not known is no 0."""

from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.services.usage import Usage
from aiservice.services.usage_day import Day, last_day
from aiservice.store.session import Database
from aiservice.store.usage import Scope
from tests.services.usage_rows import DEVELOPER, put, row_of

TODAY = now_us() // DAY_US * DAY_US
NOW = TODAY - DAY_US + 10 * HOUR_US + 37 * MINUTE_US + 5


async def day_of(db: Database, owner_id: str | None = None) -> Day:
    async with db.read() as session:
        return await last_day(session, Scope(owner_id), NOW)


def counted(times: list[int], start_us: int, end_us: int) -> int:
    return sum(start_us <= at < end_us for at in times)


async def test_a_day_and_the_one_before_are_what_minutes_say_whatever_is_folded(db: Database) -> None:
    times = [NOW - 60 * HOUR_US + n * 17 * MINUTE_US for n in range(212)]
    await put(db, *(row_of(f"r{n}", started_us=at, client_id=f"cli_{n % 2}") for n, at in enumerate(times)))
    minute = NOW // MINUTE_US * MINUTE_US
    first_hour = NOW // HOUR_US * HOUR_US - 23 * HOUR_US
    for _ in range(2):
        day = await day_of(db)
        assert day.now.requests == counted(times, minute - DAY_US, minute + MINUTE_US)
        assert day.now.cost_nano_usd == day.now.requests * 3_750_000
        assert sum(day.now.latencies) == day.now.requests
        assert day.before is not None
        assert day.before.requests == counted(times, minute - 2 * DAY_US, minute - DAY_US)
        hours = [first_hour + n * HOUR_US for n in range(24)]
        expected = [counted(times, at, min(at + HOUR_US, minute + MINUTE_US)) for at in hours]
        assert [point and point.requests for point in day.hours] == expected
        await fold(Usage(db))


async def test_a_day_that_begins_with_the_first_request_says_nothing_of_before(db: Database) -> None:
    await put(db, row_of("a", started_us=NOW - 3 * HOUR_US, client_id="cli_own"), row_of("b", started_us=NOW - DAY_US))
    for _ in range(2):
        own = await day_of(db, DEVELOPER.user_id)
        assert own.before is None
        assert own.now.requests == 1
        assert [point and point.requests for point in own.hours] == [*[None] * 20, 1, 0, 0, 0]
        assert (await day_of(db)).before is not None
        assert (await day_of(db, "usr_nobody")).hours == [None] * 24
        await fold(Usage(db))
