"""Queries of a draft's trial: the newest requests of a scope, and what their keys may use."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, ClientKey, LedgerEntry, Team


class Asked(NamedTuple):
    """A request of the ledger, as far as its route depends on it."""

    request_id: str
    key_id: str
    client: str
    task: str
    requested_model: str
    started_us: int


async def newest(
    session: AsyncSession, holder: tuple[str, str], task: str | None, *, since_us: int, limit: int
) -> Sequence[Asked]:
    """The newest requests begun since then, of one platform, team, client or key (scope, id), for one task or any."""
    row, (scope, subject) = LedgerEntry, holder
    query = select(
        col(row.request_id),
        col(row.key_id),
        col(row.client),
        col(row.task),
        col(row.requested_model),
        col(row.started_us),
    ).where(col(row.started_us) >= since_us)
    if scope == "key":
        of_key = select(col(ClientKey.client_id)).where(col(ClientKey.id) == subject)
        query = query.where(col(row.client_id).in_(of_key), col(row.key_id) == subject)
    elif scope == "client":
        query = query.where(col(row.client_id) == subject)
    elif scope == "team":
        query = query.where(col(row.client_id).in_(select(col(Client.id)).where(col(Client.team_id) == subject)))
    if task is not None:
        query = query.where(col(row.task) == task)
    rows = (await session.execute(query.order_by(col(row.started_us).desc()).limit(limit))).all()
    return [Asked._make(found) for found in rows]


async def callers(session: AsyncSession, key_ids: Collection[str]) -> Sequence[tuple[ClientKey, Client, Team | None]]:
    """These keys that there still are, with whose they are."""
    query = (
        select(ClientKey, Client, Team)
        .join(Client, col(Client.id) == col(ClientKey.client_id))
        .outerjoin(Team, col(Team.id) == col(Client.team_id))
        .where(col(ClientKey.id).in_(key_ids))
    )
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def client_and_team(session: AsyncSession, client_id: str) -> tuple[Client, Team | None] | None:
    query = select(Client, Team).outerjoin(Team, col(Team.id) == col(Client.team_id)).where(col(Client.id) == client_id)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def team(session: AsyncSession, team_id: str) -> Team | None:
    return await session.get(Team, team_id)
