"""What was asked, given and spent, for those who may see it: admins everything, developers what their clients did.

Sums are exact to the minute at any time: whole days and hours come from their roll-ups, the edges of a range and hours
that are not folded yet from the minutes.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from aiservice.errors import InvalidRequest, NotFound
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, iso, now_us
from aiservice.principal import Person
from aiservice.services.usage_sums import Sums, plan
from aiservice.store import usage as store
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import LedgerEntry

GroupBy = Literal["none", "key", "task", "model", "provider", "client"]
Bucket = Literal["minute", "hour", "day"]

BUCKETS_US: dict[Bucket, int] = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US}
MAX_POINTS = 2000
MAX_ROWS = 500
OTHER = "other"
_GROUPS = {"none": "", "key": "key_id", "client": "client_id", "task": "task", "model": "model", "provider": "provider"}
_FILTERS = {"client_id", "key_id", "task", "model", "provider"}
_EXPORT_PAGE = 1000
CSV_COLUMNS = (
    "request_id", "client", "key_id", "task", "surface", "provider", "model", "status", "input_tokens",
    "output_tokens", "cost_nano_usd", "usage_source", "started_at", "ended_at", "attempts",
    # and what the contract does not name
    "client_id", "requested_model", "is_stream", "outcome", "error_code", "cached_input_tokens", "cache_write_tokens",
    "reasoning_tokens",
)  # fmt: skip


@dataclass(slots=True)
class Group:
    """One line of a chart. A point is None where there is no data, which is not the same as none asked for."""

    id: str
    name: str
    total: Sums
    points: list[Sums | None]


@dataclass(slots=True)
class Series:
    """Groups, busiest first, over the same buckets; `starts_us` are the buckets' beginnings."""

    bucket: Bucket
    starts_us: list[int]
    groups: list[Group]


@dataclass(slots=True)
class RecentPage:
    """Entries, newest settled first; `next_before` is the cursor of the next page, None at the end."""

    entries: list[LedgerEntry]
    next_before: int | None


