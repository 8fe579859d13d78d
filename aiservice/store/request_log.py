"""SQL of the request log: pages of ledger rows in the order in which requests began, newest first.

What is sought by client, key, task, model or provider may be anywhere in a long ledger, and an index for each would
cost every request. The hourly roll-ups know which hours hold it; only those are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, func, literal, literal_column, or_, select, tuple_, union_all
from sqlmodel import col

from aiservice.store.session import AsyncSession
from aiservice.store.usage import Asked, Scope
from aiservice.tables import Client, ClientKey, LedgerEntry, RollupDirty, UsageHour
from aiservice.tables.ledger import CACHED, TOLD_UPSTREAM, TRACED, TRIED_AGAIN, UNFINISHED

_ENTRY: Table = LedgerEntry.__table__  # type: ignore[attr-defined]
_HOUR: Table = UsageHour.__table__  # type: ignore[attr-defined]


def _of_index(condition: str) -> ColumnElement[bool]:
    """As text and not as a parameter: only so does a planner know that the partial index holds what is asked for."""
    return literal_column(f"({condition})")


@dataclass(slots=True, frozen=True)
class Ending:
    """How a request went: it ended as `outcome`, or as anything but "finished"; with that HTTP status; the cache had
    that part in it; it was tried more than once; one of its ids is this text."""

    outcome: str | None = None
    is_unfinished: bool = False
    status: int | None = None
    cache: str | None = None
    was_tried_again: bool = False
    text_id: str | None = None

    @property
    def is_ill(self) -> bool:
        """Whether only what did not finish can be it. Whatever finished is a 200."""
        return self.is_unfinished or self.outcome not in (None, "finished") or self.status not in (None, 200)

    @property
    def is_rare(self) -> bool:
        """Whether an index holds just what can be it."""
        return self.is_ill or self.cache is not None or self.was_tried_again or self.text_id is not None

    def conditions(self) -> list[ColumnElement[bool]]:
        """As conditions on the ledger."""
        columns = _ENTRY.c
        marks = ((self.is_ill, UNFINISHED), (self.cache is not None, CACHED), (self.was_tried_again, TRIED_AGAIN))
        found = [_of_index(condition) for holds, condition in marks if holds]
        equals = ((columns.outcome, self.outcome), (columns.status, self.status), (columns.cache, self.cache))
        found += [column == value for column, value in equals if value is not None]
        if self.text_id is not None:
            found.append(columns.id.in_(_with_id(self.text_id)))
        return found


def _with_id(text_id: str) -> Any:
    """The rows that our client, its trace or a provider knows by this text: three looks into indexes."""
    columns = _ENTRY.c
    return union_all(
        select(columns.id).where(columns.request_id == text_id),
        select(columns.id).where(columns.trace_id == text_id, _of_index(TRACED)),
        select(columns.id).where(columns.upstream_id == text_id, _of_index(TOLD_UPSTREAM)),
    )


@dataclass(slots=True, frozen=True)
class Place:
    """Where a page ends: the row that began at `started_us` with this id."""

    started_us: int
    id: int


@dataclass(slots=True, frozen=True)
class Cut:
    """Which rows of the log: the `limit` behind `place` (None: from its end on), older ones, or newer ones."""

    limit: int
    place: Place | None = None
    is_newer: bool = False


def aside(scope: Scope) -> list[ColumnElement[bool]]:
    """As conditions on the ledger that are looked at in the rows which something else has found. By an index of clients
    SQLite, without statistics, would read every row of a developer's, of 100 clients tens of thousands, to find the few
    that are new or went ill."""
    if scope.client_ids is None:
        return scope.conditions(_ENTRY.c)
    is_theirs = func.coalesce(_ENTRY.c.client_id, "").in_(scope.client_ids)
    return [*replace(scope, client_ids=None).conditions(_ENTRY.c), is_theirs]


async def client_ids(session: AsyncSession, owner_id: str) -> tuple[str, ...]:
    """The clients of a person."""
    return tuple((await session.execute(select(col(Client.id)).where(col(Client.owner_id) == owner_id))).scalars())


async def client_of_key(session: AsyncSession, key_id: str) -> str | None:
    """The client that a key is of."""
    found: str | None = await session.scalar(select(col(ClientKey.client_id)).where(col(ClientKey.id) == key_id))
    return found


async def hours_with(
    session: AsyncSession, scope: Scope, span: tuple[int, int], limit: int, *, is_oldest: bool = False
) -> list[int]:
    """The newest (or oldest) `limit` hours of `span` (both ends included) whose roll-up holds requests of `scope`.

    Read from the primary key alone, of the smallest roll-up that has every column that the scope asks for.
    """
    table = Asked(scope, (), 0, ()).table("hour")
    start = table.c.start_us
    query = select(start).distinct().where(start >= span[0], start <= span[1], *scope.conditions(table.c))
    query = query.order_by(start if is_oldest else start.desc()).limit(limit)
    return list((await session.execute(query)).scalars())


async def keys_in(
    session: AsyncSession, scope: Scope, hours: Sequence[int], limit: int
) -> dict[int, frozenset[tuple[str, str]]] | None:
    """By hour, the (client id, key id) whose requests of `scope` it holds; None where that were more than `limit`."""
    columns = _HOUR.c
    query = select(columns.start_us, columns.client_id, columns.key_id).distinct()
    query = query.where(columns.start_us.in_(hours), *scope.conditions(columns)).limit(limit + 1)
    rows = (await session.execute(query)).all()
    if len(rows) > limit:
        return None
    return {hour: frozenset((row[1], row[2]) for row in rows if row[0] == hour) for hour in hours}


async def hours_in_doubt(session: AsyncSession, low_us: int, high_us: int) -> list[int]:
    """Hours of that range that are not folded yet, so that the roll-up does not say what is in them."""
    start = col(RollupDirty.start_us)
    return list((await session.execute(select(start).where(start >= low_us, start <= high_us))).scalars())


async def page(
    session: AsyncSession, scope: Scope, ending: Ending, span: tuple[int, int], cut: Cut
) -> list[LedgerEntry]:
    """Rows begun in [start, end), from the cut's place on: newest first, or oldest first where newer ones are asked."""
    return list((await session.scalars(page_query(scope, ending, span, cut))).all())


