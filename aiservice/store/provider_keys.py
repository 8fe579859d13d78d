"""Queries on the further keys of provider connections. What is sealed of them is the vault's."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import ProviderKey


async def everything(session: AsyncSession) -> dict[str, list[ProviderKey]]:
    """The keys by the id of their connection, in the order of their numbers."""
    query = select(ProviderKey).order_by(col(ProviderKey.connection_id), col(ProviderKey.number))
    found: dict[str, list[ProviderKey]] = {}
    for row in (await session.execute(query)).scalars():
        found.setdefault(row.connection_id, []).append(row)
    return found


async def of(session: AsyncSession, connection_id: str) -> Sequence[ProviderKey]:
    """The keys of one connection, in the order of their numbers."""
    query = select(ProviderKey).where(col(ProviderKey.connection_id) == connection_id)
    return (await session.execute(query.order_by(col(ProviderKey.number)))).scalars().all()


async def find(session: AsyncSession, key_id: str) -> ProviderKey | None:
    """The key with that id."""
    return await session.get(ProviderKey, key_id)


async def remove(session: AsyncSession, key_id: str) -> None:
    await session.execute(delete(ProviderKey).where(col(ProviderKey.id) == key_id))
