"""SQL of abuse: what workers saw of clients by the minute, what their baselines learned, sanctions and policies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlmodel import SQLModel, col

from aiservice.store.session import AsyncSession
from aiservice.store.upserts import insert_into
from aiservice.tables import AbuseHour, AbuseMinute, AbusePolicy, Client, Sanction, UsageMinute

Row = Mapping[str, Any]
_MANY = 200


async def put_minutes(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Writes a worker's minutes, each in place of what it wrote of it before."""
    await _put(session, AbuseMinute, ("start_us", "client_id", "worker_id"), rows)


async def put_hours(session: AsyncSession, rows: Sequence[Row]) -> None:
    """Writes learned hours."""
    await _put(session, AbuseHour, ("start_us", "client_id"), rows)


async def put_policy(session: AsyncSession, row: Row) -> None:
    """Writes a policy in place of the one before."""
    await _put(session, AbusePolicy, ("client_id",), [row])


async def minutes(session: AsyncSession, start_us: int, end_us: int, client_id: str | None = None) -> list[AbuseMinute]:
    """What workers saw in [start, end), of one client or of all."""
    query = select(AbuseMinute).where(col(AbuseMinute.start_us) >= start_us, col(AbuseMinute.start_us) < end_us)
    if client_id is not None:
        query = query.where(col(AbuseMinute.client_id) == client_id)
    return list(await session.scalars(query))


async def usage(
    session: AsyncSession, start_us: int, end_us: int, client_id: str | None = None
) -> list[tuple[int, str, str, int, int, int, int]]:
    """The ledger's minutes in [start, end): (start, client, model, requests, errors, tokens, nano USD)."""
    table = UsageMinute
    query = (
        select(
            col(table.start_us),
            col(table.client_id),
            col(table.model),
            func.sum(table.requests),
            func.sum(table.errors),
            func.sum(col(table.input_tokens) + col(table.output_tokens)),
            func.sum(table.cost_nano_usd),
        )
        .where(col(table.start_us) >= start_us, col(table.start_us) < end_us)
        .group_by(col(table.start_us), col(table.client_id), col(table.model))
    )
    if client_id is not None:
        query = query.where(col(table.client_id) == client_id)
    return [
        (start, client, model, int(asked), int(errors), int(tokens), int(cost))
        for start, client, model, asked, errors, tokens, cost in await session.execute(query)
    ]


async def hours(session: AsyncSession, client_id: str, start_us: int, end_us: int) -> list[AbuseHour]:
    """A client's learned hours in [start, end), in order."""
    table = AbuseHour
    query = select(table).where(
        col(table.client_id) == client_id, col(table.start_us) >= start_us, col(table.start_us) < end_us
    )
    return list(await session.scalars(query.order_by(col(table.start_us))))


async def policies(session: AsyncSession) -> list[AbusePolicy]:
    """Every stored policy."""
    return list(await session.scalars(select(AbusePolicy)))


async def client_names(session: AsyncSession, ids: Sequence[str]) -> dict[str, str]:
    """Names of clients that exist, by id."""
    query = select(col(Client.id), col(Client.name)).where(col(Client.id).in_(ids))
    return {row[0]: row[1] for row in await session.execute(query)}


async def add_sanction(session: AsyncSession, row: Sanction) -> None:
    """Writes a verdict."""
    session.add(row)
    await session.flush()


async def client(session: AsyncSession, client_id: str) -> Client | None:
    """A client, locked where rows can be."""
    return await session.scalar(select(Client).where(col(Client.id) == client_id).with_for_update())


async def sanction(session: AsyncSession, sanction_id: str) -> Sanction | None:
    """One verdict, locked where rows can be."""
    return await session.scalar(select(Sanction).where(col(Sanction.id) == sanction_id).with_for_update())


async def sanctions(
    session: AsyncSession,
    *,
    owner_id: str | None = None,
    client_id: str | None = None,
    since_us: int = 0,
    live_us: int | None = None,
) -> list[tuple[Sanction, str]]:
    """Verdicts with their clients' names, newest first and at most 200: of an owner's clients, of one client, since a
    time, and (`live_us`) those alone that hold then."""
    query = select(Sanction, col(Client.name)).join(Client, col(Client.id) == col(Sanction.client_id))
    query = query.where(col(Sanction.since_us) >= since_us)
    if owner_id is not None:
        query = query.where(col(Client.owner_id) == owner_id)
    if client_id is not None:
        query = query.where(col(Sanction.client_id) == client_id)
    if live_us is not None:
        query = query.where(col(Sanction.until_us) > live_us, col(Sanction.undone_us).is_(None))
    query = query.order_by(col(Sanction.since_us).desc(), col(Sanction.id)).limit(_MANY)
    return [(row[0], row[1]) for row in await session.execute(query)]


async def undone(session: AsyncSession, since_us: int) -> list[Sanction]:
    """Verdicts that a person undid since then."""
    return list(await session.scalars(select(Sanction).where(col(Sanction.undone_us) >= since_us)))


async def purge(session: AsyncSession, minutes_us: int, hours_us: int) -> None:
    """Deletes minutes and hours from before these times."""
    await session.execute(delete(AbuseMinute).where(col(AbuseMinute.start_us) < minutes_us))
    await session.execute(delete(AbuseHour).where(col(AbuseHour.start_us) < hours_us))


async def _put(session: AsyncSession, table: type[SQLModel], key: Iterable[str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    names = list(key)
    statement = insert_into(session, table)
    given = [name for name in rows[0] if name not in names]
    statement = statement.on_conflict_do_update(
        index_elements=names, set_={name: statement.excluded[name] for name in given}
    )
    await session.execute(statement, list(rows))
