"""R-03: killed at each of six points of a request's way, every request is settled once, and rightly."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Load, Told
from tests.harness.mock import is_answering
from tests.harness.process import Child
from tests.process.checker import compare, settled
from tests.process.conftest import ON_POSTGRES, ON_SQLITE, Rig

pytestmark = pytest.mark.process

_POINTS = ("before-intent", "after-intent", "connect", "first-byte", "last-byte", "settle")
_CLIENTS = 20


@pytest.mark.parametrize("rig", [ON_SQLITE], indirect=True)
async def test_r03_killed_once_at_each_of_six_points_loses_nothing(rig: Rig, seed: int, evidence: Evidence) -> None:
    await _kill_at_points(rig, seed, evidence, rounds=1)


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_SQLITE, ON_POSTGRES], indirect=True)
async def test_r03_killed_twenty_times_at_each_of_six_points_loses_nothing(
    rig: Rig, seed: int, evidence: Evidence
) -> None:
    await _kill_at_points(rig, seed, evidence, rounds=20)


async def _kill_at_points(rig: Rig, seed: int, evidence: Evidence, *, rounds: int) -> None:
    choose = random.Random(seed)
    told: list[Told] = []
    await asyncio.to_thread(rig.server.kill)
    for point in [*_POINTS] * rounds:
        # A connection is opened only as often as there are clients.
        number = choose.randint(1, _CLIENTS if point == "connect" else 100)
        told += await _until_killed(rig, point, number, seed=choose.randrange(2**31))
    await asyncio.to_thread(rig.server.start)
    slowest = await settled(rig, told)
    rows = rig.installation.ledger().values()
    evidence.note(
        kills=rounds * len(_POINTS),
        asked=len(told),
        served=len(rig.mock.chats()),
        rows=len(rows),
        interrupted=sum(row["outcome"] == "interrupted" for row in rows),
        slowest_settlement_seconds=slowest,
        verdict=compare(rig.installation, rig.mock.chats(), told),
    )


async def _until_killed(rig: Rig, point: str, number: int, *, seed: int) -> list[Told]:
    """Load on a worker that dies when it passes `point` for the `number`-th time."""
    worker = _marked_worker(rig, {"MARK": point, "MARK_NUMBER": str(number)})
    with worker:
        url = f"http://127.0.0.1:{rig.server.port}"
        await asyncio.to_thread(worker.wait_ready, lambda: is_answering(f"{url}/readyz"), seconds=60)
        load = Load(url, rig.key, connections=_CLIENTS, seed=seed)
        running = asyncio.create_task(load.run())
        await asyncio.to_thread(_wait_for_death, worker)
        load.stop()
        return await running


def _marked_worker(rig: Rig, mark: Mapping[str, str]) -> Child:
    env = {**rig.installation.env, "__REFLEX_SKIP_COMPILE": "true", **mark}
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(rig.server.port)]
    return Child(
        [*command, "tests.process.marked:app"], log=rig.installation.folder / f"marked-{mark['MARK']}.log", env=env
    )


def _wait_for_death(worker: Child) -> None:
    """Granian ends when its only worker was killed."""
    try:
        worker.wait(60)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the mark was not passed:\n{worker.log_text()[-2000:]}")
