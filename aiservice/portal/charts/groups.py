"""A chart of several groups over the same buckets: what plotly draws, and the same points as texts of a table.

What adds up is stacked, what does not (latencies, shares) is lines. A bucket without data is a gap in the one and "no
data" in the other, never a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from aiservice.portal.charts.usage import TICK_ROOM

HEIGHT = 320
# Readable on both grounds (3:1 or more), and told apart by pattern or dash too.
_COLOURS = ("#6366f1", "#0d9488", "#d97706", "#e11d48", "#0284c7", "#9333ea", "#4d7c0f", "#c026d3", "#64748b")
_PATTERNS = ("", "/", "\\", "x", "-", "|", "+", ".", "/")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_BEFORE = "#64748b"
_MOST_BARS = 60  # of a group: beyond it bars are too thin to be told apart, and a thousand of them hold a phone up
_MOST_MARKERS = 200  # a point with gaps at both sides is seen by its marker alone
NO_DATA = "no data"
Shape = Literal["bars", "lines", "areas"]
Values = Sequence[float | None]


class Line(TypedDict):
    """A row of the table behind the chart: a bucket, every group's figure in it, and the bucket as a query."""

    at: str
    cells: list[str]
    span: str


@dataclass(slots=True, frozen=True)
class Look:
    """How points are drawn: "bars" are stacked, "areas" too, "lines" are not. `prefix` and `suffix` stand around
    numbers; `format` is d3's of those in hints."""

    shape: Shape = "bars"
    prefix: str = ""
    suffix: str = ""
    format: str = ",d"
    ticks: str = "~s"


def drawn(
    labels: Sequence[str], groups: Sequence[tuple[str, Values]], look: Look, before: Values | None = None
) -> dict[str, Any]:
    """The chart as a plain dict; `before` is a line of what was in the period before."""
    traces = [_trace(labels, name, values, place, look) for place, (name, values) in enumerate(groups)]
    if before is not None:
        line = {"color": _BEFORE, "dash": "dot", "width": 2}
        traces.append(_line(labels, "the period before", before, line, look))
    return {
        "data": traces,
        "layout": {
            "barmode": "stack",
            "height": HEIGHT,
            "margin": {"l": 52, "r": 8, "t": 8, "b": 32},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 12},
            "xaxis": {"type": "category", "nticks": 6, "showgrid": False, "automargin": True},
            "yaxis": {
                "rangemode": "tozero",
                "nticks": 5,
                "gridcolor": "rgba(100,116,139,0.25)",
                "tickprefix": look.prefix,
                "ticksuffix": look.suffix,
                "tickformat": look.ticks,
                **TICK_ROOM,
            },
            # Ours stands below: plotly takes the room of its own from the bars, which leaves a strip on a phone.
            "showlegend": False,
            "bargap": 0.15,
        },
    }


class Key(TypedDict):
    """What a group looks like in the chart: its colour, and the sign of its pattern."""

    name: str
    colour: str
    sign: str


def legend(plot: dict[str, Any]) -> list[Key]:
    """What the chart's groups are told apart by; nothing where there is but one."""
    traces = plot["data"]
    keys = [
        Key(
            name=trace["name"],
            colour=(trace.get("line") or trace["marker"])["color"],
            sign=(trace.get("fillpattern") or trace.get("marker", {}).get("pattern", {})).get("shape", ""),
        )
        for trace in traces
    ]
    return keys if len(keys) > 1 else []


def _trace(labels: Sequence[str], name: str, values: Values, place: int, look: Look) -> dict[str, Any]:
    colour = _COLOURS[place % len(_COLOURS)]
    pattern = {
        "shape": _PATTERNS[place % len(_PATTERNS)],
        "fillmode": "overlay",
        "fgcolor": "rgba(255,255,255,0.45)",
        "size": 6,
        "solidity": 0.3,
    }
    if look.shape == "bars" and len(labels) > _MOST_BARS:
        return _steps(labels, name, values, (colour, pattern), look)
    if look.shape != "bars":
        dash = _DASHES[place // len(_COLOURS) % len(_DASHES)]
        trace = _line(labels, name, values, {"color": colour, "dash": dash, "width": 2}, look)
        return {**trace, "stackgroup": "one"} if look.shape == "areas" else trace
    return {
        "type": "bar",
        "name": name[:40],
        "x": list(labels),
        "y": list(values),
        "marker": {"color": colour, "pattern": pattern},
        "hovertemplate": _hint(look),
    }


def _steps(
    labels: Sequence[str], name: str, values: Values, fill: tuple[str, dict[str, Any]], look: Look
) -> dict[str, Any]:
    """What many thin bars would look like, as one shape."""
    colour, pattern = fill
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name[:40],
        "x": list(labels),
        "y": list(values),
        "stackgroup": "one",
        "line": {"color": colour, "width": 0.5, "shape": "hvh"},
        "fillcolor": colour,
        "fillpattern": pattern,
        "hovertemplate": _hint(look),
    }


def _line(labels: Sequence[str], name: str, values: Values, line: dict[str, Any], look: Look) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(labels) <= _MOST_MARKERS else "lines",
        "name": name[:40],
        "x": list(labels),
        "y": list(values),
        "connectgaps": False,
        "line": line,
        "marker": {"size": 5},
        "hovertemplate": _hint(look),
    }


def _hint(look: Look) -> str:
    return f"%{{x}}<br>{look.prefix}%{{y:{look.format}}}{look.suffix}<extra>%{{fullData.name}}</extra>"


def lines(
    labels: Sequence[str], spans: Sequence[str], groups: Sequence[Values], texts: Sequence[Sequence[str]]
) -> list[Line]:
    """The table: one row a bucket, newest first; buckets in which no group has data are left out."""
    found = []
    for place in reversed(range(len(labels))):
        if any(values[place] is not None for values in groups):
            cells = [column[place] for column in texts]
            found.append(Line(at=labels[place], cells=cells, span=spans[place]))
    return found
