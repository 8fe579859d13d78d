"""Queries on prices that an admin has set."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import OwnPrice, UsageModelDay, UsageModelHour


async def everything(session: AsyncSession) -> Sequence[OwnPrice]:
    """All of them, by kind and model."""
    query = select(OwnPrice).order_by(col(OwnPrice.kind), col(OwnPrice.model))
    return (await session.execute(query)).scalars().all()


async def find(session: AsyncSession, kind: str, model: str) -> OwnPrice | None:
    """The price of that model at that kind of provider."""
    query = select(OwnPrice).where(col(OwnPrice.kind) == kind, col(OwnPrice.model) == model)
    return (await session.execute(query)).scalars().first()


async def unpriced(
    session: AsyncSession, days_us: Collection[int], hours_us: Collection[int]
) -> list[tuple[str, str, int]]:
    """(provider, model, calls that no price was known for), over the days and hours that begin then; a place may be
    there twice. A day is rolled up once it is over, so today is its hours."""
    found = []
    for table, starts in ((UsageModelDay, days_us), (UsageModelHour, hours_us)):
        query = (
            select(col(table.provider), col(table.model), func.sum(col(table.unpriced)))
            .where(col(table.start_us).in_(starts), col(table.unpriced) > 0)
            .group_by(col(table.provider), col(table.model))
        )
        found += [(row[0], row[1], int(row[2])) for row in await session.execute(query)]
    return found


async def remove(session: AsyncSession, price_id: str) -> None:
    await session.execute(delete(OwnPrice).where(col(OwnPrice.id) == price_id))
