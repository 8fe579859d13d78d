"""SQL of usage: roll-ups folded from finer ones, and the queries behind charts, lists and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, delete, func, literal, or_, select, text
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.store.ledger import ROLLUP_KEY, SUMMED
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey, LedgerEntry, RollupDirty, UsageDay, UsageHour, UsageMinute

_TABLES: dict[str, Table] = {
    "minute": UsageMinute.__table__,  # type: ignore[attr-defined]
    "hour": UsageHour.__table__,  # type: ignore[attr-defined]
    "day": UsageDay.__table__,  # type: ignore[attr-defined]
}


@dataclass(slots=True, frozen=True)
class Scope:
    """Which requests are looked at: those of an owner's clients (None: of all), with these values in these columns."""

    owner_id: str | None = None
    filters: tuple[tuple[str, str], ...] = ()

    def conditions(self, columns: Any) -> list[ColumnElement[bool]]:
        """As conditions on the columns of the ledger or of a roll-up."""
        found = [columns[name] == value for name, value in self.filters]
        if self.owner_id is not None:
            owned = select(col(Client.id)).where(col(Client.owner_id) == self.owner_id)
            found.append(columns.client_id.in_(owned))
        return found


_ADVISORY_LOCK = 0x6169_726F  # any constant that nothing else in the database uses
_FOLDS = 24  # hours a transaction, so that the writer is never held for long


def _fold(coarse: str, fine: str) -> Any:
    names = ", ".join((*ROLLUP_KEY, *SUMMED))
    key = ", ".join(ROLLUP_KEY[1:])
    sums = ", ".join(f"SUM({name})" for name in SUMMED)
    return text(
        f"INSERT INTO {coarse} ({names}) SELECT CAST(:start AS BIGINT), {key}, {sums} FROM {fine} "  # noqa: S608
        f"WHERE start_us >= :start AND start_us < :end GROUP BY {key}"
    )


_FOLD_HOUR, _FOLD_DAY = _fold("usage_hour", "usage_minute"), _fold("usage_day", "usage_hour")


async def fold_dirty_hours(session: AsyncSession) -> int:
    """Recomputes up to a day's worth of the hours that changed, and their days; returns how many hours.

    The marks go first: whoever adds minutes to such an hour while we fold waits for us and marks it again. One process
    folds at a time: two would insert the same day.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    oldest = select(col(RollupDirty.start_us)).order_by(col(RollupDirty.start_us)).limit(_FOLDS)
    marks = delete(RollupDirty).where(col(RollupDirty.start_us).in_(oldest)).returning(col(RollupDirty.start_us))
    hours = sorted((await session.execute(marks)).scalars())
    for hour in hours:
        await session.execute(delete(UsageHour).where(col(UsageHour.start_us) == hour))
        await session.execute(_FOLD_HOUR, {"start": hour, "end": hour + HOUR_US})
    for day in sorted({hour // DAY_US * DAY_US for hour in hours}):
        await session.execute(delete(UsageDay).where(col(UsageDay.start_us) == day))
        await session.execute(_FOLD_DAY, {"start": day, "end": day + DAY_US})
    return len(hours)


async def dirty_hours(session: AsyncSession) -> list[int]:
    """Hours whose minutes have not been folded yet."""
    return list((await session.execute(select(col(RollupDirty.start_us)))).scalars())


async def sums(
    session: AsyncSession,
    grain: str,
    spans: Sequence[tuple[int, int]],
    *,
    scope: Scope,
    group_by: str,
    width_us: int,
) -> list[dict[str, Any]]:
    """Sums from the roll-up of `grain` over the [start, end) of `spans`, per bucket of `width_us` (0: one for all) and
    per value of the column `group_by` ("": none). Rows have `bucket` (its start), `group` and every summed column."""
    table = _TABLES[grain]
    bucket = (table.c.start_us - table.c.start_us % width_us) if width_us else literal(0)
    group = table.c[group_by] if group_by else literal("")
    query = (
        select(bucket.label("bucket"), group.label("group"), *(func.sum(table.c[name]).label(name) for name in SUMMED))
        .where(or_(*(and_(table.c.start_us >= start, table.c.start_us < end) for start, end in spans)))
        .where(*scope.conditions(table.c))
        .group_by(text("1"), text("2"))
    )
    rows = (await session.execute(query)).mappings()
    # PostgreSQL sums bigints into numerics.
    return [{name: value if name == "group" else int(value) for name, value in row.items()} for row in rows]


async def first_start_us(session: AsyncSession, scope: Scope) -> int | None:
    """When the earliest of the requests began, to the minute (to the day where minutes are gone); None without any."""
    firsts = {}
    for grain in ("day", "minute"):
        start = _TABLES[grain].c.start_us
        query = select(start).where(*scope.conditions(_TABLES[grain].c)).order_by(start).limit(1)
        firsts[grain] = (await session.execute(query)).scalar()
    minute, day = firsts["minute"], firsts["day"]
    return day if minute is None or (day is not None and day < minute - DAY_US) else minute


async def recent(session: AsyncSession, scope: Scope, limit: int, before_id: int | None) -> list[LedgerEntry]:
    """Entries in the order of settlement, newest first."""
    query = _visible(scope).order_by(col(LedgerEntry.id).desc()).limit(limit)
    if before_id is not None:
        query = query.where(col(LedgerEntry.id) < before_id)
    return list((await session.scalars(query)).all())


async def one(session: AsyncSession, scope: Scope, request_id: str) -> LedgerEntry | None:
    """The entry of a request, if its client may be seen."""
    entry: LedgerEntry | None = await session.scalar(_visible(scope).where(col(LedgerEntry.request_id) == request_id))
    return entry


async def page_by_start(
    session: AsyncSession, scope: Scope, span: tuple[int, int], after: tuple[int, int], limit: int
) -> list[LedgerEntry]:
    """Entries begun in [start, end) in the order of their start, from behind `after` (start, id) on."""
    started, number = col(LedgerEntry.started_us), col(LedgerEntry.id)
    behind = or_(started > after[0], and_(started == after[0], number > after[1]))
    query = _visible(scope).where(started >= max(span[0], after[0]), started < span[1], behind)
    return list((await session.scalars(query.order_by(started, number).limit(limit))).all())


async def names(session: AsyncSession, group_by: str, ids: Sequence[str]) -> dict[str, str]:
    """The names of clients or keys by their ids; what is not there any more has none."""
    table: Any = ClientKey if group_by == "key_id" else Client
    query = select(table.id, table.name).where(table.id.in_(ids))
    return {row[0]: row[1] for row in (await session.execute(query)).all()}


def _visible(scope: Scope) -> Select[Any]:
    return select(LedgerEntry).where(*scope.conditions(LedgerEntry.__table__.c))  # type: ignore[attr-defined]
