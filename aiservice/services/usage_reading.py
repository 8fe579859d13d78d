"""Reads one range of the roll-ups in one transaction: whole days and hours from their own, the edges of a range and
hours that are not folded yet from the minutes."""

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.services.usage_metrics import COUNTED_BY_ENDING, ENDING_COLUMNS, Metric, by_ending, metric_of
from aiservice.services.usage_sums import Sums, plan
from aiservice.store import usage as store
from aiservice.store.session import AsyncSession

GroupKey = tuple[str, ...]
"""The values of the columns that a group is of; () is everything."""
_Points = dict[int, tuple[int, ...]]  # by bucket

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
_FEW = {"task", "model", "provider"}
_MOST_OF_FEW = 40  # groups whose points are all read; of more the others' are what is left of the whole
_LONG_US = 2 * DAY_US
_MOST_LIKELY = 150  # keys of each span of days whose sums are read to find those that are shown


@dataclass(slots=True)
class Reading:
    """`columns` are what groups are made of."""

    session: AsyncSession
    scope: store.Scope
    span: tuple[int, int]
    columns: tuple[str, ...]
    unfolded: store.Unfolded
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
        return cls(session, scope, span, columns, await store.unfolded(session), metric or metric_of("requests"))

    async def known_since(self, by_us: int) -> int:
        """From when on something is known of the requests, microseconds UTC; any moment up to `by_us` where that is not
        before it. Never, where there is none."""
        begun_us = await store.first_start_us(self.session, self.scope, self.unfolded.hours, by_us)
        return 2**62 if begun_us is None else begun_us

    @property
    def is_of_few(self) -> bool:
        """Whether all groups there are can be read at once: then nothing has to be read to find the largest of them."""
        return bool(self.columns) and _FEW.issuperset(self.columns)

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
        return [key for key, _ in await store.largest(self.session, self._plan(0), asked, most)]

    def largest_of(self, totals: Mapping[GroupKey, Sums]) -> list[GroupKey]:
        """All of them, largest first."""
        return sorted(totals, key=lambda group: (-getattr(totals[group], self.metric.rank), group))

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
            clients = [key[0] for key, _ in await store.largest(self.session, self._plan(0), asked, _MOST_LIKELY)]
            return replace(self.scope, chosen=(("client_id", tuple(sorted(clients))),))
        return self.scope

    async def _likely_keys(self) -> set[str]:
        found: set[str] = set()
        for column in self._likely_by():
            found |= (await self.likely_keys(column, _MOST_LIKELY)).keys()
        return found

    async def likely_keys(self, column: str, most: int) -> dict[str, int]:
        """The keys with the most of a column in spans of days that the range touches, and in what is not in these yet;
        with how much that is."""
        recent_us = max(self.span[0], min(self.unfolded.days))
        late = [hour for hour in self.unfolded.hours if hour < recent_us]
        parts = plan((recent_us, max(recent_us, self.span[1])), self.unfolded.hours, 0)
        if late:
            parts.setdefault("minute", []).extend((hour, hour + HOUR_US) for hour in late)
        asked = store.Asked(self.scope, ("key_id",), 0, (column,))
        return await store.likely_keys(self.session, asked, self.span, parts, most)

    async def requests_by(self, columns: tuple[str, ...], most: int) -> list[tuple[GroupKey, int]]:
        """The groups with the most requests, and how many."""
        return await store.largest(
            self.session, self._plan(0), store.Asked(self.scope, columns, 0, ("requests",)), most
        )

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
        columns = ENDING_COLUMNS if ENDING in self.columns else store.EVERY_SUM
        for _, key, sums in await self._read(self._narrowed(kept), 0, columns):
            if kept is None or key in kept:
                found[key] = found[key] + sums if key in found else sums
        return found

    async def whole(self) -> Sums:
        """Everything together."""
        alone = replace(self, columns=())
        return sum((sums for _, _, sums in await alone._read(self.scope, 0, store.EVERY_SUM)), Sums())

    async def whole_points(self, width_us: int) -> dict[int, Sums]:
        """Everything together, by bucket."""
        return _as_sums(await self._whole_rows(width_us, self.metric.columns), self.metric.columns)

    async def points(
        self, kept: Sequence[GroupKey], width_us: int, *, has_rest: bool, among: int | None = None
    ) -> dict[GroupKey, dict[int, Sums]]:
        """By group and bucket. Where the groups `kept` are not all (`has_rest`), the others are under (): added up
        where it is known that there are no more than a few `among` which they are, else what is left of the whole."""
        names = ENDING_COLUMNS if ENDING in self.columns else self.metric.columns
        is_added = among is not None and among <= _MOST_OF_FEW
        found = await self._rows_of(self._narrowed(kept if has_rest and not is_added else None), width_us, names)
        points = {group: found.pop(group, {}) for group in kept}
        if has_rest:
            points[()] = (
                _merged(found.values(), operator.add, {})
                if is_added
                else _merged(points.values(), operator.sub, await self._whole_rows(width_us, names))
            )
        return {group: _as_sums(of_group, names) for group, of_group in points.items()}

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

    def _plan(self, width_us: int) -> dict[str, list[tuple[int, int]]]:
        return plan(self.span, self.unfolded.hours, width_us)

    async def _read(
        self, scope: store.Scope, width_us: int, columns: Sequence[str]
    ) -> list[tuple[int, GroupKey, Sums]]:
        """(bucket, group, sums)."""
        rows = await self._rows(scope, width_us, columns)
        return [(bucket, group, Sums.of(dict(zip(columns, values, strict=True)))) for bucket, group, values in rows]

    async def _rows_of(self, scope: store.Scope, width_us: int, columns: Sequence[str]) -> dict[GroupKey, _Points]:
        """By group and bucket, the sums in the order of the columns: a chart has thousands of points."""
        groups: dict[GroupKey, _Points] = {}
        for bucket, group, values in await self._rows(scope, width_us, columns):
            points = groups.setdefault(group, {})
            points[bucket] = tuple(map(operator.add, points[bucket], values)) if bucket in points else values
        return groups

    async def _whole_rows(self, width_us: int, columns: Sequence[str]) -> _Points:
        return (await replace(self, columns=())._rows_of(self.scope, width_us, columns)).get((), {})

    async def _rows(
        self, scope: store.Scope, width_us: int, columns: Sequence[str]
    ) -> list[tuple[int, GroupKey, tuple[int, ...]]]:
        """(bucket, group, sums in the order of the columns)."""
        real = tuple(name for name in self.columns if name != ENDING)
        rows = await store.sums(self.session, self._plan(width_us), store.Asked(scope, real, width_us, tuple(columns)))
        if ENDING not in self.columns:
            return rows
        return [
            (row[0], *each)
            for row in rows
            for each in self._endings(dict(zip(real, row[1], strict=True)), columns, row[2])
        ]

    def _endings(
        self, of: Mapping[str, str], columns: Sequence[str], values: tuple[int, ...]
    ) -> list[tuple[GroupKey, tuple[int, ...]]]:
        """The groups that a row of the roll-ups belongs to by how its requests ended, and what is counted of each."""
        found = []
        for ending, part in by_ending(Sums.of(dict(zip(columns, values, strict=True)))).items():
            group = tuple(ending if name == ENDING else of[name] for name in self.columns)
            found.append((group, tuple(getattr(part, name) if name in COUNTED_BY_ENDING else 0 for name in columns)))
        return found


def _merged(groups: Iterable[_Points], both: Callable[[int, int], int], into: _Points) -> _Points:
    """What each bucket of `into` is with those of the groups."""
    for points in groups:
        for bucket, values in points.items():
            into[bucket] = tuple(map(both, into.get(bucket) or (0,) * len(values), values))
    return into


def _as_sums(points: _Points, columns: Sequence[str]) -> dict[int, Sums]:
    return {bucket: Sums.of(dict(zip(columns, values, strict=True))) for bucket, values in points.items()}
