"""SQL of the change feed."""

from collections.abc import Collection

import orjson
from sqlalchemy import delete, func, or_, select
from sqlmodel import col

from aiservice.kit.clock import now_us
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Change

# Asked four times a second by every process, so it is text made once. Two searches: "or" would make it a scan.
_AFTER_SQLITE = (
    "SELECT id, kind, subject FROM change WHERE id > ? UNION ALL "
    "SELECT id, kind, subject FROM change WHERE id IN (SELECT value FROM json_each(?))"
)


def publish(session: AsyncSession, kind: str, subject: str) -> None:
    """Adds a change to the caller's unit of work."""
    session.add(Change(kind=kind, subject=subject, at_us=now_us()))


async def newest_id(session: AsyncSession) -> int:
    """The highest id ever published; 0 before the first."""
    return (await session.scalar(select(func.max(col(Change.id))))) or 0


async def newest_at_us(session: AsyncSession) -> int | None:
    """When the last change was made, by the clock of the machine that made it; None before the first."""
    at_us: int | None = await session.scalar(select(func.max(col(Change.at_us))))
    return at_us


async def after(db: Database, last_id: int, missing: Collection[int]) -> list[tuple[int, str, str]]:
    """(id, kind, subject) of every change above `last_id`, and of those of `missing` that have appeared, by id."""
    if db.is_sqlite:
        given = (last_id, orjson.dumps(list(missing)).decode())
        return sorted(await db.read_at_once(lambda connection: connection.execute(_AFTER_SQLITE, given).fetchall()))
    where = col(Change.id) > last_id
    if missing:
        where = or_(where, col(Change.id).in_(list(missing)))
    query = select(col(Change.id), col(Change.kind), col(Change.subject)).where(where).order_by(col(Change.id))
    async with db.read() as session:
        return [(number or 0, kind, subject) for number, kind, subject in await session.execute(query)]


async def purge(session: AsyncSession, before_us: int) -> int:
    """Deletes changes older than `before_us` and returns how many.

    The newest row stays: SQLite would otherwise give its id again, and a feed that has passed it would miss the change.
    """
    newest = select(func.max(col(Change.id))).scalar_subquery()
    result = await session.execute(
        delete(Change).where(col(Change.at_us) < before_us, col(Change.id) < newest).returning(col(Change.id))
    )
    return len(result.all())
