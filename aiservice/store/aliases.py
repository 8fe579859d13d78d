"""Queries on names for models."""

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, ModelAlias, Team


async def find(session: AsyncSession, scope: str, subject: str, name: str) -> ModelAlias | None:
    query = select(ModelAlias).where(
        col(ModelAlias.scope) == scope, col(ModelAlias.subject) == subject, col(ModelAlias.name) == name
    )
    return (await session.execute(query)).scalars().first()


async def listed(session: AsyncSession, owner_id: str | None) -> Sequence[tuple[ModelAlias, str]]:
    """(alias, the name of whose it is) from the widest scope to the narrowest, by name; `owner_id` narrows to the
    platform's and to those of that person's clients and their teams."""
    query = (
        select(ModelAlias, func.coalesce(col(Client.name), col(Team.name), "platform"))
        .outerjoin(Client, (col(ModelAlias.scope) == "client") & (col(Client.id) == col(ModelAlias.subject)))
        .outerjoin(Team, (col(ModelAlias.scope) == "team") & (col(Team.id) == col(ModelAlias.subject)))
    )
    if owner_id is not None:
        teams = select(col(Client.team_id)).where(col(Client.owner_id) == owner_id, col(Client.team_id).is_not(None))
        is_own = (col(Client.owner_id) == owner_id) | col(Team.id).in_(teams)
        query = query.where((col(ModelAlias.scope) == "platform") | is_own)
    rows = [(row[0], row[1]) for row in (await session.execute(query)).all()]
    places = {"platform": 0, "team": 1, "client": 2}
    return sorted(rows, key=lambda row: (places.get(row[0].scope, 3), row[1], row[0].name))


async def stored(session: AsyncSession, limit: int) -> Sequence[tuple[str, str, str, list[str]]]:
    """(scope, subject, name, targets) of all; at most `limit` rows."""
    columns = (col(ModelAlias.scope), col(ModelAlias.subject), col(ModelAlias.name), col(ModelAlias.targets))
    return [(row[0], row[1], row[2], row[3]) for row in (await session.execute(select(*columns).limit(limit))).all()]


async def of_subject(session: AsyncSession, scope: str, subject: str) -> dict[str, list[str]]:
    """Targets by name."""
    query = select(col(ModelAlias.name), col(ModelAlias.targets)).where(
        col(ModelAlias.scope) == scope, col(ModelAlias.subject) == subject
    )
    return {row[0]: row[1] for row in (await session.execute(query)).all()}


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(ModelAlias))).scalar_one()


async def forget(session: AsyncSession, scope: str, subject: str) -> None:
    """Removes all aliases of something that is removed itself."""
    await session.execute(delete(ModelAlias).where(col(ModelAlias.scope) == scope, col(ModelAlias.subject) == subject))
