"""Bars over the log: whatever is asked for, they count what the list would show, in its hour and no other."""

from collections import Counter

import pytest

from aiservice.jobs.rollup import fold
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US
from aiservice.principal import Person
from aiservice.services.request_bars import MOST_BARS, WIDTHS_US, width_of
from aiservice.services.request_log import LogFilter, RequestLog
from aiservice.services.usage import Usage
from aiservice.store.ledger import is_error
from aiservice.store.session import Database
from tests.services.usage_rows import ADMIN, DEVELOPER, START_US, put, row_of

_OUTCOMES = [("finished", 200)] * 5 + [("failed", 502), ("client_left", 499), ("client_left", 200), ("finished", 200)]
_TWICE = [{"provider": "away", "status": 503}, {"provider": "eu", "status": 200}]
END_US = START_US // HOUR_US * HOUR_US + 31 * MINUTE_US


async def fill(db: Database) -> None:
    rows = []
    for n in range(300):
        outcome, status = _OUTCOMES[n % len(_OUTCOMES)]
        rows.append(
            row_of(
                f"r{n:03}",
                started_us=END_US - n * 11 * MINUTE_US - 1,
                client_id="cli_own" if n % 5 == 0 else "cli_1",
                task="embedding" if n % 3 == 0 else "chat",
                outcome=outcome,
                status=status,
                cache="hit" if n % 10 == 0 else None,
                attempts=_TWICE if n % 6 == 0 else _TWICE[1:],
            )
        )
    await put(db, *rows[20:])
    await fold(Usage(db))
    await put(db, *rows[:20])  # hours that are not folded yet


ASKED = [
    LogFilter(),
    LogFilter(task="embedding"),
    LogFilter(ending="finished"),
    LogFilter(status=200),
    LogFilter(status=200, ending="finished", task="chat"),
    LogFilter(ending="unfinished"),
    LogFilter(status=502),
    LogFilter(ending="client_left", status=200),
    LogFilter(cache="hit"),
    LogFilter(was_tried_again=True, ending="failed"),
    LogFilter(text_id="r012"),
]


@pytest.mark.parametrize(
    "span_us",
    [pytest.param(4 * HOUR_US, marks=pytest.mark.long), 2 * DAY_US + 7 * MINUTE_US],
)
async def test_bars_count_what_the_list_shows(db: Database, span_us: int) -> None:
    await fill(db)
    log = RequestLog(db)
    for asked in ASKED:
        for actor in (ADMIN, DEVELOPER) if asked in _BY_ANYBODY else (ADMIN,):
            await assert_same(log, actor, asked, (END_US - span_us, END_US))


_BY_ANYBODY = (LogFilter(), LogFilter(status=200), LogFilter(was_tried_again=True, ending="failed"))


async def assert_same(log: RequestLog, actor: Person, asked: LogFilter, span: tuple[int, int]) -> None:
    within = LogFilter(
        **{name: getattr(asked, name) for name in asked.__slots__}
        | dict(zip(("start_us", "end_us"), span, strict=True))
    )
    listed = (await log.page(actor, within, 500)).entries
    bars = await log.bars(actor, within, span)
    requests, errors = Counter[int](), Counter[int]()
    for entry in listed:
        start = entry.started_us // bars.width_us * bars.width_us
        requests[start] += 1
        errors[start] += is_error(entry.status, entry.outcome)
    assert {bar.start_us: bar.requests for bar in bars.bars if bar.requests} == requests, asked
    assert {bar.start_us: bar.errors for bar in bars.bars if bar.errors} == +errors, asked
    assert (bars.bars[0].start_us <= span[0], bars.bars[-1].end_us >= span[1]) == (True, True)


@pytest.mark.parametrize("span_us", [1, MINUTE_US, HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US, 365 * DAY_US])
def test_a_span_has_no_more_bars_than_a_phone_can_show(span_us: int) -> None:
    width_us = width_of(span_us)
    assert width_us in WIDTHS_US
    assert span_us / width_us + 2 <= MOST_BARS
