"""Queries on prices that an admin has set."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import OwnPrice, UsageDay


async def everything(session: AsyncSession) -> Sequence[OwnPrice]:
    """All of them, by kind and model."""
    query = select(OwnPrice).order_by(col(OwnPrice.kind), col(OwnPrice.model))
    return (await session.execute(query)).scalars().all()


async def find(session: AsyncSession, kind: str, model: str) -> OwnPrice | None:
    """The price of that model at that kind of provider."""
    query = select(OwnPrice).where(col(OwnPrice.kind) == kind, col(OwnPrice.model) == model)
    return (await session.execute(query)).scalars().first()


async def unpriced(session: AsyncSession, days_us: Collection[int]) -> list[tuple[str, str, int]]:
    """(provider, model, calls that no price was known for), over the days that begin then."""
    query = (
        select(col(UsageDay.provider), col(UsageDay.model), func.sum(col(UsageDay.unpriced)))
        .where(col(UsageDay.start_us).in_(days_us), col(UsageDay.unpriced) > 0)
        .group_by(col(UsageDay.provider), col(UsageDay.model))
    )
    return [(row[0], row[1], int(row[2])) for row in await session.execute(query)]


async def remove(session: AsyncSession, price_id: str) -> None:
    await session.execute(delete(OwnPrice).where(col(OwnPrice.id) == price_id))
