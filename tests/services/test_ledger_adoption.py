"""The ledger's journal: what a worker leaves behind is settled by the next, and a failing disk costs nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiservice.errors import Overloaded
from aiservice.services.ledger import Ledger
from aiservice.services.settlement import Progress, Settlement
from aiservice.settings import Settings
from aiservice.store import ledger as posting
from aiservice.store.session import Database
from tests.services.ledgers import crash, new_ledger, rows, settle
from tests.services.usage_rows import intent_of, row_of


@pytest.fixture
async def ledger(settings: Settings, database: Database) -> AsyncIterator[Ledger]:
    ledger = new_ledger(database, settings)
    await ledger.open()
    yield ledger
    await ledger.close()


async def unreachable(_db: Database, _rows: list[Settlement], _life: str) -> None:
    """The database is away."""
    raise OSError("no route to host")


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
    with monkeypatch.context() as away:
        away.setattr(posting, "insert_entries", unreachable)
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


async def test_r14_a_full_disk_refuses_new_requests_and_settles_those_begun(
    ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiservice.kit.reserve import Reserve

    is_full = True
    restore = Reserve.restore
    monkeypatch.setattr(Reserve, "restore", lambda self: not is_full and restore(self))
    ledger.intend(intent_of("req_1"))
    ledger._journal.fail(OSError(28, "No space left on device"))
    with pytest.raises(Overloaded) as refused:
        ledger.intend(intent_of("req_2"))
    assert (refused.value.code, ledger.failure) == ("storage_full", "No space left on device")
    ledger.settle(row_of("req_1"))
    await ledger.flush()
    is_full = False
    async with asyncio.timeout(5):
        while ledger.failure is not None:
            await asyncio.sleep(0.02)
    settle(ledger, "req_2")
    await ledger.flush()
    assert [row["request_id"] for row in await rows(database)] == ["req_1", "req_2"]


async def test_after_a_disk_error_all_that_is_still_needed_is_written_again(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a failed sync may have lost must not be missing after a crash that comes later."""
    first = new_ledger(database, settings)
    await first.open()
    monkeypatch.setattr(posting, "insert_entries", unreachable)
    first.intend(intent_of("req_open"))
    settle(first, "req_waiting")
    (lost,) = settings.journal_dir.glob("*.journal")
    first._journal._is_incomplete = True
    first._journal.fail(OSError(5, "Input/output error"))
    async with asyncio.timeout(5):
        while first.failure is not None:
            await asyncio.sleep(0.02)
    crash(first)
    monkeypatch.undo()
    lost.unlink()
    second = new_ledger(database, settings)
    await second.open()
    await second.close()
    stored = {row["request_id"]: row["outcome"] for row in await rows(database)}
    assert stored == {"req_open": "interrupted", "req_waiting": "finished"}
