"""What was asked, given and spent, for those who may see it: admins everything, developers what their clients did.

Sums are exact to the minute at any time: whole days and hours come from their roll-ups, the edges of a range and hours
that are not folded yet from the minutes.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, iso, now_us
from aiservice.principal import Person
from aiservice.services.request_log import csv_line
from aiservice.services.rights import needs, require, scope
from aiservice.services.usage_sums import COUNTS, Sums, plan
from aiservice.store import usage as store
from aiservice.store.session import AsyncSession, Database

GroupBy = Literal["none", "key", "task", "model", "provider", "client", "user"]
Bucket = Literal["minute", "hour", "day"]

BUCKETS_US: dict[Bucket, int] = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US}
MAX_POINTS = 2000
HOURS_AT_ONCE = store.HOURS_AT_ONCE
OTHER = "other"
_MAX_CHOICES = 200
_USER = "user"  # no column of the roll-ups: a client's owner is who owns it now
_GROUPS = {
    "none": "",
    "key": "key_id",
    "client": "client_id",
    "task": "task",
    "model": "model",
    "provider": "provider",
    "user": _USER,
}
_NAMED = {"client_id", "key_id", _USER}
_FILTERS = {"client_id", "key_id", "task", "model", "provider"}


@dataclass(slots=True)
class Group:
    """One line of a chart. A point is None where there is no data, which is not the same as none asked for.

    Points have no latencies; the total has.
    """

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


class Usage:
    """Reads the roll-ups of the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("usage.get")
    async def tiles(self, actor: Person, /, since_us: int, **filters: str) -> Sums:
        """Sums from `since_us` (cut to its minute) until now. `filters`: client_id, key_id, task, model, provider."""
        return await self._total(_scope(actor, filters), since_us)

    async def of_client(
        self, client_id: str, since_us: int, key_id: str | None = None, until_us: int | None = None
    ) -> Sums:
        """Sums of a client, or of one of its keys: for a caller who has shown that client's key. Both ends are cut to
        their minute, the end's own minute included."""
        filters = (("client_id", client_id), *((("key_id", key_id),) if key_id else ()))
        return await self._total(store.Scope(None, filters), since_us, until_us)

    async def totals(
        self, since_us: int, until_us: int, *, group_by: GroupBy, filters: Mapping[str, str] | None = None
    ) -> dict[str, Sums]:
        """Everybody's sums by group, both ends cut to their minute, the end's own included: for rules, not people."""
        scope = store.Scope(None, tuple(sorted((filters or {}).items())))
        span = (since_us // MINUTE_US * MINUTE_US, until_us // MINUTE_US * MINUTE_US + MINUTE_US)
        async with self._db.read() as session:
            await store.hold_still(session)
            return await (await _Reading.begin(session, scope, span, _GROUPS[group_by])).totals()

    @needs("usage.get")
    async def series(
        self,
        actor: Person,
        start_us: int,
        end_us: int,
        *,
        bucket: Bucket | None = None,
        group_by: GroupBy = "none",
        top: int = 8,
        rank: Callable[[Sums], int] = lambda sums: sums.requests,
        filters: Mapping[str, str] | None = None,
        measures: Sequence[str] = COUNTS,
    ) -> Series:
        """Sums per bucket over [start, end), largest group first; all behind the `top` ones are one, "other".

        `filters`: client_id, key_id, task, model, provider. `measures` are the columns that points have; the others
        of a point are 0.

        Raises:
            InvalidRequest: the range is empty, or has more than 2 000 buckets.
            PermissionDenied: grouped by user, and the actor is no admin.
        """
        if group_by == "user":
            require(actor, "usage.by_user")
        chosen = bucket or bucket_for(end_us - start_us)
        starts = _starts(start_us, end_us, BUCKETS_US[chosen])
        span = (starts[0], starts[-1] + BUCKETS_US[chosen])
        scope, column = _scope(actor, filters or {}), _GROUPS[group_by]
        async with self._db.read() as session:
            await store.hold_still(session)
            reading = await _Reading.begin(session, scope, span, column, measures)
            totals = await reading.totals()
            kept = _kept(totals, top, rank)
            points = await reading.points(kept, BUCKETS_US[chosen], has_rest=len(kept) < len(totals))
            names = await store.names(session, column, kept) if column in _NAMED else {}
            begun_us = await store.first_start_us(session, scope)
        known_from = now_us() if begun_us is None else begun_us // BUCKETS_US[chosen] * BUCKETS_US[chosen]
        groups = [
            Group(key, names.get(key, key), totals[key], _points(starts, points.get(key, {}), known_from))
            for key in kept
        ]
        if len(kept) < len(totals):
            rest = sum((sums for key, sums in totals.items() if key not in set(kept)), Sums())
            groups.append(Group(OTHER, OTHER, rest, _points(starts, points[OTHER], known_from)))
        return Series(chosen, starts, groups)

    @needs("usage.get")
    async def choices(self, actor: Person, since_us: int) -> dict[str, list[tuple[str, str]]]:
        """What there is to filter by, as (id, name), busiest first and at most 200 each: by client_id, key_id, task,
        model and provider, among what was asked for since (by the day)."""
        columns, found = sorted(_FILTERS), {}
        async with self._db.read() as session:
            used = await store.combinations(session, _scope(actor, {}), columns, since_us // DAY_US * DAY_US)
            for place, column in enumerate(columns):
                requests: dict[str, int] = {}
                for values, count in used:
                    requests[values[place]] = requests.get(values[place], 0) + count
                ids = sorted(filter(None, requests), key=lambda value: (-requests[value], value))[:_MAX_CHOICES]
                names = await store.names(session, column, ids) if column in _NAMED else {}
                found[column] = [(number, names.get(number, number)) for number in ids]
        return found

    async def series_csv(self, series: Series, group_by: GroupBy) -> AsyncIterator[str]:
        """The points of a series as lines of CSV, the header first. A bucket without data has no line; one in which
        nothing was asked for has a line of zeros."""
        yield csv_line(["from", "bucket", *([] if group_by == "none" else [group_by, f"{group_by}_name"]), *COUNTS])
        for place, start_us in enumerate(series.starts_us):
            for group in series.groups:
                point = group.points[place]
                if point is not None:
                    named = [] if group_by == "none" else [group.id, group.name]
                    counts = [getattr(point, name) for name in COUNTS]
                    yield csv_line([iso(start_us), series.bucket, *named, *counts])

    async def fold_some(self) -> int:
        """Folds some of the hours that changed, and their days, and returns how many hours that were: fewer than
        `HOURS_AT_ONCE` at the end."""
        async with self._db.read() as session:
            if not await store.dirty_hours(session):
                return 0
        async with self._db.write() as session:
            return await store.fold_dirty_hours(session)

    async def _total(self, scope: store.Scope, since_us: int, until_us: int | None = None) -> Sums:
        end_us = (now_us() if until_us is None else until_us) // MINUTE_US * MINUTE_US + MINUTE_US
        span = (since_us // MINUTE_US * MINUTE_US, end_us)
        async with self._db.read() as session:
            await store.hold_still(session)
            return (await (await _Reading.begin(session, scope, span, "")).totals()).get("", Sums())


@dataclass(slots=True)
class _Reading:
    """Reads one range in one transaction, from whichever roll-ups are exact."""

    session: AsyncSession
    scope: store.Scope
    span: tuple[int, int]
    column: str  # "" is ungrouped
    dirty_hours: list[int]
    owners: dict[str, str]
    measures: Sequence[str]

    @classmethod
    async def begin(
        cls,
        session: AsyncSession,
        scope: store.Scope,
        span: tuple[int, int],
        column: str,
        measures: Sequence[str] = COUNTS,
    ) -> "_Reading":
        owners = await store.owners(session) if column == _USER else {}
        return cls(session, scope, span, column, await store.dirty_hours(session), owners, measures)

    async def totals(self) -> dict[str, Sums]:
        """By group, over the whole range."""
        found: dict[str, Sums] = {}
        for _, group, sums in await self._read(self.scope, self.column, 0, None):
            found[group] = found[group] + sums if group in found else sums
        return found

    async def points(self, kept: Sequence[str], width_us: int, *, has_rest: bool) -> dict[str, dict[int, Sums]]:
        """By group and bucket, those of the groups that were not `kept` as one."""
        scope = replace(self.scope, chosen=self._chosen(kept)) if has_rest else self.scope
        found = _by_group(await self._read(scope, self.column, width_us, self.measures))
        if has_rest:
            rest = _by_group(await self._read(self.scope, "", width_us, self.measures)).get("", {})
            for points in found.values():
                for bucket, sums in points.items():
                    rest[bucket] = rest[bucket] - sums
            found[OTHER] = rest
        return found

    def _chosen(self, groups: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        if self.column != _USER:
            return self.column, tuple(groups)
        wanted = set(groups)
        return "client_id", tuple(client for client, owner in self.owners.items() if owner in wanted)

    async def _read(
        self, scope: store.Scope, column: str, width_us: int, columns: Sequence[str] | None
    ) -> list[tuple[int, str, Sums]]:
        """(bucket, group, sums); `columns` None means all."""
        real = "client_id" if column == _USER else column
        found = []
        for grain, spans in plan(self.span, self.dirty_hours, width_us).items():
            for row in await store.sums(
                self.session,
                grain,
                spans,
                scope=scope,
                group_by=real,
                width_us=width_us,
                columns=columns,
            ):
                bucket, group = row.pop("bucket"), row.pop("group")
                found.append((bucket, self.owners.get(group, "") if column == _USER else group, Sums.of(row)))
        return found


def bucket_for(span_us: int) -> Bucket:
    """The bucket that a range of this length is shown in unless another is asked for."""
    if span_us <= 3 * HOUR_US:
        return "minute"
    return "hour" if span_us <= 7 * DAY_US else "day"


def _starts(start_us: int, end_us: int, width_us: int) -> list[int]:
    first = start_us // width_us * width_us
    starts = list(range(first, max(end_us, first), width_us)[: MAX_POINTS + 1])
    if not starts or len(starts) > MAX_POINTS:
        raise InvalidRequest(f"A range must hold 1 to {MAX_POINTS} buckets.", param="bucket")
    return starts


def _scope(actor: Person, filters: Mapping[str, str]) -> store.Scope:
    unknown = filters.keys() - _FILTERS
    if unknown:
        raise InvalidRequest(f"There is no filter {sorted(unknown)[0]}.", param=sorted(unknown)[0])
    return store.Scope(scope(actor, "usage.get"), tuple(sorted(filters.items())))


def _kept(totals: dict[str, Sums], top: int, rank: Callable[[Sums], int]) -> list[str]:
    """The groups that are shown by themselves, largest first. One too many is shown rather than called "other"."""
    if not totals:
        totals[""] = Sums()
    ranked = sorted(totals, key=lambda group: (-rank(totals[group]), group))
    return ranked if len(ranked) <= top + 1 else ranked[:top]


def _by_group(rows: Iterable[tuple[int, str, Sums]]) -> dict[str, dict[int, Sums]]:
    groups: dict[str, dict[int, Sums]] = {}
    for bucket, group, sums in rows:
        points = groups.setdefault(group, {})
        points[bucket] = points[bucket] + sums if bucket in points else sums
    return groups


def _points(starts: list[int], points: dict[int, Sums], known_from_us: int) -> list[Sums | None]:
    now = now_us()
    return [points.get(start) or (Sums() if known_from_us <= start <= now else None) for start in starts]
