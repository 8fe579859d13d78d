"""What can be measured of requests that were added up: which sums a measure needs, and what it is of them.

A value is None where nothing is known, which is not 0: no request, no stream, no price, no such count from a provider.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aiservice.errors import InvalidRequest
from aiservice.services.usage_sums import FIRST_BYTES, LATENCIES, Sums
from aiservice.tables.ledger import UNIT_SUMS

Unit = Literal["count", "nano_usd", "ms", "share"]


@dataclass(slots=True, frozen=True)
class Metric:
    """One measure. `columns` are the roll-ups' that it needs, `rank` the one by which groups are ordered; parts of one
    that `is_sum` add up to the whole. What `is_detail` is not known of requests before the roll-ups had it."""

    name: str
    unit: Unit
    columns: tuple[str, ...]
    value: Callable[[Sums], float | None]
    is_sum: bool = True
    is_detail: bool = False
    rank: str = "requests"


def _count(name: str, column: str, *, is_detail: bool = False) -> Metric:
    return Metric(name, "count", (column,), lambda sums: float(getattr(sums, column)), is_detail=is_detail, rank=column)


def _reported(name: str, column: str, *, is_detail: bool = False) -> Metric:
    """A count that not every provider makes: where there is none at all, none was reported."""
    known: Callable[[Sums], float | None] = lambda sums: float(getattr(sums, column)) or None  # noqa: E731
    return Metric(name, "count", (column,), known, is_detail=is_detail, rank=column)


def _cost(sums: Sums) -> float | None:
    is_priced = sums.requests > sums.unpriced or not sums.requests
    return float(sums.cost_nano_usd) if is_priced else None


def _share(of: str) -> Callable[[Sums], float | None]:
    return lambda sums: getattr(sums, of) / sums.requests if sums.requests else None


_LATENCY, _FIRST = ("requests", *LATENCIES), ("requests", *FIRST_BYTES)
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _count("requests", "requests"),
        _count("errors", "errors"),
        Metric("error_rate", "share", ("requests", "errors"), _share("errors"), is_sum=False),
        _count("input", "input_tokens"),
        _count("output", "output_tokens"),
        _reported("cache_read", "cached_input_tokens"),
        _reported("cache_write", "cache_write_tokens", is_detail=True),
        _reported("reasoning", "reasoning_tokens"),
        *(_reported(name, name) for name in UNIT_SUMS.values()),
        Metric("cost", "nano_usd", ("cost_nano_usd", "unpriced", "requests"), _cost, rank="cost_nano_usd"),
        Metric("p50", "ms", _LATENCY, lambda sums: sums.latency_ms(0.50), is_sum=False),
        Metric("p95", "ms", _LATENCY, lambda sums: sums.latency_ms(0.95), is_sum=False),
        Metric("first_p50", "ms", _FIRST, lambda sums: sums.first_byte_ms(0.50), is_sum=False, is_detail=True),
        Metric("first_p95", "ms", _FIRST, lambda sums: sums.first_byte_ms(0.95), is_sum=False, is_detail=True),
        Metric("fallback_rate", "share", ("requests", "fallbacks"), _share("fallbacks"), is_sum=False, is_detail=True),
    )
}


def metric_of(name: str) -> Metric:
    """Raises: InvalidRequest: there is no such measure."""
    found = METRICS.get(name)
    if found is None:
        raise InvalidRequest(f"'{name[:40]}' is none of: {', '.join(METRICS)}.", param="metric")
    return found


# How requests ended, and how many did: by this, only they themselves are counted, not what they used.
ENDINGS: dict[str, Callable[[Sums], int]] = {
    "answered": lambda sums: sums.requests - sums.errors - sums.hung_up,
    "refused": lambda sums: sums.refused,
    "limited": lambda sums: sums.limited,
    "failed": lambda sums: sums.errors - sums.refused - sums.limited - sums.cut,
    "cut": lambda sums: sums.cut,
    "hung_up": lambda sums: sums.hung_up,
}
ENDING_COLUMNS = ("requests", "errors", "refused", "limited", "cut", "hung_up")
COUNTED_BY_ENDING = frozenset({"requests", "errors"})
_NO_ERRORS = frozenset({"answered", "hung_up"})


def by_ending(sums: Sums) -> dict[str, Sums]:
    """`sums` apart by how their requests ended, those endings that there were."""
    found = {}
    for name, count in ENDINGS.items():
        if (requests := count(sums)) > 0:
            found[name] = Sums(requests=requests, errors=0 if name in _NO_ERRORS else requests)
    return found
