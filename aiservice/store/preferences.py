"""Queries on stored fallback chains."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, Preference

Chain = tuple[str, str, list[str]]


async def find(session: AsyncSession, client_id: str, task: str) -> Preference | None:
    query = select(Preference).where(col(Preference.client_id) == client_id, col(Preference.task) == task)
    return (await session.execute(query)).scalars().first()


async def listed(
    session: AsyncSession, owner_id: str | None, client_id: str | None
) -> Sequence[tuple[Preference, str]]:
    """(preference, its client's name) by client and task; `owner_id` narrows to clients of that person."""
    query = select(Preference, col(Client.name)).join(Client, col(Client.id) == col(Preference.client_id))
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    if client_id is not None:
        query = query.where(col(Preference.client_id) == client_id)
    rows = (await session.execute(query.order_by(col(Client.name), col(Preference.task)))).all()
    return [(row[0], row[1]) for row in rows]


async def chains(session: AsyncSession, client_ids: Collection[str] | None, limit: int) -> Sequence[Chain]:
    """(client id, task, chain) of these clients, or of all; at most `limit` rows."""
    query = select(col(Preference.client_id), col(Preference.task), col(Preference.chain)).limit(limit)
    if client_ids is not None:
        query = query.where(col(Preference.client_id).in_(client_ids))
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Preference))).scalar_one()


async def remove(session: AsyncSession, client_id: str, task: str | None) -> int:
    """Removes the chain for `task`, or all of the client's; returns how many."""
    query = delete(Preference).where(col(Preference.client_id) == client_id)
    if task is not None:
        query = query.where(col(Preference.task) == task)
    return int((await session.execute(query)).rowcount)  # type: ignore[attr-defined]


async def naming(session: AsyncSession, connection: str) -> list[Preference]:
    """The preferences whose chain names `connection`, with or without a model."""
    rows = (await session.execute(select(Preference))).scalars()
    return [row for row in rows if any(entry.partition(":")[0] == connection for entry in row.chain)]
