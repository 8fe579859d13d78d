"""Queries on teams. `owner_id` narrows them to teams of that person's clients; None means everybody's."""

from sqlalchemy import delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, Team


async def find(session: AsyncSession, name_or_id: str, owner_id: str | None) -> Team | None:
    """The team with that id or name."""
    query = select(Team).where(or_(col(Team.id) == name_or_id, col(Team.name) == name_or_id))
    if owner_id is not None:
        query = query.where(col(Team.id).in_(select(col(Client.team_id)).where(col(Client.owner_id) == owner_id)))
    return (await session.execute(query)).scalars().first()


async def listed(session: AsyncSession, owner_id: str | None) -> list[tuple[Team, int]]:
    """(team, how many clients are in it) by name."""
    query = (
        select(Team, func.count(col(Client.id)))
        .outerjoin(Client, col(Client.team_id) == col(Team.id))
        .group_by(col(Team.id))
        .order_by(col(Team.name))
    )
    if owner_id is not None:
        query = query.where(col(Team.id).in_(select(col(Client.team_id)).where(col(Client.owner_id) == owner_id)))
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


async def names(session: AsyncSession, owner_id: str | None) -> list[str]:
    """The names, for "did you mean"."""
    return [team.name for team, _ in await listed(session, owner_id)]


async def clients_of(session: AsyncSession, team_id: str) -> list[str]:
    """The names of a team's clients."""
    query = select(col(Client.name)).where(col(Client.team_id) == team_id).order_by(col(Client.name))
    return list((await session.execute(query)).scalars())


async def remove(session: AsyncSession, team_id: str) -> None:
    await session.execute(delete(Team).where(col(Team.id) == team_id))
