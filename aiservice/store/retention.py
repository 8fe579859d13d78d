"""Queries on what is kept: how many rows, how old, how many past their time. Never a scan of a large table."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from aiservice.tables import (
    AlertEvent,
    AuditEntry,
    Change,
    Decision,
    IdempotentCall,
    LedgerEntry,
    PortalSession,
    Replay,
    SealedBody,
    ShadowAttempt,
    UsageMinute,
)

COUNTED = 100_000
"""Up to so many rows are counted; of more there is an estimate."""

# By name: the table, the column that says how old a row is, and the one that says when its time is over, if it has one.
_KEPT: dict[str, tuple[Any, str, str]] = {
    "ledger": (LedgerEntry, "started_us", ""),
    "usage": (UsageMinute, "start_us", ""),
    "audit": (AuditEntry, "at_us", ""),
    "bodies": (SealedBody, "created_us", "expires_us"),
    "idempotency": (IdempotentCall, "created_us", "expires_us"),
    "alerts": (AlertEvent, "last_us", ""),
    "sessions": (PortalSession, "created_us", "expires_us"),
    "replays": (Replay, "replayed_us", ""),
    "shadows": (ShadowAttempt, "at_us", ""),
    "decisions": (Decision, "made_us", ""),
    "changes": (Change, "at_us", ""),
}
NAMES = tuple(_KEPT)


@dataclass(slots=True, frozen=True)
class Held:
    """`rows` are exact unless `is_estimate`; `oldest_us` None where there is none, or finding it would take a scan.
    `over` are the rows past their time, `COUNTED` at most."""

    rows: int
    is_estimate: bool
    oldest_us: int | None
    over: int


async def held(session: AsyncSession, name: str, before_us: int | None, now_us: int) -> Held:
    """What is kept under `name`. Rows older than `before_us` (None: none are) are past their time, unless each says
    itself when that is over."""
    model, age, end = _KEPT[name]
    table: Table = model.__table__
    rows, is_estimate = await _rows(session, table)
    oldest = None
    if not is_estimate or _is_indexed(table, table.c[age]):
        oldest = (await session.execute(select(func.min(table.c[age])))).scalar_one()
    over = 0
    if end:
        over = await _count(session, table, table.c[end] <= now_us)
    elif before_us is not None:
        over = await _count(session, table, table.c[age] < before_us)
    return Held(rows, is_estimate, oldest, over)


async def _count(session: AsyncSession, table: Table, condition: Any = None) -> int:
    within = select(*list(table.primary_key)[:1]).limit(COUNTED + 1)
    if condition is not None:
        within = within.where(condition)
    return int((await session.execute(select(func.count()).select_from(within.subquery()))).scalar_one())


async def _rows(session: AsyncSession, table: Table) -> tuple[int, bool]:
    counted = await _count(session, table)
    if counted <= COUNTED:
        return counted, False
    if session.get_bind().dialect.name == "postgresql":
        query = text("SELECT reltuples::bigint FROM pg_class WHERE relname = :name")
        estimate = (await session.execute(query, {"name": table.name})).scalar() or 0
    else:
        estimate = (await session.execute(text(f"SELECT MAX(rowid) FROM {table.name}"))).scalar() or 0  # noqa: S608
    return max(int(estimate), counted), True


def _is_indexed(table: Table, column: "Column[Any]") -> bool:
    firsts = [next(iter(index.columns), None) for index in table.indexes]
    return column in [*firsts, next(iter(table.primary_key), None)]
