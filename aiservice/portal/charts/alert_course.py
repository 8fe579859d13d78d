"""How the requests of an alert went around the time that it fired, as small bars and in words."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.charts.sparks import path, spark
from aiservice.portal.moments import in_zone_of_person, shown_moment
from aiservice.services.usage_series import Series


class Course(TypedDict):
    """The course of one alert; `of` is its id, "" while none is shown. `requests` and `errors` are SVG paths."""

    of: str
    requests: str
    errors: str
    words: str


NO_COURSE = Course(of="", requests="", errors="", words="")


def course_of(alert_id: str, series: Series) -> Course:
    """The bars of the series, one a bucket."""
    points = series.groups[0].points if series.groups else []
    total = series.groups[0].total if series.groups else None
    starts = series.starts_us
    first, last = in_zone_of_person(starts[0]), shown_moment(starts[-1], "%H:%M")
    span = f"{first:%Y-%m-%d %H:%M} to {last}, a bar each {series.bucket}"
    said = "no requests" if total is None else f"{total.requests:,} requests, {total.errors:,} of them failed"
    return Course(
        of=alert_id,
        requests=path([None if point is None else float(point.requests) for point in points]),
        errors=path([None if point is None else float(point.errors) for point in points]),
        words=f"{said}; {span}",
    )


def course(shown: Any) -> rx.Component:
    """Both rows of bars, each with its name, and what they say in words."""

    def row(name: str, d: Any, *, is_bad: bool) -> rx.Component:
        return rx.el.div(
            rx.el.span(name, class_name=f"w-20 shrink-0 text-xs {theme.MUTED}"),
            spark(d, is_bad=is_bad),
            class_name="flex items-end gap-2",
        )

    return rx.el.div(
        row("Requests", shown["requests"], is_bad=False),
        row("Failed", shown["errors"], is_bad=True),
        rx.el.p(shown["words"], class_name=f"text-xs {theme.MUTED}"),
        class_name="mt-3 flex max-w-md flex-col gap-2",
    )
