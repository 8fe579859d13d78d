"""Reads one range of the roll-ups in one transaction: whole days and hours from their own, the edges of a range and
hours that are not folded yet from the minutes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.services.usage_metrics import ENDING_COLUMNS, Metric, by_ending, metric_of
from aiservice.services.usage_sums import Sums, plan
from aiservice.store import usage as store
from aiservice.store.session import AsyncSession

GroupKey = tuple[str, ...]
"""The values of the columns that a group is of; () is everything."""

# A client's owner and team are those it has now; an ending is no column of the roll-ups, it is counted in sums.
USER, TEAM, ENDING = "user", "team", "status"
COLUMNS = {
    "key": "key_id",
    "client": "client_id",
    "task": "task",
    "model": "model",
    "provider": "provider",
    "user": USER,
    "team": TEAM,
    "status": ENDING,
}
NAMED = {"client_id", "key_id", USER, TEAM}
_LONG_US = 2 * DAY_US
_MOST_LIKELY = 150  # keys of each span of days whose sums are read to find those that are shown


@dataclass(slots=True)
class Reading:
    """`columns` are what groups are made of."""

    session: AsyncSession
    scope: store.Scope
    span: tuple[int, int]
    columns: tuple[str, ...]
    dirty_hours: list[int]
    metric: Metric

    @classmethod
    async def begin(
        cls,
        session: AsyncSession,
        scope: store.Scope,
        span: tuple[int, int],
        columns: tuple[str, ...],
        metric: Metric | None = None,
    ) -> "Reading":
        dirty = await store.dirty_hours(session)
        return cls(session, scope, span, columns, dirty, metric or metric_of("requests"))

    def earlier(self, by_us: int) -> "Reading":
        """The same of a range that lies so much before."""
        return replace(self, span=(self.span[0] - by_us, self.span[1] - by_us))

    async def largest(self, most: int) -> list[GroupKey]:
        """The `most` groups that the measure ranks first, largest first."""
        scope = await self._likely()
        if ENDING in self.columns:
            ranks = await self._ranks(scope)
            return sorted(ranks, key=lambda group: (-ranks[group], group))[:most]
        asked = store.Asked(scope, self.columns, 0, (self.metric.rank,))
        return [key for key, _ in await store.largest(self.session, plan(self.span, self.dirty_hours, 0), asked, most)]

    async def _likely(self) -> store.Scope:
        """The scope, narrowed to the keys or clients that may be among the largest, where looking at all would take
        long. Whose a key or client is, or what was asked with it, makes it no larger."""
        is_long = self.span[1] - self.span[0] > _LONG_US
        if self.scope != store.Scope(self.scope.owner_id) or not is_long:
            return self.scope
        if "key_id" in self.columns:
            return replace(self.scope, chosen=(("key_id", tuple(sorted(await self._likely_keys()))),))
        if "client_id" in self.columns and self.columns != ("client_id",):
            asked = store.Asked(self.scope, ("client_id",), 0, (self._likely_by()[0],))
            parts = plan(self.span, self.dirty_hours, 0)
            clients = [key[0] for key, _ in await store.largest(self.session, parts, asked, _MOST_LIKELY)]
            return replace(self.scope, chosen=(("client_id", tuple(sorted(clients))),))
        return self.scope

    async def _likely_keys(self) -> set[str]:
        recent_us = max(self.span[0], min(await store.unfolded_days(self.session)))
        late = [hour for hour in self.dirty_hours if hour < recent_us]
        parts = plan((recent_us, max(recent_us, self.span[1])), self.dirty_hours, 0)
        if late:
            parts.setdefault("minute", []).extend((hour, hour + HOUR_US) for hour in late)
        found: set[str] = set()
        for column in self._likely_by():
            asked = store.Asked(self.scope, ("key_id",), 0, (column,))
            found |= await store.likely_keys(self.session, asked, self.span, parts, _MOST_LIKELY)
        return found

    def _likely_by(self) -> tuple[str, ...]:
        return ("requests", "errors") if ENDING in self.columns else (self.metric.rank,)

    async def _ranks(self, scope: store.Scope) -> dict[GroupKey, int]:
        """By how many requests each group, which is of an ending, is ranked."""
        found: dict[GroupKey, int] = {}
        for _, key, sums in await self._read(scope, 0, ENDING_COLUMNS):
            found[key] = found.get(key, 0) + sums.requests
        return found

    async def totals(self, kept: Collection[GroupKey] | None = None) -> dict[GroupKey, Sums]:
        """By group, over the whole range; of those `kept` alone, or of all."""
        found: dict[GroupKey, Sums] = {}
        for _, key, sums in await self._read(self._narrowed(kept), 0, store.EVERY_SUM):
            if kept is None or key in kept:
                found[key] = found[key] + sums if key in found else sums
        return found

    async def whole(self) -> Sums:
        """Everything together."""
        return sum(
            (sums for _, _, sums in await replace(self, columns=())._read(self.scope, 0, store.EVERY_SUM)), Sums()
        )

    async def whole_points(self, width_us: int) -> dict[int, Sums]:
        """Everything together, by bucket."""
        rows = await replace(self, columns=())._read(self.scope, width_us, self.metric.columns)
        return _by_group(rows).get((), {})

    async def points(
        self, kept: Sequence[GroupKey], width_us: int, *, has_rest: bool
    ) -> dict[GroupKey, dict[int, Sums]]:
        """By group and bucket. Where the groups `kept` are not all (`has_rest`), the others are under ()."""
        columns = ENDING_COLUMNS if ENDING in self.columns else self.metric.columns
        rows = await self._read(self._narrowed(kept if has_rest else None), width_us, columns)
        wanted = set(kept)
        found = _by_group(row for row in rows if row[1] in wanted)
        if has_rest:
            rest = await self.whole_points(width_us)
            for points in found.values():
                for bucket, sums in points.items():
                    rest[bucket] = rest.get(bucket, Sums()) - sums
            found[()] = rest
        return found

    async def names(self, kept: Iterable[GroupKey]) -> dict[tuple[int, str], str]:
        """What the groups are called, by the place of a column among those they are made of, and its value."""
        found: dict[tuple[int, str], str] = {}
        for place, column in enumerate(self.columns):
            if column in NAMED:
                names = await store.names(self.session, column, [key[place] for key in kept if len(key) > place])
                found |= {(place, number): name for number, name in names.items()}
        return found

    def _narrowed(self, kept: Collection[GroupKey] | None) -> store.Scope:
        """The scope, narrowed to what groups are made of; a group of two values that are both among them, though not
        together, is left out later."""
        if kept is None:
            return self.scope
        chosen = [
            (column, tuple(sorted({key[place] for key in kept if key})))
            for place, column in enumerate(self.columns)
            if column != ENDING
        ]
        return replace(self.scope, chosen=tuple(chosen))

    async def _read(
        self, scope: store.Scope, width_us: int, columns: Sequence[str]
    ) -> list[tuple[int, GroupKey, Sums]]:
        """(bucket, group, sums)."""
        real = tuple(name for name in self.columns if name != ENDING)
        asked = store.Asked(scope, real, width_us, tuple(columns))
        found = []
        for grain, spans in plan(self.span, self.dirty_hours, width_us).items():
            for bucket, values, sums in await store.sums(self.session, grain, spans, asked):
                by_column = dict(zip(asked.group_by, values, strict=True))
                found += [(bucket, *each) for each in self._groups(by_column, Sums.of(sums))]
        return found

    def _groups(self, values: Mapping[str, str], sums: Sums) -> list[tuple[GroupKey, Sums]]:
        """The groups that a row of the roll-ups belongs to: more than one only by how its requests ended."""
        if ENDING not in self.columns:
            return [(tuple(values[name] for name in self.columns), sums)]
        return [
            (tuple(ending if name == ENDING else values[name] for name in self.columns), part)
            for ending, part in by_ending(sums).items()
        ]


def _by_group(rows: Iterable[tuple[int, GroupKey, Sums]]) -> dict[GroupKey, dict[int, Sums]]:
    groups: dict[GroupKey, dict[int, Sums]] = {}
    for bucket, group, sums in rows:
        points = groups.setdefault(group, {})
        points[bucket] = points[bucket] + sums if bucket in points else sums
    return groups
