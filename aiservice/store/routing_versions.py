"""Queries on the versions of stored terms and aliases. They are added, and never changed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import RoutingVersion


async def one(session: AsyncSession, number: int) -> RoutingVersion | None:
    return await session.get(RoutingVersion, number)


async def newest(session: AsyncSession, kind: str, scope: str, subject: str, name: str) -> RoutingVersion | None:
    """The last version of what is called `name`."""
    found = await listed(session, scope, subject, kind=kind, name=name, limit=1)
    return found[0] if found else None


async def listed(
    session: AsyncSession, scope: str, subject: str, *, kind: str, name: str | None, limit: int
) -> Sequence[RoutingVersion]:
    """The versions of one subject, newest first; of one name, or of all."""
    query = select(RoutingVersion).where(
        col(RoutingVersion.scope) == scope, col(RoutingVersion.subject) == subject, col(RoutingVersion.kind) == kind
    )
    if name is not None:
        query = query.where(col(RoutingVersion.name) == name)
    return (await session.execute(query.order_by(col(RoutingVersion.id).desc()).limit(limit))).scalars().all()
