"""Usage as texts: a series' groups as rows of a table, its points as lines of another, and words for what is shown."""

from itertools import accumulate, pairwise
from typing import Any, TypedDict
from urllib.parse import quote_plus, urlencode

from aiservice.portal.charts.groups import Line, Values, drawn, lines
from aiservice.portal.charts.usage import bars
from aiservice.portal.charts.usage_words import (
    BUCKET_WORDS,
    ENDING_WORDS,
    GROUP_WORDS,
    METRIC_WORDS,
    amount,
    change_of,
    look_of,
    number_of,
    text_of,
)
from aiservice.portal.queries import FILTERS, UsageView, Zone, url_of
from aiservice.services.usage_metrics import COUNTED_BY_ENDING, METRICS
from aiservice.services.usage_series import BUCKETS_US, OTHER, Group, Series
from aiservice.services.usage_sums import Sums

_MAX_LINES = 400
_NOT_KEPT = "not kept by ending"
# What the Requests page is narrowed by to show those that ended like that.
_ENDED = {
    "answered": {"ended": "finished"},
    "refused": {"ended": "failed"},
    "limited": {"status": "429"},
    "failed": {"ended": "failed"},
    "cut": {"ended": "upstream_truncated"},
    "hung_up": {"ended": "client_left"},
}


class GroupTexts(TypedDict):
    """What a group used, each figure as a text."""

    requests: str
    errors: str
    tokens: str
    cached: str
    reasoning: str
    cost: str
    latency: str
    first_byte: str
    fallbacks: str


class GroupRow(GroupTexts):
    """A group's figures over the whole range. With `href` it leads to the same view of it alone."""

    name: str
    href: str
    log_href: str
    before: str
    change: str


class Head(TypedDict):
    """A group as the head of a column; `query` narrows the Requests page to it ("" where it cannot)."""

    name: str
    query: str
    is_linked: bool


class Figures(TypedDict):
    """What a page shows of a series: the chart, its first paint, the same points as a table, and the totals."""

    plot: dict[str, Any]
    rectangles: list[dict[str, str]]
    heads: list[Head]
    lines: list[Line]
    rows: list[GroupRow]
    summary: str
    has_data: bool


def figures(view: UsageView, series: Series, url: dict[str, str]) -> Figures:
    """The figures of `series`; links keep what else stands in the page's query `url`."""
    metric = view.metric
    labels = [_label(view.zone, series.bucket, at) for at in series.starts_us]
    groups = [group for group in series.groups if group.total.requests or len(series.groups) == 1]
    numbers = [_numbers(view, group.points, is_kept=series.is_kept) for group in groups]
    texts = [_texts(view, group, values, is_kept=series.is_kept) for group, values in zip(groups, numbers, strict=True)]
    named = [(name_of(view, group), values) for group, values in zip(groups, numbers, strict=True)]
    total = sum((group.total for group in groups), Sums())
    has_before = series.before is not None and metric.is_sum
    before = _numbers(view, series.before, is_kept=series.is_kept) if series.before and has_before else None
    shown = [*groups, *([_together(groups, total)] if len(groups) > 1 else [])]
    return Figures(
        plot=drawn(labels, named, look_of(metric, is_cumulative=view.is_cumulative), before),
        rectangles=bars([_height(metric.is_sum, [values[at] for values in numbers]) for at in range(len(labels))]),
        heads=[_head(view, group) for group in groups],
        lines=lines(labels, _spans(view, series), numbers, texts)[:_MAX_LINES],
        rows=[_row_of(view, group, url, is_kept=series.is_kept) for group in shown],
        summary=_summary(view, series, total),
        has_data=any(point is not None for group in groups for point in group.points),
    )


def name_of(view: UsageView, group: Group) -> str:
    """What a group is called: by both columns where it is taken apart by two."""
    asked = view.asked
    if group.id == OTHER:
        return "all others"
    names = [_one_name(asked.group_by, group.id, group.name)] if asked.group_by != "none" else []
    if asked.subgroup_by not in ("none", asked.group_by):
        number, name = (group.sub_id, group.sub_name) if names else (group.id, group.name)
        names.append(_one_name(asked.subgroup_by, number, name))
    return " · ".join(names) or "all"


def _one_name(by: str, number: str, name: str) -> str:
    return ENDING_WORDS.get(number, number) if by == "status" else name or number or f"no {GROUP_WORDS[by].lower()}"


def _together(groups: list[Group], total: Sums) -> Group:
    befores = [group.before for group in groups if group.before is not None]
    before = sum(befores, Sums()) if len(befores) == len(groups) else None
    return Group(OTHER, "All", total, [], before=before, sub_id="all")


def _label(zone: Zone, bucket: str, at_us: int) -> str:
    # A day of the roll-ups is a day of UTC, whatever zone the rest is shown in.
    return f"{Zone().moment(at_us):%b %d}" if bucket == "day" else f"{zone.moment(at_us):%b %d %H:%M}"


def _numbers(view: UsageView, points: list[Sums | None], *, is_kept: bool) -> Values:
    """The points as they are drawn; added up along the way where that is asked for and means something."""
    values = [number_of(view.metric, point) if is_kept else None for point in points]
    if not (view.is_cumulative and view.metric.is_sum):
        return values
    sums = accumulate((value or 0.0) for value in values)
    return [None if point is None else added for point, added in zip(points, sums, strict=True)]


