"""Queries on clients. `owner_id` narrows every one of them to what that person owns; None means everybody's."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, Team, User

Limited = tuple[str, str, str, dict[str, int] | None]


async def find(session: AsyncSession, name_or_id: str, owner_id: str | None) -> Client | None:
    """The client with that id or name."""
    query = select(Client).where(or_(col(Client.id) == name_or_id, col(Client.name) == name_or_id))
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    return (await session.execute(query)).scalars().first()


async def listed(session: AsyncSession, owner_id: str | None) -> Sequence[tuple[Client, str | None, str | None]]:
    """(client, its owner's e-mail, its team's name) by name."""
    query = (
        select(Client, col(User.email), col(Team.name))
        .outerjoin(User, col(User.id) == col(Client.owner_id))
        .outerjoin(Team, col(Team.id) == col(Client.team_id))
        .order_by(col(Client.name))
    )
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def limits(session: AsyncSession, owner_id: str | None) -> list[Limited]:
    """(id, name, its team's name or "", limits) by name: of thousands of clients, without all else they have."""
    query = select(col(Client.id), col(Client.name), func.coalesce(col(Team.name), ""), col(Client.limits))
    query = query.outerjoin(Team, col(Team.id) == col(Client.team_id)).order_by(col(Client.name))
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    rows = await session.stream(query.execution_options(yield_per=100))  # thousands at once would hold the loop
    return [(row[0], row[1], row[2], row[3]) async for row in rows]


async def names(session: AsyncSession, owner_id: str | None) -> list[str]:
    """The names, for "did you mean"."""
    query = select(col(Client.name)).limit(2000)
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    return list((await session.execute(query)).scalars())


async def oldest_of(session: AsyncSession, owner_id: str) -> Client | None:
    """The first client that person was given; one that is not disabled before one that is."""
    query = (
        select(Client)
        .where(col(Client.owner_id) == owner_id)
        .order_by(col(Client.is_disabled), col(Client.created_us), col(Client.id))
    )
    return (await session.execute(query.limit(1))).scalars().first()


async def names_like(session: AsyncSession, stem: str) -> set[str]:
    """The names that start with `stem`."""
    query = select(col(Client.name)).where(col(Client.name).startswith(stem, autoescape=True))
    return set((await session.execute(query)).scalars())


async def owner_and_team(session: AsyncSession, client: Client) -> tuple[str | None, str | None]:
    """The owner's e-mail and the team's name."""
    query = select(
        select(col(User.email)).where(col(User.id) == client.owner_id).scalar_subquery(),
        select(col(Team.name)).where(col(Team.id) == client.team_id).scalar_subquery(),
    )
    row = (await session.execute(query)).one()
    return row[0], row[1]


async def owner_of(session: AsyncSession, client_id: str) -> str | None:
    """Whose client that is."""
    return await session.scalar(select(col(Client.owner_id)).where(col(Client.id) == client_id))
