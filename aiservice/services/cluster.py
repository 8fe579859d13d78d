"""Which workers serve on this database, and which of them does the work that one alone may do.

Workers of several nodes need Redis in all of them; without it a second node is refused, since what one of them knows
would not reach the other in time. A worker shows that it is alive by a beat in the database; one that died on this
machine is seen at once, one elsewhere after it has been silent for 12 seconds.

Fails closed: without the database nothing is claimed, and what was claimed is written under its fence or not at all.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiservice.kit.clock import SECOND_US
from aiservice.kit.ids import new_id
from aiservice.kit.process import place, started_ticks
from aiservice.store import cluster as store
from aiservice.store.migrations import HEAD, current_revision
from aiservice.store.session import DATABASE_ERRORS, FENCE, AsyncSession, Database
from aiservice.tables import Worker

BEAT_SECONDS = 3.0
LEASE_SECONDS = 30.0
SILENT_US = 12 * SECOND_US
_WATCH_SECONDS = 0.5
_TURN_SECONDS = 10.0

log = logging.getLogger(__name__)


class SecondServer(Exception):
    """Another server works on this database, and one of the two has no Redis."""


class LostLease(Exception):
    """The right to do this was lost to another worker while it was being done; nothing of it was written."""


@dataclass(slots=True, frozen=True)
class Node:
    """A server as its workers share it: one `node_id` for all of them."""

    node_id: str
    is_sharing: bool
    """Whether it has Redis."""


@dataclass(slots=True, frozen=True)
class WorkerView:
    """A worker that has not left. `silent_seconds` since its last beat, by the database's clock; `is_here`: it is the
    process that says so."""

    id: str
    node_id: str
    host: str
    pid: int
    started_us: int
    silent_seconds: float
    is_alive: bool
    is_here: bool
    is_sharing: bool


class Cluster:
    """This worker among the others."""

    def __init__(self, db: Database, node: Node) -> None:
        self._db = db
        self._node = node
        self.worker_id = new_id("wrk")
        self._place = place()
        self.live_workers = 1
        self.is_first = False
        """Whether nobody else served when this worker joined."""
        self._has_left = False
        self._turn = asyncio.Lock()

    async def join(self) -> None:
        """Enters this worker, and forgets those who died. A silent one elsewhere is waited for.

        Raises:
            SecondServer: another server is alive on this database, and one of the two has no Redis.
            DATABASE_ERRORS: the database did not answer.
        """
        seen: dict[str, int] = {}
        while (rival := await self._try_to_join()) is not None:
            if rival.place == self._place or seen.setdefault(rival.id, rival.beat_us) != rival.beat_us:
                raise SecondServer(_refusal(rival, self._node))
            await asyncio.sleep(_WATCH_SECONDS)

    async def living(self) -> list[str]:
        """Everybody who serves now, in words."""
        async with self._db.read() as session:
            now = await store.clock_us(session)
            alive = [worker for worker in await store.workers(session) if self._is_alive(worker, now)]
        return [f"on {worker.host}, process {worker.pid}" for worker in alive]

    async def views(self) -> list[WorkerView]:
        """Every worker that has not left, the dead among them, oldest first."""
        async with self._db.read() as session:
            now, rows = await store.clock_us(session), await store.workers(session)
        return [
            WorkerView(
                id=row.id,
                node_id=row.node_id,
                host=row.host,
                pid=row.pid,
                started_us=row.started_us,
                silent_seconds=max(0.0, (now - row.beat_us) / SECOND_US),
                is_alive=self._is_alive(row, now),
                is_here=row.id == self.worker_id,
                is_sharing=row.is_sharing,
            )
            for row in rows
        ]

    async def leave(self) -> None:
        """Takes this worker out and gives back what it held."""
        if not self._has_left:
            self._has_left = True
            async with self._db.write() as session:
                await store.remove_workers(session, [self.worker_id])

    async def keep_alive(self, on_refused: Callable[[str], None]) -> None:
        """Beats until cancelled. A worker that was taken for dead joins again; refused, it says so and ends."""
        while not self._has_left:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if not await self._beat():
                    log.warning("This worker was taken for dead; it joins again.")
                    await self.join()
            except SecondServer as refusal:
                on_refused(str(refusal))
                return
            except DATABASE_ERRORS as error:
                log.debug("No beat: the database did not answer (%s).", type(error).__name__)

    @asynccontextmanager
    async def alone(self, name: str, seconds: float = LEASE_SECONDS) -> AsyncIterator[bool]:
        """Whether this worker is the one of all to do the work called `name`, now and for the next `seconds`. If so,
        every `Database.write` in the block is committed only while that is still so.

        Raises:
            LostLease: (from a write in the block) it is not so any more.
            DATABASE_ERRORS: the database did not answer.
        """
        fence = await self._claim(name, max(seconds, LEASE_SECONDS))
        if fence is None:
            yield False
            return

        async def confirm(session: AsyncSession) -> None:
            if not await store.confirm(session, name, self.worker_id, fence):
                raise LostLease(name)

        token = FENCE.set(confirm)
        try:
            yield True
        finally:
            FENCE.reset(token)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """One after another in the whole cluster, for work of a moment.

        Raises:
            TimeoutError: it has been somebody else's for 10 seconds.
        """
        async with self._turn:
            fence = await self._wait_for(name)
            try:
                yield
            finally:
                async with self._db.write() as session:
                    await store.release(session, name, self.worker_id, fence)

    async def _wait_for(self, name: str) -> int:
        end = time.monotonic() + _TURN_SECONDS
        while time.monotonic() < end:
            fence = await self._claim(name)
            if fence is not None:
                return fence
            await asyncio.sleep(0.05)
        raise TimeoutError(name)

    async def _try_to_join(self) -> Worker | None:
        """Joins, or returns the worker that stands against it."""
        async with self._db.write() as session:
            await store.take_turn(session)
            now = await store.clock_us(session)
            everybody = await store.workers(session)
            alive = [worker for worker in everybody if self._is_alive(worker, now)]
            await store.remove_workers(session, [worker.id for worker in everybody if worker not in alive])
            others = [worker for worker in alive if worker.id != self.worker_id]
            for worker in others:
                if worker.node_id != self._node.node_id and not (worker.is_sharing and self._node.is_sharing):
                    return worker
            if len(others) == len(alive):
                store.add_worker(session, self._own_row(now))
            self.is_first, self.live_workers = not others, len(others) + 1
            return None

    def _is_alive(self, worker: Worker, now: int) -> bool:
        if worker.place == self._place and started_ticks(worker.pid) != worker.pid_ticks:
            return False
        return worker.beat_us > now - SILENT_US

    def _own_row(self, now: int) -> Worker:
        return Worker(
            id=self.worker_id,
            node_id=self._node.node_id,
            host=socket.gethostname()[:100],
            place=self._place,
            pid=os.getpid(),
            pid_ticks=started_ticks(os.getpid()) or 0,
            is_sharing=self._node.is_sharing,
            started_us=now,
            beat_us=now,
        )

    async def _beat(self) -> bool:
        async with self._db.write() as session:
            now = await store.clock_us(session)
            is_known = await store.beat(session, self.worker_id, now)
            self.live_workers = max(1, await store.count_since(session, now - SILENT_US))
            return is_known or self._has_left

    async def _claim(self, name: str, seconds: float = LEASE_SECONDS) -> int | None:
        """The fence of a lease that is now this worker's; None while it is another's. Mostly one read."""
        async with self._db.read() as session:
            held, now = await store.lease(session, name), await store.clock_us(session)
        if held is not None and held.until_us > now:
            if held.holder != self.worker_id:
                return None
            if (held.until_us - now) / SECOND_US > seconds / 2:
                return held.fence
        async with self._db.write() as session:
            now = await store.clock_us(session)
            return await store.claim(session, name, self.worker_id, now, now + int(seconds * SECOND_US))


async def living_workers(url: str) -> list[str]:
    """Who serves on the database, in words; nobody on one that is not of this release's making.

    Raises:
        DATABASE_ERRORS: it does not answer.
    """
    db = Database(url)
    try:
        if await current_revision(db.engine) != HEAD:
            return []
        return await Cluster(db, Node("", is_sharing=False)).living()
    finally:
        await db.close()


def _refusal(rival: Worker, node: Node) -> str:
    without = "This server has" if not node.is_sharing else "The other has"
    return (
        f"Another server of aiservice works on this database (on {rival.host}, process {rival.pid}). {without} no "
        "Redis, and several need it to tell each other what changes: set AISERVICE_REDIS_URL for all of them, or stop "
        "one."
    )
