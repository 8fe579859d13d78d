"""Tells people when a budget reaches one of its levels: once a window, whichever worker sees it first.

Looked at beside the traffic, seconds after it. Fails open: a level that could not be told is told at the next look.
"""

from aiservice.kit.clock import SECOND_US, iso, now_us
from aiservice.services.alert_notes import AlertNotes, Severity
from aiservice.services.budget_words import amount_words, budget_words
from aiservice.services.budgets import BudgetView, views_of
from aiservice.services.ledger import Ledger
from aiservice.services.settlement import Settlement
from aiservice.store import budgets as store
from aiservice.store.session import Database

EVERY_SECONDS = 2.0
KIND = "budget_level"


class BudgetWarnings:
    """Watches the budgets that this worker's rows are charged to."""

    def __init__(self, db: Database, ledger: Ledger, alerts: AlertNotes) -> None:
        self._db = db
        self._alerts = alerts
        self._charged: set[str] = set()
        ledger.on_settled(self._settled)

    async def check(self) -> None:
        """Looks at what was charged since the last time.

        Raises:
            DATABASE_ERRORS: the database did not answer; nothing is forgotten.
        """
        if not self._charged:
            return
        charged, self._charged = self._charged, set()
        try:
            for view in await views_of(self._db, charged):
                await self._tell(view)
        except BaseException:
            self._charged |= charged
            raise

    def _settled(self, row: Settlement) -> None:
        if row.budgets:
            self._charged.update(window.partition(":")[0] for window in row.budgets.split())

    async def _tell(self, view: BudgetView) -> None:
        reached = [level for level in view.terms.warn_percent if view.used_percent >= level]
        if not reached:
            return
        level = max(reached)
        async with self._db.write() as session:
            if not await store.raise_warned(session, view.id, view.standing.since_us, level):
                return
        terms, standing = view.terms, view.standing
        whose = f"{view.scope} {view.name}" + (f" of {view.client}" if view.scope == "key" else "")
        words = budget_words(terms.measure, terms.period, terms.cap, is_rolling=terms.is_rolling)
        self._alerts.note(
            KIND,
            view.id,
            f"The budget of {words} of the {whose} is {view.used_percent} % spent "
            f"({amount_words(terms.measure, standing.spent)}). "
            + ("Something of it comes back" if terms.is_rolling else "It begins anew")
            + f" at {iso(standing.resets_us)}.",
            severity=Severity.CRITICAL if level >= 100 else Severity.WARNING if level >= 80 else Severity.INFO,
            client_id=view.client_id,
            evidence={"level_percent": level, "spent": standing.spent, "cap": terms.cap, "scope": view.scope},
            ends_after_seconds=max(60.0, (standing.resets_us - now_us()) / SECOND_US),
        )
