"""What was asked, given and spent, for those who may see it: admins everything, developers what their clients did.

Sums are exact to the minute at any time (`services/usage_reading.py`). Groups are ranked by one column; only those that
are shown are summed by all.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, MINUTE_US, now_us
from aiservice.principal import Person
from aiservice.services.rights import needs, require, scope
from aiservice.services.usage_day import Day, last_day
from aiservice.services.usage_metrics import COUNTED_BY_ENDING, metric_of
from aiservice.services.usage_reading import ENDING, NAMED, Reading
from aiservice.services.usage_series import (
    BUCKETS_US,
    Breakdown,
    Frame,
    GroupBy,
    Series,
    bucket_for,
    compare,
    groups_of,
    starts_of,
)
from aiservice.services.usage_sums import Sums
from aiservice.store import usage as store
from aiservice.store import usage_folding as folding
from aiservice.store.session import AsyncSession, Database

HOURS_AT_ONCE = folding.HOURS_AT_ONCE
_MAX_CHOICES = 200
_MOST_TOGETHER = 10_000  # tasks, models and providers as they occur together
_FILTERS = {"client_id", "key_id", "task", "model", "provider"}


class Usage:
    """Reads the roll-ups of the ledger."""

    def __init__(self, db: Database) -> None:
        self._db = db

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
        frame = Frame(starts_of(start_us, end_us, BUCKETS_US[bucket]), BUCKETS_US[bucket], 0)
        async with self._db.read() as session:
            await store.hold_still(session)
            reading = await Reading.begin(session, _scope(actor, asked.filters), frame.span, asked.columns(), metric)
            details_us = await store.details_since_us(session)
            known_us = await reading.known_since(frame.shown_since(is_compared=asked.is_compared))
            if metric.is_detail and not asked.has_all:
                known_us = max(known_us, details_us)
            frame = replace(frame, known_us=known_us)
            series = Series(bucket, frame.starts_us, await groups_of(reading, asked, frame), asked.metric)
            if asked.is_compared:
                await compare(reading, series, frame)
        series.details_since_us = details_us
        series.is_kept = ENDING not in asked.columns() or asked.metric in COUNTED_BY_ENDING
        return series

    @needs("usage.get")
    async def last_day(self, actor: Person, /) -> Day:
        """The last 24 hours, those before them, and the hours as they lie in the clock, all of the same moment."""
        async with self._db.read() as session:
            await store.hold_still(session)
            return await last_day(session, _scope(actor, {}), now_us())

    @needs("usage.get")
    async def choices(self, actor: Person, /, since_us: int) -> dict[str, list[tuple[str, str]]]:
        """What there is to filter by, as (id, name), busiest first and at most 200 each: by client_id, key_id, task,
        model and provider, among what was asked for since (by the day)."""
        now = now_us()
        span = (since_us // DAY_US * DAY_US, now // MINUTE_US * MINUTE_US + MINUTE_US)
        few = tuple(sorted(_FILTERS - set(NAMED)))
        async with self._db.read() as session:
            reading = await Reading.begin(session, _scope(actor, {}), span, ())
            found: dict[str, Counter[str]] = {name: Counter() for name in sorted(_FILTERS)}
            # What occurs together is read once; clients and keys are too many to be looked for with the others.
            for values, count in await reading.requests_by(few, _MOST_TOGETHER):
                for name, value in zip(few, values, strict=True):
                    found[name][value] += count
            clients = await reading.requests_by(("client_id",), _MAX_CHOICES)
            found["client_id"].update({key[0]: count for key, count in clients})
            found["key_id"].update(await reading.likely_keys("requests", _MAX_CHOICES))
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


def _scope(actor: Person, filters: Mapping[str, str]) -> store.Scope:
    for unknown in sorted(filters.keys() - _FILTERS):
        raise InvalidRequest(f"There is no filter {unknown}.", param=unknown)
    return store.Scope(scope(actor, "usage.get"), tuple(sorted(filters.items())))
