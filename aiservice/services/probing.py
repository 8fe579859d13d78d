"""Active probes: every connection is asked for its models now and then, so that a provider that comes back is used at
once, and one that is gone is known before a client finds out.

Off unless the settings say how often, or the connection itself does. One worker of all does it. What it finds is kept
as a live test's result where it is another than before: that is a change, which every worker hears of, and begins anew
with the connection.
"""

import asyncio
import time
from collections.abc import Callable

from aiservice.errors import BrokerError
from aiservice.principal import OPERATOR
from aiservice.providers import registry
from aiservice.services.alerts import Alerts
from aiservice.services.connection_views import ConnectionDetails, ConnectionView, KeyDetails
from aiservice.services.connections import Connections
from aiservice.services.probe import ProbeResult, probe
from aiservice.services.provider_keys import ProviderKeys
from aiservice.upstream.client import Upstream

LOOK_SECONDS = 10.0  # how often it is seen to whose turn it is
_AT_ONCE = 4
_ENDS_AFTER = 3  # intervals without a failure, and its alert is over


class Probing:
    """The probes of one installation. `every_seconds` None: there are none but of connections that say their own."""

    def __init__(
        self,
        connections: Connections,
        keys: ProviderKeys,
        upstream: Upstream,
        alerts: Alerts,
        every_seconds: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connections = connections
        self._keys = keys
        self._upstream = upstream
        self._alerts = alerts
        self.every_seconds = every_seconds
        self._clock = clock
        self._due: dict[str, float] = {}  # by the view's id, when it is next asked

    @property
    def look_seconds(self) -> float:
        """How often `look` is to be called."""
        return min(LOOK_SECONDS, self.every_seconds or LOOK_SECONDS)

    def is_wanted(self) -> bool:
        """Whether any connection is probed at all; asks nobody."""
        return any(self._interval_of(view) for view in self._connections.snapshot())

    def _interval_of(self, view: ConnectionView) -> float | None:
        """Seconds from one probe of it to the next; None or 0.0 where it is left alone."""
        if not _is_probed(view):
            return None
        return self.every_seconds if view.probe_every_seconds is None else float(view.probe_every_seconds)

    def _whose_turn(self) -> list[ConnectionView]:
        """Those who are to be asked now; each is noted as asked. Who is probed no more is forgotten."""
        now = self._clock()
        turns, due = [], {}
        for view in self._connections.snapshot():
            if interval := self._interval_of(view):
                due[view.id] = min(self._due.get(view.id, now), now + interval)  # it may have become shorter
                if due[view.id] <= now:
                    turns.append(view)
                    due[view.id] = now + interval
        self._due = due
        return turns

    async def look(self) -> int:
        """Asks every connection in use whose turn it is; how many answered. For a job."""
        turn = self._whose_turn()
        if not turn:
            return 0
        rows = await self._connections.list(OPERATOR)
        known: dict[str, ConnectionDetails | KeyDetails] = {row.id: row for row in rows}
        known |= {key.id: key for row in rows for key in row.keys}
        views = [view for view in turn if view.id in known]
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
        if not found.is_ok:
            self._alerts.note(
                "provider_probe_failed",
                view.key_name,
                f"The provider connection '{view.key_name}' does not answer its probe: {found.message}",
                evidence={"connection": view.name, "last_error": found.code},
                ends_after_seconds=_ENDS_AFTER * (self._interval_of(view) or LOOK_SECONDS),
            )
        return found.is_ok


def _is_probed(view: ConnectionView) -> bool:
    provider = registry().get(view.kind)
    return provider is not None and not provider.is_local and not view.is_disabled
