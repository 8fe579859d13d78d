"""Usage as texts: a series' groups as rows of a table, its points as lines of another, and words for what is shown."""

from typing import Any, TypedDict

from aiservice.kit.money import to_usd_text
from aiservice.portal.charts.groups import NO_DATA, Line, lines, stacked
from aiservice.portal.charts.usage import bars
from aiservice.portal.queries import FILTERS, UsageView, Zone, url_of
from aiservice.services.usage import OTHER, Group, Series
from aiservice.services.usage_sums import Sums

GROUP_WORDS = {
    "none": "Nothing",
    "key": "Key",
    "task": "Task",
    "model": "Model",
    "provider": "Provider",
    "client": "Client",
    "user": "User",
}
METRIC_WORDS = {
    "requests": "Requests",
    "errors": "Errors",
    "input": "Tokens in",
    "output": "Tokens out",
    "cost": "Cost",
}
RANGE_WORDS = {"1h": "Hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
_BUCKET_WORDS = {"minute": "a minute", "hour": "an hour", "day": "a day (of UTC)"}
_MAX_LINES = 400


class GroupRow(TypedDict):
    """A group's figures over the whole range. With `href` it leads to the same view of it alone."""

    name: str
    href: str
    log_href: str
    requests: str
    errors: str
    tokens_in: str
    tokens_out: str
    cost: str
    latency: str


class Figures(TypedDict):
    """What a page shows of a series: the chart, its first paint, the same points as a table, and the totals."""

    plot: dict[str, Any]
    rectangles: list[dict[str, str]]
    heads: list[str]
    lines: list[Line]
    rows: list[GroupRow]
    summary: str
    has_data: bool


def figures(view: UsageView, series: Series, url: dict[str, str]) -> Figures:
    """The figures of `series`; links keep what else stands in the page's query `url`."""
    labels = [_label(view.zone, series.bucket, at) for at in series.starts_us]
    groups = [group for group in series.groups if group.total.requests or len(series.groups) == 1]
    named = [(_name(group), [_number(view, point) for point in group.points]) for group in groups]
    texts = [[_text(view, point) for point in group.points] for group in groups]
    heights = [sum(view.rank(point) for group in groups if (point := group.points[at])) for at in range(len(labels))]
    total = sum((group.total for group in groups), Sums())
    shown = [*groups, *([Group("", "All", total, [])] if len(groups) > 1 else [])]
    span = (
        f"{view.zone.show(series.starts_us[0])[:16]} to {view.zone.show(view.end_us)[:16]} "
        f"({view.zone.name.replace('_', ' ')}), one bar {_BUCKET_WORDS[series.bucket]}"
    )
    by = "" if view.group_by == "none" else f" by {GROUP_WORDS[view.group_by].lower()}"
    return Figures(
        plot=stacked(labels, named, prefix="$" if view.metric == "cost" else ""),
        rectangles=bars(heights),
        heads=[name for name, _ in named],
        lines=lines(labels, named, texts)[:_MAX_LINES],
        rows=[_row_of(group, view, url) for group in shown],
        summary=f"{METRIC_WORDS[view.metric]}{by}, {span}: {_text(view, total)} in all.",
        has_data=any(point is not None for group in groups for point in group.points),
    )


def _label(zone: Zone, bucket: str, at_us: int) -> str:
    # A day of the roll-ups is a day of UTC, whatever zone the rest is shown in.
    return f"{Zone().moment(at_us):%b %d}" if bucket == "day" else f"{zone.moment(at_us):%b %d %H:%M}"


def _name(group: Group) -> str:
    return group.name or ("all" if not group.id else group.id)


def _number(view: UsageView, point: Sums | None) -> float | None:
    if point is None:
        return None
    value = view.rank(point)
    return value / 1e9 if view.metric == "cost" else value


def _text(view: UsageView, point: Sums | None) -> str:
    if point is None:
        return NO_DATA
    value = view.rank(point)
    return f"${to_usd_text(value)}" if view.metric == "cost" else f"{value:,}"


def _row_of(group: Group, view: UsageView, url: dict[str, str]) -> GroupRow:
    sums = group.total
    p50, p95 = sums.p50_ms, sums.p95_ms
    has_filter = view.group_by in FILTERS and group.id not in ("", OTHER)
    only = {view.group_by: group.id} if has_filter else {}
    unpriced = f" + {sums.unpriced:,} unpriced" if sums.unpriced else ""
    log = {name: value for name, value in url.items() if name in FILTERS or name == "tz"}
    span = {
        "from": f"{view.zone.moment(view.start_us):%Y-%m-%dT%H:%M}",
        "to": f"{view.zone.moment(view.end_us):%Y-%m-%dT%H:%M}" if view.range_name == "custom" else "",
    }
    return GroupRow(
        name=_name(group),
        href=url_of("/usage", url, **only, by="none" if view.group_by == "model" else "model") if only else "",
        log_href=url_of("/requests", log, **only, **span) if group.id != OTHER and view.group_by != "user" else "",
        requests=f"{sums.requests:,}",
        errors=f"{sums.errors:,} ({sums.errors / sums.requests:.1%})" if sums.requests else "0",
        tokens_in=f"{sums.input_tokens:,}",
        tokens_out=f"{sums.output_tokens:,}",
        cost=f"${to_usd_text(sums.cost_nano_usd)}{unpriced}",
        latency="no data" if p50 is None or p95 is None else f"{p50:,.0f} / {p95:,.0f} ms",
    )
