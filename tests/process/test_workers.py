"""One server of two workers: one is killed, both drain, one stands still; one page of metrics."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import aiohttp
import httpx
import pytest

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.databases import RedisServer
from tests.harness.evidence import Evidence
from tests.harness.load import Load, Told, ask, chat
from tests.harness.process import wait_until
from tests.process.checker import compare
from tests.process.conftest import PROVIDER_KEY, Rig
from tests.process.nodes import workers_of
from tests.process.test_nodes import metric

pytestmark = [pytest.mark.process, pytest.mark.redis]


@contextmanager
def two_workers(folder: Path, **extra: str) -> Iterator[Rig]:
    """A server of two workers on SQLite and Redis, with the mock as its provider."""
    with RedisServer(folder) as redis, MockProcess(folder, keys=(PROVIDER_KEY,)) as mock:
        installation = Installation(folder, {"AISERVICE_REDIS_URL": redis.url, "GRANIAN_WORKERS": "2", **extra})
        created = installation.add_key()
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small")
        with installation.server() as server:
            wait_until(lambda: len(workers_of(server)) == 2, seconds=10)
            yield Rig(installation, mock, server, created["key"], created["id"])


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
async def test_r01_a_killed_worker_is_replaced_and_what_it_had_is_settled(
    rounds: int, tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    with two_workers(tmp_path) as rig:
        load = Load(rig.server.url, rig.key, connections=20, seed=seed)
        running = asyncio.create_task(load.run())
        for _ in range(rounds):
            await asyncio.sleep(choose.uniform(0.5, 1.5))
            victim = choose.choice(workers_of(rig.server))
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(wait_for_successor, rig.server, victim)
        load.stop()
        told = await running
        verdict = None
        for _ in range(60):
            verdict = compare(rig.installation, rig.mock.chats(), told)
            if verdict.is_kept:
                break
            await asyncio.sleep(0.5)
        served = sum(one.is_complete for one in told)
        evidence.note(rounds=rounds, asked=len(told), served=served, rows=len(rig.installation.ledger()))
        assert verdict is not None
        assert verdict.is_kept, verdict
        assert served > 10 * rounds
        assert rig.installation.query("PRAGMA integrity_check")[0]["integrity_check"] == "ok"


@pytest.mark.long
async def test_r17_two_workers_drain_together(tmp_path: Path) -> None:
    with two_workers(tmp_path, AISERVICE_DRAIN_SECONDS="3") as rig:
        told = [Told(marker=str(number)) for number in range(20)]
        body = chat("(words-600) (wait-100)", is_stream=True)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            streams = [asyncio.create_task(ask(session, rig.server.url, rig.key, one, body)) for one in told]
            async with asyncio.timeout(20):
                while not all(one.text.count("data: ") >= 3 for one in told):
                    await asyncio.sleep(0.05)
            seconds = await asyncio.to_thread(rig.server.terminate)
            await asyncio.gather(*streams)
        rows = rig.installation.ledger()
        assert seconds <= 8
        assert rig.server.wait() == 0
        assert len(rows) == 20
        assert {row["outcome"] for row in rows.values()} == {"broker_stopped"}
        assert all('"error"' in one.text and not one.is_complete for one in told)


@pytest.mark.long
async def test_metrics_are_those_of_both_workers_and_of_one_that_died(tmp_path: Path) -> None:
    with two_workers(tmp_path) as rig:
        await ask_often(rig, 30)
        await asyncio.sleep(1.5)
        counted = "aiservice_request_duration_seconds_count"
        pages = {(metric(rig.server, counted), metric(rig.server, "aiservice_workers")) for _ in range(10)}
        assert pages == {(30.0, 2.0)}
        os.kill(workers_of(rig.server)[0], signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: metric(rig.server, "aiservice_workers") == 2.0, seconds=20)
        assert metric(rig.server, counted) == 30.0
        assert metric(rig.server, "aiservice_event_loop_lag_p99_seconds") >= 0


@pytest.mark.long
async def test_r18_a_worker_that_stood_still_for_thirty_seconds_does_no_harm(
    tmp_path: Path, evidence: Evidence
) -> None:
    with two_workers(tmp_path) as rig:
        zombie, other = workers_of(rig.server)
        load = Load(rig.server.url, rig.key, connections=10)
        running = asyncio.create_task(load.run())
        await asyncio.sleep(2)
        os.kill(zombie, signal.SIGSTOP)
        await asyncio.sleep(12)
        async with httpx.AsyncClient(timeout=1) as client:
            assert "stalled" in await reasons(client, rig.server)
        await asyncio.sleep(18)
        rig.installation.command("key", "revoke", rig.key_id)
        os.kill(zombie, signal.SIGCONT)
        woke = time.monotonic()
        load.stop()
        last_good = woke
        while time.monotonic() - woke < 6:
            if 200 in await statuses_of(rig.server, rig.key):
                last_good = time.monotonic()
        told = await running
        evidence.note(asked=len(told), accepted_seconds_after_waking=round(last_good - woke, 2))
        assert last_good - woke <= 5.5
        await asyncio.to_thread(wait_until, partial(is_promise_kept, rig, told), seconds=60)
        assert set(workers_of(rig.server)) == {zombie, other}


def is_promise_kept(rig: Rig, told: list[Told]) -> bool:
    return compare(rig.installation, rig.mock.chats(), told).is_kept


async def reasons(client: httpx.AsyncClient, server: ServerProcess) -> str:
    """What /readyz says, from whoever answers."""
    for _ in range(20):
        try:
            return (await client.get(f"{server.url}/readyz")).text
        except httpx.TimeoutException:
            continue  # the zombie's own queue
    raise TimeoutError


async def statuses_of(server: ServerProcess, key: str) -> set[int]:
    async with httpx.AsyncClient(timeout=5) as client:
        headers = {"authorization": f"Bearer {key}"}
        return {(await client.get(f"{server.url}/v1/models", headers=headers)).status_code}


async def ask_often(rig: Rig, times: int) -> None:
    """Asks for `times` chats, each on a connection of its own."""
    for number in range(times):
        async with aiohttp.ClientSession() as session:
            told = await ask(session, rig.server.url, rig.key, Told(marker=str(number)), chat("(words-2)"))
        assert told.is_complete, told


def wait_for_successor(server: ServerProcess, victim: int) -> None:
    """Until two workers serve again: a page that is answered may be the survivor's, while the other is starting."""
    wait_until(lambda: len(workers_of(server)) == 2 and victim not in workers_of(server), seconds=60)
    wait_until(lambda: server.is_ready() and metric(server, "aiservice_workers") == 2, seconds=60, every=0.1)
