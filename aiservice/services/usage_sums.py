"""Sums of requests, and from which roll-ups they are read."""

import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any, Self

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.tables.ledger import LATENCY_BOUNDS_US, UNIT_SUMS

_BUCKETS = len(LATENCY_BOUNDS_US) + 1
_NONE = (0,) * _BUCKETS
LATENCIES = tuple(f"latency_{index}" for index in range(_BUCKETS))
FIRST_BYTES = tuple(f"first_{index}" for index in range(_BUCKETS))


@dataclass(slots=True)
class Sums:
    """Requests added up. `cost_nano_usd` is that of the priced ones; `unpriced` says how many are not in it. Of
    `errors`, `refused`, `limited` and `cut` are parts; `hung_up` are none (`tables/ledger.py`). What is not counted in
    tokens is `images`, `seconds` of sound, `characters` spoken, `searches` for the best documents."""

    requests: int = 0
    errors: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    latency_us_sum: int = 0
    cache_write_tokens: int = 0
    fallbacks: int = 0
    refused: int = 0
    limited: int = 0
    cut: int = 0
    hung_up: int = 0
    images: int = 0
    seconds: int = 0
    characters: int = 0
    searches: int = 0
    latencies: tuple[int, ...] = _NONE
    first_bytes: tuple[int, ...] = _NONE

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From the summed columns of a roll-up, with or without its histograms."""
        latencies = tuple(row.pop(name) for name in LATENCIES) if "latency_0" in row else _NONE
        first_bytes = tuple(row.pop(name) for name in FIRST_BYTES) if "first_0" in row else _NONE
        return cls(**row, latencies=latencies, first_bytes=first_bytes)

    def __add__(self, other: "Sums") -> "Sums":
        return self._with(other, operator.add)

    def __sub__(self, other: "Sums") -> "Sums":
        return self._with(other, operator.sub)

    def _with(self, other: "Sums", both: Callable[[int, int], int]) -> "Sums":
        counts = dict(zip(COUNTS, map(both, _counts(self), _counts(other)), strict=True))
        latencies = _each(both, self.latencies, other.latencies)
        return Sums(**counts, latencies=latencies, first_bytes=_each(both, self.first_bytes, other.first_bytes))

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def units(self) -> dict[str, int]:
        """What is not counted in tokens."""
        return {name: getattr(self, name) for name in UNIT_SUMS.values()}

    @property
    def p50_ms(self) -> float | None:
        """The median latency, approximated; None without requests."""
        return self.latency_ms(0.50)

    @property
    def p95_ms(self) -> float | None:
        """The latency that 95 of 100 requests do not exceed, approximated; None without requests."""
        return self.latency_ms(0.95)

    def latency_ms(self, share: float) -> float | None:
        """The latency below which `share` of the requests are: between the ends of its histogram bucket, on a line."""
        return _below(self.latencies, share)

    def first_byte_ms(self, share: float) -> float | None:
        """As `latency_ms`, to the first byte, of those that had one before their end: streams."""
        return _below(self.first_bytes, share)


COUNTS = [each.name for each in fields(Sums) if each.name not in ("latencies", "first_bytes")]
_counts = operator.attrgetter(*COUNTS)


def _each(both: Callable[[int, int], int], mine: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    # A chart adds up thousands of points, most of them without histograms.
    return mine if other is _NONE else tuple(map(both, mine, other))


def _below(histogram: tuple[int, ...], share: float) -> float | None:
    """Milliseconds; None where it counts nothing."""
    total = sum(histogram)
    if not total:
        return None
    rank, below = share * total, 0
    for index, count in enumerate(histogram):
        if count and below + count >= rank:
            low = LATENCY_BOUNDS_US[index - 1] if index else 0
            # The last bucket has no end: its mean says more than a guess.
            high = LATENCY_BOUNDS_US[index] if index < len(LATENCY_BOUNDS_US) else low * 2
            return (low + (high - low) * (rank - below) / count) / 1000
        below += count
    return None


def plan(span: tuple[int, int], dirty_hours: Collection[int], width_us: int) -> dict[str, list[tuple[int, int]]]:
    """Which parts of [start, end) are read from which roll-up: the coarsest that is exact and not wider than a bucket.

    Whole hours that are folded come from hours, whole days of such hours from days, all else from minutes. `width_us`
    0 means one bucket for all.
    """
    start_us, end_us = span
    dirty = set(dirty_hours)
    dirty_days = {hour // DAY_US * DAY_US for hour in dirty}
    parts: dict[str, list[tuple[int, int]]] = {}
    at = start_us
    while at < end_us:
        hour, day = at // HOUR_US * HOUR_US, at // DAY_US * DAY_US
        if at == day and day + DAY_US <= end_us and day not in dirty_days and width_us in {0, DAY_US}:
            grain, until = "day", day + DAY_US
        elif at == hour and hour + HOUR_US <= end_us and hour not in dirty and (width_us == 0 or width_us >= HOUR_US):
            grain, until = "hour", hour + HOUR_US
        else:
            grain, until = "minute", min(hour + HOUR_US, end_us)
        spans = parts.setdefault(grain, [])
        if spans and spans[-1][1] == at:
            spans[-1] = (spans[-1][0], until)
        else:
            spans.append((at, until))
        at = until
    return parts
