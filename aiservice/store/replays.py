"""SQL of requests that got the answer of another."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import Replay


def add(session: AsyncSession, rows: Sequence[Replay]) -> None:
    session.add_all(rows)


async def original_of(session: AsyncSession, request_id: str) -> str | None:
    """Whose answer that request got; None where it is no replay."""
    return await session.scalar(select(col(Replay.original_id)).where(col(Replay.request_id) == request_id))


async def count_of(session: AsyncSession, original_id: str) -> int:
    """How many requests got that one's answer."""
    query = select(func.count()).select_from(Replay).where(col(Replay.original_id) == original_id)
    return await session.scalar(query) or 0


async def remove_before(session: AsyncSession, at_us: int) -> None:
    """Forgets replays older than that."""
    await session.execute(delete(Replay).where(col(Replay.replayed_us) < at_us))
