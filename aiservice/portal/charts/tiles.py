"""The figures of the last 24 hours as tiles: each with what it was in the 24 before, and its hours as a line."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.charts.sparks import path, spark
from aiservice.portal.charts.usage_words import change_of, change_words, number_of, text_of
from aiservice.portal.queries import url_of
from aiservice.services.usage_day import Day
from aiservice.services.usage_metrics import METRICS
from aiservice.services.usage_sums import Sums

_NAMES = {
    "requests": "Requests",
    "errors": "Failed",
    "tokens": "Tokens",
    "cost": "Cost",
    "p50": "Latency, median",
    "p95": "Latency, p95",
    "first_p50": "First byte, median",
    "fallback_rate": "Fallbacks",
}
_MORE_IS_WORSE = {"errors", "p50", "p95", "first_p50", "fallback_rate"}
_WORSE = 1.1  # times as much as before


class Tile(TypedDict):
    """One figure: `note` says more of it, `change` what it was before, `line` is its hours as an SVG path."""

    name: str
    value: str
    note: str
    change: str
    line: str
    is_bad: bool
    href: str


def tiles_of(day: Day) -> list[Tile]:
    return [_tile(name, day.now, day.before, day.hours) for name in _NAMES]


def _tile(name: str, now: Sums, before: Sums | None, points: list[Sums | None]) -> Tile:
    metric = METRICS["input" if name == "tokens" else name]
    value = f"{now.tokens:,}" if name == "tokens" else text_of(metric, now)
    values = [_tokens(point) if name == "tokens" else number_of(metric, point) for point in points]
    change = (
        change_words(now.tokens, None if before is None else before.tokens)
        if name == "tokens"
        else change_of(metric, now, before)
    )
    return Tile(
        name=_NAMES[name],
        value=value,
        note=_note(name, now),
        change=f"{change} on the 24 h before" if change[:1] in ("+", "-") else change,
        line=path(values),
        is_bad=name in _MORE_IS_WORSE and _is_worse(name, now, before),
        href=url_of("/usage", {"range": "24h", "metric": metric.name, "compare": "1"}),
    )


def _tokens(point: Sums | None) -> float | None:
    return None if point is None else float(point.tokens)


def _is_worse(name: str, now: Sums, before: Sums | None) -> bool:
    metric = METRICS["error_rate" if name == "errors" else name]
    value, old = metric.value(now), None if before is None else metric.value(before)
    return value is not None and old is not None and value > max(old * _WORSE, 0.0)


def _note(name: str, now: Sums) -> str:
    if name == "requests":
        return "last 24 hours"
    if name == "errors":
        return f"{now.errors / now.requests:.1%} of requests" if now.requests else "no requests"
    if name == "tokens":
        return f"{now.input_tokens:,} in, {now.output_tokens:,} out"
    if name == "cost":
        return f"{now.unpriced:,} without a price" if now.unpriced else "at the providers' list prices"
    if name == "fallback_rate":
        return f"{now.fallbacks:,} ended elsewhere than they began"
    return "streams, to their first byte" if name == "first_p50" else "of all that ended"


def tile(figure: Any) -> rx.Component:
    """A figure that leads to its chart."""
    return ReactRouterLink.create(
        rx.el.p(figure["name"], class_name=f"text-sm {theme.MUTED}"),
        rx.el.p(figure["value"], class_name=theme.TILE_VALUE),
        rx.el.p(figure["note"], class_name=f"mt-1 text-xs {theme.MUTED}"),
        rx.el.p(
            figure["change"],
            class_name=rx.cond(
                figure["is_bad"],
                "mt-1 min-h-4 text-xs font-medium text-red-700 dark:text-red-300",
                f"mt-1 min-h-4 text-xs {theme.MUTED}",
            ),
        ),
        rx.el.div(spark(figure["line"], is_bad=figure["is_bad"]), class_name="mt-2"),
        to=figure["href"],
        class_name=f"block min-w-0 {theme.SURFACE} p-4 hover:border-indigo-400 {theme.FOCUS}",
    )


def tiles_skeleton() -> rx.Component:
    """Room of the tiles' own size."""
    return rx.el.div(
        *[rx.el.div(class_name=f"{theme.SKELETON} h-40", custom_attrs={"aria-hidden": "true"}) for _ in _NAMES],
        class_name=TILES,
    )


TILES = "grid grid-cols-2 gap-3 lg:grid-cols-4"
