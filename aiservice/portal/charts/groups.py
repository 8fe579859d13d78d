"""A chart of several groups over the same buckets, stacked: what plotly draws, and the same points as texts of a table.

A bucket without data is a gap in the one and "no data" in the other, never a zero.
"""

from collections.abc import Sequence
from typing import Any, TypedDict

from aiservice.portal.charts.usage import TICK_ROOM

HEIGHT = 320
# Readable on both grounds (3:1 or more), and told apart by pattern too.
_COLOURS = ("#6366f1", "#0d9488", "#d97706", "#e11d48", "#0284c7", "#9333ea", "#4d7c0f", "#c026d3", "#64748b")
_PATTERNS = ("", "/", "\\", "x", "-", "|", "+", ".", "/")
NO_DATA = "no data"


class Line(TypedDict):
    """A row of the table behind the chart: a bucket and every group's figure in it."""

    at: str
    cells: list[str]


def stacked(
    labels: Sequence[str], groups: Sequence[tuple[str, Sequence[float | None]]], *, prefix: str = ""
) -> dict[str, Any]:
    """The chart as a plain dict; `prefix` goes before numbers ("$")."""
    whole = not prefix
    number = ",d" if whole else ",.6~f"
    return {
        "data": [
            {
                "type": "bar",
                "name": name[:40],
                "x": list(labels),
                "y": list(values),
                "marker": {
                    "color": _COLOURS[place % len(_COLOURS)],
                    "pattern": {
                        "shape": _PATTERNS[place % len(_PATTERNS)],
                        "fillmode": "overlay",
                        "fgcolor": "rgba(255,255,255,0.45)",
                        "size": 6,
                        "solidity": 0.3,
                    },
                },
                "hovertemplate": f"%{{x}}<br>{prefix}%{{y:{number}}}<extra>%{{fullData.name}}</extra>",
            }
            for place, (name, values) in enumerate(groups)
        ],
        "layout": {
            "barmode": "stack",
            "height": HEIGHT,
            "margin": {"l": 48, "r": 8, "t": 8, "b": 32},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12},
            "xaxis": {"type": "category", "nticks": 6, "showgrid": False, "automargin": True},
            "yaxis": {
                "rangemode": "tozero",
                "nticks": 5,
                "gridcolor": "rgba(100,116,139,0.25)",
                "tickprefix": prefix,
                "tickformat": "~s" if whole else "~g",
                **TICK_ROOM,
            },
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
            "showlegend": len(groups) > 1,
            "bargap": 0.15,
        },
    }


def lines(
    labels: Sequence[str], groups: Sequence[tuple[str, Sequence[float | None]]], texts: Sequence[Sequence[str]]
) -> list[Line]:
    """The table: one row a bucket, newest first; buckets in which no group has data are left out."""
    found = []
    for place in reversed(range(len(labels))):
        if any(values[place] is not None for _, values in groups):
            found.append(Line(at=labels[place], cells=[column[place] for column in texts]))
    return found
