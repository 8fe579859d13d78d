"""R-24: on SQLite a long report, a backup, the command line and the load do not lock each other out."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from aiservice.kit.clock import now_us
from aiservice.store.session import Database
from tests.harness.evidence import Evidence
from tests.harness.load import Load
from tests.harness.process import wait_until
from tests.harness.seeding import seed_month
from tests.process.conftest import Rig

pytestmark = pytest.mark.process

_REPORT = """
SELECT client_id, model, started_us / 3600000000, count(*), sum(input_tokens), sum(cost_nano_usd), group_concat(outcome)
FROM ledger_entry GROUP BY 1, 2, 3 ORDER BY 5 DESC
"""


@pytest.mark.long
async def test_r24_reports_backups_and_commands_lock_nobody_out(rig: Rig, evidence: Evidence) -> None:
    await _contend(rig, evidence, seconds=10.0, seeded=20_000)


@pytest.mark.long
async def test_r24_two_minutes_of_reports_backups_and_commands_lock_nobody_out(rig: Rig, evidence: Evidence) -> None:
    await _contend(rig, evidence, seconds=120.0, seeded=500_000)


async def _contend(rig: Rig, evidence: Evidence, *, seconds: float, seeded: int) -> None:
    await _seed(rig, seeded)
    load = Load(rig.server.url, rig.key, connections=20)
    running = asyncio.create_task(load.run())
    end = time.monotonic() + seconds
    work: dict[str, Callable[[], object]] = {
        "reports": lambda: _report(rig),
        "backups": lambda: _back_up(rig),
        "commands": lambda: _command(rig),
    }
    done = await asyncio.gather(*(asyncio.to_thread(_repeat, each, end) for each in work.values()))
    load.stop()
    told = await running
    counts = dict(zip(work, done, strict=True))
    evidence.note(seconds=seconds, seeded=seeded, asked=len(told), **counts)
    assert {one.status for one in told} == {200}
    await asyncio.to_thread(_wait_for_rows, rig, {call.request_id for call in rig.mock.chats()})
    assert all(one.is_complete for one in told)
    assert "database is locked" not in rig.server.log_text()
    assert all(counts.values())


async def _seed(rig: Rig, rows: int) -> None:
    await asyncio.to_thread(rig.server.kill)
    database = Database(f"sqlite+aiosqlite:///{rig.installation.database_path}")
    await seed_month(database, rows, now_us() - 86_400_000_000)
    await database.close()
    await asyncio.to_thread(rig.server.start)


def _wait_for_rows(rig: Rig, served: set[str | None]) -> None:
    query = "SELECT request_id FROM ledger_entry WHERE client = 'test-client'"
    wait_until(lambda: served == {row["request_id"] for row in rig.installation.query(query)}, seconds=10, every=0.2)


def _repeat(work: Callable[[], object], end: float) -> int:
    count = 0
    while time.monotonic() < end:
        work()
        count += 1
    return count


def _report(rig: Rig) -> None:
    rig.installation.query(_REPORT)


def _back_up(rig: Rig) -> None:
    target = rig.installation.folder / "backup.sqlite"
    with (
        closing(sqlite3.connect(rig.installation.database_path)) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
        assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
    target.unlink()


def _command(rig: Rig) -> None:
    """Reads and writes of other processes."""
    rig.installation.command("usage", "export", "--since", "1h")
    made = rig.installation.add_key("test-client", is_new_client=False)
    rig.installation.command("key", "revoke", made["id"])
