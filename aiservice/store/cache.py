"""SQL of the answer cache: policies, purges, and what it saved by the hour."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.store.upserts import insert_into
from aiservice.tables import CacheHour, CachePolicy, CachePurge, Client, Team

EVERYBODY = "*"
COUNTS = ("hits", "coalesced", "misses", "saved_tokens", "saved_nano_usd", "saved_us", "similar", "judged", "agreed")


class SavedRow(NamedTuple):
    """What the cache did for a client's task: its id and name, the task, then the counts."""

    client_id: str
    client: str
    task: str
    hits: int
    coalesced: int
    misses: int
    saved_tokens: int
    saved_nano_usd: int
    saved_us: int
    similar: int
    judged: int
    agreed: int


async def policies(session: AsyncSession) -> list[CachePolicy]:
    """All policies."""
    return list(await session.scalars(select(CachePolicy)))


async def policy(session: AsyncSession, subject: str, task: str) -> CachePolicy | None:
    query = select(CachePolicy).where(col(CachePolicy.subject) == subject, col(CachePolicy.task) == task)
    return (await session.scalars(query)).first()


async def policy_by_id(session: AsyncSession, policy_id: str) -> CachePolicy | None:
    return await session.get(CachePolicy, policy_id)


async def listed(session: AsyncSession, owner_id: str | None) -> list[tuple[CachePolicy, str]]:
    """(policy, name of its client or team); `owner_id` narrows to that person's clients, their teams, and all."""
    clients = select(col(Client.id), col(Client.name), col(Client.team_id))
    if owner_id is not None:
        clients = clients.where(col(Client.owner_id) == owner_id)
    names = {EVERYBODY: ""}
    teams = set()
    for number, name, team in await session.execute(clients):
        names[number] = name
        teams.add(team)
    found = await session.execute(select(col(Team.id), col(Team.name)))
    names |= {number: name for number, name in found if owner_id is None or number in teams}
    rows = await policies(session)
    return [(row, names[row.subject]) for row in rows if row.subject in names]


async def remove(session: AsyncSession, subject: str, task: str | None) -> int:
    """Removes the policy of a subject for `task`, or all of its; how many."""
    done = delete(CachePolicy).where(col(CachePolicy.subject) == subject)
    if task is not None:
        done = done.where(col(CachePolicy.task) == task)
    return len((await session.execute(done.returning(col(CachePolicy.id)))).all())


async def purges(session: AsyncSession) -> dict[str, int]:
    """When what was kept for whom was purged."""
    rows = await session.execute(select(col(CachePurge.subject), col(CachePurge.purged_us)))
    return {row[0]: row[1] for row in rows}


async def note_purge(session: AsyncSession, subject: str, now_us: int) -> None:
    """Notes that what was kept until now is given out no more."""
    known = await session.get(CachePurge, subject)
    if known is None:
        session.add(CachePurge(subject=subject, purged_us=now_us))
    else:
        known.purged_us = max(now_us, known.purged_us + 1)


async def add_counts(session: AsyncSession, rows: Iterable[Mapping[str, int | str]]) -> None:
    """Adds counts to their hours."""
    for row in rows:
        fresh = insert_into(session, CacheHour).values(row)
        more = {name: getattr(CacheHour, name) + getattr(fresh.excluded, name) for name in COUNTS}
        await session.execute(fresh.on_conflict_do_update(index_elements=["start_us", "client_id", "task"], set_=more))


async def saved(
    session: AsyncSession, owner_id: str | None, client_id: str | None, since_us: int
) -> Sequence[SavedRow]:
    """What the cache did since then, by client and task, the busiest first."""
    sums = [func.sum(getattr(CacheHour, name)) for name in COUNTS]
    query = (
        select(col(CacheHour.client_id), col(Client.name), col(CacheHour.task), *sums)
        .join(Client, col(Client.id) == col(CacheHour.client_id))
        .where(col(CacheHour.start_us) >= since_us)
        .group_by(col(CacheHour.client_id), col(Client.name), col(CacheHour.task))
    )
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    if client_id is not None:
        query = query.where(col(CacheHour.client_id) == client_id)
    rows = [SavedRow(row[0], row[1], row[2], *map(int, row[3:])) for row in await session.execute(query)]
    return sorted(rows, key=lambda row: (-(row.hits + row.coalesced + row.misses), row.client, row.task))


async def purge_hours(session: AsyncSession, before_us: int) -> None:
    """Deletes hours that began before then."""
    await session.execute(delete(CacheHour).where(col(CacheHour.start_us) < before_us))
