"""Bars as an SVG: what a chart shows with the first paint, before plotly draws the same points in its place."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

WIDTH, HEIGHT = 720, 200
_GAP = 2.0
# Invisible ticks keep the numbers off the grid, and off the first label below.
TICK_ROOM = {"ticks": "outside", "ticklen": 6, "tickcolor": "rgba(0,0,0,0)"}


def bars(values: Sequence[float]) -> list[dict[str, str]]:
    """The rectangles of a bar chart in a WIDTH × HEIGHT box, as attributes; the tallest fills nine tenths of it."""
    if not values:
        return []
    top = max(values) or 1
    step = WIDTH / len(values)
    drawn = []
    for index, value in enumerate(values):
        height = value / top * HEIGHT * 0.9
        box = {"x": index * step + _GAP / 2, "y": HEIGHT - height, "width": max(step - _GAP, 1), "height": height}
        drawn.append({name: f"{number:.1f}" for name, number in box.items()})
    return drawn


def bar_drawing(rectangles: Any, class_name: str) -> rx.Component:
    """The rectangles, a Var of what `bars` gives, stretched over their box; what they mean is said beside them."""
    return rx.el.svg(
        rx.foreach(
            rectangles,
            lambda box: rx.el.rect(
                x=box["x"], y=box["y"], width=box["width"], height=box["height"], class_name="fill-indigo-500"
            ),
        ),
        view_box=f"0 0 {WIDTH} {HEIGHT}",
        preserve_aspect_ratio="none",
        class_name=class_name,
        custom_attrs={"aria-hidden": "true"},
    )
