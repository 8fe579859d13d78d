"""SQL of usage: queries of the roll-ups behind charts, lists and exports; `usage_folding.py` makes the roll-ups."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, literal, literal_column, or_, select, text, union_all
from sqlmodel import col

from aiservice.kit.clock import DAY_US, HOUR_US
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
    UsageClientModelDay,
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
_BY_CLIENT_AND_MODEL: dict[str, Table] = {
    "day": UsageClientModelDay.__table__,  # type: ignore[attr-defined]
}
_MODEL = frozenset({"task", "provider", "model"})
# Not columns of a roll-up, but of its client: whose it is now, and of which team.
_HOLDERS = {"user": col(Client.owner_id), "team": col(Client.team_id)}
_SPANS: Table = UsageSpan.__table__  # type: ignore[attr-defined]
_FEW_SPANS = 4
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
        if is_everybodys and grain in _BY_MODEL and narrowed <= _MODEL:
            return _BY_MODEL[grain]
        if grain in _BY_CLIENT and narrowed <= {"client_id"}:
            return _BY_CLIENT[grain]
        if grain in _BY_CLIENT_AND_MODEL and narrowed <= {"client_id", *_MODEL}:
            return _BY_CLIENT_AND_MODEL[grain]
        return _TABLES[grain]


async def sums(
    session: AsyncSession, parts: Mapping[str, Spans], asked: Asked
) -> list[tuple[int, tuple[str, ...], tuple[int, ...]]]:
    """From the roll-ups, each over the [start, end) of its spans, all in one statement: the bucket's start, the values
    of `group_by`, and the sums in the order of the columns."""
    if not parts:
        return []
    first = len(asked.group_by) + 1
    rows = [row for row in await session.execute(summed(parts, asked)) if row[first] is not None]
    # PostgreSQL sums bigints into numerics.
    return [(int(row[0]), tuple(row[1:first]), tuple(map(int, row[first:]))) for row in rows]


async def largest(
    session: AsyncSession, parts: Mapping[str, Spans], asked: Asked, limit: int
) -> list[tuple[tuple[str, ...], int]]:
    """The `limit` groups with the most of the one column that is asked for, largest first, with how much that is."""
    if not parts:
        return []
    query, groups = summed(parts, asked), range(2, len(asked.group_by) + 2)
    query = query.order_by(text(f"{len(groups) + 2} DESC"), *_places(groups)).limit(limit)
    return [(tuple(row[1:-1]), int(row[-1])) for row in await session.execute(query) if row[-1] is not None]


async def likely_keys(
    session: AsyncSession, asked: Asked, span: tuple[int, int], parts: Mapping[str, Spans], most: int
) -> dict[str, int]:
    """The `most` keys with the most of the one column that is asked for in each span of days that [start, end) touches,
    and those in `parts`, which are not in the spans, with how much that is in all of these: whoever is among the
    largest of the range is hardly missing."""
    column = asked.columns[0]
    found: Counter[str] = Counter()
    for start_us in range(span[0] // SPAN_US * SPAN_US, span[1], SPAN_US):
        query = select(_SPANS.c.key_id, _SPANS.c[column])
        query = query.where(_SPANS.c.start_us == start_us, *asked.scope.conditions(_SPANS.c))
        query = query.order_by(_SPANS.c[column].desc()).limit(most)
        found.update({row[0]: row[1] for row in await session.execute(query)})
    scope = asked.scope
    if scope.owner_id is None:
        # What a key has much of its client has as much of; and clients are few beside keys.
        clients = await largest(session, parts, replace(asked, group_by=("client_id",)), most)
        scope = replace(scope, chosen=(*scope.chosen, ("client_id", tuple(sorted(key[0] for key, _ in clients)))))
    found.update({key[0]: much for key, much in await largest(session, parts, replace(asked, scope=scope), most)})
    return found


def summed(parts: Mapping[str, Spans], asked: Asked) -> "Select[Any]":
    """(bucket, groups, sums) of all parts' rows. Whose a client is, is looked up once a client, not once a row."""
    named = tuple(dict.fromkeys("client_id" if name in _HOLDERS else name for name in asked.group_by))
    tables = [(asked.table(grain), spans) for grain, spans in parts.items()]
    selects = [_rows(table, few, asked, named) for table, spans in tables for few in _apart(spans)]
    rows = (union_all(*selects) if len(selects) > 1 else selects[0]).subquery()
    bucket = literal_column("bucket") if asked.width_us else literal(0).label("bucket")
    found: Select[Any] = select(bucket, *_summing(named, asked.columns)).select_from(rows)
    found = found.group_by(*_places(range(1, len(named) + 2))) if asked.width_us or named else found
    if not any(name in _HOLDERS for name in asked.group_by):
        return found
    inner = found.subquery()
    groups = [func.coalesce(_HOLDERS[name], "") if name in _HOLDERS else inner.c[name] for name in asked.group_by]
    outer: Select[Any] = select(
        inner.c.bucket,
        *(group.label(f"by_{name}") for group, name in zip(groups, asked.group_by, strict=True)),
        *(func.sum(inner.c[name]).label(name) for name in asked.columns),
    )
    outer = outer.outerjoin_from(inner, Client, col(Client.id) == inner.c.client_id)
    return outer.group_by(*_places(range(1, len(groups) + 2)))


@cache
def _summing(named: tuple[str, ...], columns: tuple[str, ...]) -> tuple[ColumnElement[Any], ...]:
    """Said as text and once: made of columns, a page's statements of sixty sums took longer to put together than to
    run."""
    sums: list[ColumnElement[Any]] = [literal_column(f"sum({name})").label(name) for name in columns]
    return (*(literal_column(name) for name in named), *sums)


def _rows(table: Table, spans: Spans, asked: Asked, named: tuple[str, ...]) -> "Select[Any]":
    width_us = asked.width_us
    bucket = [(table.c.start_us - table.c.start_us % width_us).label("bucket")] if width_us else []
    found: Select[Any] = select(*bucket, literal_column(", ".join((*named, *asked.columns)))).select_from(table)
    return found.where(_within(table, spans), *asked.scope.conditions(table.c))


def _apart(spans: Spans) -> list[Spans]:
    """Few spans are each looked for by themselves: what lies between them is not read. Of many that would be as many
    queries."""
    return [[span] for span in spans] if len(spans) <= _FEW_SPANS else [spans]


def _places(places: Iterable[int]) -> list[Any]:
    return [text(str(place)) for place in places]


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
