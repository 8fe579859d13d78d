"""Who or what made a figure that an alert fired on: the clients, keys, providers and models with the largest shares of
it, as they were at that moment. They are kept with the alert, since later the window is another."""

from collections.abc import Callable, Mapping
from typing import TypedDict

from aiservice.kit.clock import MINUTE_US
from aiservice.services.alert_metrics import METRICS, SCOPES
from aiservice.services.usage import Usage
from aiservice.services.usage_series import GroupBy
from aiservice.services.usage_sums import Sums

EVIDENCE = "contributors"
"""Under which name they stand among an alert's evidence."""
_MOST, _LOOKED_AT = 3, 10
_MIN_SHARE = 0.01
_BY: Mapping[str, GroupBy] = {"client": "client", "key": "key", "provider": "provider", "model": "model"}
# Of what a share is, the column by which the largest are found, and what it is of sums.
_OF: Mapping[str, tuple[str, str, Callable[[Sums], float]]] = {
    "error_share": ("failed requests", "errors", lambda sums: float(sums.errors)),
    "latency_p95": ("the time that requests took", "latency_us_sum", lambda sums: sums.latency_us_sum / 1e6),
    "requests": ("requests", "requests", lambda sums: float(sums.requests)),
    "tokens": ("tokens", "input_tokens", lambda sums: float(sums.tokens)),
    "cost": ("cost", "cost_nano_usd", lambda sums: sums.cost_nano_usd / 1e9),
}


class Contributor(TypedDict):
    """One of them: `by` is what it is ("key"), `of` what `share` (0 to 1) is a share of, `value` its own part: a count,
    seconds or USD."""

    by: str
    id: str
    name: str
    value: float
    share: float
    of: str


async def contributors(
    usage: Usage, metric: str, scope: str, span: tuple[int, int], filters: Mapping[str, str]
) -> list[Contributor]:
    """Of the requests that `filters` name in `span` (µs UTC), the largest by client, key, provider and model; what the
    rule's own `scope` says is left out. Nothing for a figure that is too low: nobody made it.

    Raises:
        DATABASE_ERRORS.
    """
    if metric not in _OF or not METRICS[metric].is_usage:
        return []
    of, rank, figure = _OF[metric]
    minutes = (span[0] // MINUTE_US * MINUTE_US, span[1] // MINUTE_US * MINUTE_US + MINUTE_US)
    found: list[Contributor] = []
    for by, group in _BY.items():
        if SCOPES.get(scope) == group or (by == "client" and scope == "key"):
            continue
        whole, largest = await usage.largest(minutes, group, rank, filters, _LOOKED_AT)
        total = figure(whole)
        parts = sorted(((figure(sums), each, name) for each, name, sums in largest), key=lambda part: -part[0])
        found += [
            Contributor(by=by, id=each, name=name, value=round(value, 6), share=round(value / total, 4), of=of)
            for value, each, name in parts[:_MOST]
            if total > 0 and value / total >= _MIN_SHARE
        ]
    return found
