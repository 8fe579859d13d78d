"""SQL of shadow traffic."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import case, delete, func, select
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.tables import Client, Connection, ShadowAttempt, ShadowRule


class Sums(NamedTuple):
    """What came of a rule's calls. Times are sums of milliseconds; `cost_nano_usd` is of those whose price is known."""

    calls: int
    failed: int
    duration_ms: int
    real_ms: int
    cost_nano_usd: int


async def find(session: AsyncSession, client_id: str, task: str) -> ShadowRule | None:
    query = select(ShadowRule).where(col(ShadowRule.client_id) == client_id, col(ShadowRule.task) == task)
    return (await session.execute(query)).scalars().first()


async def everything(session: AsyncSession) -> Sequence[ShadowRule]:
    return (await session.execute(select(ShadowRule))).scalars().all()


async def listed(session: AsyncSession) -> Sequence[tuple[ShadowRule, str, str | None]]:
    """(rule, client, connection: None where it was removed), by client and task."""
    query = (
        select(ShadowRule, col(Client.name), col(Connection.name))
        .join(Client, col(Client.id) == col(ShadowRule.client_id))
        .outerjoin(Connection, col(Connection.id) == col(ShadowRule.connection_id))
        .order_by(col(Client.name), col(ShadowRule.task))
    )
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def sums_since(session: AsyncSession, at_us: int) -> dict[str, Sums]:
    """What came of calls since then, by rule."""
    is_failed = case((col(ShadowAttempt.code).is_not(None), 1), else_=0)
    sums = [func.sum(one) for one in (is_failed, col(ShadowAttempt.duration_ms), col(ShadowAttempt.real_ms))]
    query = (
        select(col(ShadowAttempt.rule_id), func.count(), *sums, func.sum(col(ShadowAttempt.cost_nano_usd)))
        .where(col(ShadowAttempt.at_us) >= at_us)
        .group_by(col(ShadowAttempt.rule_id))
    )
    return {row[0]: Sums(*(int(value or 0) for value in row[1:])) for row in (await session.execute(query)).all()}


def add(session: AsyncSession, rows: Sequence[ShadowAttempt]) -> None:
    session.add_all(rows)


async def remove_before(session: AsyncSession, at_us: int) -> None:
    """Forgets calls older than that."""
    await session.execute(delete(ShadowAttempt).where(col(ShadowAttempt.at_us) < at_us))
