"""What operators ask: alive, ready, and how much. None of it is metered."""

import asyncio
import hmac
import ipaddress
from functools import partial
from typing import TYPE_CHECKING

import orjson

from aiservice import __version__
from aiservice.errors import NotFound
from aiservice.gateway.admit import InFlight
from aiservice.gateway.browser_headers import API
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.figures import Figures
from aiservice.gateway.respond import SERVER, send_whole
from aiservice.kit.addresses import client_address
from aiservice.kit.logs import DroppingQueueHandler
from aiservice.services.core import Core

if TYPE_CHECKING:
    from aiservice.gateway.metrics_page import MetricsPage

# What proxies add to the requests of others.
_PROXYS = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"})


class Ops:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, core: Core, in_flight: InFlight, figures: Figures) -> None:
        self._core = core
        self._in_flight = in_flight
        self._page: MetricsPage | None = None
        core.board.show("figures", figures.said)
        core.board.show("gauges", partial(_gauges, core, in_flight))

    def routes(self) -> Routes:
        return {
            "/healthz": {"GET": Handler(self._health)},
            "/readyz": {"GET": Handler(self._ready)},
            "/metrics": {"GET": Handler(self._metrics)},
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
        if self._page is None:
            self._page = await asyncio.to_thread(_metrics_page, self._core)
        page = self._page.whole()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", self._page.content_type),
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


def _metrics_page(core: Core) -> "MetricsPage":
    """The Prometheus library is a megabyte and a half, which an installation that nobody scrapes does without."""
    from aiservice.gateway.metrics_page import MetricsPage  # noqa: PLC0415 - see above

    return MetricsPage(core)


def _named(request_id: str) -> tuple[bytes, bytes]:
    return b"x-request-id", request_id.encode()


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
