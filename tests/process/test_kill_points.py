"""R-03: killed at each of six points of a request's way, every request is settled once, and rightly."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Mapping

import aiohttp
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


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("rig", [ON_SQLITE, ON_POSTGRES], indirect=True)
async def test_t74_killed_after_an_answer_was_kept_and_before_the_journal_had_it_is_one_call_and_one_bill(
    rig: Rig, is_stream: bool, evidence: Evidence
) -> None:
    await asyncio.to_thread(rig.server.kill)
    with _marked_worker(rig, {"MARK": "settle", "MARK_NUMBER": "1"}) as worker:
        url = f"http://127.0.0.1:{rig.server.port}"
        await asyncio.to_thread(worker.wait_ready, lambda: is_answering(f"{url}/readyz"), seconds=60)
        with pytest.raises(aiohttp.ClientError):
            await _once(rig, is_stream=is_stream)
        await asyncio.to_thread(_wait_for_death, worker)
    await asyncio.to_thread(rig.server.start)
    headers, body = await _once(rig, is_stream=is_stream)
    for _ in range(60):
        if rows := rig.installation.ledger():
            break
        await asyncio.sleep(0.2)
    [row] = rows.values()
    evidence.note(calls=len(rig.mock.chats()), rows=len(rows), outcome=row["outcome"], tokens=row["output_tokens"])
    assert (len(rig.mock.chats()), headers["idempotent-replayed"]) == (1, "true")
    assert (row["outcome"], row["usage_source"], row["output_tokens"]) == ("finished", "reported", 8)
    assert headers["x-aiservice-original-request"] == row["request_id"]
    assert (b"[DONE]" in body) == is_stream


async def _once(rig: Rig, *, is_stream: bool) -> tuple[Mapping[str, str], bytes]:
    headers = {"Authorization": f"Bearer {rig.key}", "Idempotency-Key": "k-1"}
    words = [{"role": "user", "content": "(words-8) x"}]
    asked = {"model": "mock-small", "stream": is_stream, "messages": words, "stream_options": {"include_usage": True}}
    if not is_stream:
        del asked["stream_options"]
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
        http.post(f"http://127.0.0.1:{rig.server.port}/v1/chat/completions", json=asked, headers=headers) as answer,
    ):
        return answer.headers, await answer.read()
