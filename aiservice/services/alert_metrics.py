"""What rules can watch: figures that are measured, and kinds of events that services note as they happen."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiservice.services.usage_series import GroupBy
from aiservice.services.usage_sums import Sums

MIN_REQUESTS = 10  # a share of fewer requests, or their latency, says nothing
SCOPES: Mapping[str, GroupBy] = {
    "all": "none",
    "client": "client",
    "key": "key",
    "connection": "provider",
    "task": "task",
    "model": "model",
}
"""What a measured figure may be of, and by what usage is grouped for it."""


@dataclass(slots=True, frozen=True)
class Metric:
    """A figure: `title` and `unit` for people; `unit` "" is a plain count."""

    name: str
    title: str
    unit: str
    is_usage: bool = True


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("error_share", "Share of requests that failed", "%"),
        Metric("latency_p95", "Latency of 95 of 100 requests", "ms"),
        Metric("requests", "Requests", ""),
        Metric("tokens", "Tokens", ""),
        Metric("cost", "Cost", "USD"),
        Metric("key_expiry", "Days until a key expires", "days", is_usage=False),
    )
}

EVENTS: Mapping[str, str] = {
    "audit": "The audit log was tampered with",
    "budget_level": "A budget is spent, or nearly",
    "channel_disabled": "An alert channel was disabled",
    "decoy_used": "A decoy key was used",
    "key_leaked": "A key was reported as leaked",
    "key_revealed": "Somebody looked at a key's secret again",
    "idle_keys": "Keys work and nobody uses them",
    "ledger_lag": "Settled requests wait for the database",
    "limit_reached": "A client's limit keeps refusing requests",
    "provider_down": "A provider does not answer",
    "provider_probe_failed": "A provider does not answer its probe",
    "provider_key_refused": "A provider refuses its key, or the account is spent",
    "quota": "A provider's quota is used up",
    "redis_down": "Redis does not answer",
    "semantic_cache_off": "Similar questions got different answers",
    "unusual_traffic": "Abuse, or traffic that is unlike a client's own",
    "vault": "Sealed secrets cannot be opened",
}
"""Kinds of events with a title of their own; any other kind may be noted as well."""


def title_of(kind: str) -> str:
    """A kind of alert in words."""
    if kind in METRICS:
        return METRICS[kind].title
    return EVENTS.get(kind) or kind.replace("_", " ").capitalize()


def value_of(metric: str, sums: Sums) -> float | None:
    """A usage figure; None where there is too little to say it."""
    if metric == "requests":
        return float(sums.requests)
    if metric == "tokens":
        return float(sums.tokens)
    if metric == "cost":
        return sums.cost_nano_usd / 1e9
    if sums.requests < MIN_REQUESTS:
        return None
    return sums.p95_ms if metric == "latency_p95" else 100 * sums.errors / sums.requests


def evidence_of(sums: Sums) -> dict[str, float | int | None]:
    """The figures behind a value, for whoever reads the alert."""
    p95 = sums.p95_ms
    return {
        "requests": sums.requests,
        "errors": sums.errors,
        "tokens": sums.tokens,
        "cost_usd": sums.cost_nano_usd / 1e9,
        "p95_ms": None if p95 is None else round(p95),
    }
