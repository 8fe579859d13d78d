"""A range of usage taken apart: how it is asked for, the groups and buckets it comes in, and how these are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.services.usage_reading import COLUMNS, GroupKey, Reading
from aiservice.services.usage_sums import Sums
from aiservice.store.usage import EVERY_SUM

GroupBy = Literal["none", "key", "task", "model", "provider", "client", "user", "team", "status"]
Bucket = Literal["minute", "hour", "day"]

BUCKETS_US: dict[Bucket, int] = {"minute": MINUTE_US, "hour": HOUR_US, "day": DAY_US}
MAX_POINTS = 2000
MAX_GROUPS = 50
OTHER = "other"


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


@dataclass(slots=True, frozen=True)
class Frame:
    """The buckets of a range, and from when on something is known of them."""

    starts_us: list[int]
    width_us: int
    known_us: int

    @property
    def span(self) -> tuple[int, int]:
        return (self.starts_us[0], self.starts_us[-1] + self.width_us)

    def shown_since(self, *, is_compared: bool) -> int:
        """Where what is shown begins, the period before included."""
        first, end = self.span
        return first - (end - first) if is_compared else first

    def points(self, found: dict[int, Sums]) -> list[Sums | None]:
        now = now_us()
        return [
            None if at + self.width_us <= self.known_us else found.get(at) or (Sums() if at <= now else None)
            for at in self.starts_us
        ]

    def earlier(self, by_us: int) -> "Frame":
        return replace(self, starts_us=[at - by_us for at in self.starts_us])


def bucket_for(span_us: int) -> Bucket:
    """The bucket that a range of this length is shown in unless another is asked for."""
    if span_us <= 3 * HOUR_US:
        return "minute"
    return "hour" if span_us <= 7 * DAY_US else "day"


def starts_of(start_us: int, end_us: int, width_us: int) -> list[int]:
    """Raises: InvalidRequest: that are none, or more than `MAX_POINTS`."""
    first = start_us // width_us * width_us
    starts = list(range(first, max(end_us, first), width_us)[: MAX_POINTS + 1])
    if not starts or len(starts) > MAX_POINTS:
        raise InvalidRequest(f"A range must hold 1 to {MAX_POINTS} buckets.", param="bucket")
    return starts


async def groups_of(reading: Reading, asked: Breakdown, frame: Frame) -> list[Group]:
    """The groups that are shown, largest first; all behind the top ones are one, "other"."""
    if not reading.columns:
        return [await _together(reading, frame)]
    top = max(1, min(asked.top, MAX_GROUPS))
    every = await reading.totals() if reading.is_of_few else None
    # One too many is shown by itself rather than called "other".
    found = (await reading.largest(top + 2) if every is None else reading.largest_of(every)) or [()]
    kept, has_rest = (found, False) if len(found) <= top + 1 else (found[:top], True)
    totals = await reading.totals(kept if has_rest else None) if every is None else every
    among = None if every is None else len(every)
    points = await reading.points(kept, frame.width_us, has_rest=has_rest, among=among)
    names = await reading.names(kept)
    groups = []
    for key in kept:
        (number, name), (sub_id, sub_name) = _named(key, names, 0), _named(key, names, 1)
        groups.append(Group(number, name, totals.get(key, Sums()), frame.points(points.get(key, {})), sub_id, sub_name))
    if has_rest:
        whole = await reading.whole() if every is None else sum(every.values(), Sums())
        rest = whole - sum((group.total for group in groups), Sums())
        groups.append(Group(OTHER, OTHER, rest, frame.points(points[()])))
    return groups


async def _together(reading: Reading, frame: Frame) -> Group:
    """Everything as one group. Where its points have every sum, they add up to the total."""
    points = await reading.whole_points(frame.width_us)
    has_every = set(reading.metric.columns) == set(EVERY_SUM)
    total = sum(points.values(), Sums()) if has_every else await reading.whole()
    return Group("", "", total, frame.points(points))


async def compare(reading: Reading, series: Series, frame: Frame) -> None:
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


def _key_of(group: Group, depth: int) -> GroupKey:
    return (group.id, group.sub_id)[:depth]


def _named(key: GroupKey, names: Mapping[tuple[int, str], str], place: int) -> tuple[str, str]:
    if len(key) <= place:
        return "", ""
    return key[place], names.get((place, key[place]), key[place])
