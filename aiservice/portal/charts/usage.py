"""Requests per hour: an SVG that is there with the first paint, and plotly's basic bundle in its place once the browser
is idle. Both draw the same points."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import mount_on_idle

WIDTH, HEIGHT = 720, 200
_GAP = 2.0


def bars(values: Sequence[int]) -> list[dict[str, str]]:
    """The rectangles of a bar chart in a WIDTH × HEIGHT box, as attributes; the tallest fills nine tenths of it."""
    if not values:
        return []
    top = max([*values, 1])
    step = WIDTH / len(values)
    drawn = []
    for index, value in enumerate(values):
        height = value / top * HEIGHT * 0.9
        box = {"x": index * step + _GAP / 2, "y": HEIGHT - height, "width": step - _GAP, "height": height}
        drawn.append({name: f"{number:.1f}" for name, number in box.items()})
    return drawn


# Invisible ticks keep the numbers off the grid, and off the first label below.
TICK_ROOM = {"ticks": "outside", "ticklen": 6, "tickcolor": "rgba(0,0,0,0)"}


def figure(labels: Sequence[str], good: Sequence[int], errors: Sequence[int]) -> dict[str, Any]:
    """What plotly draws, as a plain dict: building a `go.Figure` of the same costs a hundred times as much."""
    top = max([a + b for a, b in zip(good, errors, strict=True)] + [4])
    return {
        "data": [
            {"type": "bar", "name": "Answered", "x": list(labels), "y": list(good), "marker": {"color": "#4f46e5"}},
            {
                "type": "bar",
                "name": "Failed",
                "x": list(labels),
                "y": list(errors),
                "marker": {"color": "#dc2626", "pattern": {"shape": "/"}},
            },
        ],
        "layout": {
            "barmode": "stack",
            "height": 220,
            "margin": {"l": 36, "r": 8, "t": 8, "b": 32},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12},
            "xaxis": {"type": "category", "nticks": 8, "showgrid": False},
            "yaxis": {
                "range": [0, top * 1.1],
                "nticks": 5,
                "gridcolor": "rgba(100,116,139,0.25)",
                "tickformat": "d",
                **TICK_ROOM,
            },
            "legend": {"orientation": "h", "y": 1.15, "traceorder": "normal"},
            "bargap": 0.15,
        },
    }


def usage_chart(rectangles: Any, plot: Any, *, summary: Any) -> rx.Component:
    """The chart; `summary` says in words what it shows."""
    first_paint = rx.el.svg(
        rx.foreach(
            rectangles,
            lambda box: rx.el.rect(
                x=box["x"],
                y=box["y"],
                width=box["width"],
                height=box["height"],
                class_name="fill-indigo-600 dark:fill-indigo-400",
            ),
        ),
        view_box=f"0 0 {WIDTH} {HEIGHT}",
        preserve_aspect_ratio="none",
        class_name="h-[220px] w-full",
        custom_attrs={"aria-hidden": "true"},
    )
    ink = rx.color_mode_cond(light="#475569", dark="#cbd5e1")
    # Here and not above: a server that has its build does not draw pages, and need not hold plotly in memory (6 MB).
    from plotly.graph_objs import Figure  # noqa: PLC0415
    from plotly.graph_objs.layout import Template  # noqa: PLC0415

    drawn = rx.plotly.basic(
        data=plot.to(Figure),
        template=rx.Var.create({"layout": {"font": {"color": ink}}}).to(Template),
        config={"displayModeBar": False, "responsive": True},
        use_resize_handler=True,
        class_name="h-[220px] w-full",
    )
    return rx.el.figure(
        rx.el.div(
            mount_on_idle(drawn, fallback=first_paint),
            class_name="h-[220px] overflow-hidden",
            role="img",
            aria_label=summary,
        ),
        rx.el.figcaption(summary, class_name=f"mt-2 text-sm {theme.MUTED}"),
    )
