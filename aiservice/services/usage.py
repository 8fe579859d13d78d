"""What was asked, given and spent, for those who may see it: admins everything, developers what their clients did.

Sums are exact to the minute at any time (`services/usage_reading.py`). Groups are ranked by one column; only those that
are shown are summed by all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import Person
from aiservice.services.rights import needs, require, scope
from aiservice.services.usage_metrics import COUNTED_BY_ENDING, metric_of
from aiservice.services.usage_reading import COLUMNS, ENDING, NAMED, GroupKey, Reading
from aiservice.services.usage_sums import Sums
from aiservice.store import usage as store
from aiservice.store import usage_folding as folding
from aiservice.store.session import AsyncSession, Database

GroupBy = Literal["none", "key", "task", "model", "provider", "client", "user", "team", "status"]
Bucket = Literal["minute", "hour", "day"]

BUCKETS_US: dict[Bucket, int] = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US}
MAX_POINTS = 2000
MAX_GROUPS = 50
HOURS_AT_ONCE = folding.HOURS_AT_ONCE
OTHER = "other"
_MAX_CHOICES = 200
_FILTERS = {"client_id", "key_id", "task", "model", "provider"}


@dataclass(slots=True)
class Group:
    """One line of a chart. A point is None where there is no data, which is not the same as none asked for.

    Points have only the sums that the measure needs; the total has all. `before` is the total of the period before.
    """

    id: str
    name: str
    total: Sums
    points: list[Sums | None]
    sub_id: str = ""
    sub_name: str = ""
    before: Sums | None = None


@dataclass(slots=True)
class Series:
    """Groups, largest first, over the same buckets; `starts_us` are the buckets' beginnings. `before` are the points
    of all together in the period before, where that was asked for. `is_kept` is whether the measure is kept by these
    groups at all. Before `details_since_us` the roll-ups had no details (`tables/ledger.py`)."""

    bucket: Bucket
    starts_us: list[int]
    groups: list[Group]
    metric: str = "requests"
    before: list[Sums | None] | None = None
    is_kept: bool = True
    details_since_us: int = 0


@dataclass(slots=True, frozen=True)
class Breakdown:
    """How a range is taken apart: `metric` measures and ranks, the `top` groups of `group_by` (and, in them, of
    `subgroup_by`) are shown by themselves; `is_compared` with the period of the same length before it."""

    group_by: GroupBy = "none"
    subgroup_by: GroupBy = "none"
    metric: str = "requests"
    top: int = 8
    bucket: Bucket | None = None
    is_compared: bool = False
    has_all: bool = False
    filters: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> tuple[str, ...]:
        asked = (self.group_by, *((self.subgroup_by,) if self.subgroup_by != self.group_by else ()))
        return tuple(COLUMNS[name] for name in asked if name != "none")


class Usage:
    """Reads the roll-ups of the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @needs("usage.get")
    async def tiles(self, actor: Person, /, since_us: int, until_us: int | None = None, **filters: str) -> Sums:
        """Sums from `since_us` (cut to its minute) until now, or to the end of the minute of `until_us`. `filters`:
        client_id, key_id, task, model, provider."""
        return await self._total(_scope(actor, filters), since_us, until_us)

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
            reading = await Reading.begin(session, scope, span, Breakdown(group_by).columns())
            return {key[0] if key else "": sums for key, sums in (await reading.totals()).items()}

    async def largest(
        self, span: tuple[int, int], group_by: GroupBy, rank: str, filters: Mapping[str, str], most: int
    ) -> tuple[Sums, list[tuple[str, str, Sums]]]:
        """Everybody's sums, and those of the groups that a column ranks first, with ids and names; of whole minutes."""
        scope = store.Scope(None, tuple(sorted(filters.items())))
        ranked = replace(metric_of("requests"), rank=rank)
        async with self._db.read() as session:
            await store.hold_still(session)
            reading = await Reading.begin(session, scope, span, Breakdown(group_by).columns(), ranked)
            kept = await reading.largest(most)
            totals, names, whole = await reading.totals(kept), await reading.names(kept), await reading.whole()
        return whole, [(key[0], names.get((0, key[0]), key[0]), totals.get(key, Sums())) for key in kept if key]

    @needs("usage.get")
    async def series(self, actor: Person, /, start_us: int, end_us: int, asked: Breakdown | None = None) -> Series:
        """Sums per bucket over [start, end), largest group first; all behind the top ones are one, "other".

        Raises:
            InvalidRequest: the range is empty, or has more than 2 000 buckets; there is no such measure or filter.
            PermissionDenied: grouped by user, and the actor is no admin.
        """
        asked = asked or Breakdown()
        if "user" in (asked.group_by, asked.subgroup_by):
            require(actor, "usage.by_user")
        metric = metric_of(asked.metric)
        if asked.has_all:
            metric = replace(metric, columns=store.EVERY_SUM)
        bucket = asked.bucket or bucket_for(end_us - start_us)
        width_us = BUCKETS_US[bucket]
        starts = _starts(start_us, end_us, width_us)
        span = (starts[0], starts[-1] + width_us)
        scope = _scope(actor, asked.filters)
        async with self._db.read() as session:
            await store.hold_still(session)
            reading = await Reading.begin(session, scope, span, asked.columns(), metric)
            details_us = await store.details_since_us(session)
            known_us = await _known_since(session, scope)
            if metric.is_detail and not asked.has_all:
                known_us = max(known_us, details_us)
            frame = _Frame(starts, width_us, known_us)
            series = Series(bucket, starts, await _groups(reading, asked, frame), asked.metric)
            if asked.is_compared:
                await _compare(reading, series, frame)
        series.details_since_us = details_us
        series.is_kept = ENDING not in asked.columns() or asked.metric in COUNTED_BY_ENDING
        return series

    @needs("usage.get")
    async def is_known_at(self, actor: Person, /, at_us: int) -> bool:
        """Whether the actor had any request by then: before that there is no data, which is not 0."""
        async with self._db.read() as session:
            return await _known_since(session, _scope(actor, {})) <= at_us

    @needs("usage.get")
    async def choices(self, actor: Person, /, since_us: int) -> dict[str, list[tuple[str, str]]]:
        """What there is to filter by, as (id, name), busiest first and at most 200 each: by client_id, key_id, task,
        model and provider, among what was asked for since (by the day)."""
        found: dict[str, dict[str, int]] = {name: {} for name in sorted(_FILTERS)}
        asked_of = _scope(actor, {})
        async with self._db.read() as session:
            few = [name for name in found if name not in NAMED]
            used = await store.combinations(session, asked_of, few, since_us // DAY_US * DAY_US)
            for values, count in used:
                for name, value in zip(few, values, strict=True):
                    found[name][value] = found[name].get(value, 0) + count
            # Clients and keys are too many to be looked for together with the others.
            for name in (one for one in found if one in NAMED):
                found[name] = await store.busiest(session, asked_of, name, since_us, _MAX_CHOICES)
            return {name: await _choices(session, name, counts) for name, counts in found.items()}

    async def fold_some(self) -> int:
        """Folds some of the hours that changed, and their days, and returns how many hours that were: fewer than
        `HOURS_AT_ONCE` at the end."""
        async with self._db.read() as session:
            if not await folding.marked_hours(session) and not await folding.days_to_fold(session):
                return 0
        async with self._db.write() as session:
            return await folding.fold_dirty_hours(session)

    async def fold_few_again(self) -> None:
        """Puts right what a node of the release before has folded in part, of the last two days; an hour or a day at
        a time, so that nobody who writes waits for all of them."""
        async with self._db.read() as session:
            found = await folding.few_to_fold(session, now_us() - 2 * DAY_US)
        for start_us, width_us in found:
            async with self._db.write() as session:
                await folding.fold_few_again(session, start_us, width_us)

    async def _total(self, scope: store.Scope, since_us: int, until_us: int | None = None) -> Sums:
        end_us = (now_us() if until_us is None else until_us) // MINUTE_US * MINUTE_US + MINUTE_US
        span = (since_us // MINUTE_US * MINUTE_US, end_us)
        async with self._db.read() as session:
            await store.hold_still(session)
            return (await (await Reading.begin(session, scope, span, ())).totals()).get((), Sums())


async def _choices(session: AsyncSession, column: str, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    ids = sorted(filter(None, counts), key=lambda value: (-counts[value], value))[:_MAX_CHOICES]
    names = await store.names(session, column, ids) if column in NAMED else {}
    return [(number, names.get(number, number)) for number in ids]


def bucket_for(span_us: int) -> Bucket:
    """The bucket that a range of this length is shown in unless another is asked for."""
    if span_us <= 3 * HOUR_US:
        return "minute"
    return "hour" if span_us <= 7 * DAY_US else "day"


async def _groups(reading: Reading, asked: Breakdown, frame: "_Frame") -> list[Group]:
    top = max(1, min(asked.top, MAX_GROUPS))
    # One too many is shown by itself rather than called "other".
    found = await reading.largest(top + 2) or [()]
    kept, has_rest = (found, False) if len(found) <= top + 1 else (found[:top], True)
    totals = await reading.totals(kept if has_rest else None)
    points = await reading.points(kept, frame.width_us, has_rest=has_rest)
    names = await reading.names(kept)
    groups = []
    for key in kept:
        (number, name), (sub_id, sub_name) = _named(key, names, 0), _named(key, names, 1)
        groups.append(Group(number, name, totals.get(key, Sums()), frame.points(points.get(key, {})), sub_id, sub_name))
    if has_rest:
        rest = await reading.whole() - sum((totals.get(key, Sums()) for key in kept), Sums())
        groups.append(Group(OTHER, OTHER, rest, frame.points(points[()])))
    return groups


async def _compare(reading: Reading, series: Series, frame: "_Frame") -> None:
    """Puts beside what is shown what it was in the period before."""
    length = reading.span[1] - reading.span[0]
    earlier = reading.earlier(length)
    series.before = frame.earlier(length).points(await earlier.whole_points(frame.width_us))
    if earlier.span[1] <= frame.known_us:
        return
    keys = [_key_of(group, len(reading.columns)) for group in series.groups if group.id != OTHER]
    totals = await earlier.totals(keys)
    for group, key in zip(series.groups, keys, strict=False):
        group.before = totals.get(key, Sums())
    if series.groups[-1].id == OTHER:
        series.groups[-1].before = await earlier.whole() - sum((totals.get(key, Sums()) for key in keys), Sums())


@dataclass(slots=True, frozen=True)
class _Frame:
    """The buckets of a range, and from when on something is known of them."""

    starts_us: list[int]
    width_us: int
    known_us: int

    def points(self, found: dict[int, Sums]) -> list[Sums | None]:
        now = now_us()
        return [
            None if at + self.width_us <= self.known_us else found.get(at) or (Sums() if at <= now else None)
            for at in self.starts_us
        ]

    def earlier(self, by_us: int) -> "_Frame":
        return replace(self, starts_us=[at - by_us for at in self.starts_us])


def _key_of(group: Group, depth: int) -> GroupKey:
    return (group.id, group.sub_id)[:depth]


def _named(key: GroupKey, names: Mapping[tuple[int, str], str], place: int) -> tuple[str, str]:
    if len(key) <= place:
        return "", ""
    return key[place], names.get((place, key[place]), key[place])


async def _known_since(session: AsyncSession, scope: store.Scope) -> int:
    """From when on something is known of the requests, microseconds UTC; never, where there is none."""
    begun_us = await store.first_start_us(session, scope)
    return 2**62 if begun_us is None else begun_us


def _starts(start_us: int, end_us: int, width_us: int) -> list[int]:
    first = start_us // width_us * width_us
    starts = list(range(first, max(end_us, first), width_us)[: MAX_POINTS + 1])
    if not starts or len(starts) > MAX_POINTS:
        raise InvalidRequest(f"A range must hold 1 to {MAX_POINTS} buckets.", param="bucket")
    return starts


def _scope(actor: Person, filters: Mapping[str, str]) -> store.Scope:
    for unknown in sorted(filters.keys() - _FILTERS):
        raise InvalidRequest(f"There is no filter {unknown}.", param=unknown)
    return store.Scope(scope(actor, "usage.get"), tuple(sorted(filters.items())))
