"""The change feed: an edit made by any process reaches the caches of every other one within a second.

A change is a row written in the transaction of the edit itself, so there is no edit without its change and no change
without its edit. On SQLite every process polls for new rows four times a second (one query on the primary key costs
less than a connection kept for `PRAGMA data_version`). On PostgreSQL it listens on a connection of its own and reads
when it is told; it polls all the same, slowly while it listens and four times a second while it does not.

Fails closed: while the database does not answer, `is_fresh()` turns false and caches must stop trusting themselves.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from aiservice.store import changes as store
from aiservice.store import notices
from aiservice.store.session import DATABASE_ERRORS, AsyncSession, Database, after_commit

Kind = Literal[
    "key", "client", "team", "connection", "preference", "alias", "person", "session", "vault", "token_key", "cut",
    "cache", "shadow", "vendor", "price",
]  # fmt: skip
Subscriber = Callable[[str, str], None]

POLL_SECONDS = 0.25
# A listening connection can be dead without a sign. Less than the 5 s for which caches trust what was read last.
LISTENING_POLL_SECONDS = 4.0
_MAX_BACKOFF_SECONDS = 2.0
_READ_SECONDS = 3.0  # a database that hangs is away
# PostgreSQL gives ids before the commit: a lower id may appear after a higher one, as late as its transaction lasts.
_GAP_SECONDS = 60.0
_MAX_GAPS = 500

log = logging.getLogger(__name__)


class ChangeFeed:
    """Publishes edits and calls every subscriber with (kind, subject) of each edit, its own process's included."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._subscribers: list[Subscriber] = []
        self._turn = asyncio.Lock()
        self._last_id: int | None = None
        self._gaps: dict[int, float] = {}  # id not seen yet -> monotonic time at which to give it up
        self._read_at = float("-inf")
        self._tellers: list[Callable[[], None]] = []
        self._poked = asyncio.Event()
        self._is_listening = False

    def publish(self, session: AsyncSession, kind: Kind, subject: str) -> None:
        """Adds the change to the caller's unit of work; it exists exactly if that unit commits."""
        store.publish(session, kind, subject)
        for tell in self._tellers:
            after_commit(session, tell)

    def tell_others_with(self, tell: Callable[[], None]) -> None:
        """Calls `tell` after the commit of every edit made here: a faster way for the news than others' polling."""
        self._tellers.append(tell)

    def poke(self) -> None:
        """Somebody says that there is news: the running feed reads it at once."""
        self._poked.set()

    def subscribe(self, callback: Subscriber) -> None:
        """Calls `callback(kind, subject)` on the event loop for every change from now on. It must not block."""
        self._subscribers.append(callback)

    def is_fresh(self, max_age: float = 5.0) -> bool:
        """Whether every change older than `max_age` seconds has been delivered."""
        return time.monotonic() - self._read_at <= max_age

    @property
    def age(self) -> float:
        """Seconds since the feed was last read to its end; infinite before the first time."""
        return time.monotonic() - self._read_at

    async def poll_once(self) -> int:
        """Reads the feed to its end, delivers what is new, and returns how many changes that were.

        The first call only finds the end of the feed: caches are still empty then.

        Raises:
            DATABASE_ERRORS: the database did not answer; nothing was delivered and nothing is lost.
        """
        async with self._turn:
            began = time.monotonic()
            if self._last_id is None:
                async with self._db.read() as session:
                    self._last_id = await store.newest_id(session)
                rows = []
            else:
                rows = await store.after(self._db, self._last_id, self._gaps)
                self._advance([row[0] for row in rows], self._last_id, began)
            for _, kind, subject in rows:
                self._deliver(kind, subject)
            self._read_at = began
            return len(rows)

    async def catch_up(self) -> None:
        """`poll_once` for whoever has just made a change and need not wait for the loop's next turn; if the database
        has gone meanwhile, the loop sees to it."""
        with suppress(*DATABASE_ERRORS):
            await self.poll_once()

    async def run(self) -> None:
        """Reads what is new until cancelled; while the database is away it keeps trying, at most every 2 seconds."""
        listening = None if self._db.is_sqlite else asyncio.create_task(self._listen(), name="change-notices")
        try:
            await self._poll()
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    async def _poll(self) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    await self.poll_once()
                if failures:
                    log.warning("The change feed is readable again.")
                failures = 0
            except DATABASE_ERRORS as error:
                if not failures:
                    log.warning("The change feed cannot be read (%s); caches expire.", type(error).__name__)
                failures += 1
            calm = LISTENING_POLL_SECONDS if self._is_listening else POLL_SECONDS
            await self._pause(_backoff(failures) if failures else calm)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with notices.listening(self._db, self.poke) as lost:
                    failures, self._is_listening = 0, True
                    self.poke()  # for what was committed before we listened
                    await lost.wait()
            except DATABASE_ERRORS as error:
                log.debug("The change feed cannot listen (%s).", type(error).__name__)
            finally:
                self._is_listening = False
            self.poke()
            failures += 1
            await asyncio.sleep(_backoff(failures))

    async def _pause(self, seconds: float) -> None:
        """Waits for `seconds`, or for somebody's poke."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poked.wait()
        self._poked.clear()

    async def purge(self, before_us: int) -> int:
        """Deletes changes older than `before_us` (microseconds UTC; a day at least) and returns how many."""
        async with self._db.write() as session:
            return await store.purge(session, before_us)

    def _advance(self, ids: list[int], last_id: int, now: float) -> None:
        for number in ids:
            self._gaps.pop(number, None)
        newest = max([last_id, *ids])
        if newest > last_id:
            present = set(ids)
            first = max(last_id + 1, newest - _MAX_GAPS)
            self._gaps |= {n: now + _GAP_SECONDS for n in range(first, newest) if n not in present}
            self._last_id = newest
        if self._gaps:
            self._gaps = {n: until for n, until in self._gaps.items() if until > now}

    def _deliver(self, kind: str, subject: str) -> None:
        for subscriber in self._subscribers:
            try:
                subscriber(kind, subject)
            except Exception:
                log.exception("A subscriber of the change feed failed on a %s change.", kind)


def _backoff(failures: int) -> float:
    """Seconds until the next try after so many failures."""
    return float(min(POLL_SECONDS * 2**failures, _MAX_BACKOFF_SECONDS))
