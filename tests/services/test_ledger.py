"""The ledger: every request once, whatever dies when."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.errors import Overloaded
from aiservice.kit.clock import HOUR_US, MINUTE_US
from aiservice.services.ledger import Ledger
from aiservice.services.settlement import Intent, Progress, Settlement
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.usage_rows import intent_of, row_of


@pytest.fixture
async def ledger(settings: Settings, database: Database) -> AsyncIterator[Ledger]:
    ledger = new_ledger(database, settings)
    await ledger.open()
    yield ledger
    await ledger.close()


def new_ledger(database: Database, settings: Settings, **more: Any) -> Ledger:
    return Ledger(database, settings, reserve_bytes=1 << 16, **more)


def settle(ledger: Ledger, request_id: str, **values: Any) -> Settlement:
    ledger.intend(intent_of(request_id))
    row = row_of(request_id, **values)
    ledger.settle(row)
    return row


async def rows(database: Database, query: str = "SELECT * FROM ledger_entry ORDER BY id") -> list[dict[str, Any]]:
    async with database.read() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


async def test_a_settled_request_is_one_row_with_all_its_values(ledger: Ledger, database: Database) -> None:
    row = settle(ledger, "req_1", cost_nano_usd=None, attempts=[{"connection": "a", "status": 503}])
    await ledger.flush()
    (stored,) = await rows(database)
    assert (stored["request_id"], stored["input_tokens"], stored["cost_nano_usd"]) == ("req_1", row.input_tokens, None)
    assert stored["attempts"] == '[{"connection":"a","status":503}]'


async def test_the_flusher_needs_no_call(ledger: Ledger, database: Database) -> None:
    seen: list[str] = []
    ledger.on_settled(lambda row: seen.append(row.request_id))
    settle(ledger, "req_1")
    for _ in range(200):
        if seen:
            break
        await asyncio.sleep(0.01)
    assert seen == ["req_1"]
    assert len(await rows(database)) == 1
    assert (ledger.in_flight, ledger.waiting, ledger.lag_seconds) == (0, 0, 0.0)


async def test_t74_a_second_settlement_changes_nothing(ledger: Ledger, database: Database) -> None:
    settle(ledger, "req_1", output_tokens=5)
    for _ in range(5):
        ledger.settle(row_of("req_1", output_tokens=999))
    await ledger.flush()
    ledger.intend(intent_of("req_1"))
    ledger.settle(row_of("req_1", output_tokens=999))
    await ledger.flush()
    (stored,) = await rows(database)
    assert stored["output_tokens"] == 5
    (minute,) = await rows(database, "SELECT * FROM usage_minute")
    assert (minute["requests"], minute["output_tokens"]) == (1, 5)


async def test_an_intent_under_way_is_not_taken_twice(ledger: Ledger) -> None:
    ledger.intend(intent_of("req_1"))
    with pytest.raises(ValueError, match="req_1"):
        ledger.intend(intent_of("req_1"))
    assert ledger.in_flight == 1


@pytest.mark.parametrize("count", [float("nan"), -5, 1e308, "10", None, True, 10**9 + 1, 2**70])
async def test_t73_counts_that_cannot_be_become_the_estimate(ledger: Ledger, database: Database, count: Any) -> None:
    settle(ledger, "req_1", input_tokens=count, output_tokens=count, reasoning_tokens=count)
    settle(ledger, "req_2", cost_nano_usd=count if count is not None else -1)
    await ledger.flush()
    bad, other = await rows(database)
    assert (bad["input_tokens"], bad["output_tokens"]) == (intent_of("x").est_input_tokens, 0)
    assert (bad["usage_source"], bad["is_usage_invalid"]) == ("estimated", 1)
    if count != 10**9 + 1:
        assert other["cost_nano_usd"] is None


async def test_texts_that_do_not_fit_their_column_are_cut(ledger: Ledger, database: Database) -> None:
    settle(ledger, "req_1", requested_model="m\0" * 5000, attempts=[{"model": "a\0b", "status": 1}])
    await ledger.flush()
    (stored,) = await rows(database)
    assert stored["requested_model"] == "m" * 200
    assert stored["attempts"] == '[{"model":"ab","status":1}]'


async def test_r04_rows_wait_while_the_database_is_away_and_go_in_once(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = ledger._insert
    away = True

    async def unreachable(batch: list[Settlement]) -> None:
        if away:
            raise OSError("no route to host")
        await insert(batch)

    monkeypatch.setattr(ledger, "_insert", unreachable)
    for number in range(1200):
        settle(ledger, f"req_{number}")
    with pytest.raises(OSError, match="no route"):
        await ledger.flush()
    await asyncio.sleep(0.3)
    assert ledger.waiting == 1200
    away = False
    await ledger.flush()
    assert ledger.waiting == 0
    assert [row["n"] for row in await rows(database, "SELECT count(*) n FROM ledger_entry")] == [1200]
    assert [row["n"] for row in await rows(database, "SELECT sum(requests) n FROM usage_minute")] == [1200]


async def test_too_many_waiting_rows_stop_metered_traffic(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = new_ledger(database, settings, max_waiting_rows=3)
    await ledger.open()
    async with database.write():  # the flusher cannot get its turn
        for number in range(3):
            settle(ledger, f"req_{number}")
        with pytest.raises(Overloaded) as refused:
            ledger.intend(intent_of("req_4"))
    assert (refused.value.code, refused.value.retry_after) == ("ledger_backlog", 5)
    await ledger.flush()
    ledger.intend(intent_of("req_4"))
    ledger.settle(row_of("req_4"))
    await ledger.close()
    assert len(await rows(database)) == 4


async def test_a_flush_that_dies_before_its_commit_is_done_again_once(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiservice.store import ledger as store

    insert = store.insert_entries

    async def dies(session: Any, batch: Any) -> Any:
        await insert(session, batch)
        raise TimeoutError("the connection broke before the commit")

    monkeypatch.setattr(store, "insert_entries", dies)
    settle(ledger, "req_1")
    with pytest.raises(TimeoutError):
        await ledger.flush()
    assert await rows(database) == []
    monkeypatch.setattr(store, "insert_entries", insert)
    await ledger.flush()
    assert len(await rows(database)) == 1
    assert (await rows(database, "SELECT requests FROM usage_minute")) == [{"requests": 1}]


async def test_a_flush_whose_commit_went_unanswered_counts_nothing_twice(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = ledger._insert

    async def unanswered(batch: list[Settlement]) -> None:
        await insert(batch)
        raise TimeoutError("no answer to the commit")

    monkeypatch.setattr(ledger, "_insert", unanswered)
    settle(ledger, "req_1")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await ledger.flush()
    monkeypatch.setattr(ledger, "_insert", insert)
    await ledger.flush()
    assert len(await rows(database)) == 1
    assert (await rows(database, "SELECT requests FROM usage_minute")) == [{"requests": 1}]


async def test_one_row_that_is_refused_does_not_hold_up_the_others(ledger: Ledger, database: Database) -> None:
    settle(ledger, "req_1")
    settle(ledger, "req_2", status="abc", client=None)
    settle(ledger, "req_3")
    await ledger.flush()
    assert [row["request_id"] for row in await rows(database)] == ["req_1", "req_3"]
    assert b"req_2" in (ledger._directory / "refused.records").read_bytes()


async def test_roll_ups_equal_the_sum_of_the_ledger(ledger: Ledger, database: Database) -> None:
    for number in range(300):
        settle(
            ledger,
            f"req_{number}",
            started_us=HOUR_US * 400_000 + number * 7_000_000,
            model=f"m{number % 3}",
            status=200 if number % 5 else 502,
            cost_nano_usd=number if number % 4 else None,
            cached_input_tokens=number,
        )
        if number % 50 == 0:
            await ledger.flush()
    await ledger.flush()
    (ledger_sum,) = await rows(
        database,
        "SELECT count(*) requests, sum(input_tokens) i, sum(output_tokens) o, sum(cached_input_tokens) c,"
        " sum(cost_nano_usd) cost, sum(cost_nano_usd IS NULL) unpriced, sum(status >= 400) errors,"
        " sum(ended_us - started_us) latency FROM ledger_entry",
    )
    (minute_sum,) = await rows(
        database,
        "SELECT sum(requests) requests, sum(input_tokens) i, sum(output_tokens) o, sum(cached_input_tokens) c,"
        " sum(cost_nano_usd) cost, sum(unpriced) unpriced, sum(errors) errors, sum(latency_us_sum) latency"
        " FROM usage_minute",
    )
    assert ledger_sum == minute_sum
    assert ledger_sum["requests"] == 300
    per_minute = await rows(database, "SELECT start_us, sum(requests) n FROM usage_minute GROUP BY 1")
    assert all(row["start_us"] % MINUTE_US == 0 for row in per_minute)
    assert await rows(database, "SELECT count(*) n FROM rollup_dirty") == [{"n": 1}]


async def test_durable_waits_for_the_disk_in_mode_full(settings: Settings, database: Database) -> None:
    import dataclasses

    ledger = new_ledger(database, dataclasses.replace(settings, ledger_sync="full"))
    await ledger.open()
    ledger.intend(intent_of("req_1"))
    token = ledger.settle(row_of("req_1"))
    await asyncio.wait_for(ledger.durable(token), 5)
    assert ledger._journal._synced >= token
    await ledger.close()


async def test_interrupted_requests_are_settled_by_estimate_at_the_next_start(
    settings: Settings, database: Database
) -> None:
    first = new_ledger(database, settings)
    await first.open()
    first.intend(intent_of("req_whole"))
    first.intend(intent_of("req_streaming"))
    first.progress(Progress("req_streaming", "eu", "gpt-4o", 77, 1234))
    first.progress(Progress("req_streaming", "eu", "gpt-4o", 99, 2345))
    first.intend(intent_of("req_done"))
    first.settle(row_of("req_done", output_tokens=3))
    crash(first)
    second = new_ledger(database, settings)
    await second.open()
    stored = {row["request_id"]: row for row in await rows(database)}
    assert stored.keys() == {"req_whole", "req_streaming", "req_done"}
    whole, streaming = stored["req_whole"], stored["req_streaming"]
    assert (whole["outcome"], whole["status"], whole["usage_source"]) == ("interrupted", 500, "estimated")
    assert (whole["input_tokens"], whole["cost_nano_usd"]) == (intent_of("x").est_input_tokens, None)
    assert (streaming["output_tokens"], streaming["cost_nano_usd"], streaming["model"]) == (99, 2345, "gpt-4o")
    assert stored["req_done"]["output_tokens"] == 3
    await second.close()
    assert list(settings.journal_dir.glob("*.journal")) == []


async def test_a_living_workers_journal_is_never_adopted(
    ledger: Ledger, settings: Settings, database: Database
) -> None:
    ledger.intend(intent_of("req_1"))
    sibling = new_ledger(database, settings)
    await sibling.open()
    assert await sibling.adopt() == 0
    assert await rows(database) == []
    await sibling.close()
    ledger.settle(row_of("req_1"))
    await ledger.flush()
    assert [row["outcome"] for row in await rows(database)] == ["finished"]


async def test_adoption_that_is_repeated_adds_nothing(settings: Settings, database: Database) -> None:
    first = new_ledger(database, settings)
    await first.open()
    settle(first, "req_1")
    crash(first)
    (path,) = settings.journal_dir.glob("*.journal")
    left = path.read_bytes()
    for _ in range(5):
        path.write_bytes(left)
        second = new_ledger(database, settings)
        await second.open()
        await second.close()
    assert len(await rows(database)) == 1
    assert await rows(database, "SELECT requests FROM usage_minute") == [{"requests": 1}]


async def test_what_the_database_did_not_take_at_the_end_is_taken_at_the_next_start(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_ledger(database, settings)
    await first.open()

    async def unreachable(_: list[Settlement]) -> None:
        raise OSError("away")

    monkeypatch.setattr(first, "_insert", unreachable)
    settle(first, "req_1")
    await first.close()
    second = new_ledger(database, settings)
    await second.open()
    assert [row["request_id"] for row in await rows(database)] == ["req_1"]
    await second.close()


async def test_old_files_go_when_all_their_requests_are_in_the_database(settings: Settings, database: Database) -> None:
    ledger = new_ledger(database, settings, segment_bytes=4000)
    await ledger.open()
    ledger.intend(intent_of("req_long"))
    for number in range(50):
        settle(ledger, f"req_{number}")
    await ledger.flush()
    files = sorted(settings.journal_dir.glob("*.journal"))
    assert len(files) > 2, "the first file is still needed by req_long, and the others come after it"
    ledger.settle(row_of("req_long"))
    await ledger.flush()
    for _ in range(100):
        if len(list(settings.journal_dir.glob("*.journal"))) == 1:
            break
        await asyncio.sleep(0.02)
    assert len(list(settings.journal_dir.glob("*.journal"))) == 1
    await ledger.close()


def crash(ledger: Ledger) -> None:
    """Leaves `ledger` as a killed process would: no flush, no clean end, its files unlocked."""
    import os

    assert ledger._flusher is not None
    ledger._flusher.cancel()
    ledger._journal._stopping.set()
    ledger._journal._wake()
    ledger._journal._thread.join()
    for segment in ledger._journal._segments:
        os.close(segment.fd)


def test_an_intent_has_what_a_settlement_repeats() -> None:
    import dataclasses

    repeated = {field.name for field in dataclasses.fields(Intent)} - {"est_input_tokens"}
    assert repeated <= {field.name for field in dataclasses.fields(Settlement)}
