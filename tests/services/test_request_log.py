"""The request log: pages in order whatever is asked for, each person only what is theirs, safe exports."""

import csv
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, text
from sqlmodel import col

from aiservice.errors import InvalidRequest, NotFound
from aiservice.jobs.rollup import fold
from aiservice.kit.clock import HOUR_US
from aiservice.principal import Person
from aiservice.services.request_log import CSV_COLUMNS, LogFilter, RequestLog
from aiservice.services.usage import Usage
from aiservice.store.request_log import Cut, Ending, aside, page_query
from aiservice.store.request_log import page as read_page
from aiservice.store.session import Database
from aiservice.store.usage import Scope
from aiservice.tables import LedgerEntry
from tests.services.usage_rows import ADMIN, DEVELOPER, START_US, plan_of, put, row_of


async def ids(log: RequestLog, actor: Person, asked: LogFilter | None = None, limit: int = 10) -> list[str]:
    """Every page's ids, one after another."""
    seen: list[str] = []
    cursor = ""
    while True:
        page = await log.page(actor, asked or LogFilter(), limit, cursor)
        seen += [entry.request_id for entry in page.entries]
        cursor = page.next_before
        if not cursor:
            return seen


async def test_the_log_goes_back_page_by_page_in_the_order_of_beginning(db: Database) -> None:
    rows = [row_of(f"r{n:02}", started_us=START_US + n // 3 * 1000, task="chat" if n % 2 else "x") for n in range(25)]
    await put(db, *rows[10:], *rows[:10])
    log = RequestLog(db)
    seen = await ids(log, ADMIN)
    assert sorted(seen) == sorted(row.request_id for row in rows)
    started = {row.request_id: row.started_us for row in rows}
    assert [started[request_id] for request_id in seen] == sorted(started.values(), reverse=True)
    assert len(await ids(log, ADMIN, LogFilter(task="x"))) == 13
    with pytest.raises(InvalidRequest):
        await log.page(ADMIN, LogFilter(), before="1; DROP TABLE")


@pytest.mark.parametrize("is_folded", [False, True])
async def test_what_is_sought_is_found_wherever_it_is(db: Database, is_folded: bool) -> None:
    many = [row_of(f"m{n:03}", started_us=START_US - n * HOUR_US // 2, key_id=f"key_{n % 5}") for n in range(200)]
    rare = [
        row_of(f"r{n}", started_us=START_US - n * 31 * HOUR_US, model="rare", provider="odd", task="embedding")
        for n in range(3)
    ]
    own = row_of("own", client_id="cli_own", key_id="key_own", started_us=START_US - 50 * HOUR_US)
    bad = row_of("bad", status=504, outcome="failed", started_us=START_US - 70 * HOUR_US)
    await put(db, *many, *rare, own, bad)
    if is_folded:
        await fold(Usage(db))
        await put(db, row_of("late", model="rare", started_us=START_US - 90 * HOUR_US))  # into an hour that is folded
    late = ["late"] if is_folded else []
    log = RequestLog(db)
    assert await ids(log, ADMIN, LogFilter(model="rare"), 2) == ["r0", "r1", "r2", *late]
    assert await ids(log, ADMIN, LogFilter(provider="odd", task="embedding")) == ["r0", "r1", "r2"]
    assert await ids(log, ADMIN, LogFilter(key_id="key_3"), 7) == [f"m{n:03}" for n in range(3, 200, 5)]
    assert await ids(log, ADMIN, LogFilter(key_id="key_own")) == ["own"]
    assert await ids(log, ADMIN, LogFilter(client_id="cli_own")) == ["own"]
    assert await ids(log, ADMIN, LogFilter(status=504)) == ["bad"]
    assert await ids(log, ADMIN, LogFilter(ending="unfinished", client_id="cli_1")) == ["bad"]
    assert await ids(log, ADMIN, LogFilter(ending="client_left")) == []
    assert len(await ids(log, ADMIN, LogFilter(ending="finished"), 100)) == 204 + len(late)
    span = LogFilter(start_us=START_US - 5 * HOUR_US, end_us=START_US - 4 * HOUR_US, key_id="key_0")
    assert await ids(log, ADMIN, span) == ["m010"]
    assert await ids(log, DEVELOPER) == ["own"]
    assert await ids(log, DEVELOPER, LogFilter(client_id="cli_1")) == []
    assert await ids(log, DEVELOPER, LogFilter(model="rare")) == []


async def test_one_request_is_for_those_who_may_see_it(db: Database) -> None:
    await put(db, row_of("theirs"), row_of("own", client_id="cli_own", client="own"))
    log = RequestLog(db)
    assert (await log.one(DEVELOPER, "own")).client == "own"
    with pytest.raises(NotFound):
        await log.one(DEVELOPER, "theirs")
    with pytest.raises(NotFound):
        await log.one(ADMIN, "no-such")
    assert (await log.one(ADMIN, "theirs")).client == "acme"


async def test_news_are_counted_for_whom_they_concern(db: Database) -> None:
    log = RequestLog(db)
    assert await log.newest_id() == 0
    await put(db, row_of("a"))
    seen = await log.newest_id()
    await put(db, row_of("b"), row_of("c", client_id="cli_own"), row_of("d", task="embedding"))
    assert await log.settled_after(ADMIN, LogFilter(), seen) == 3
    assert await log.settled_after(ADMIN, LogFilter(task="embedding"), seen) == 1
    assert await log.settled_after(DEVELOPER, LogFilter(), seen) == 1
    assert await log.settled_after(DEVELOPER, LogFilter(), await log.newest_id()) == 0


async def test_pages_are_read_from_indexes(db: Database) -> None:
    """The plans behind the figures of the large ledgers; an index that no longer serves shows here first."""
    from tests.harness.seeding import seed_month

    await seed_month(db, 12_000, START_US, is_summed=False)
    span = (START_US - 5 * HOUR_US, START_US)
    wanted = {
        "ix_ledger_entry_started_us": page_query(Scope(), Ending(), span, Cut(51)),
        "ix_ledger_unfinished": page_query(Scope(), Ending("failed", status=504), (0, 2**62), Cut(51)),
        "ix_ledger_client_started": page_query(
            Scope(None, (("client_id", "cli_1030"), ("key_id", "key_1150"))), Ending(), span, Cut(51)
        ),
    }
    for index, query in wanted.items():
        plan = await plan_of(db, query)
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan


@pytest.mark.sqlite_only("PostgreSQL has statistics to choose by")
async def test_what_went_ill_with_many_clients_is_not_looked_for_among_all_of_theirs(db: Database) -> None:
    from tests.harness.seeding import seed_month

    await seed_month(db, 12_000, START_US, is_summed=False)
    theirs = Scope(client_ids=tuple(f"cli_{1000 + n}" for n in range(20)))
    page = await plan_of(db, page_query(theirs, Ending("failed"), (0, START_US), Cut(51)))
    bars = await plan_of(db, select(func.count()).where(*aside(theirs), *Ending("failed").conditions()))
    news = await plan_of(db, select(func.count()).where(col(LedgerEntry.id) > 11_000, *aside(theirs)))
    assert "ix_ledger_unfinished" in page, page
    assert "ix_ledger_unfinished" in bars, bars
    assert "PRIMARY KEY" in news, news
    assert "ix_ledger_client_started" not in page + bars + news
    found = await RequestLog(db).page(ADMIN, LogFilter(client_id="cli_1003", ending="failed"), 500)
    async with db.read() as session:
        own = Scope(client_ids=("cli_1003", "cli_none"))
        assert [one.id for one in await read_page(session, own, Ending("failed"), (0, START_US), Cut(500))] == [
            entry.id for entry in found.entries
        ]


@pytest.mark.long_on_postgres
async def test_a_seeded_month_is_summed_as_the_ledger_sums(db: Database) -> None:
    """The tool behind the figures makes the roll-ups that settling the same rows would have made."""
    from aiservice.store.ledger import sum_rows
    from tests.harness.seeding import seed_month

    await seed_month(db, 3_000, START_US)
    async with db.read() as session:
        entries = (await session.execute(text("SELECT * FROM ledger_entry"))).mappings().all()
        minutes = (await session.execute(text("SELECT * FROM usage_minute"))).all()
        days = (await session.execute(text("SELECT SUM(requests), SUM(cost_nano_usd) FROM usage_day"))).one()
    read = [SimpleNamespace(**{**entry, "attempts": _attempts(entry["attempts"])}) for entry in entries]
    assert sorted(tuple(row) for row in minutes) == sorted(sum_rows(read))
    assert [int(total) for total in days] == [3_000, sum(entry["cost_nano_usd"] or 0 for entry in entries)]


def _attempts(found: Any) -> Any:
    """SQLite gives JSON as a text, PostgreSQL as what it says."""
    return orjson.loads(found) if isinstance(found, str) else found


async def test_t63_an_export_holds_no_formula_and_every_value(db: Database) -> None:
    payloads = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", 'a"b,c', "plain", "=cmd|' /C calc'!A0", "a\nb"]
    await put(db, *(row_of(f"r{n}", requested_model=text_, client=text_) for n, text_ in enumerate(payloads)))
    asked = LogFilter(start_us=START_US, end_us=START_US + 1)
    lines = [line async for line in RequestLog(db).export_csv(ADMIN, asked)]
    rows = list(csv.DictReader("".join(lines).splitlines(keepends=True)))
    assert tuple(rows[0]) == CSV_COLUMNS
    for row, payload in zip(rows, payloads, strict=True):
        assert row["client"] in {payload, "'" + payload}
        assert not row["client"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert (rows[0]["cost_nano_usd"], rows[0]["started_at"]) == ("3750000", "2026-11-18T11:06:40.000Z")


async def test_an_export_of_many_pages_has_every_row_once_and_only_ones_own(db: Database) -> None:
    await put(db, *(row_of(f"r{n}", started_us=START_US + n // 7) for n in range(2500)))
    asked = LogFilter(start_us=START_US, end_us=START_US + 300)
    lines = [line async for line in RequestLog(db).export_csv(ADMIN, asked)]
    exported = [line.split(",", 1)[0] for line in lines[1:]]
    assert len(exported) == len(set(exported)) == 2100
    assert len([line async for line in RequestLog(db).export_csv(DEVELOPER, asked)]) == 1


@pytest.mark.parametrize(
    "asked", [LogFilter(), LogFilter(task="x"), LogFilter(model="rare"), LogFilter(ending="failed")]
)
async def test_the_way_back_goes_through_the_same_pages(db: Database, asked: LogFilter) -> None:
    rows = [
        row_of(
            f"r{n:03}",
            started_us=START_US - n // 2 * HOUR_US,
            task="chat" if n % 3 else "x",
            model="rare" if n % 7 == 0 else "m",
            outcome="failed" if n % 4 == 0 else "finished",
            status=502 if n % 4 == 0 else 200,
        )
        for n in range(60)
    ]
    await put(db, *rows)
    await fold(Usage(db))
    log = RequestLog(db)
    pages, cursor = [], ""
    while True:
        pages.append(await log.page(ADMIN, asked, 4, cursor))
        cursor = pages[-1].next_before
        if not cursor:
            break
    assert pages[0].next_after == ""
    page = pages[-1]
    for there in reversed(pages[:-1]):
        page = await log.page(ADMIN, asked, 4, after=page.next_after)
        assert [entry.request_id for entry in page.entries] == [entry.request_id for entry in there.entries]
    assert page.next_after == ""  # the first page again: nothing is newer


async def test_the_first_page_is_whole_though_it_was_reached_from_below(db: Database) -> None:
    await put(db, *[row_of(f"r{n}", started_us=START_US - n * 1000) for n in range(10)])
    log = RequestLog(db)
    second = await log.page(ADMIN, LogFilter(), 4, f"{START_US - 1000}-{2**40}")
    newer = await log.page(ADMIN, LogFilter(), 4, after=second.next_after)
    assert [entry.request_id for entry in newer.entries] == ["r0", "r1", "r2", "r3"]
    assert (newer.next_after, bool(newer.next_before)) == ("", True)


async def test_a_request_is_found_by_every_id_that_it_has(db: Database) -> None:
    one = {"trace_id": "a" * 32, "upstream_id": "req_of_the_provider"}
    await put(db, row_of("r1", **one), row_of("r2", trace_id="a" * 32), row_of("r3", client_id="cli_own", **one))
    log = RequestLog(db)
    assert sorted(await ids(log, ADMIN, LogFilter(text_id="a" * 32))) == ["r1", "r2", "r3"]
    assert sorted(await ids(log, ADMIN, LogFilter(text_id="req_of_the_provider"))) == ["r1", "r3"]
    assert await ids(log, ADMIN, LogFilter(text_id="r2", task="chat")) == ["r2"]
    assert await ids(log, ADMIN, LogFilter(text_id="r2", task="embedding")) == []
    assert await ids(log, DEVELOPER, LogFilter(text_id="a" * 32)) == ["r3"]
    assert await ids(log, DEVELOPER, LogFilter(text_id="r1")) == []


async def test_what_the_cache_had_a_part_in_and_what_was_tried_again_are_found(db: Database) -> None:
    twice = [{"provider": "away", "status": 503, "code": "provider_failed"}, {"provider": "eu", "status": 200}]
    await put(
        db,
        row_of("plain"),
        row_of("hit", cache="hit"),
        row_of("miss", cache="miss"),
        row_of("again", attempts=twice),
        row_of("again, hit", attempts=twice, cache="hit", outcome="failed", status=502),
    )
    log = RequestLog(db)
    assert sorted(await ids(log, ADMIN, LogFilter(cache="hit"))) == ["again, hit", "hit"]
    assert await ids(log, ADMIN, LogFilter(cache="miss")) == ["miss"]
    assert await ids(log, ADMIN, LogFilter(cache="coalesced")) == []
    assert sorted(await ids(log, ADMIN, LogFilter(was_tried_again=True))) == ["again", "again, hit"]
    assert await ids(log, ADMIN, LogFilter(was_tried_again=True, cache="hit", ending="unfinished")) == ["again, hit"]
