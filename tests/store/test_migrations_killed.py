"""R-28: a migration killed anywhere leaves the old schema or the new one, and the next start goes on."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from aiservice.settings import Settings
from aiservice.store.migrations import HEAD, current_revision, migrate
from aiservice.store.session import Database
from aiservice.tables import metadata
from tests.harness.databases import fetch
from tests.harness.evidence import Evidence
from tests.harness.process import ROOT

pytestmark = pytest.mark.process

# A process that migrates and is killed after its n-th statement. Of one that is done it says how many it made.
_VICTIM = """
import asyncio, os, signal, sys
from itertools import count
from pathlib import Path
from sqlalchemy import Engine, event
from aiservice.store.migrations import migrate

statements, last = count(1), int(sys.argv[3])

@event.listens_for(Engine, "after_cursor_execute")
def look(*_anything):
    if next(statements) == last:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(migrate(sys.argv[1], Path(sys.argv[2])))
print(next(statements) - 1)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.long)])
async def test_r28_a_migration_killed_at_any_statement_ends_well(
    installed: Settings, seed: int, kills: int, evidence: Evidence
) -> None:
    _forget(installed)
    total = int(_migrate_elsewhere(installed, 0).stdout)
    chosen = sorted(random.Random(seed).sample(range(1, total + 1), kills))
    left = []
    for number in chosen:
        _forget(installed)
        assert _migrate_elsewhere(installed, number).returncode == -signal.SIGKILL
        left.append(await _revision(installed))
        assert left[-1] in (None, HEAD), "half a migration"
        assert await migrate(installed.effective_database_url, installed.data_dir) == (left[-1], HEAD)
        assert await _difference(installed) == []
    evidence.note(statements=total, killed_after=chosen, left=left)


def _forget(settings: Settings) -> None:
    """Makes the database an empty one."""
    if settings.is_sqlite:
        for path in settings.data_dir.glob("aiservice.sqlite*"):
            path.unlink()
        return
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        fetch(settings.effective_database_url, statement)


def _migrate_elsewhere(settings: Settings, last: int) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = [sys.executable, "-c", _VICTIM, settings.effective_database_url, settings.data_dir]
    return subprocess.run([*command, str(last)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


async def _revision(settings: Settings) -> str | None:
    database = Database(settings.effective_database_url)
    try:
        return await current_revision(database.engine)
    finally:
        await database.close()


async def _difference(settings: Settings) -> list[object]:
    database = Database(settings.effective_database_url)
    async with database.engine.connect() as connection:
        found = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    await database.close()
    return list(found)
