"""/metrics: what all workers of this server have counted, as the Prometheus library writes it.

That library is loaded with this module, by the first who asks.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from aiservice import __version__
from aiservice.gateway.figures import Figures
from aiservice.gateway.health_metrics import health_metrics
from aiservice.services.board import Said
from aiservice.services.core import Core

_Way = Callable[[list[float]], float]
# What is told of all workers of this server together, and how: those that live add up, or the worst counts.
_GAUGES: dict[str, tuple[str, _Way]] = {
    "requests_in_flight": ("Requests under way.", sum),
    "ledger_waiting_rows": ("Settled requests not yet in the database.", sum),
    "ledger_lag_seconds": ("Age of the oldest of them.", max),
    "log_lines_dropped": ("Log lines dropped because their reader stalled.", sum),
    "alerts_dropped": ("Alerts that found no room while the database was away.", sum),
    "payloads_dropped": ("Bodies to be kept that found no room, or no database.", sum),
    "vault_sealed": ("1 while provider keys cannot be opened.", max),
    "circuits_open": ("Provider connections left alone because they have just failed, worst worker.", max),
    "cache_bytes": ("Bytes of answers that are held in memory.", sum),
    "redis_up": ("0 while a worker has to do without Redis, or there is none.", min),
    "event_loop_lag_p99_seconds": ("How late the event loop ran: 99 % of the last minute's looks, worst worker.", max),
    "event_loop_lag_max_seconds": ("The worst lateness since a worker's start.", max),
}


def _cache(everybody: Iterable[Said]) -> CounterMetricFamily:
    """How requests that had to do with the cache went, on all workers of this server."""
    family = CounterMetricFamily("aiservice_cache", "Requests that the answer cache had to do with.", labels=["result"])
    totals: Counter[str] = Counter()
    for said in everybody:
        totals.update(said.figures.get("cache", {}))
    for result in ("hit", "coalesced", "miss"):
        family.add_metric([result], totals[result])
    return family


class MetricsPage:
    """One page for all workers of this server, whichever of them was asked."""

    content_type = CONTENT_TYPE_LATEST.encode()

    def __init__(self, core: Core) -> None:
        self._core = core
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def whole(self) -> bytes:
        """The page, as of now."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """What the library asks for."""
        # One that is starting has a place on the board already, but nothing to say.
        everybody = [said for said in self._core.board.everybody() if "gauges" in said.figures]
        figures = Figures()
        for said in everybody:
            figures.heard(said.figures["figures"])
        yield from figures.collect()
        yield _cache(everybody)
        living = [said.figures["gauges"] for said in everybody if said.is_alive]
        for name, (words, way) in _GAUGES.items():
            yield GaugeMetricFamily(f"aiservice_{name}", words, value=way([gauges[name] for gauges in living]))
        names = {view.id: view.key_name for view in self._core.connections.snapshot()}
        yield from health_metrics([said.figures.get("health", {}) for said in everybody if said.is_alive], names)
        yield GaugeMetricFamily("aiservice_workers", "Workers of this server that are alive.", value=len(living))
        yield InfoMetricFamily("aiservice_build", "What runs here.", value={"version": __version__})
