"""Queries on prices that an admin has set."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import OwnPrice


async def everything(session: AsyncSession) -> Sequence[OwnPrice]:
    """All of them, by kind and model."""
    query = select(OwnPrice).order_by(col(OwnPrice.kind), col(OwnPrice.model))
    return (await session.execute(query)).scalars().all()


async def find(session: AsyncSession, kind: str, model: str) -> OwnPrice | None:
    """The price of that model at that kind of provider."""
    query = select(OwnPrice).where(col(OwnPrice.kind) == kind, col(OwnPrice.model) == model)
    return (await session.execute(query)).scalars().first()


async def remove(session: AsyncSession, price_id: str) -> None:
    await session.execute(delete(OwnPrice).where(col(OwnPrice.id) == price_id))
