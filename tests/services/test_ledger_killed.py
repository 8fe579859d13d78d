"""R-01 at the ledger: a worker killed at a random moment loses nothing and counts nothing twice."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from aiservice.kit.ids import new_id
from aiservice.services.ledger import Ledger
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.harness.evidence import Evidence

ROOT = Path(__file__).parents[2]


def start(settings: Settings, said: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.services.ledger_victim"]
    command += [str(settings.data_dir), settings.effective_database_url]
    with said.open("ab") as out:
        return subprocess.Popen(command, stdout=out, cwd=ROOT)


def words(said: Path, verb: str) -> Iterator[str]:
    for line in said.read_text().splitlines():
        if line.startswith(verb) and len(line) == 2 + len(new_id("req")):
            yield line[2:]


def kill_rounds(settings: Settings, said: Path, rounds: int, chance: random.Random) -> None:
    for _ in range(rounds):
        before = said.stat().st_size if said.exists() else 0
        victim = start(settings, said)
        until = time.monotonic() + 30
        while (said.stat().st_size if said.exists() else 0) == before and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(chance.uniform(0.05, 0.5))
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_r01_kill_9_loses_nothing_and_counts_nothing_twice(
    settings: Settings, database: Database, tmp_path: Path, rounds: int, evidence: Evidence
) -> None:
    said = tmp_path / "said"
    await asyncio.to_thread(kill_rounds, settings, said, rounds, random.Random(evidence.seed))
    survivor = Ledger(database, settings, reserve_bytes=1 << 16)
    await survivor.open()
    await survivor.close()
    intended, settled = list(words(said, "i")), set(words(said, "s"))
    async with database.read() as session:
        stored = (await session.execute(text("SELECT request_id, outcome FROM ledger_entry"))).all()
        summed = (await session.execute(text("SELECT sum(requests), sum(output_tokens) FROM usage_minute"))).one()
        tokens = (await session.execute(text("SELECT sum(output_tokens) FROM ledger_entry"))).scalar()
        if database.is_sqlite:
            assert (await session.execute(text("PRAGMA integrity_check"))).scalar() == "ok"
    outcomes = {row[0]: row[1] for row in stored}
    evidence.note(rounds=rounds, settled=len(settled), rows=len(stored), lost=len(settled - outcomes.keys()))
    assert len(settled) > 20 * rounds
    assert set(intended) <= outcomes.keys(), "an intent without a row"
    assert all(outcomes[each] == "finished" for each in settled), "a settlement was lost"
    assert len(outcomes) == len(stored)
    assert len(outcomes) - len(settled) <= 60 * rounds, "more interrupted than were under way"
    assert tuple(summed) == (len(stored), tokens), "the sums are not those of the rows"
    assert list(settings.journal_dir.glob("*.journal")) == []
