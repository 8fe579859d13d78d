"""The ledger: every request once, whatever the database does."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aiservice.errors import Overloaded
from aiservice.kit.clock import HOUR_US, MINUTE_US
from aiservice.services.ledger import Ledger
from aiservice.services.settlement import Intent, Settlement
from aiservice.settings import Settings
from aiservice.store import ledger as posting
from aiservice.store.session import Database
from tests.harness.evidence import Evidence
from tests.services.ledgers import attempts_of, new_ledger, rows, settle
from tests.services.usage_rows import intent_of, row_of


@pytest.fixture
async def ledger(settings: Settings, database: Database) -> AsyncIterator[Ledger]:
    ledger = new_ledger(database, settings)
    await ledger.open()
    yield ledger
    await ledger.close()


async def test_a_settled_request_is_one_row_with_all_its_values(ledger: Ledger, database: Database) -> None:
    row = settle(ledger, "req_1", cost_nano_usd=None, attempts=[{"connection": "a", "status": 503}])
    await ledger.flush()
    (stored,) = await rows(database)
    assert (stored["request_id"], stored["input_tokens"], stored["cost_nano_usd"]) == ("req_1", row.input_tokens, None)
    assert attempts_of(stored) == [{"connection": "a", "status": 503}]


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
    assert attempts_of(stored) == [{"model": "ab", "status": 1}]


async def test_r04_rows_wait_while_the_database_is_away_and_go_in_once(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = posting.insert_entries
    away = True

    async def unreachable(db: Database, batch: list[Settlement], life: str) -> set[str]:
        if away:
            raise OSError("no route to host")
        return await insert(db, batch, life)

    monkeypatch.setattr(posting, "insert_entries", unreachable)
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

    name = "_insert_sqlite" if database.is_sqlite else "_insert_postgres"
    insert = getattr(store, name)

    def dies(*of_batch: Any) -> Any:
        insert(*of_batch)
        raise TimeoutError("the connection broke before the commit")

    async def dies_later(*of_batch: Any) -> Any:
        await insert(*of_batch)
        raise TimeoutError("the connection broke before the commit")

    monkeypatch.setattr(store, name, dies if database.is_sqlite else dies_later)
    settle(ledger, "req_1")
    with pytest.raises(TimeoutError):
        await ledger.flush()
    assert await rows(database) == []
    monkeypatch.setattr(store, name, insert)
    await ledger.flush()
    assert len(await rows(database)) == 1
    assert (await rows(database, "SELECT requests FROM usage_minute")) == [{"requests": 1}]


async def test_a_flush_whose_commit_went_unanswered_counts_nothing_twice(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = posting.insert_entries

    async def unanswered(db: Database, batch: list[Settlement], life: str) -> None:
        await insert(db, batch, life)
        raise TimeoutError("no answer to the commit")

    monkeypatch.setattr(posting, "insert_entries", unanswered)
    settle(ledger, "req_1")
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await ledger.flush()
    monkeypatch.setattr(posting, "insert_entries", insert)
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
        " sum(cost_nano_usd) cost, sum(CAST(cost_nano_usd IS NULL AS INTEGER)) unpriced,"
        " sum(CAST(status >= 400 AS INTEGER)) errors,"
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


@pytest.mark.long
async def test_what_an_intent_a_settlement_and_a_flush_cost(ledger: Ledger, evidence: Evidence) -> None:
    """Of the event loop's thread, system calls included; the hot path may spend 6 µs on each of the first two."""
    count = 20_000
    intents = [intent_of(f"req_{number:026d}") for number in range(count)]
    settlements = [row_of(f"req_{number:026d}") for number in range(count)]
    marks = [time.thread_time_ns()]
    for intent in intents:
        ledger.intend(intent)
    marks.append(time.thread_time_ns())
    for row in settlements:
        ledger.settle(row)
    marks.append(time.thread_time_ns())
    await ledger.flush()
    marks.append(time.thread_time_ns())
    intend, settled, flushed = ((b - a) / count / 1000 for a, b in itertools.pairwise(marks))
    evidence.note(intend_us=round(intend, 2), settle_us=round(settled, 2), flush_us_a_row=round(flushed, 2))
    assert max(intend, settled) < 12, "twice the promise: this machine may be shared"


def test_an_intent_has_what_a_settlement_repeats() -> None:
    import dataclasses

    repeated = set(Intent._fields) - {"est_input_tokens", "kind", "base_url"}
    assert repeated <= {field.name for field in dataclasses.fields(Settlement)}
