"""Sums of requests, and from which roll-ups they are read."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Self

from aiservice.kit.clock import DAY_US, HOUR_US
from aiservice.tables.ledger import LATENCY_BOUNDS_US

_BUCKETS = len(LATENCY_BOUNDS_US) + 1


@dataclass(slots=True)
class Sums:
    """Requests added up. `cost_nano_usd` is that of the priced ones; `unpriced` says how many are not in it."""

    requests: int = 0
    errors: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int = 0
    latency_us_sum: int = 0
    latencies: tuple[int, ...] = (0,) * _BUCKETS

    @classmethod
    def of(cls, row: dict[str, Any]) -> Self:
        """From the summed columns of a roll-up, with or without its histogram."""
        if "latency_0" not in row:
            return cls(**row)
        latencies = tuple(row.pop(f"latency_{index}") for index in range(_BUCKETS))
        return cls(**row, latencies=latencies)

    def __add__(self, other: "Sums") -> "Sums":
        latencies = tuple(a + b for a, b in zip(self.latencies, other.latencies, strict=True))
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return Sums(**counts, latencies=latencies)

    def __sub__(self, other: "Sums") -> "Sums":
        latencies = tuple(a - b for a, b in zip(self.latencies, other.latencies, strict=True))
        counts = {name: getattr(self, name) - getattr(other, name) for name in COUNTS}
        return Sums(**counts, latencies=latencies)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

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
        total = sum(self.latencies)
        if not total:
            return None
        rank, below = share * total, 0
        for index, count in enumerate(self.latencies):
            if count and below + count >= rank:
                low = LATENCY_BOUNDS_US[index - 1] if index else 0
                # The last bucket has no end: its mean says more than a guess.
                high = LATENCY_BOUNDS_US[index] if index < len(LATENCY_BOUNDS_US) else low * 2
                return (low + (high - low) * (rank - below) / count) / 1000
            below += count
        return None


COUNTS = [each.name for each in fields(Sums) if each.name != "latencies"]


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
