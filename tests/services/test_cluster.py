"""Who serves on a database, and who of them does what one alone may do."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from aiservice.services import cluster as module
from aiservice.services.cluster import Cluster, LostLease, Node, SecondServer
from aiservice.settings import Settings
from aiservice.store.session import Database

ALONE, SHARING = Node("nod_1", False), Node("nod_1", True)


@pytest.fixture
async def elsewhere(installed: Settings) -> AsyncIterator[Database]:
    """The same database, opened by another process."""
    database = Database(installed.effective_database_url)
    yield database
    await database.close()


async def test_a_second_server_without_redis_is_refused(database: Database, elsewhere: Database) -> None:
    await Cluster(database, ALONE).join()
    with pytest.raises(SecondServer, match="AISERVICE_REDIS_URL"):
        await Cluster(elsewhere, replace(SHARING, node_id="nod_2")).join()


async def test_servers_with_redis_and_workers_of_one_server_are_many(database: Database, elsewhere: Database) -> None:
    first, sibling = Cluster(database, SHARING), Cluster(elsewhere, SHARING)
    other = Cluster(elsewhere, replace(SHARING, node_id="nod_2"))
    for cluster in (first, sibling, other):
        await cluster.join()
    assert (first.is_first, sibling.is_first, other.is_first) == (True, False, False)
    assert other.live_workers == 3


async def test_a_server_that_left_or_died_here_stands_in_nobodys_way(database: Database, elsewhere: Database) -> None:
    left = Cluster(database, ALONE)
    await left.join()
    await left.leave()
    dead = Cluster(database, replace(ALONE, node_id="nod_2"))
    await dead.join()
    async with database.write() as session:  # its pid was given to another process since
        await session.execute(text("UPDATE worker SET pid_ticks = pid_ticks - 1"))
    await Cluster(elsewhere, replace(ALONE, node_id="nod_3")).join()
    async with database.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM worker"))).scalar_one() == 1


async def test_a_silent_server_on_another_machine_is_waited_for_and_one_that_beats_is_not(
    database: Database, elsewhere: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENT_US", 1_000_000)
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.1)
    far = Cluster(database, ALONE)
    far._place = "another machine"
    await far.join()
    newcomer = Cluster(elsewhere, replace(ALONE, node_id="nod_2"))
    joining = asyncio.create_task(newcomer.join())
    await asyncio.sleep(0.3)
    assert not joining.done()
    await far._beat()
    with pytest.raises(SecondServer):
        await joining
    await newcomer.join()  # it has been silent for a second meanwhile
    assert newcomer.is_first


async def test_a_worker_taken_for_dead_joins_again_or_ends(database: Database, elsewhere: Database) -> None:
    paused = Cluster(database, ALONE)
    await paused.join()
    async with elsewhere.write() as session:
        await session.execute(text("DELETE FROM worker"))
    assert not await paused._beat()
    await paused.join()
    assert await paused._beat()


async def test_one_of_all_does_the_work_until_it_leaves(database: Database, elsewhere: Database) -> None:
    here, there = Cluster(database, SHARING), Cluster(elsewhere, SHARING)
    await here.join()
    await there.join()
    async with here.alone("job") as mine, there.alone("job") as theirs:
        assert (mine, theirs) == (True, False)
    async with there.alone("job") as theirs:
        assert not theirs, "the right stays with who has it"
    await here.leave()
    async with there.alone("job") as theirs:
        assert theirs


async def test_r18_a_zombie_writes_nothing_after_its_lease_was_lost(database: Database, elsewhere: Database) -> None:
    zombie, heir = Cluster(database, SHARING), Cluster(elsewhere, SHARING)
    await zombie.join()
    await heir.join()
    async with zombie.alone("job") as is_its:
        assert is_its
        async with elsewhere.write() as session:  # it stands still for longer than its lease lasts
            await session.execute(text("UPDATE lease SET until_us = 0"))
        async with heir.alone("job") as is_heirs, elsewhere.write() as session:
            assert is_heirs
            await session.execute(text("UPDATE worker SET host = 'of the heir'"))
        with pytest.raises(LostLease):
            async with database.write() as session:
                await session.execute(text("UPDATE worker SET host = 'of the zombie'"))
    async with database.read() as session:
        hosts = set((await session.execute(text("SELECT host FROM worker"))).scalars())
    assert hosts == {"of the heir"}


async def test_turns_of_several_workers_never_overlap(database: Database, elsewhere: Database) -> None:
    here, there = Cluster(database, SHARING), Cluster(elsewhere, SHARING)
    inside = most = 0

    async def work(cluster: Cluster) -> None:
        nonlocal inside, most
        async with cluster.turn("first key"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(work(cluster) for cluster in (here, there, here, there)))
    assert most == 1


def test_a_process_is_known_by_its_pid_and_its_start() -> None:
    from aiservice.kit.process import place, started_ticks

    assert started_ticks(os.getpid()) == started_ticks(os.getpid())
    assert started_ticks(2**22 + 1) is None
    assert place() == place()
