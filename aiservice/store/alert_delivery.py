"""SQL of messages to channels: each attempt is claimed before it is made, so that two workers never make the same."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import AlertChannel, AlertDelivery, AlertEvent

_WAITING = "waiting"


async def untold(session: AsyncSession, ids: Collection[str] | None = None, limit: int = 100) -> list[AlertEvent]:
    """Alerts of which something has still to go out; with `ids` only those, and nobody else's until the unit ends."""
    query = select(AlertEvent).where(col(AlertEvent.to_tell) != 0).order_by(col(AlertEvent.id)).limit(limit)
    if ids is not None:
        query = query.where(col(AlertEvent.id).in_(list(ids))).with_for_update(skip_locked=True)
    return list(await session.scalars(query))


async def told_channels(session: AsyncSession, alert_id: str) -> set[str]:
    """The channels that have, or get, a message of an alert's beginning."""
    query = select(col(AlertDelivery.channel_id)).where(col(AlertDelivery.alert_id) == alert_id)
    return set(await session.scalars(query.where(col(AlertDelivery.state).in_([_WAITING, "delivered"]))))


async def has_due(session: AsyncSession, at_us: int) -> bool:
    """Whether an attempt is due."""
    query = select(col(AlertDelivery.id)).where(*_due(at_us)).limit(1)
    return (await session.scalar(query)) is not None


async def claim(session: AsyncSession, at_us: int, until_us: int, limit: int) -> list[AlertDelivery]:
    """Takes due attempts: each is counted now, and due again at `until_us` if nobody says how it went."""
    query = select(AlertDelivery).where(*_due(at_us)).order_by(col(AlertDelivery.next_us)).limit(limit)
    rows = list(await session.scalars(query.with_for_update(skip_locked=True)))
    for row in rows:
        row.attempts += 1
        row.next_us = until_us
    return rows


def _due(at_us: int) -> tuple[Any, ...]:
    return (col(AlertDelivery.state) == _WAITING, col(AlertDelivery.next_us) <= at_us)


async def claimed(session: AsyncSession, delivery_id: str, attempt: int) -> AlertDelivery | None:
    """A message whose claim of this attempt still stands: nobody has taken the next one meanwhile."""
    row = await session.get(AlertDelivery, delivery_id, with_for_update=True, populate_existing=True)
    return row if row is not None and row.state == _WAITING and row.attempts == attempt else None


async def find(session: AsyncSession, delivery_id: str) -> AlertDelivery | None:
    """The message with that id, locked where rows can be."""
    return await session.get(AlertDelivery, delivery_id, with_for_update=True)


async def recent(
    session: AsyncSession, *, alert_id: str | None = None, first: int = 0, limit: int = 50
) -> Sequence[tuple[AlertDelivery, str | None, AlertEvent | None]]:
    """Messages, newest first, with their channel's name and their alert."""
    query = (
        select(AlertDelivery, col(AlertChannel.name), AlertEvent)
        .outerjoin(AlertChannel, col(AlertChannel.id) == col(AlertDelivery.channel_id))
        .outerjoin(AlertEvent, col(AlertEvent.id) == col(AlertDelivery.alert_id))
    )
    if alert_id is not None:
        query = query.where(col(AlertDelivery.alert_id) == alert_id)
    query = query.order_by(col(AlertDelivery.created_us).desc(), col(AlertDelivery.id)).offset(first).limit(limit)
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def count(session: AsyncSession) -> int:
    return (await session.scalar(select(func.count()).select_from(AlertDelivery))) or 0
