"""SQL of usage: queries of the roll-ups behind charts, lists and exports; `usage_folding.py` makes the roll-ups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, literal, or_, select, text, union_all
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US, now_us
from aiservice.store.ledger import SUMMED
from aiservice.store.session import AsyncSession
from aiservice.store.usage_folding import HOURS_AT_ONCE, SPAN_US, dirty_hours, marked_hours, unfolded_days
from aiservice.tables import (
    Client,
    ClientKey,
    Horizon,
    Team,
    UsageClientDay,
    UsageClientHour,
    UsageDay,
    UsageHour,
    UsageMinute,
    UsageModelDay,
    UsageModelHour,
    UsageSpan,
    User,
)

EVERY_SUM = SUMMED

_TABLES: dict[str, Table] = {
    "minute": UsageMinute.__table__,  # type: ignore[attr-defined]
    "hour": UsageHour.__table__,  # type: ignore[attr-defined]
    "day": UsageDay.__table__,  # type: ignore[attr-defined]
}
_BY_MODEL: dict[str, Table] = {
    "hour": UsageModelHour.__table__,  # type: ignore[attr-defined]
    "day": UsageModelDay.__table__,  # type: ignore[attr-defined]
}
_BY_CLIENT: dict[str, Table] = {
    "hour": UsageClientHour.__table__,  # type: ignore[attr-defined]
    "day": UsageClientDay.__table__,  # type: ignore[attr-defined]
}
# Not columns of a roll-up, but of its client: whose it is now, and of which team.
_HOLDERS = {"user": col(Client.owner_id), "team": col(Client.team_id)}
_SPANS: Table = UsageSpan.__table__  # type: ignore[attr-defined]
Spans = Sequence[tuple[int, int]]
__all__ = ["HOURS_AT_ONCE", "dirty_hours", "unfolded_days"]


def _is_among(columns: Any, name: str, values: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a column has one of the values; a client without an owner or a team, or that is gone, has "" for it."""
    if name not in _HOLDERS:
        found: ColumnElement[bool] = columns[name].in_(values)
        return found
    clients, holder = select(col(Client.id)).correlate(None), _HOLDERS[name]
    held: ColumnElement[bool] = columns.client_id.in_(clients.where(holder.in_([one for one in values if one])))
    return or_(held, columns.client_id.not_in(clients.where(holder.is_not(None)))) if "" in values else held


@dataclass(slots=True, frozen=True)
class Scope:
    """Which requests are looked at: those of an owner's clients (None: of all), with these values in these columns.

    `client_ids` and `chosen` (columns, each with the values that count) narrow it further.
    """

    owner_id: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    client_ids: tuple[str, ...] | None = None
    chosen: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def conditions(self, columns: Any) -> list[ColumnElement[bool]]:
        """As conditions on the columns of the ledger or of a roll-up."""
        found = [columns[name] == value for name, value in self.filters]
        if self.owner_id is not None:
            owned = select(col(Client.id)).where(col(Client.owner_id) == self.owner_id).correlate(None)
            found.append(columns.client_id.in_(owned))
        if self.client_ids is not None:
            found.append(columns.client_id.in_(self.client_ids))
        return [*found, *(_is_among(columns, name, values) for name, values in self.chosen)]


@dataclass(slots=True, frozen=True)
class Asked:
    """What is summed: `columns` of the requests in `scope`, by the values of the columns `group_by` ("user" and "team"
    are those that a client has now) and per bucket of `width_us` (0: one for all)."""

    scope: Scope
    group_by: tuple[str, ...]
    width_us: int
    columns: tuple[str, ...]

    def table(self, grain: str) -> Table:
        """The smallest roll-up of `grain` that has all of these columns."""
        scope = self.scope
        named = (*self.group_by, *(name for name, _ in (*scope.filters, *scope.chosen)))
        narrowed = {"client_id" if name in _HOLDERS else name for name in named}
        is_everybodys = scope.owner_id is None and scope.client_ids is None
        if is_everybodys and grain in _BY_MODEL and narrowed <= {"task", "provider", "model"}:
            return _BY_MODEL[grain]
        if grain in _BY_CLIENT and narrowed <= {"client_id"}:
            return _BY_CLIENT[grain]
        return _TABLES[grain]


