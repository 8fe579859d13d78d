"""What a database says of itself: its version, its size, and how long an answer takes."""

import time
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(slots=True, frozen=True)
class DatabaseFacts:
    """`size_bytes` is of the database alone; `ping_ms` of one small query, over a connection that was there."""

    kind: str
    version: str
    size_bytes: int
    ping_ms: float


async def facts(session: AsyncSession) -> DatabaseFacts:
    """The facts of the session's database."""
    is_postgres = session.get_bind().dialect.name == "postgresql"
    await session.execute(text("SELECT 1"))  # the first query of a session opens its transaction
    began = time.monotonic()
    await session.execute(text("SELECT 1"))
    ping_ms = (time.monotonic() - began) * 1000
    if is_postgres:
        version = str((await session.execute(text("SHOW server_version"))).scalar_one())
        size = int((await session.execute(text("SELECT pg_database_size(current_database())"))).scalar_one())
        return DatabaseFacts("PostgreSQL", version, size, ping_ms)
    version = str((await session.execute(text("SELECT sqlite_version()"))).scalar_one())
    size_query = text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
    return DatabaseFacts("SQLite", version, int((await session.execute(size_query)).scalar_one()), ping_ms)
