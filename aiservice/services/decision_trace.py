"""Which decision every request went by: the places in order with their reasons, and of every other its rule.

Many requests go by one decision, so it is kept once, under the hash of what it says, and a request's row holds that
alone. Fails open: a decision that could not be kept is not shown.
"""

import asyncio
import hashlib
import logging
from typing import Any

import orjson

from aiservice.kit.clock import DAY_US, now_us
from aiservice.services.connection_views import ConnectionView
from aiservice.services.routing import Decided
from aiservice.services.routing_decision import removed_of
from aiservice.store import decisions as store
from aiservice.store.session import DATABASE_ERRORS, Database

Json = dict[str, Any]

_EVERY_SECONDS = 0.5
_MOST_KNOWN = 20_000
_MOST_TRACED = 1_000
_BATCH = 500
_KEPT_US = 90 * DAY_US

log = logging.getLogger(__name__)


def table_of(decided: Decided, snapshot: tuple[ConnectionView, ...]) -> Json:
    """A decision as it is told and kept."""
    removed = removed_of(decided.plan.wish, decided.candidates, decided.removed, snapshot)
    return {
        "candidates": [
            {"provider": one.connection.name, "kind": one.connection.kind, "model": one.model, "reason": one.reason}
            for one in decided.candidates
        ],
        "removed": [{"provider": r.connection, "kind": r.kind, "rule": r.rule, "why": r.words} for r in removed],
    }


class DecisionTrace:
    """Notes decisions on the hot path, and keeps those that are new behind it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[str] = set()
        self._waiting: dict[str, Json] = {}

    def note(self, decided: Decided, snapshot: tuple[ConnectionView, ...]) -> str:
        """The id of a decision, for the request's row. Never waits: what it says is worked out once."""
        if decided.trace_id is not None:
            return decided.trace_id
        traced = decided.known.traced
        key = (decided.candidates, decided.removed)
        found = traced.get(key)
        if found is None:
            table = table_of(decided, snapshot)
            digest = hashlib.sha256(orjson.dumps(table, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]
            found = f"dec_{digest}"
            if self._keep(found, table):
                if len(traced) >= _MOST_TRACED:  # twelve places in an order by latency have half a billion orders
                    traced.clear()
                traced[key] = found
        decided.trace_id = found
        return found

    def _keep(self, found: str, table: Json) -> bool:
        """Whether it is or will be kept: where the database has stood still for long, the next request tries again."""
        if found in self._known:
            return True
        if len(self._waiting) >= _MOST_KNOWN:
            return False
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(found)
        self._waiting[found] = table
        return True

    async def flush(self) -> None:
        """Writes the new ones; whoever else has written one already wrote the same."""
        while self._waiting:
            batch = dict(list(self._waiting.items())[:_BATCH])
            async with self._db.write() as session:
                await store.add_new(session, batch)
            for each in batch:
                self._waiting.pop(each, None)

    async def purge(self) -> None:
        """Forgets those that nobody has gone by for 90 days: what this worker knows may be in use. For a job."""
        known = sorted(self._known)
        async with self._db.write() as session:
            for first in range(0, len(known), _BATCH):
                await store.keep_on(session, known[first : first + _BATCH])
            await store.remove_before(session, now_us() - _KEPT_US)

    async def run(self) -> None:
        """Keeps what is new, until it is cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                await self.flush()
            except DATABASE_ERRORS as exc:
                log.warning("Decisions wait for the database (%s).", type(exc).__name__)

    async def find(self, decision_id: str | None) -> Json | None:
        """What a decision says; None where it is not kept."""
        if decision_id is None:
            return None
        if (waiting := self._waiting.get(decision_id)) is not None:
            return waiting
        async with self._db.read() as session:
            return await store.one(session, decision_id)
