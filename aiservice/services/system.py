"""What an admin sees of the installation: who serves, the database, Redis, the ledger, the clock's work, the settings.

Nothing here fails because a part of it does: what does not answer is shown as not answering.
"""

import asyncio
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from aiservice import __version__
from aiservice.principal import Person
from aiservice.services import job_log
from aiservice.services.board import Board
from aiservice.services.cluster import Cluster, WorkerView
from aiservice.services.examination import Finding, examine_folder, examine_journal, examine_store
from aiservice.services.ledger import Ledger
from aiservice.services.rights import needs
from aiservice.services.shown_settings import ShownSetting, shown_settings
from aiservice.settings import Settings
from aiservice.store import system as store
from aiservice.store.migrations import HEAD, current_revision
from aiservice.store.session import DATABASE_ERRORS, Database
from aiservice.store.shared import Shared

_PACKAGES = ("reflex", "granian", "sqlalchemy", "pyreqwest", "genai-prices")
_REDIS_SECONDS = 2.0


@dataclass(slots=True, frozen=True)
class LedgerFacts:
    """What waits for the database, over all workers over this data folder; `journal` says what dead ones left."""

    waiting_rows: int
    lag_seconds: float
    in_flight: int
    failure: str
    journal: Finding


@dataclass(slots=True, frozen=True)
class Health:
    """A store beside us: whether it answers, how fast, and what it is."""

    is_used: bool
    is_up: bool
    ping_ms: float
    words: str


@dataclass(slots=True, frozen=True)
class SystemFacts:
    """One look at the installation. `gauges` are the figures of `/metrics`, one set a worker of this server."""

    versions: Sequence[tuple[str, str]]
    workers: Sequence[WorkerView]
    gauges: Sequence[dict[str, float]]
    schema: str
    schema_is_current: bool
    database: Health
    redis: Health
    ledger: LedgerFacts
    jobs: dict[str, dict[str, Any]]


@dataclass(slots=True, frozen=True)
class Parts:
    """What is looked at."""

    settings: Settings
    db: Database
    cluster: Cluster
    board: Board
    shared: Shared | None
    ledger: Ledger


class System:
    """For admins."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @needs("system.get")
    async def look(self, actor: Person) -> SystemFacts:
        """Everything but what takes long. Raises: PermissionDenied."""
        parts = self._parts
        figures = await asyncio.to_thread(parts.board.everywhere)
        journal = await asyncio.to_thread(examine_journal, parts.settings)
        schema, database = await self._database()
        return SystemFacts(
            versions=_versions(),
            workers=await self._workers(),
            gauges=[one["gauges"] for one in figures if "gauges" in one],
            schema=schema,
            schema_is_current=schema == HEAD,
            database=database,
            redis=await self._redis(),
            ledger=self._ledger(figures, journal),
            jobs=job_log.merged(one.get("jobs", {}) for one in figures),
        )

    @needs("system.get")
    async def settings(self, actor: Person) -> list[ShownSetting]:
        """The settings that hold, each with where it comes from; of secrets only whether they are set."""
        return shown_settings(self._parts.settings)

    @needs("system.examine")
    async def examine(self, actor: Person) -> list[Finding]:
        """What `doctor` finds from inside: folder, disk, database, master key, audit log, ledger, clock, journal. Takes
        as long as the audit log is."""
        settings = self._parts.settings
        folder = await asyncio.to_thread(examine_folder, settings)
        journal = await asyncio.to_thread(examine_journal, settings)
        return [*folder, *await examine_store(settings), journal]

    async def _workers(self) -> Sequence[WorkerView]:
        try:
            return await self._parts.cluster.views()
        except DATABASE_ERRORS:
            return ()

    async def _database(self) -> tuple[str, Health]:
        try:
            async with self._parts.db.read() as session:
                facts = await store.facts(session)
            schema = await current_revision(self._parts.db.engine) or "none"
        except DATABASE_ERRORS as error:
            return "not known", Health(True, False, 0.0, f"It does not answer ({type(error).__name__}).")
        size = f"{facts.size_bytes / 1e6:,.1f} MB"
        return schema, Health(True, True, facts.ping_ms, f"{facts.kind} {facts.version}, {size}")

    async def _redis(self) -> Health:
        shared = self._parts.shared
        if shared is None:
            return Health(False, False, 0.0, "Not configured: one worker on one node needs none.")
        began = time.monotonic()
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                is_up = await shared.is_answering()
        except TimeoutError:
            is_up = False
        ping_ms = (time.monotonic() - began) * 1000
        words = f"{shared.failures:,} failures since this worker began" if shared.failures else "No failures so far"
        return Health(True, is_up, ping_ms, words)

    def _ledger(self, figures: Sequence[dict[str, Any]], journal: Finding) -> LedgerFacts:
        gauges = [one["gauges"] for one in figures if "gauges" in one]
        own = self._parts.ledger
        return LedgerFacts(
            waiting_rows=int(sum(one.get("ledger_waiting_rows", 0) for one in gauges)),
            lag_seconds=max((one.get("ledger_lag_seconds", 0.0) for one in gauges), default=own.lag_seconds),
            in_flight=int(sum(one.get("requests_in_flight", 0) for one in gauges)),
            failure=own.failure or "",
            journal=journal,
        )


def _versions() -> list[tuple[str, str]]:
    found = [("aiservice", __version__), ("Python", platform.python_version())]
    return [*found, *((name, version(name)) for name in _PACKAGES)]
