"""Queries on provider connections. Their sealed keys are the vault's."""

from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, Connection


async def find(session: AsyncSession, name_or_id: str) -> Connection | None:
    """The connection with that id or name."""
    query = select(Connection).where(or_(col(Connection.id) == name_or_id, col(Connection.name) == name_or_id))
    return (await session.execute(query)).scalars().first()


async def everything(session: AsyncSession) -> Sequence[Connection]:
    """All connections, oldest first."""
    return (
        (await session.execute(select(Connection).order_by(col(Connection.created_us), col(Connection.id))))
        .scalars()
        .all()
    )


async def shared_or_owned_by(session: AsyncSession, person_id: str) -> Sequence[Connection]:
    """The shared connections and those of clients that `person_id` owns, oldest first."""
    own_clients = select(col(Client.id)).where(col(Client.owner_id) == person_id)
    query = select(Connection).where(
        or_(col(Connection.owner_client_id).is_(None), col(Connection.owner_client_id).in_(own_clients))
    )
    return (await session.execute(query.order_by(col(Connection.created_us), col(Connection.id)))).scalars().all()


async def usable_by_client(session: AsyncSession, client_id: str) -> Sequence[Connection]:
    """The shared connections and the client's own."""
    query = select(Connection).where(
        or_(col(Connection.owner_client_id).is_(None), col(Connection.owner_client_id) == client_id)
    )
    return (await session.execute(query.order_by(col(Connection.created_us), col(Connection.id)))).scalars().all()


async def shared_names(session: AsyncSession) -> list[str]:
    query = select(col(Connection.name)).where(col(Connection.owner_client_id).is_(None)).order_by(col(Connection.name))
    return list((await session.execute(query)).scalars())


async def names_for(session: AsyncSession, client_id: str) -> list[str]:
    """The shared connections and the client's own."""
    owner = col(Connection.owner_client_id)
    query = select(col(Connection.name)).where(owner.is_(None) | (owner == client_id)).order_by(col(Connection.name))
    return list((await session.execute(query)).scalars())


async def names(session: AsyncSession) -> list[str]:
    return list((await session.execute(select(col(Connection.name)).order_by(col(Connection.name)))).scalars())


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Connection))).scalar_one()


async def remove(session: AsyncSession, connection_id: str) -> None:
    await session.execute(delete(Connection).where(col(Connection.id) == connection_id))
