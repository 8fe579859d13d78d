"""What operators ask: alive, ready, and how much. None of it is metered."""

import hmac
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from aiservice import __version__
from aiservice.errors import NotFound
from aiservice.gateway.admit import InFlight
from aiservice.gateway.browser_headers import API
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.figures import Figures
from aiservice.gateway.health_metrics import health_metrics
from aiservice.gateway.respond import SERVER, send_whole
from aiservice.kit.addresses import client_address
from aiservice.kit.logs import DroppingQueueHandler
from aiservice.services.board import Said
from aiservice.services.core import Core

# What proxies add to the requests of others.
_PROXYS = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})


class Ops:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, core: Core, in_flight: InFlight, figures: Figures) -> None:
        self._core = core
        self._in_flight = in_flight
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(core))
        core.board.show("figures", figures.said)
        core.board.show("gauges", partial(_gauges, core, in_flight))

    def routes(self) -> Routes:
        health, ready, metrics = Handler(self._health), Handler(self._ready), Handler(self._metrics)
        return {
            "/healthz": {"GET": health, "HEAD": health},
            "/readyz": {"GET": ready, "HEAD": ready},
            "/metrics": {"GET": metrics},
        }

    def why_not_ready(self) -> str | None:
        """`sealed`, `draining`, `storage`, `stalled` (another worker of this server is, for 10 s), or None."""
        if self._in_flight.is_draining:
            return "draining"
        if self._core.vault.is_sealed:
            return "sealed"
        if self._core.ledger.failure is not None:
            return "storage"
        return "stalled" if self._core.board.is_any_stalled else None

    async def _health(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        await send_whole(send, 200, (_named(request_id),), orjson.dumps({"status": "ok", "version": __version__}))

    async def _ready(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        reason = self.why_not_ready()
        if reason is None:
            await send_whole(
                send, 200, (_named(request_id),), orjson.dumps({"status": "ready", "version": __version__})
            )
        else:
            words = self._core.vault.sealed_reason if reason == "sealed" else None
            refusal = {"status": "not ready", "reason": reason, **({"message": words} if words else {})}
            await send_whole(send, 503, ((b"retry-after", b"5"), _named(request_id)), orjson.dumps(refusal))

    async def _metrics(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        if not self._may_see_metrics(scope):
            raise NotFound
        page = generate_latest(self._registry)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", CONTENT_TYPE_LATEST.encode()),
                    (b"content-length", b"%d" % len(page)),
                    (b"cache-control", b"no-store"),
                    _named(request_id),
                    SERVER,
                    *API,
                ],
            }
        )
        await send({"type": "http.response.body", "body": page})

    def _may_see_metrics(self, scope: Scope) -> bool:
        """A loopback peer that speaks for itself, or the holder of the metrics token."""
        headers = dict(scope["headers"])
        token = self._core.settings.metrics_token
        if token is not None:
            expected = b"Bearer " + token.reveal()
            return hmac.compare_digest(headers.get(b"authorization", b""), expected)
        if not _PROXYS.isdisjoint(headers):
            return False  # somebody else's request, through a proxy on this machine
        try:
            return ipaddress.ip_address(client_address(scope, ())).is_loopback
        except ValueError:
            return False


def _named(request_id: str) -> tuple[bytes, bytes]:
    return b"x-request-id", request_id.encode()


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


def _gauges(core: Core, in_flight: InFlight) -> dict[str, float]:
    return {
        "requests_in_flight": in_flight.count,
        "ledger_waiting_rows": core.ledger.waiting,
        "ledger_lag_seconds": core.ledger.lag_seconds,
        "log_lines_dropped": DroppingQueueHandler.dropped,
        "alerts_dropped": core.alerts.dropped,
        "payloads_dropped": core.payloads.dropped,
        "vault_sealed": int(core.vault.is_sealed),
        "circuits_open": len(core.health.open_connections()),
        "cache_bytes": core.cache.memory.held_bytes,
        "redis_up": int(core.shared is not None and core.shared.is_up),
        "event_loop_lag_p99_seconds": core.board.watch.p99_seconds,
        "event_loop_lag_max_seconds": core.board.watch.longest_seconds,
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


class _Collector:
    """One page for all workers of this server, whichever of them was asked."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterable[Metric]:
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
