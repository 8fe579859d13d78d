"""Copies of the whole database as it was at one moment, taken while others write."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from aiservice.store import vault
from aiservice.store.migrations import current_revision
from aiservice.store.session import Database, open_engine
from aiservice.tables import MasterKeyVersion, metadata

REVISIONS = "alembic_version"
_SEQUENCES = text(
    "SELECT table_name, column_name, last_value FROM information_schema.columns "
    "JOIN pg_sequences ON schemaname = table_schema "
    "AND quote_ident(schemaname) || '.' || quote_ident(sequencename) = pg_get_serial_sequence(table_name, column_name) "
    "WHERE table_schema = current_schema() AND last_value IS NOT NULL"
)


@dataclass(slots=True, frozen=True)
class Table:
    """A table and its columns, in the order in which their values are copied."""

    name: str
    columns: tuple[str, ...]


def database_file(url: str) -> Path:
    """The file of a SQLite database."""
    return Path(make_url(url).database or "")


def copy_sqlite(url: str, target: Path) -> None:
    """Copies a SQLite database to the new file `target`, in one step: what others write meanwhile is not in it, and
    they do not wait (https://www.sqlite.org/backup.html; WAL). Blocks: for a thread.

    Raises:
        sqlite3.Error: the database cannot be read, or the disk is full.
    """
    source = f"{database_file(url).absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(source, uri=True, timeout=10)) as read, closing(sqlite3.connect(target)) as write:
        read.backup(write)
        # One file, without a write-ahead log beside it.
        write.execute("PRAGMA journal_mode=DELETE")


def seal_off(path: Path) -> bool:
    """Takes what is in the write-ahead log into the database's file, which then stands alone; as far as it can, where
    the file is damaged. False when another process has it open."""
    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        return "locked" not in str(error)
    return True


async def versions_in(url: str) -> tuple[str | None, list[MasterKeyVersion]]:
    """The revision of a database that stands still, and its versions of the master key."""
    db = Database(url)
    try:
        revision = await current_revision(db.engine)
        async with db.read() as session:
            return revision, await vault.versions(session)
    finally:
        await db.close()


class PostgresSnapshot:
    """Every table of ours as it was when the snapshot began; others go on writing."""

    def __init__(self, connection: AsyncConnection, tables: list[Table]) -> None:
        self._connection = connection
        self.tables = tables

    async def revision(self) -> str:
        """The schema's revision."""
        found: str = (await self._connection.execute(text(f"SELECT version_num FROM {REVISIONS}"))).scalar_one()  # noqa: S608
        return found

    async def versions(self) -> list[MasterKeyVersion]:
        """The versions of the master key."""
        async with AsyncSession(self._connection) as session:
            return await vault.versions(session)

    async def sequences(self) -> dict[str, int]:
        """Where the numbering of rows stands, by "table.column": never behind the snapshot."""
        return {f"{row[0]}.{row[1]}": int(row[2]) for row in await self._connection.execute(_SEQUENCES)}

    async def copy(self, table: Table, write: Callable[[bytes], None]) -> None:
        """Gives `write` the table's rows, in PostgreSQL's binary COPY format."""

        async def take(piece: bytes) -> None:
            write(piece)

        driver = await driver_of(self._connection)
        with errors_as_ours():
            await driver.copy_from_table(table.name, columns=list(table.columns), format="binary", output=take)


@asynccontextmanager
async def postgres_snapshot(url: str) -> AsyncIterator[PostgresSnapshot]:
    """A snapshot of a PostgreSQL database (one REPEATABLE READ transaction), for as long as the block lasts.

    Raises:
        DATABASE_ERRORS: it does not answer.
        LookupError: there is no schema of ours in it.
    """
    engine = open_engine(url, is_writer=False, is_pooled=False, statement_seconds=None)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            tables = await connection.run_sync(tables_of)
            if not any(table.name == REVISIONS for table in tables):
                raise LookupError("the database is empty")
            yield PostgresSnapshot(connection, [table for table in tables if table.name != REVISIONS])
    finally:
        await engine.dispose()


def tables_of(connection: Connection) -> list[Table]:
    """Our tables in the database, whatever its revision, those first that others refer to."""
    found = inspect(connection)
    present = set(found.get_table_names())
    names = [REVISIONS, *(table.name for table in metadata.sorted_tables)]
    return [
        Table(name, tuple(column["name"] for column in found.get_columns(name))) for name in names if name in present
    ]


async def driver_of(connection: AsyncConnection) -> Any:
    """asyncpg's own connection under SQLAlchemy's, in the same transaction once that has begun."""
    await connection.execute(text("SELECT 1"))
    return (await connection.get_raw_connection()).driver_connection


@contextmanager
def errors_as_ours() -> Iterator[None]:
    """What asyncpg raises by itself, as one of `DATABASE_ERRORS`."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise DBAPIError.instance(None, None, error, asyncpg.PostgresError, hide_parameters=True) from error