def _texts(view: UsageView, group: Group, values: Values, *, is_kept: bool) -> list[str]:
    if not is_kept:
        return [_NOT_KEPT] * len(values)
    if not (view.is_cumulative and view.metric.is_sum):
        return [text_of(view.metric, point) for point in group.points]
    scale = 1e9 if view.metric.unit == "nano_usd" else 1
    return ["no data" if value is None else amount(view.metric, value * scale) for value in values]


def _height(is_sum: bool, values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) if is_sum else max(known, default=0.0)


def _summary(view: UsageView, series: Series, total: Sums) -> str:
    asked = view.asked
    by = "".join(
        f" by {GROUP_WORDS[name].lower()}" if place == 0 else f", then by {GROUP_WORDS[name].lower()}"
        for place, name in enumerate(dict.fromkeys(n for n in (asked.group_by, asked.subgroup_by) if n != "none"))
    )
    how = ", added up" if view.is_cumulative and view.metric.is_sum else ""
    span = (
        f"{view.zone.show(series.starts_us[0])[:16]} to {view.zone.show(view.end_us)[:16]} "
        f"({view.zone.name.replace('_', ' ')}), one point {BUCKET_WORDS[series.bucket]}"
    )
    in_all = text_of(view.metric, total) if series.is_kept else _NOT_KEPT
    return f"{METRIC_WORDS[asked.metric]}{by}{how}, {span}: {in_all} in all."


def _spans(view: UsageView, series: Series) -> list[str]:
    """Each bucket as the part of a query that narrows the Requests page to it."""
    ends_us = (*series.starts_us, series.starts_us[-1] + BUCKETS_US[series.bucket])
    typed = [quote_plus(_typed(view, at)) for at in ends_us]
    return [f"from={start}&to={end}" for start, end in pairwise(typed)]


def _typed(view: UsageView, at_us: int) -> str:
    return view.zone.moment(at_us).isoformat("T", "minutes")[:16]


def _only(view: UsageView, group: Group) -> dict[str, str] | None:
    """What narrows the Requests page to a group; None where nothing there does."""
    if group.id == OTHER:
        return {} if group.sub_id == "all" else None
    found: dict[str, str] = {}
    asked = view.asked
    by = [name for name in dict.fromkeys((asked.group_by, asked.subgroup_by)) if name != "none"]
    for name, value in zip(by, (group.id, group.sub_id), strict=False):
        if name == "status":
            found |= _ENDED.get(value, {})
        elif name in FILTERS and value:
            found[name] = value
        else:
            return None
    return found


def _head(view: UsageView, group: Group) -> Head:
    only = _only(view, group)
    kept = {name: view.asked.filters[column] for name, column in FILTERS.items() if column in view.asked.filters}
    zone = {} if view.zone.name == "UTC" else {"tz": view.zone.name}
    query = urlencode({**kept, **zone, **(only or {})})
    return Head(name=name_of(view, group), query=f"&{query}" if query else "", is_linked=only is not None)


def _row_of(view: UsageView, group: Group, url: dict[str, str], *, is_kept: bool) -> GroupRow:
    only = _only(view, group)
    log = {name: value for name, value in url.items() if name in FILTERS or name == "tz"}
    span = {"from": _typed(view, view.start_us), "to": _typed(view, view.end_us) if view.range_name == "custom" else ""}
    change = change_of(view.metric, group.total, group.before) if is_kept else ""
    found: GroupRow = {
        "name": "All together" if group.sub_id == "all" and group.id == OTHER else name_of(view, group),
        "href": _narrowed(view, group, url),
        "log_href": "" if only is None else url_of("/requests", {**log, **only}, **span),
        "before": text_of(view.metric, group.before if is_kept else None),
        "change": change or "none known",
        **_texts_of(group.total, is_by_ending="status" in (view.asked.group_by, view.asked.subgroup_by)),
    }
    return found


def _narrowed(view: UsageView, group: Group, url: dict[str, str]) -> str:
    """The same view of one group alone, taken apart by what comes next."""
    only = {name: value for name, value in (_only(view, group) or {}).items() if name in FILTERS}
    if not only or group.id == OTHER:
        return ""
    return url_of("/usage", url, **only, by="none" if "model" in only else "model", sub="")


def _texts_of(sums: Sums, *, is_by_ending: bool) -> GroupTexts:
    shown = {
        name: _NOT_KEPT if is_by_ending and name not in COUNTED_BY_ENDING else text_of(metric, sums)
        for name, metric in METRICS.items()
    }
    rate = f" ({shown['error_rate']})" if sums.errors and not is_by_ending else ""
    is_partly_priced = not is_by_ending and 0 < sums.unpriced < sums.requests
    unpriced = f" + {sums.unpriced:,} unpriced" if is_partly_priced else ""
    return GroupTexts(
        requests=shown["requests"],
        errors=f"{shown['errors']}{rate}",
        tokens=_pair(shown["input"], shown["output"]),
        cached=_pair(shown["cache_read"], shown["cache_write"]),
        reasoning=shown["reasoning"],
        cost=f"{shown['cost']}{unpriced}",
        latency=_pair(shown["p50"], shown["p95"]),
        first_byte=_pair(shown["first_p50"], shown["first_p95"]),
        fallbacks=shown["fallback_rate"],
    )


def _pair(one: str, two: str) -> str:
    """Two figures of one column, which a narrow one breaks between them and not before a unit."""
    is_said_once = one == two and not one[-1:].isdigit() and not one.endswith(" ms")
    return one if is_said_once else f"{one} / {two}".replace(" ms", "\N{NO-BREAK SPACE}ms")
