"""Two servers of two workers on one PostgreSQL and one Redis: revocation, Redis in trouble, zombies, one of all."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from aiservice.services.core import Core
from aiservice.services.opening import open_core
from aiservice.settings import load_settings
from tests.harness import Installation, ServerProcess
from tests.harness.databases import PostgresServer
from tests.harness.evidence import Evidence
from tests.harness.load import Load
from tests.harness.process import ROOT, free_port, wait_until
from tests.process.nodes import Nodes, nodes, query, statuses, workers_of
from tests.process.refusals import CHANGES, expired_after, refused_after

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]

WITH_REDIS_SECONDS, WITHOUT_REDIS_SECONDS = 1.0, 5.5


@pytest.mark.long
def test_t06_a_revoked_key_is_refused_by_every_worker_of_every_node(tmp_path: Path, evidence: Evidence) -> None:
    with nodes(tmp_path) as cluster:
        with_redis = [revoked_after(cluster) for _ in range(2)]
        cluster.redis.kill()
        without_redis = [revoked_after(cluster)]
        evidence.note(with_redis_seconds=with_redis, without_redis_seconds=without_redis)
        assert max(with_redis) <= WITH_REDIS_SECONDS
        assert max(without_redis) <= WITHOUT_REDIS_SECONDS


@pytest.mark.long
def test_t06_twenty_of_twenty_keys_are_refused_everywhere(tmp_path: Path, evidence: Evidence) -> None:
    with nodes(tmp_path) as cluster:
        with_redis = [revoked_after(cluster) for _ in range(20)]
        cluster.redis.kill()
        without_redis = [revoked_after(cluster) for _ in range(20)]
        evidence.note(with_redis_seconds=sorted(with_redis), without_redis_seconds=sorted(without_redis))
        assert max(with_redis) <= WITH_REDIS_SECONDS
        assert max(without_redis) <= WITHOUT_REDIS_SECONDS


@pytest.mark.long
def test_r11_a_redis_that_hangs_costs_no_request_and_no_session(tmp_path: Path, seed: int, evidence: Evidence) -> None:
    with nodes(tmp_path, servers=1) as cluster:
        trouble_redis(cluster, seed, evidence, ("flushed", "hanging", "going on"))


@pytest.mark.long
def test_r11_redis_in_any_trouble_costs_no_request_and_no_session(
    tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    with nodes(tmp_path) as cluster:
        trouble_redis(cluster, seed, evidence, ("flushed", "hanging", "going on", "killed", "restarted"))


@pytest.mark.long
async def test_t06_whatever_ends_or_narrows_a_key_holds_on_every_worker_of_every_node(
    tmp_path: Path, evidence: Evidence
) -> None:
    with nodes(tmp_path) as cluster:
        await _changes_hold(cluster, evidence, rounds=1)


@pytest.mark.long
async def test_t06_twenty_of_twenty_changes_hold_everywhere(tmp_path: Path, evidence: Evidence) -> None:
    with nodes(tmp_path) as cluster:
        await _changes_hold(cluster, evidence, rounds=20)


async def _changes_hold(cluster: Nodes, evidence: Evidence, *, rounds: int) -> None:
    """Each kind of change so many times while Redis works, and again when it is gone; the kinds at the same time."""

    async def all_kinds(core: Core) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {kind: [] for kind in CHANGES}
        for number in range(rounds):
            found = await asyncio.gather(*(refused_after(cluster, core, kind, number) for kind in CHANGES))
            for kind, seconds in zip(CHANGES, found, strict=True):
                times[kind].append(seconds)
        return {kind: sorted(found) for kind, found in times.items()}

    async with open_core(load_settings(cluster.operator.env, dotenv=None)) as core:
        await core.tokens.keys.refresh()
        late: list[float] = []
        for first in range(0, rounds, 5):
            numbers = range(first, min(first + 5, rounds))
            late += await asyncio.gather(*(expired_after(cluster, core, number) for number in numbers))
        late.sort()
        with_redis = await all_kinds(core)
        cluster.redis.kill()
        without_redis = await all_kinds(core)
    evidence.note(with_redis_seconds=with_redis, without_redis_seconds=without_redis, seconds_after_expiry=late)
    assert max(times[-1] for times in with_redis.values()) <= WITH_REDIS_SECONDS, with_redis
    assert max(times[-1] for times in without_redis.values()) <= WITHOUT_REDIS_SECONDS, without_redis
    assert -1.0 <= late[0] <= late[-1] <= 1.0


def test_a_second_server_or_worker_without_redis_is_refused_with_the_reason(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as postgres:
        key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        env = {"AISERVICE_DATABASE_URL": postgres.url, "AISERVICE_MASTER_KEY": key}
        installation = Installation(tmp_path, env)
        with installation.server() as server:
            second = serve(installation)
            assert second.returncode == 2, second.stderr
            assert "AISERVICE_REDIS_URL" in second.stderr
            assert str(workers_of(server)[0]) in second.stderr, "it names the other"
            assert installation.command("client", "list") == [], "the command line is no second server"
            two = serve(installation, "--workers", "2")
            assert (two.returncode, "need Redis" in two.stderr) == (2, True)
            server.kill()
        with installation.server():
            pass  # a crashed server's entry stands in nobody's way


def serve(installation: Installation, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "aiservice", "serve", "--host", "127.0.0.1", "--port", str(free_port()), *options]
    return subprocess.run(
        command, env=installation.env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def revoked_after(cluster: Nodes) -> float:
    """Seconds from the moment of a revocation until no worker of any node takes the key."""
    created = cluster.operator.command("key", "create", "--client", "test-client")
    assert asyncio.run(statuses(cluster.servers, created["key"])) == {200}
    with ThreadPoolExecutor(1) as beside:
        revoking = beside.submit(cluster.operator.command, "key", "revoke", created["id"])
        last_good = refused_at = time.time()
        while not revoking.done() or refused_at - last_good < 0.5:
            began = time.time()
            if 200 in asyncio.run(statuses(cluster.servers, created["key"], tries=4)):
                last_good = began
            refused_at = time.time()
        revoking.result()
    (row,) = query(cluster.postgres, "SELECT revoked_us FROM client_key WHERE id = $1", created["id"])
    return round(max(0.0, last_good - int(row["revoked_us"]) / 1e6), 3)


def trouble_redis(cluster: Nodes, seed: int, evidence: Evidence, chosen: tuple[str, ...]) -> None:
    server, other = cluster.servers[0], cluster.servers[-1]
    cluster.operator.add_admin(password="a long enough password")
    key = cluster.operator.command("key", "create", "--client", "test-client")["key"]
    cookie = sign_in(server)
    told: dict[str, Any] = {}

    async def round_of(name: str, trouble: Any) -> None:
        loads = [Load(one.url, key, connections=8, seed=seed, script="(words-2)") for one in cluster.servers]
        running = [asyncio.create_task(load.run()) for load in loads]
        await asyncio.sleep(1.0)
        await asyncio.to_thread(trouble)
        await asyncio.sleep(2.0)
        for load in loads:
            load.stop()
        asked = [one for part in await asyncio.gather(*running) for one in part]
        bad = sorted({(one.status, one.error) for one in asked if one.status != 200 or not one.is_complete}, key=str)
        told[name] = {"asked": len(asked), "bad": bad}

    troubles = {
        "flushed": lambda: redis_says(cluster, "flushall"),
        "hanging": lambda: cluster.redis.signal(signal.SIGSTOP),
        "going on": lambda: cluster.redis.signal(signal.SIGCONT),
        "killed": cluster.redis.kill,
        "restarted": cluster.redis.start,
    }
    for name in chosen:
        asyncio.run(round_of(name, troubles[name]))
        assert is_signed_in(server, cookie), name
        assert is_signed_in(other, cookie), name
        assert sign_in(other), name
    evidence.note(**told)
    assert all(part["bad"] == [] for part in told.values()), told
    for one in cluster.servers:
        wait_until(lambda one=one: metric(one, "aiservice_redis_up") == 1, seconds=5)  # type: ignore[misc]


def redis_says(cluster: Nodes, command: str) -> None:
    import redis

    redis.Redis.from_url(cluster.redis.url).execute_command(command)  # type: ignore[no-untyped-call]


def sign_in(server: ServerProcess) -> str:
    form = {"email": "admin@example.test", "password": "a long enough password"}
    answer = httpx.post(f"{server.url}/auth/sign-in", json=form, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def is_signed_in(server: ServerProcess, cookie: str) -> bool:
    """Whether a route that needs a session takes this one (and then finds that its fields are missing)."""
    answer = httpx.post(f"{server.url}/auth/secrets/keys", json={}, headers={"cookie": cookie}, timeout=20)
    return answer.status_code not in {401, 403, 500, 503}


def metric(server: ServerProcess, name: str) -> float:
    page = httpx.get(f"{server.url}/metrics", timeout=20).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    assert found is not None, page
    return float(found[1])
