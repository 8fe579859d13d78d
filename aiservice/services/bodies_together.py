"""Group commit: sealed bodies that come while others are being written are committed together, in the next write.

A commit and its turn of a thread cost more than the rows of an answer do. Nobody is told that a body is kept before it
is committed, and one that comes alone is written at once.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from aiservice.store import bodies as store
from aiservice.store import units
from aiservice.store.bodies import NewBody
from aiservice.store.session import DATABASE_ERRORS, Database

_MOST_GROUPS = 64
_MOST_BYTES = 8 << 20  # a commit that takes longer holds up everybody who writes

_Group = Sequence[NewBody]
_Waiting = tuple[_Group, "asyncio.Future[bool]"]


class BodiesTogether:
    """One object a worker; one write at a time."""

    def __init__(self, db: Database, seconds: float) -> None:
        """Whoever writes waits for so many seconds at most."""
        self._db = db
        self._seconds = seconds
        self._due: deque[tuple[float, asyncio.Future[bool]]] = deque()  # of the loop's clock, in order
        self._is_watched = False
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def write(self, rows: _Group) -> bool:
        """Keeps bodies of one client that are sealed under one data key, all or none; whether they are committed.

        Raises:
            DATABASE_ERRORS: the database did not answer; TimeoutError: in time.
        """
        loop = asyncio.get_running_loop()
        committed: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((rows, committed))
        self._due.append((loop.time() + self._seconds, committed))
        if not self._is_watched:
            self._is_watched = True
            loop.call_later(self._seconds, self._watch)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await committed

    def _watch(self) -> None:
        """Ends the waits that have been too long. One timer for all of them: one each costs as much as the sealing."""
        loop, due = asyncio.get_running_loop(), self._due
        while due and (due[0][1].done() or due[0][0] <= loop.time()):
            _, committed = due.popleft()
            if not committed.done():
                committed.set_exception(TimeoutError("the write took too long"))
        self._is_watched = bool(due)
        if due:
            loop.call_at(due[0][0], self._watch)

    async def _write_all(self) -> None:
        while self._waiting:
            taken = self._take()
            try:
                await self._write(taken)
            finally:  # whatever ended it: nobody waits for what will not come
                for _, committed in taken:
                    if not committed.done():
                        committed.set_exception(ConnectionError("the write was given up"))

    def _take(self) -> list[_Waiting]:
        """The next ones; whoever gave up meanwhile is left out."""
        taken: list[_Waiting] = []
        size = 0
        while self._waiting and len(taken) < _MOST_GROUPS and size < _MOST_BYTES:
            rows, committed = self._waiting.popleft()
            if not committed.done():
                taken.append((rows, committed))
                size += sum(len(row.sealed) for row in rows)
        return taken

    async def _write(self, taken: list[_Waiting]) -> None:
        groups = [rows for rows, _ in taken]
        try:
            kept = await units.write(self._db, lambda _now: store.put_bodies(groups)) if groups else []
        except DATABASE_ERRORS as error:
            if len(taken) > 1:  # one that the database refuses (its client was deleted) is no reason to lose the others
                for one in taken:
                    await self._write([one])
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
            return
        for (_, committed), is_kept in zip(taken, kept, strict=True):
            if not committed.done():
                committed.set_result(is_kept)
