"""A series as a file: CSV and JSON with every figure of every point. What is not known has no value, never a 0."""

from collections.abc import AsyncIterator, Callable, Iterator

import orjson

from aiservice.kit.clock import iso
from aiservice.services.request_log import csv_line
from aiservice.services.usage_metrics import COUNTED_BY_ENDING
from aiservice.services.usage_series import Breakdown, Group, Series
from aiservice.services.usage_sums import COUNTS, Sums
from aiservice.tables.ledger import DETAILS, UNIT_SUMS

_QUANTILES: dict[str, Callable[[Sums], float | None]] = {
    "p50_ms": lambda sums: sums.latency_ms(0.50),
    "p95_ms": lambda sums: sums.latency_ms(0.95),
    "first_byte_p50_ms": lambda sums: sums.first_byte_ms(0.50),
    "first_byte_p95_ms": lambda sums: sums.first_byte_ms(0.95),
}
_UNITS = frozenset(UNIT_SUMS.values())
FIGURES = (*COUNTS, *_QUANTILES)
Value = int | float | None


async def series_csv(series: Series, asked: Breakdown) -> AsyncIterator[str]:
    """The points as lines of CSV, the header first. A bucket without data has no line; one in which nothing was asked
    for has a line of zeros."""
    by, sub = _groupings(asked)
    heads = [*([by, f"{by}_name"] if by else []), *([sub, f"{sub}_name"] if sub else [])]
    yield csv_line(["from", "bucket", *heads, *FIGURES])
    for start_us, group, point in _points(series):
        named = [*([group.id, group.name] if by else []), *([group.sub_id, group.sub_name] if sub else [])]
        yield csv_line([iso(start_us), series.bucket, *named, *_figures(point, series, asked, start_us).values()])


async def series_json(series: Series, asked: Breakdown) -> AsyncIterator[str]:
    """The same as one JSON document, a line a point."""
    by, sub = _groupings(asked)
    yield f'{{"object":"usage.series","bucket":"{series.bucket}","data":['
    comma = ""
    for start_us, group, point in _points(series):
        row: dict[str, object] = {"from": iso(start_us)}
        if by:
            row |= {by: group.id, f"{by}_name": group.name}
        if sub:
            row |= {sub: group.sub_id, f"{sub}_name": group.sub_name}
        yield f"{comma}\n{orjson.dumps({**row, **_figures(point, series, asked, start_us)}).decode()}"
        comma = ","
    yield "\n]}\n"


def _groupings(asked: Breakdown) -> tuple[str, str]:
    by = "" if asked.group_by == "none" else asked.group_by
    sub = "" if asked.subgroup_by in ("none", asked.group_by) else asked.subgroup_by
    return (by, sub) if by else (sub, "")


def _points(series: Series) -> Iterator[tuple[int, Group, Sums]]:
    for place, start_us in enumerate(series.starts_us):
        for group in series.groups:
            point = group.points[place]
            if point is not None:
                yield start_us, group, point


def _figures(point: Sums, series: Series, asked: Breakdown, start_us: int) -> dict[str, Value]:
    by_ending = "status" in (asked.group_by, asked.subgroup_by)
    has_details = start_us >= series.details_since_us
    found: dict[str, Value] = {}
    for name in COUNTS:
        is_kept = name in COUNTED_BY_ENDING if by_ending else has_details or name not in DETAILS
        value = getattr(point, name) if is_kept else None
        found[name] = value or None if name in _UNITS else value
    return found | {name: None if by_ending else of(point) for name, of in _QUANTILES.items()}
