"""Whole nodes that stand still and go on, or never come back; and a new master key for all of them while they serve."""

import asyncio
import base64
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.harness import ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.load import Load, Told
from tests.harness.process import wait_until
from tests.process.checker import compare
from tests.process.conftest import PROVIDER_KEY
from tests.process.nodes import Nodes, nodes, query, statuses

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis, pytest.mark.long]

_ALTERNATING_SECONDS = 200
_SEEN_AFTER_WAKING_SECONDS = 5.5
# In one statement, so that it is true of one moment: what the ledger holds is what the sums were made of.
_DIFFERENCE = "SELECT (SELECT count(*) FROM ledger_entry) - (SELECT coalesce(sum(requests), 0) FROM usage_minute) AS n"


def test_r18_nodes_that_stand_still_in_turn_do_no_harm(tmp_path: Path, seed: int, evidence: Evidence) -> None:
    """Each pause is longer than the time after which the others take a node for dead."""
    choose = random.Random(seed)
    woken: list[float] = []
    differences: list[int] = []
    with nodes(tmp_path, workers=1) as cluster:
        key = cluster.operator.command("key", "create", "--client", "test-client")["key"]
        loads = [Load(one.url, key, connections=8, seed=n, script="(words-4)") for n, one in enumerate(cluster.servers)]

        async def alternate() -> list[Told]:
            running = [asyncio.create_task(load.run()) for load in loads]
            end, turn = time.monotonic() + _ALTERNATING_SECONDS, 0
            while time.monotonic() < end:
                pause = choose.uniform(15, 31)
                woken.append(await asyncio.to_thread(_pause, cluster, cluster.servers[turn % 2], pause, differences))
                turn += 1
                await asyncio.sleep(2)
            for load in loads:
                load.stop()
            return [one for part in await asyncio.gather(*running) for one in part]

        told = asyncio.run(alternate())
        wait_until(lambda: compare(cluster.operator, cluster.mock.chats(), told).is_kept, seconds=60, every=1)
        verdict = compare(cluster.operator, cluster.mock.chats(), told)
        evidence.note(
            pauses=len(woken),
            seconds=_ALTERNATING_SECONDS,
            asked=len(told),
            complete=sum(one.is_complete for one in told),
            revoked_keys_refused_seconds_after_waking=woken,
            reads_in_which_ledger_and_sums_were_compared=len(differences),
            verdict=verdict,
        )
        assert max(woken) <= _SEEN_AFTER_WAKING_SECONDS
        assert set(differences) == {0}
        assert all(one.is_complete for one in told), [one for one in told if not one.is_complete][:3]
        assert all(one.is_running for one in cluster.servers)


def test_r01_the_journal_of_a_node_that_never_comes_back_is_adopted_where_it_is_put(
    tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    """Nodes share nothing but the databases: what a lost node had not yet settled stands in its data folder."""
    with nodes(tmp_path, workers=1) as cluster:
        key = cluster.operator.command("key", "create", "--client", "test-client")["key"]
        lost, living = cluster.servers[1], cluster.servers[0]
        loads = [Load(one.url, key, connections=10, seed=seed + n) for n, one in enumerate(cluster.servers)]

        async def under_load() -> list[Told]:
            running = [asyncio.create_task(load.run()) for load in loads]
            await asyncio.sleep(3)
            await asyncio.to_thread(lost.kill)
            await asyncio.sleep(3)
            for load in loads:
                load.stop()
            return [one for part in await asyncio.gather(*running) for one in part]

        told = asyncio.run(under_load())
        before = compare(cluster.operator, cluster.mock.chats(), told)
        journals = [one.data_dir / "journal" for one in cluster.installations]
        for path in journals[1].glob("*.journal"):
            shutil.move(path, journals[0])
        began = time.monotonic()
        wait_until(lambda: compare(cluster.operator, cluster.mock.chats(), told).is_kept, seconds=60, every=0.2)
        evidence.note(
            asked=len(told),
            missing_while_the_journal_was_away=len(before.served_without_row),
            settled_seconds_after_it_was_put=round(time.monotonic() - began, 2),
        )
        assert before.served_without_row, "nothing was under way when the node was lost"
        assert living.is_running


def test_r23_a_new_master_key_for_all_nodes_fails_no_request(tmp_path: Path, evidence: Evidence) -> None:
    with nodes(tmp_path) as cluster:
        for name in ("second", "third"):
            cluster.operator.add_mock(cluster.mock.base_url, name=name, key=PROVIDER_KEY)
        key = cluster.operator.command("key", "create", "--client", "test-client")["key"]
        loads = [Load(one.url, key, connections=4, seed=n, script="(words-4)") for n, one in enumerate(cluster.servers)]

        async def under_load() -> list[Told]:
            running = [asyncio.create_task(load.run()) for load in loads]
            await asyncio.sleep(1)
            await asyncio.to_thread(_rotate, cluster)
            await asyncio.sleep(1)
            for load in loads:
                load.stop()
            return [one for part in await asyncio.gather(*running) for one in part]

        told = asyncio.run(under_load())
        left = query(cluster.postgres, "SELECT kek_version, count(*) AS n FROM sealed_secret GROUP BY 1")
        fresh = cluster.operator.command("key", "create", "--client", "test-client")["key"]
        assert asyncio.run(statuses(cluster.servers, fresh)) == {200}, "before any of them was restarted"
        for server, one in zip(cluster.servers, cluster.installations, strict=True):
            server.terminate()
            restarted = one.server(port=server.port)
            with restarted:
                assert asyncio.run(statuses([restarted], fresh)) == {200}
                restarted.terminate()
        bad = [one for one in told if not one.is_complete]
        evidence.note(asked=len(told), failed=len(bad), secrets_by_version=left)
        assert bad == []
        assert [row["kek_version"] for row in left] == [2]


def _rotate(cluster: Nodes) -> None:
    """Rotates on the first node's command line, then gives all nodes the new key for their next start."""
    new = base64.b64encode(os.urandom(32)).decode()
    report = cluster.operator.command("rotate-master-key", stdin=new + "\n")
    assert report["finished"], report
    for one in cluster.installations:
        one.extra["AISERVICE_MASTER_KEY"] = new


def _pause(cluster: Nodes, server: ServerProcess, seconds: float, differences: list[int]) -> float:
    """Stops a whole node for so long, and revokes a key meanwhile; gives the seconds from its waking until the last
    time that it took the key."""
    created = cluster.operator.command("key", "create", "--client", "test-client")
    assert asyncio.run(statuses([server], created["key"])) == {200}
    pids = server.tree()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + seconds
    while time.monotonic() < end - 2:
        differences += [int(row["n"]) for row in query(cluster.postgres, _DIFFERENCE)]
        time.sleep(0.5)
    cluster.operator.command("key", "revoke", created["id"])
    time.sleep(max(0.0, end - time.monotonic()))
    woke = last_good = time.monotonic()
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)
    while time.monotonic() - woke < _SEEN_AFTER_WAKING_SECONDS + 0.5:
        began = time.monotonic()
        if 200 in asyncio.run(statuses([server], created["key"], tries=1)):
            last_good = began
        time.sleep(0.05)
    return round(last_good - woke, 2)
