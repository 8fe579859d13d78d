"""SQL of the bars over the request log, where the roll-ups do not tell what is asked for apart."""

from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, func, literal_column, not_, select

from aiservice.store.request_log import Ending, aside
from aiservice.store.session import AsyncSession
from aiservice.store.usage import Scope
from aiservice.tables import LedgerEntry
from aiservice.tables.ledger import UNFINISHED

_ENTRY: Table = LedgerEntry.__table__  # type: ignore[attr-defined]
_LEFT = "client_left"  # what a client did is nobody's error
_FAILED = ("failed", "upstream_truncated", "broker_stopped", "interrupted")
Counts = dict[int, tuple[int, int]]


async def counted(session: AsyncSession, scope: Scope, ending: Ending, span: tuple[int, int], width_us: int) -> Counts:
    """By the start of each `width_us`: how many rows that ended so, begun in [start, end), and how many are errors."""
    return await _counted(session, [*aside(scope), *ending.conditions()], span, width_us)


async def counted_others(
    session: AsyncSession, scope: Scope, ending: Ending, span: tuple[int, int], width_us: int
) -> Counts:
    """The same of those that did not finish and are not meant by `ending`, which is not rare."""
    columns = _ENTRY.c
    equals = ((columns.outcome, ending.outcome), (columns.status, ending.status))
    meant = and_(*(column == value for column, value in equals if value is not None))
    is_unfinished: ColumnElement[bool] = literal_column(f"({UNFINISHED})")
    return await _counted(session, [*aside(scope), is_unfinished, not_(meant)], span, width_us)


async def _counted(
    session: AsyncSession, conditions: list[ColumnElement[bool]], span: tuple[int, int], width_us: int
) -> Counts:
    started, outcome = _ENTRY.c.started_us, _ENTRY.c.outcome
    is_error = outcome.in_(_FAILED) | ((_ENTRY.c.status >= 400) & (outcome != _LEFT))
    bucket: Any = started - started % width_us
    query = select(bucket, func.count(), func.sum(case((is_error, 1), else_=0)))
    query = query.where(started >= span[0], started < span[1], *conditions).group_by(bucket)
    return {int(row[0]): (int(row[1]), int(row[2])) for row in (await session.execute(query)).all()}
