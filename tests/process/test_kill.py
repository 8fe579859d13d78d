"""R-01: `kill -9` under load loses no served request and counts none twice."""

import asyncio
import random

import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Load, Told
from tests.process.checker import compare, settled
from tests.process.conftest import ON_POSTGRES_2, ON_SQLITE, ON_SQLITE_2, Rig

pytestmark = pytest.mark.process


@pytest.mark.parametrize("rig", [ON_SQLITE], indirect=True)
async def test_r01_five_kills_under_load_lose_nothing(rig: Rig, seed: int, evidence: Evidence) -> None:
    await _kill_rounds(rig, seed, evidence, rounds=5)


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_SQLITE, ON_SQLITE_2, ON_POSTGRES_2], indirect=True)
async def test_r01_twenty_kills_under_load_lose_nothing(rig: Rig, seed: int, evidence: Evidence) -> None:
    await _kill_rounds(rig, seed, evidence, rounds=20)


async def _kill_rounds(rig: Rig, seed: int, evidence: Evidence, *, rounds: int) -> None:
    choose = random.Random(seed)
    told: list[Told] = []
    slowest = 0.0
    for number in range(rounds):
        load = Load(rig.server.url, rig.key, seed=seed + number)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(choose.uniform(1.0, 2.0))
        await asyncio.to_thread(rig.server.kill)
        load.stop()
        told += await running
        await asyncio.to_thread(rig.server.start)
        slowest = max(slowest, await settled(rig, told))
    verdict = compare(rig.installation, rig.mock.chats(), told)
    rows = rig.installation.ledger()
    evidence.note(
        rounds=rounds,
        asked=len(told),
        served=len(rig.mock.chats()),
        rows=len(rows),
        interrupted=sum(row["outcome"] == "interrupted" for row in rows.values()),
        slowest_settlement_seconds=round(slowest, 2),
        verdict=verdict,
    )
    assert verdict.is_kept, verdict
    if rig.postgres is None:
        assert rig.installation.query("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    else:
        rig.postgres.check()
    assert any(row["outcome"] == "interrupted" for row in rows.values()), "no request was under way at any kill"
