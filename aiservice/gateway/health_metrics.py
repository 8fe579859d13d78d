"""What /metrics tells of each provider connection: whether it is left alone, how often and how fast it answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

from aiservice.services.health_views import merged


def health_metrics(said: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> Iterable[Metric]:
    """Gauges for what living workers say of the connections that `names` (by id) still knows."""
    is_open = GaugeMetricFamily(
        "aiservice_provider_circuit_open", "1 while a worker leaves the connection alone.", labels=["provider"]
    )
    ratio = GaugeMetricFamily(
        "aiservice_provider_success_ratio", "Answers among attempts, last five minutes.", labels=["provider"]
    )
    attempts = GaugeMetricFamily(
        "aiservice_provider_attempts", "Attempts that were answered or failed, last five minutes.", labels=["provider"]
    )
    first_byte = GaugeMetricFamily(
        "aiservice_provider_first_byte_seconds",
        "Until the first byte, last five minutes, worst worker.",
        labels=["provider", "quantile"],
    )
    for connection_id, one in merged(dict(each) for each in said).items():
        name = names.get(connection_id)
        if name is None:
            continue
        is_open.add_metric([name], float(one["breaker"] is not None))
        attempts.add_metric([name], one["attempts"])
        if one["success_rate"] is not None:
            ratio.add_metric([name], one["success_rate"])
        for quantile, milliseconds in (("0.5", one["p50_ms"]), ("0.95", one["p95_ms"])):
            if milliseconds is not None:
                first_byte.add_metric([name, quantile], milliseconds / 1000)
    return (is_open, ratio, attempts, first_byte)
