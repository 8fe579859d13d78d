"""SQL of looks at keys' sealed copies."""

from sqlalchemy import delete, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import KeyReveal


async def times(session: AsyncSession, user_id: str | None, after_us: int) -> list[int]:
    """When somebody (or, with None, anybody) looked since then, oldest first."""
    query = select(col(KeyReveal.at_us)).where(col(KeyReveal.at_us) > after_us).order_by(col(KeyReveal.at_us))
    if user_id is not None:
        query = query.where(col(KeyReveal.user_id) == user_id)
    return list(await session.scalars(query))


async def delete_before(session: AsyncSession, at_us: int) -> None:
    await session.execute(delete(KeyReveal).where(col(KeyReveal.at_us) < at_us))