def page_query(scope: Scope, ending: Ending, span: tuple[int, int], cut: Cut) -> Select[Any]:
    """The query of `page`."""
    started, number = _ENTRY.c.started_us, _ENTRY.c.id
    seen = aside(scope) if ending.is_rare else scope.conditions(_ENTRY.c)
    query = select(LedgerEntry).where(started >= span[0], started < span[1], *seen, *ending.conditions())
    if cut.place is not None:
        # The first half is implied by the second; SQLite's planner needs to be told.
        place, here = tuple_(literal(cut.place.started_us), literal(cut.place.id)), tuple_(started, number)
        is_behind = (started >= cut.place.started_us, here > place) if cut.is_newer else ()
        query = query.where(*(is_behind or (started <= cut.place.started_us, here < place)))
    order = (started, number) if cut.is_newer else (started.desc(), number.desc())
    query = query.order_by(*order).limit(cut.limit)
    if not ending.is_rare:
        return query
    # Numbers first: the partial index alone answers that, which is why SQLite, without statistics, takes it at all.
    numbers = query.with_only_columns(number)
    return select(LedgerEntry).where(number.in_(numbers)).order_by(*order)


async def newest_id(session: AsyncSession) -> int:
    """The number of the row that was settled last; 0 without any."""
    return await session.scalar(select(func.max(_ENTRY.c.id))) or 0


async def count_after(session: AsyncSession, scope: Scope, ending: Ending, span: tuple[int, int], after_id: int) -> int:
    """How many rows of the scope, begun in [start, end), were settled after the row `after_id`."""
    conditions = [*aside(scope), *ending.conditions()]
    started = _ENTRY.c.started_us
    query = (
        select(func.count()).select_from(_ENTRY).where(_ENTRY.c.id > after_id, started >= span[0], started < span[1])
    )
    return await session.scalar(query.where(*conditions)) or 0


async def one(session: AsyncSession, scope: Scope, request_id: str) -> LedgerEntry | None:
    """The entry of a request, if its client may be seen."""
    entry: LedgerEntry | None = await session.scalar(
        select(LedgerEntry).where(_ENTRY.c.request_id == request_id, *scope.conditions(_ENTRY.c))
    )
    return entry


async def page_by_start(
    session: AsyncSession,
    scope: Scope,
    ending: Ending,
    span: tuple[int, int],
    after: tuple[int, int],
    *,
    limit: int,
) -> list[LedgerEntry]:
    """Entries begun in [start, end) in the order of their start, from behind `after` (start, id) on."""
    started, number = _ENTRY.c.started_us, _ENTRY.c.id
    behind: Any = or_(started > after[0], and_(started == after[0], number > after[1]))
    query = select(LedgerEntry).where(
        started >= max(span[0], after[0]),
        started < span[1],
        behind,
        *scope.conditions(_ENTRY.c),
        *ending.conditions(),
    )
    return list((await session.scalars(query.order_by(started, number).limit(limit))).all())


async def key_names(session: AsyncSession, ids: Sequence[str]) -> dict[str, str]:
    """The names of keys by their ids; what is not there any more has none."""
    query = select(col(ClientKey.id), col(ClientKey.name)).where(col(ClientKey.id).in_(ids))
    return {row[0]: row[1] for row in (await session.execute(query)).all()}
