"""Sparklines: a figure's last hours as one SVG path of bars. A bucket without data is a gap, 0 a line at the bottom."""

from collections.abc import Sequence
from typing import Any

import reflex as rx

WIDTH, HEIGHT = 120.0, 28.0
_LEAST = 1.0
_GAP = 1.0


def path(values: Sequence[float | None]) -> str:
    """The `d` of a path of the values, oldest first; the largest is as high as the box."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    top, step = max(known) or 1.0, WIDTH / len(values)
    bars = [
        f"M{place * step:.1f} {HEIGHT:.0f}v-{max(_LEAST, value / top * HEIGHT):.1f}h{step - _GAP:.1f}V{HEIGHT:.0f}z"
        for place, value in enumerate(values)
        if value is not None
    ]
    return "".join(bars)


def spark(d: Any, *, is_bad: Any) -> rx.Component:
    """The bars; the tile that they are in says what they show."""
    colour = rx.cond(
        is_bad, "h-7 w-full text-red-600 dark:text-red-400", "h-7 w-full text-indigo-400 dark:text-indigo-500"
    )
    return rx.el.svg(
        rx.el.path(d=d, fill="currentColor"),
        view_box=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        preserve_aspect_ratio="none",
        class_name=colour,
        custom_attrs={"aria-hidden": "true"},
    )
