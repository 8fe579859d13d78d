"""Stored terms as routing reads them: in memory, merged for each caller, kept in step by the change feed."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.principal import Principal
from aiservice.services.changes import ChangeFeed
from aiservice.services.preference_rules import ANY_TASK
from aiservice.services.reload import Reload
from aiservice.services.routing_terms import Terms
from aiservice.store import preferences as store
from aiservice.store.preferences import PLATFORM
from aiservice.store.session import DATABASE_ERRORS, Database

MAX_STORED = 100_000
_MEMO_SIZE = 10_000

log = logging.getLogger(__name__)

_Caller = tuple[str, str, str | None, str]


class StoredTerms:
    """Fails open, to what was read last: while the database is away, routes stay as they were."""

    def __init__(self, db: Database, changes: ChangeFeed) -> None:
        self._db = db
        self.by_subject: dict[str, dict[str, Terms]] = {}
        self._memo: dict[_Caller, Terms | None] = {}
        self._stale: set[str] = set()
        self._turn = asyncio.Lock()  # an older read must not overwrite a newer one
        self._reload = Reload(self._refresh_stale)
        changes.subscribe(self._on_change)

    def terms_for(self, principal: Principal, task: str) -> Terms | None:
        """What is stored for this caller and task: its key's terms over its client's over its team's over the
        platform's, and in each those of the task over those of any task. None where nothing is."""
        if not self.by_subject:
            return None
        caller = (principal.key_id, principal.client_id, principal.team_id, task)
        try:
            return self._memo[caller]
        except KeyError:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            merged = self._memo[caller] = self.merged(caller[:3], task)
            return merged

    def merged(
        self, subjects: Sequence[str | None], task: str, draft: tuple[str, str, Terms | None] | None = None
    ) -> Terms | None:
        """The terms of `subjects`, narrowest first, and of the platform after them, merged. A draft (subject, task,
        terms) stands in the place of what is stored there."""
        found: Terms | None = None
        for subject in (*subjects, PLATFORM):
            for each in (task, ANY_TASK):
                terms = self.by_subject.get(subject or "", {}).get(each)
                if draft is not None and draft[:2] == (subject, each):
                    terms = draft[2]
                if terms is not None:
                    found = terms if found is None else found.over(terms)
        return found

    async def refresh(self) -> None:
        """Reads all terms anew. Call once after the change feed's first poll; the feed does the rest."""
        async with self._turn:
            self._stale.clear()
            async with self._db.read() as session:
                rows = await store.stored(session, None, MAX_STORED)
            self.by_subject = {}
            self._keep(rows)

    async def read_again(self, subject: str) -> None:
        """For whoever has just changed them: from now on this process goes by the new ones."""
        self._stale.add(subject)
        await self._refresh_stale()

    async def _refresh_stale(self) -> None:
        async with self._turn:
            wanted, self._stale = self._stale, set()
            try:
                async with self._db.read() as session:
                    rows = await store.stored(session, wanted, MAX_STORED)
            except DATABASE_ERRORS:
                self._stale |= wanted
                raise
            for subject in wanted:
                self.by_subject.pop(subject, None)
            self._keep(rows)

    def _keep(self, rows: Sequence[tuple[str, str, str, list[str], store.Json | None]]) -> None:
        for _, subject, task, chain, said in rows:
            terms = terms_of(chain, said)
            if terms is not None:
                self.by_subject.setdefault(subject, {})[task] = terms
        self._memo.clear()

    def _on_change(self, kind: str, subject: str) -> None:
        if kind == "preference":
            self._stale.add(subject)
            self._reload.request()


def terms_of(chain: Sequence[str], said: dict[str, Any] | None) -> Terms | None:
    """What a row holds; None where it is nothing, or words of a newer release."""
    try:
        terms = Terms.read({**(said or {}), **({"order": list(chain)} if chain else {})})
    except InvalidRequest as error:
        log.warning("Stored preferences cannot be read (%s); they do not hold here.", error.message)
        return None
    return None if terms == Terms() else terms
