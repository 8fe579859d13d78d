"""Opens the database and gives out units of work. All commits of the product are here: `write()`, `write_at_once()`."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

__all__ = ["DATABASE_ERRORS", "FENCE", "AsyncSession", "Database", "after_commit"]

# What a query raises when the database is away, locked, full or broken (asyncpg's connect errors arrive unwrapped).
DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, OSError, TimeoutError)
# What must still be true for a write of this task to be committed: it raises where it is not. Set by whoever does work
# that only the holder of a lease may do, so that no write of such work can forget it.
FENCE: ContextVar[Callable[[AsyncSession], Awaitable[None]] | None] = ContextVar("fence", default=None)
_T = TypeVar("_T")
_BUSY_MS = 10_000
PRAGMAS = (
    f"busy_timeout={_BUSY_MS}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",
)
_READERS = 4
_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 30.0  # a server that hangs must not hold a connection for ever


class Database:
    """One database: `read()` and `write()` give a session whose end is the end of the unit of work.

    On SQLite one connection writes, in the order of arrival, under `BEGIN IMMEDIATE` (two writers that both began as
    readers would deadlock into "database is locked"); readers have their own connections (WAL).
    """

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._url = url
        self._writer = open_engine(url, is_writer=True)
        self._reader = open_engine(url, is_writer=False) if self.is_sqlite else _snapshots(self._writer)
        self._at_once = AtOnce(url, is_writer=True) if self.is_sqlite else None
        self._read_at_once = AtOnce(url, is_writer=False) if self.is_sqlite else None
        self._write_turn = asyncio.Lock()
        self._before_commit: list[Callable[[AsyncSession], Awaitable[None]]] = []

    @property
    def engine(self) -> AsyncEngine:
        """The engine that reads."""
        return self._reader

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session for queries, all of which see the database as it was at the first; nothing is ever committed."""
        async with AsyncSession(self._reader, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends well and rolls back otherwise."""
        if self.is_sqlite:
            async with (
                self._write_turn,
                AsyncSession(self._writer, expire_on_commit=False) as session,
                session.begin(),
            ):
                await _check_fence(session)
                yield session
                await self._finish(session)
        else:
            async with AsyncSession(self._writer, expire_on_commit=False) as session, session.begin():
                await _check_fence(session)
                yield session
                await self._finish(session)

    def before_commit(self, work: Callable[[AsyncSession], Awaitable[None]]) -> None:
        """Awaits `work` as the last thing in every `write()`; where it raises, nothing of that is committed."""
        self._before_commit.append(work)

    async def _finish(self, session: AsyncSession) -> None:
        for work in self._before_commit:
            await work(session)

    async def write_at_once(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """On SQLite: a unit of work made of plain statements, all of it in one turn of a thread.

        A turn and its way through SQLAlchemy cost more than most statements; this is for what is written all the time.

        Raises:
            SQLAlchemyError: what SQLite refuses is raised as `write()` would; nothing of it is committed.
        """
        if self._at_once is None or FENCE.get() is not None:
            raise RuntimeError("only for SQLite, and never for work under a lease: that is what write() is for")
        async with self._write_turn:
            return await self._at_once.run(work)

    async def read_at_once(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """On SQLite: one plain query, in one turn of a thread that no write holds up.

        Raises:
            SQLAlchemyError: as `read()` would.
        """
        if self._read_at_once is None:
            raise RuntimeError("only for SQLite")
        return await self._read_at_once.run(work)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside the pool and outside any transaction, for what lasts."""
        engine = open_engine(self._url, is_writer=False, is_pooled=False)
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        for at_once in (self._at_once, self._read_at_once):
            if at_once is not None:
                await at_once.close()
        await self._reader.dispose()
        await self._writer.dispose()


def after_commit(session: AsyncSession, call: Callable[[], None]) -> None:
    """Calls `call` on the event loop once the session's unit of work is committed."""
    loop = asyncio.get_running_loop()
    event.listen(session.sync_session, "after_commit", lambda _session: loop.call_soon(call), once=True)


class AtOnce:
    """A connection of SQLite's own driver and the one thread that uses it; both begin with the first work."""

    def __init__(self, url: str, *, is_writer: bool) -> None:
        self._is_writer = is_writer
        self._path = make_url(url).database or ":memory:"
        self._thread = ThreadPoolExecutor(1, "sqlite-at-once")
        self._connection: sqlite3.Connection | None = None

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """What `work` gives, once it is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    async def close(self) -> None:
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            if self._connection is None:
                self._connection = self._opened()
            if not self._is_writer:
                return work(self._connection)
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:  # commits, or rolls back
                return work(self._connection)
        except sqlite3.Error as exc:
            raise DBAPIError.instance(None, None, exc, sqlite3.Error, hide_parameters=True) from exc

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_MS / 1000, isolation_level=None)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection


_POSTGRES_SETTINGS = (
    "jit = off",  # compiling a query of forty sums takes longer than running it
    # What it assumes by itself is a disk that turns: it would read a roll-up from end to end rather than a developer's
    # part of it, and sort on the disk what fits into memory.
    "random_page_cost = 1.1",
    "work_mem = '16MB'",
    # A page asks a dozen things of a few ten milliseconds each: to start workers for them costs more than these spare,
    # and takes the other cores from the gateway.
    "parallel_setup_cost = 10000",
)


def _open_postgres(url: str, *, is_pooled: bool, statement_seconds: float | None) -> AsyncEngine:
    pool: dict[str, Any] = {"poolclass": NullPool}
    if is_pooled:
        pool = {"pool_size": 5, "max_overflow": 10, "pool_timeout": _CONNECT_SECONDS, "pool_pre_ping": True}
    waits = {"timeout": _CONNECT_SECONDS, "command_timeout": statement_seconds}
    engine = create_async_engine(url, hide_parameters=True, connect_args=waits, **pool)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Said here and not as startup parameters: a PgBouncer between would refuse those.
        cursor = connection.cursor()
        for setting in _POSTGRES_SETTINGS:
            cursor.execute(f"SET {setting}")
        cursor.close()
        connection.commit()

    return engine


def _snapshots(engine: AsyncEngine) -> AsyncEngine:
    """The same connections, for units of work of which every statement sees the same moment, as on SQLite."""
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


async def _check_fence(session: AsyncSession) -> None:
    fence = FENCE.get()
    if fence is not None:
        await fence(session)


def open_engine(
    url: str, *, is_writer: bool, is_pooled: bool = True, statement_seconds: float | None = _STATEMENT_SECONDS
) -> AsyncEngine:
    """An engine of our kind; on SQLite a writer's transactions take the write lock when they begin."""
    if not url.startswith("sqlite"):
        return _open_postgres(url, is_pooled=is_pooled, statement_seconds=statement_seconds)
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if is_writer else _READERS,
        max_overflow=0,
        hide_parameters=True,  # they hold digests and sealed secrets: never in an error's text or a log
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # SQLAlchemy's own transaction control instead of sqlite3's guesses, so that BEGIN IMMEDIATE is ours to say.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine
