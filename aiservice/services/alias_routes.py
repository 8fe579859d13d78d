"""Aliases as routing reads them: in memory, resolved for each caller, kept in step by the change feed."""

import asyncio
from collections.abc import Sequence

from aiservice.principal import Principal
from aiservice.services.alias_terms import Route, expand
from aiservice.services.changes import ChangeFeed
from aiservice.services.reload import Reload
from aiservice.store import aliases as store
from aiservice.store.preferences import PLATFORM
from aiservice.store.session import Database

MAX_STORED = 10_000
_MEMO_SIZE = 10_000


class AliasRoutes:
    """Fails open, to what was read last: while the database is away, names lead where they led."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self._by_subject: dict[str, dict[str, list[str]]] = {}
        self.names: frozenset[str] = frozenset()
        self._memo: dict[tuple[str, str | None, str], Route | None] = {}
        self._turn = asyncio.Lock()  # an older read must not overwrite a newer one
        self._reload = Reload(self.refresh)
        changes.subscribe(self._on_change)

    def resolve(self, principal: Principal, model: str | None) -> Route | None:
        """Where a request's `model` leads, or None where it is no alias of the caller's: one look-up where it is
        nobody's.

        Raises:
            InvalidRequest: in a circle (`alias_loop`).
            NotFound: nowhere any more.
        """
        if model not in self.names or model is None:
            return None
        caller = (principal.client_id, principal.team_id, model)
        try:
            return self._memo[caller]
        except KeyError:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            visible = self.visible_to(principal)
            route = Route(model, expand(model, visible.get)) if model in visible else None
            self._memo[caller] = route
            return route

    def visible_to(self, principal: Principal) -> dict[str, list[str]]:
        """Every alias that a caller has, by name, with its targets: a client's own hide its team's, and these the
        platform's."""
        found: dict[str, list[str]] = {}
        for subject in (PLATFORM, principal.team_id, principal.client_id):
            found |= self._by_subject.get(subject or "", {})
        return found

    async def refresh(self) -> None:
        """Reads all aliases anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._turn, self._db.read() as session:
            self._keep(await store.stored(session, MAX_STORED))

    def _keep(self, rows: Sequence[tuple[str, str, str, list[str]]]) -> None:
        self._by_subject = {}
        for _, subject, name, targets in rows:
            self._by_subject.setdefault(subject, {})[name] = targets
        self.names = frozenset(row[2] for row in rows)
        self._memo.clear()

    def _on_change(self, kind: str, _subject: str) -> None:
        if kind == "alias":
            self._reload.request()
