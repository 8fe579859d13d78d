"""SQL of usage: roll-ups folded from finer ones, and the queries behind charts, lists and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, literal, or_, select, text
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.store.ledger import ROLLUP_KEY, SUMMED
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey, Horizon, RollupDirty, Team, UsageDay, UsageHour, UsageMinute, User

EVERY_SUM = SUMMED

_TABLES: dict[str, Table] = {
    "minute": UsageMinute.__table__,  # type: ignore[attr-defined]
    "hour": UsageHour.__table__,  # type: ignore[attr-defined]
    "day": UsageDay.__table__,  # type: ignore[attr-defined]
}


@dataclass(slots=True, frozen=True)
class Scope:
    """Which requests are looked at: those of an owner's clients (None: of all), with these values in these columns.

    `client_ids` and `chosen` (a column and the values that count) narrow it further.
    """

    owner_id: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    client_ids: tuple[str, ...] | None = None
    chosen: tuple[str, tuple[str, ...]] | None = None

    def conditions(self, columns: Any) -> list[ColumnElement[bool]]:
        """As conditions on the columns of the ledger or of a roll-up."""
        found = [columns[name] == value for name, value in self.filters]
        if self.owner_id is not None:
            owned = select(col(Client.id)).where(col(Client.owner_id) == self.owner_id)
            found.append(columns.client_id.in_(owned))
        if self.client_ids is not None:
            found.append(columns.client_id.in_(self.client_ids))
        if self.chosen is not None:
            found.append(columns[self.chosen[0]].in_(self.chosen[1]))
        return found


_ADVISORY_LOCK = 0x6169_726F  # any constant that nothing else in the database uses
HOURS_AT_ONCE = 24  # hours a transaction, so that the writer is never held for long


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
    oldest = select(col(RollupDirty.start_us)).order_by(col(RollupDirty.start_us)).limit(HOURS_AT_ONCE)
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


@dataclass(slots=True, frozen=True)
class Asked:
    """What is summed: `columns` of the requests in `scope`, by the values of the columns `group_by` and per bucket of
    `width_us` (0: one for all)."""

    scope: Scope
    group_by: tuple[str, ...]
    width_us: int
    columns: tuple[str, ...]


async def sums(
    session: AsyncSession, grain: str, spans: Sequence[tuple[int, int]], asked: Asked
) -> list[tuple[int, tuple[str, ...], dict[str, int]]]:
    """From the roll-up of `grain`, over the [start, end) of `spans`: the bucket's start, the values of `group_by`, and
    the sums by column."""
    table, width_us = _TABLES[grain], asked.width_us
    summed = [func.sum(table.c[name]) for name in asked.columns]
    bucket = (table.c.start_us - table.c.start_us % width_us) if width_us else literal(0)
    groups = [table.c[name] for name in asked.group_by]
    selected: list[Any] = [bucket, *groups, *summed]
    query = (
        select(*selected)
        .where(or_(*(and_(table.c.start_us >= start, table.c.start_us < end) for start, end in spans)))
        .where(*asked.scope.conditions(table.c))
        .group_by(*(text(str(place)) for place in range(1, len(groups) + 2)))
    )
    first = len(groups) + 1
    # PostgreSQL sums bigints into numerics.
    return [
        (int(row[0]), tuple(row[1:first]), dict(zip(asked.columns, map(int, row[first:]), strict=True)))
        for row in await session.execute(query)
    ]


async def details_since_us(session: AsyncSession) -> int:
    """From when on the roll-ups have their `DETAILS`, microseconds UTC; 0 where they always had."""
    return await session.scalar(select(col(Horizon.before_us)).where(col(Horizon.name) == "usage_detail")) or 0


async def first_start_us(session: AsyncSession, scope: Scope) -> int | None:
    """When the earliest of the requests began, to the minute; None without any.

    The first day is found in days, and its first minute among that day's: never among all minutes there are.
    """
    found = []
    day = await _first_of(session, "day", scope, (0, None))
    spans = [] if day is None else [(day, day + DAY_US)]
    spans += [(hour, hour + HOUR_US) for hour in await dirty_hours(session) if day is None or hour < day + DAY_US]
    for span in spans:
        minute = await _first_of(session, "minute", scope, span)
        found += [] if minute is None else [minute]
    return min(found, default=day)  # a day whose minutes are gone begins where it begins


async def _first_of(session: AsyncSession, grain: str, scope: Scope, span: tuple[int, int | None]) -> int | None:
    columns = _TABLES[grain].c
    query = select(columns.start_us).where(columns.start_us >= span[0], *scope.conditions(columns))
    if span[1] is not None:
        query = query.where(columns.start_us < span[1])
    found: int | None = await session.scalar(query.order_by(columns.start_us).limit(1))
    return found


async def hold_still(session: AsyncSession) -> None:
    """Makes all queries of this unit of work see the same moment, so that parts add up to their sum. SQLite always
    does."""
    if session.get_bind().dialect.name == "postgresql":
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def combinations(
    session: AsyncSession, scope: Scope, columns: Sequence[str], since_us: int
) -> list[tuple[tuple[str, ...], int]]:
    """The values that occur together in `columns` since a day, with their requests; also in hours not folded yet."""
    found: list[tuple[tuple[str, ...], int]] = []
    hours = [hour for hour in await dirty_hours(session) if hour >= since_us]
    for grain, spans in (("day", [(since_us, None)]), ("minute", [(hour, hour + HOUR_US) for hour in hours])):
        table = _TABLES[grain].c
        for start, end in spans:
            query = select(*(table[name] for name in columns), func.sum(table.requests)).where(table.start_us >= start)
            query = query.where(table.start_us < end) if end is not None else query
            query = query.where(*scope.conditions(table)).group_by(*(table[name] for name in columns))
            found += [(tuple(row[:-1]), int(row[-1])) for row in await session.execute(query)]
    return found


async def holders(session: AsyncSession, of: str) -> dict[str, str]:
    """By client, the id of its owner (`of` "user") or of its team ("team"); "" where it has none."""
    holder = col(Client.owner_id) if of == "user" else col(Client.team_id)
    return {row[0]: row[1] or "" for row in await session.execute(select(col(Client.id), holder))}


async def names(session: AsyncSession, group_by: str, ids: Sequence[str]) -> dict[str, str]:
    """The names of clients, keys or teams, or the e-mails of users, by their ids; what is gone has none."""
    tables: dict[str, tuple[Any, Any]] = {
        "key_id": (col(ClientKey.id), col(ClientKey.name)),
        "client_id": (col(Client.id), col(Client.name)),
        "user": (col(User.id), col(User.email)),
        "team": (col(Team.id), col(Team.name)),
    }
    number, name = tables[group_by]
    return {row[0]: row[1] for row in (await session.execute(select(number, name).where(number.in_(ids)))).all()}
