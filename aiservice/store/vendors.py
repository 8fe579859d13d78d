"""Queries on the vendors that an admin has added."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Connection, Vendor


async def everything(session: AsyncSession) -> Sequence[Vendor]:
    """All of them, by kind."""
    return (await session.execute(select(Vendor).order_by(col(Vendor.kind)))).scalars().all()


async def find(session: AsyncSession, kind: str) -> Vendor | None:
    return (await session.execute(select(Vendor).where(col(Vendor.kind) == kind))).scalars().first()


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Vendor))).scalar_one()


async def connections_by_kind(session: AsyncSession) -> dict[str, list[str]]:
    """The names of the connections of every kind."""
    query = select(col(Connection.kind), col(Connection.name)).order_by(col(Connection.name))
    found: dict[str, list[str]] = {}
    for kind, name in (await session.execute(query)).all():
        found.setdefault(kind, []).append(name)
    return found


async def remove(session: AsyncSession, kind: str) -> None:
    await session.execute(delete(Vendor).where(col(Vendor.kind) == kind))