class Usage:
    """Reads the ledger and its roll-ups."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def tiles(self, actor: Person, since_us: int, **filters: str) -> Sums:
        """Sums from `since_us` (cut to its minute) until now. `filters`: client_id, key_id, task, model, provider."""
        return await self._total(_scope(actor, filters), since_us)

    async def of_client(self, client_id: str, since_us: int, key_id: str | None = None) -> Sums:
        """Sums of a client, or of one of its keys: for a caller who has shown that client's key."""
        filters = (("client_id", client_id), *((("key_id", key_id),) if key_id else ()))
        return await self._total(store.Scope(None, filters), since_us)

    async def series(
        self,
        actor: Person,
        start_us: int,
        end_us: int,
        *,
        bucket: Bucket | None = None,
        group_by: GroupBy = "none",
        top: int = 8,
        **filters: str,
    ) -> Series:
        """Sums per bucket over [start, end); all groups behind the `top` ones are one, "other".

        Raises:
            InvalidRequest: the range is empty, or has more than 2 000 buckets.
        """
        chosen = bucket or _bucket_for(end_us - start_us)
        width_us = BUCKETS_US[chosen]
        first = start_us // width_us * width_us
        starts = list(range(first, max(end_us, first), width_us)[: MAX_POINTS + 1])
        if not starts or len(starts) > MAX_POINTS:
            raise InvalidRequest(f"A range must hold 1 to {MAX_POINTS} buckets.", param="bucket")
        scope = _scope(actor, filters)
        async with self._db.read() as session:
            rows = await _read(session, scope, (first, starts[-1] + width_us), _GROUPS[group_by], width_us)
            groups = _grouped(rows, top)
            names = await _names(session, _GROUPS[group_by], list(groups))
            begun_us = await store.first_start_us(session, scope)
        known_from = now_us() if begun_us is None else begun_us // width_us * width_us
        return Series(
            chosen,
            starts,
            [
                Group(key, names.get(key, key), _sum(points.values()), _points(starts, points, known_from))
                for key, points in groups.items()
            ],
        )

    async def recent(self, actor: Person, limit: int = 50, before: int | None = None, **filters: str) -> RecentPage:
        """Requests in the order of their settlement, newest first, from behind the cursor `before` on."""
        count = max(1, min(limit, MAX_ROWS))
        async with self._db.read() as session:
            entries = await store.recent(session, _scope(actor, filters), count + 1, before)
        page = entries[:count]
        return RecentPage(page, page[-1].id if len(entries) > count else None)

    async def one(self, actor: Person, request_id: str) -> LedgerEntry:
        """One request.

        Raises:
            NotFound: there is none, or it is of somebody else's client.
        """
        async with self._db.read() as session:
            entry = await store.one(session, _scope(actor, {}), request_id)
        if entry is None:
            raise NotFound(f"There is no request {request_id}.")
        return entry

    async def export_csv(self, actor: Person, start_us: int, end_us: int, **filters: str) -> AsyncIterator[str]:
        """The requests begun in [start, end) as lines of CSV (RFC 4180), the header first, in the order of their start.

        Read page by page, each in a transaction of its own: an export of any size holds nothing up.
        """
        yield _csv_line(CSV_COLUMNS)
        scope, after = _scope(actor, filters), (start_us, 0)
        while True:
            async with self._db.read() as session:
                entries = await store.page_by_start(session, scope, (start_us, end_us), after, _EXPORT_PAGE)
            for entry in entries:
                yield _csv_line([_cell(entry, name) for name in CSV_COLUMNS])
            if len(entries) < _EXPORT_PAGE:
                return
            after = (entries[-1].started_us, entries[-1].id or 0)

    async def fold_some(self) -> int:
        """Folds some of the hours that changed, and their days, and returns how many hours that were; 0 at the end."""
        async with self._db.read() as session:
            if not await store.dirty_hours(session):
                return 0
        async with self._db.write() as session:
            return await store.fold_dirty_hours(session)

    async def _total(self, scope: store.Scope, since_us: int) -> Sums:
        end_us = now_us() // MINUTE_US * MINUTE_US + MINUTE_US
        async with self._db.read() as session:
            rows = await _read(session, scope, (since_us // MINUTE_US * MINUTE_US, end_us), "", 0)
        return _sum([sums for _, _, sums in rows])


def _scope(actor: Person, filters: dict[str, str]) -> store.Scope:
    unknown = filters.keys() - _FILTERS
    if unknown:
        raise InvalidRequest(f"There is no filter {sorted(unknown)[0]}.", param=sorted(unknown)[0])
    return store.Scope(None if actor.is_admin else actor.user_id, tuple(sorted(filters.items())))


async def _read(
    session: AsyncSession, scope: store.Scope, span: tuple[int, int], group_by: str, width_us: int
) -> list[tuple[int, str, Sums]]:
    """(bucket, group, sums) from whichever roll-ups are exact."""
    found = []
    for grain, spans in plan(span, await store.dirty_hours(session), width_us).items():
        for row in await store.sums(session, grain, spans, scope=scope, group_by=group_by, width_us=width_us):
            found.append((row.pop("bucket"), row.pop("group"), Sums.of(row)))
    return found


async def _names(session: AsyncSession, group_by: str, ids: Sequence[str]) -> dict[str, str]:
    return await store.names(session, group_by, ids) if group_by in {"client_id", "key_id"} else {}


def _grouped(rows: list[tuple[int, str, Sums]], top: int) -> dict[str, dict[int, Sums]]:
    """Points by bucket by group, busiest group first."""
    requests: dict[str, int] = {}
    for _, group, sums in rows:
        requests[group] = requests.get(group, 0) + sums.requests
    ranked = sorted(requests, key=lambda group: (-requests[group], group))
    kept = set(ranked if len(ranked) <= top + 1 else ranked[:top])
    groups: dict[str, dict[int, Sums]] = {group: {} for group in ranked if group in kept} or {"": {}}
    for bucket, group, sums in rows:
        points = groups.setdefault(group if group in kept else OTHER, {})
        points[bucket] = points[bucket] + sums if bucket in points else sums
    return groups


def _points(starts: list[int], points: dict[int, Sums], known_from_us: int) -> list[Sums | None]:
    now = now_us()
    return [points.get(start) or (Sums() if known_from_us <= start <= now else None) for start in starts]


def _sum(many: Iterable[Sums]) -> Sums:
    return sum(many, Sums())


def _bucket_for(span_us: int) -> Bucket:
    if span_us <= 3 * HOUR_US:
        return "minute"
    return "hour" if span_us <= 7 * DAY_US else "day"


def _cell(entry: LedgerEntry, name: str) -> object:
    if name == "started_at":
        return iso(entry.started_us)
    if name == "ended_at":
        return iso(entry.ended_us)
    if name == "attempts":
        return orjson.dumps(entry.attempts).decode()
    return getattr(entry, name)


def _csv_line(cells: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_unformula(cell) for cell in cells])
    return line.getvalue()


def _unformula(cell: object) -> object:
    """A spreadsheet runs text that begins like a formula; an apostrophe before it makes it text."""
    return "'" + cell if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
