"""Queries on stored terms, and on who holds them."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from aiservice.tables import Client, ClientKey, Preference, Team

PLATFORM = "platform"
Json = dict[str, Any]
# What a release without scopes wrote has no subject.
_SUBJECT: ColumnElement[str] = func.coalesce(col(Preference.subject), col(Preference.client_id))


def _is_of(subject: str) -> ColumnElement[bool]:
    return _SUBJECT.in_((subject,))


async def find(session: AsyncSession, scope: str, subject: str, task: str) -> Preference | None:
    query = select(Preference).where(col(Preference.scope) == scope, _is_of(subject), col(Preference.task) == task)
    return (await session.execute(query)).scalars().first()


async def of_subject(session: AsyncSession, scope: str, subject: str) -> Sequence[Preference]:
    """All terms of one platform, team, client or key, by task."""
    query = select(Preference).where(col(Preference.scope) == scope, _is_of(subject))
    return (await session.execute(query.order_by(col(Preference.task)))).scalars().all()


async def listed(
    session: AsyncSession, owner_id: str | None, scope: str | None = None, subject: str | None = None
) -> Sequence[tuple[Preference, str]]:
    """(terms, the name of whose they are) from the widest scope to the narrowest, by name and task; `owner_id` narrows
    to the platform's and to those of that person's clients, their keys and teams."""
    query = (
        select(Preference, func.coalesce(col(Client.name), col(Team.name), col(ClientKey.name), PLATFORM))
        .outerjoin(Client, (col(Preference.scope) == "client") & (col(Client.id) == _SUBJECT))
        .outerjoin(Team, (col(Preference.scope) == "team") & (col(Team.id) == _SUBJECT))
        .outerjoin(ClientKey, (col(Preference.scope) == "key") & (col(ClientKey.id) == _SUBJECT))
    )
    if owner_id is not None:
        own = select(col(Client.id)).where(col(Client.owner_id) == owner_id)
        teams = select(col(Client.team_id)).where(col(Client.owner_id) == owner_id, col(Client.team_id).is_not(None))
        is_visible = (col(Preference.scope) == PLATFORM) | col(Client.id).in_(own) | col(Team.id).in_(teams)
        query = query.where(is_visible | col(ClientKey.client_id).in_(own))
    if scope is not None:
        query = query.where(col(Preference.scope) == scope)
    if subject is not None:
        query = query.where(_is_of(subject))
    rows = [(row[0], row[1]) for row in (await session.execute(query)).all()]
    places = {PLATFORM: 0, "team": 1, "client": 2, "key": 3}
    return sorted(rows, key=lambda row: (places.get(row[0].scope, 4), row[1], row[0].task))


async def stored(
    session: AsyncSession, subjects: Collection[str] | None, limit: int
) -> Sequence[tuple[str, str, str, list[str], Json | None]]:
    """(scope, subject, task, chain, terms) of these subjects, or of all; at most `limit` rows."""
    query = select(
        col(Preference.scope), _SUBJECT, col(Preference.task), col(Preference.chain), col(Preference.terms)
    ).limit(limit)
    if subjects is not None:
        query = query.where(_SUBJECT.in_(subjects))
    return [(row[0], row[1], row[2], row[3], row[4]) for row in (await session.execute(query)).all()]


async def count(session: AsyncSession) -> int:
    return (await session.execute(select(func.count()).select_from(Preference))).scalar_one()


async def everything(session: AsyncSession) -> Sequence[Preference]:
    return (await session.execute(select(Preference))).scalars().all()


async def forget(session: AsyncSession, scope: str, subject: str) -> None:
    """Removes all terms of something that is removed itself."""
    await session.execute(delete(Preference).where(col(Preference.scope) == scope, _is_of(subject)))