async def sums(
    session: AsyncSession, parts: Mapping[str, Spans], asked: Asked
) -> list[tuple[int, tuple[str, ...], tuple[int, ...]]]:
    """From the roll-ups, each over the [start, end) of its spans, all in one statement: the bucket's start, the values
    of `group_by`, and the sums in the order of the columns. Of two roll-ups there are two rows of a group."""
    rows, first = [_summed(asked.table(grain), spans, asked) for grain, spans in parts.items()], len(asked.group_by) + 1
    if not rows:
        return []
    found = await session.execute(union_all(*rows) if len(rows) > 1 else rows[0])
    # PostgreSQL sums bigints into numerics.
    return [(int(row[0]), tuple(row[1:first]), tuple(map(int, row[first:]))) for row in found]


async def largest(
    session: AsyncSession, parts: Mapping[str, Spans], asked: Asked, limit: int
) -> list[tuple[tuple[str, ...], int]]:
    """The `limit` groups with the most of the one column that is asked for, largest first, with how much that is."""
    return await _top(
        session, [_summed(asked.table(grain), spans, asked) for grain, spans in parts.items()], asked, limit
    )


async def likely_keys(
    session: AsyncSession, asked: Asked, span: tuple[int, int], parts: Mapping[str, Spans], most: int
) -> set[str]:
    """The `most` keys with the most of the one column that is asked for in each span of days that [start, end) touches,
    and those in `parts`, which are not in the spans: whoever is among the largest of the range is hardly missing."""
    found: set[str] = set()
    for start_us in range(span[0] // SPAN_US * SPAN_US, span[1], SPAN_US):
        query = select(_SPANS.c.key_id).where(_SPANS.c.start_us == start_us, *asked.scope.conditions(_SPANS.c))
        query = query.order_by(_SPANS.c[asked.columns[0]].desc()).limit(most)
        found.update((await session.execute(query)).scalars())
    return found | {key[0] for key, _ in await largest(session, parts, asked, most)}


def _summed(table: Table, spans: Spans, asked: Asked) -> "Select[Any]":
    """(bucket, groups, sums). Whose a client is, is looked up once a client, not once a row."""
    width_us, of_client = asked.width_us, [name for name in asked.group_by if name in _HOLDERS]
    bucket = ((table.c.start_us - table.c.start_us % width_us) if width_us else literal(0)).label("bucket")
    named = dict.fromkeys("client_id" if name in _HOLDERS else name for name in asked.group_by)
    sums = [func.sum(table.c[name]).label(name) for name in asked.columns]
    found: Select[Any] = select(bucket, *(table.c[name] for name in named), *sums)
    found = found.where(_within(table, spans), *asked.scope.conditions(table.c)).group_by(*_places(len(named) + 1))
    if not of_client:
        return found
    inner = found.subquery()
    groups = [func.coalesce(_HOLDERS[name], "") if name in _HOLDERS else inner.c[name] for name in asked.group_by]
    outer: Select[Any] = select(
        inner.c.bucket,
        *(group.label(f"by_{name}") for group, name in zip(groups, asked.group_by, strict=True)),
        *(func.sum(inner.c[name]).label(name) for name in asked.columns),
    )
    outer = outer.outerjoin_from(inner, Client, col(Client.id) == inner.c.client_id)
    return outer.group_by(*_places(len(groups) + 1))


def _places(count: int) -> list[Any]:
    return [text(str(place)) for place in range(1, count + 1)]


async def _top(
    session: AsyncSession, rows: Sequence["Select[Any]"], asked: Asked, limit: int
) -> list[tuple[tuple[str, ...], int]]:
    if not rows:
        return []
    every = union_all(*rows).subquery()
    groups = list(every.c)[1 : 1 + len(asked.group_by)]
    total = func.sum(every.c[asked.columns[0]])
    selected: list[Any] = [*groups, total]
    query = select(*selected).having(total.is_not(None)).order_by(total.desc(), *groups).limit(limit)
    found = await session.execute(query.group_by(*groups) if groups else query)
    return [(tuple(row[:-1]), int(row[-1])) for row in found]


def _within(table: Table, spans: Spans) -> ColumnElement[bool]:
    """What begins in one of the spans; of several also from the first's start to the last's end, which is a range of an
    index where the alternatives are none."""
    begin = table.c.start_us
    found = or_(*(and_(begin >= start, begin < end) for start, end in spans))
    if len(spans) < 2:
        return found
    return and_(begin >= min(start for start, _ in spans), begin < max(end for _, end in spans), found)


async def details_since_us(session: AsyncSession) -> int:
    """From when on the roll-ups have their `DETAILS`, microseconds UTC; 0 where they always had."""
    return await session.scalar(select(col(Horizon.before_us)).where(col(Horizon.name) == "usage_detail")) or 0


@dataclass(slots=True, frozen=True)
class Unfolded:
    """`hours` that neither hours nor days may be asked for (`dirty_hours`), and `days` of which there is nothing in the
    days."""

    hours: list[int]
    days: list[int]


async def unfolded(session: AsyncSession) -> Unfolded:
    """What is not folded at this moment."""
    days = await unfolded_days(session)
    return Unfolded(sorted({*(await marked_hours(session)), *days}), days)


async def first_start_us(session: AsyncSession, scope: Scope, hours: Sequence[int], by_us: int) -> int | None:
    """When the earliest of the requests began, to the minute, or some moment up to `by_us` that is not before it;
    None without any. `hours` are those that are not folded.

    The first day is found in days or, of days that are not folded, in hours; its first minute among that day's: never
    among all minutes there are.
    """
    found = []
    day = await _first_of(session, "day", scope, (0, None))
    if day is not None and day + DAY_US <= by_us:
        return day + DAY_US
    if day is None:
        hour = await _first_of(session, "hour", scope, (0, None))
        day = None if hour is None else hour // DAY_US * DAY_US
    spans = [] if day is None else [(day, day + DAY_US)]
    spans += [(hour, hour + HOUR_US) for hour in hours if day is None or hour < day + DAY_US]
    for span in spans:
        minute = await _first_of(session, "minute", scope, span)
        found += [] if minute is None else [minute]
    return min(found, default=day)  # a day whose minutes are gone begins where it begins


async def _first_of(session: AsyncSession, grain: str, scope: Scope, span: tuple[int, int | None]) -> int | None:
    columns = Asked(scope, (), 0, ()).table(grain).c
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
    """The values that occur together in `columns` since a day, with their requests; also in what is not folded yet."""
    found: list[tuple[tuple[str, ...], int]] = []
    parts: list[tuple[str, int, int | None]] = [("day", since_us, None)]
    parts += [("hour", day, day + DAY_US) for day in await unfolded_days(session) if day >= since_us]
    parts += [("minute", hour, hour + HOUR_US) for hour in await dirty_hours(session) if hour >= since_us]
    for grain, start, end in parts:
        table = Asked(scope, tuple(columns), 0, ()).table(grain).c
        query = select(*(table[name] for name in columns), func.sum(table.requests)).where(table.start_us >= start)
        query = query.where(table.start_us < end) if end is not None else query
        query = query.where(*scope.conditions(table)).group_by(*(table[name] for name in columns))
        found += [(tuple(row[:-1]), int(row[-1])) for row in await session.execute(query)]
    return found


async def busiest(session: AsyncSession, scope: Scope, column: str, since_us: int, limit: int) -> dict[str, int]:
    """The values of `column` ("client_id" or "key_id") with the most requests in spans of days since then, and in the
    days and hours that are not in those yet, with these requests; `scope` names nothing but whose clients."""
    rows = []
    for start_us in range(since_us // SPAN_US * SPAN_US, now_us(), SPAN_US):
        rows += await _most_of_span(session, scope, column, start_us, limit)
    parts: dict[str, list[tuple[int, int]]] = {
        "hour": [(day, day + DAY_US) for day in await unfolded_days(session)],
        "minute": [(hour, hour + HOUR_US) for hour in await dirty_hours(session)],
    }
    asked = Asked(scope, (column,), 0, ("requests",))
    rows += [(key[0], count) for key, count in await largest(session, parts, asked, limit)]
    found: dict[str, int] = {}
    for value, count in rows:
        found[value] = found.get(value, 0) + count
    return found


async def _most_of_span(
    session: AsyncSession, scope: Scope, column: str, start_us: int, limit: int
) -> list[tuple[str, int]]:
    """A span at a time, since its rows are in the order of clients: nothing has to be sorted to be added up."""
    of, requests = _SPANS.c[column], _SPANS.c.requests
    query = select(of, func.sum(requests)).group_by(of) if column == "client_id" else select(of, requests)
    query = query.where(_SPANS.c.start_us == start_us, *scope.conditions(_SPANS.c))
    query = query.order_by(text("2 DESC")).limit(limit)
    return [(row[0], int(row[1])) for row in await session.execute(query)]


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
