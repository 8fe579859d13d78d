"""Units of work written once for both databases: statements as text, and their order as a generator without I/O.

On SQLite all of a unit is one turn of a thread: a statement through SQLAlchemy and the driver's own thread costs more
than most statements do. On PostgreSQL it is one transaction, a statement a round trip.
"""

import sqlite3
from collections.abc import Callable, Generator, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, TextClause, text

from aiservice.kit.clock import now_us
from aiservice.store.cluster import clock_us
from aiservice.store.session import AsyncSession, Database

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
Steps = Generator[tuple[str, Mapping[str, Any]], Rows, T]
"""Gives statements with their named parameters, is sent the rows of each, and returns what the unit came to."""
Unit = Callable[[int], Steps[T]]
"""Makes the steps of a unit that begins at a time: microseconds UTC, by the database's clock."""


async def write(db: Database, unit: Unit[T]) -> T:
    """Runs a unit of work that is committed at its end. On SQLite it runs in a thread: it must not touch shared state.

    Raises:
        DATABASE_ERRORS: the database did not answer; nothing of it is committed.
    """
    if db.is_sqlite:
        return await db.write_at_once(lambda connection: _run_sqlite(connection, unit(now_us())))
    async with db.write() as session:
        return await _run_postgres(session, unit(await clock_us(session)))


async def read(db: Database, unit: Unit[T]) -> T:
    """Runs a unit of queries. On SQLite each sees the database as it is at that moment."""
    if db.is_sqlite:
        return await db.read_at_once(lambda connection: _run_sqlite(connection, unit(now_us())))
    async with db.read() as session:
        return await _run_postgres(session, unit(await clock_us(session)))


def _run_sqlite(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    rows: Rows | None = None
    while True:
        try:
            statement, given = steps.send(rows)  # type: ignore[arg-type]  # None is how a generator begins
        except StopIteration as end:
            result: T = end.value
            return result
        rows = connection.execute(statement, given).fetchall()


async def _run_postgres(session: AsyncSession, steps: Steps[T]) -> T:
    rows: Rows | None = None
    while True:
        try:
            statement, given = steps.send(rows)  # type: ignore[arg-type]  # None is how a generator begins
        except StopIteration as end:
            result: T = end.value
            return result
        done = cast(CursorResult[Any], await session.execute(_clause(statement), given))
        rows = [tuple(row) for row in done] if done.returns_rows else []


@cache
def _clause(statement: str) -> TextClause:
    return text(statement)
