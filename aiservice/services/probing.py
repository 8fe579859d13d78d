"""Active probes: every connection is asked for its models now and then, so that a provider that comes back is used at
once, and one that is gone is known before a client finds out.

Off unless the settings say how often. One worker of all does it. What it finds is kept as a live test's result where
it is another than before: that is a change, which every worker hears of, and begins anew with the connection.
"""

import asyncio

from aiservice.errors import BrokerError
from aiservice.principal import OPERATOR
from aiservice.providers import registry
from aiservice.services.alerts import Alerts
from aiservice.services.connection_views import ConnectionDetails, ConnectionView, KeyDetails
from aiservice.services.connections import Connections
from aiservice.services.probe import ProbeResult, probe
from aiservice.services.provider_keys import ProviderKeys
from aiservice.upstream.client import Upstream

_AT_ONCE = 4
_ENDS_AFTER = 3  # intervals without a failure, and its alert is over


class Probing:
    """The probes of one installation. `every_seconds` None: there are none."""

    def __init__(
        self,
        connections: Connections,
        keys: ProviderKeys,
        upstream: Upstream,
        alerts: Alerts,
        every_seconds: float | None,
    ) -> None:
        self._connections = connections
        self._keys = keys
        self._upstream = upstream
        self._alerts = alerts
        self.every_seconds = every_seconds

    async def look(self) -> int:
        """Asks every connection in use; how many answered. For a job."""
        rows = await self._connections.list(OPERATOR)
        known: dict[str, ConnectionDetails | KeyDetails] = {row.id: row for row in rows}
        known |= {key.id: key for row in rows for key in row.keys}
        views = [view for view in self._connections.snapshot() if _is_probed(view) and view.id in known]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(view: ConnectionView) -> bool:
            async with turns:
                return await self._one(view, known[view.id])

        return sum(await asyncio.gather(*(one(view) for view in views)))

    async def _one(self, view: ConnectionView, row: ConnectionDetails | KeyDetails) -> bool:
        try:
            found = await probe(self._upstream, view, await self._connections.secret(view))
        except BrokerError as exc:  # its key does not open: the vault says so elsewhere
            found = ProbeResult(False, None, code=exc.code, message=exc.message)
        was_ok = row.tested_us is None or not row.has_failed_test
        if found.is_ok is not was_ok:
            of = self._connections if isinstance(row, ConnectionDetails) else self._keys
            await of.record_test(OPERATOR, view.id, found)
        if not found.is_ok and self.every_seconds is not None:
            self._alerts.note(
                "provider_probe_failed",
                view.key_name,
                f"The provider connection '{view.key_name}' does not answer its probe: {found.message}",
                evidence={"connection": view.name, "last_error": found.code},
                ends_after_seconds=_ENDS_AFTER * self.every_seconds,
            )
        return found.is_ok


def _is_probed(view: ConnectionView) -> bool:
    provider = registry().get(view.kind)
    return provider is not None and not provider.is_local and not view.is_disabled
