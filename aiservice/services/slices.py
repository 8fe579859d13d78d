"""The slices of budgets that one worker has leased from the database.

A slice is got in one unit of work that gives nothing over the cap; requests take from it in memory, and more is asked
for before it is empty. A slice nobody uses goes back; one whose worker died comes back when its lease ends, or when
its journal is adopted. The ledger's flusher moves what was settled from the slice to what is spent
(`store/budget_charges.py`). Redis has no part in it.

Fails closed: without the database no slice grows.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiservice.errors import BudgetExceeded, Overloaded
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import Budget
from aiservice.services.budget_words import reserved_by_others, spent_out
from aiservice.services.changes import ChangeFeed
from aiservice.services.purses import Cost, Purse
from aiservice.store import budget_slices as store
from aiservice.store.session import DATABASE_ERRORS, Database

LEASE_SECONDS = 45.0
RENEW_SECONDS = 10.0
SWEEP_SECONDS = 5.0
TICK_SECONDS = 0.25
SHARE_PERCENT = 1
_MARGIN_SECONDS = 5.0  # the lease is over for us before it is for the database
POLL_SECONDS = 0.05
_IDLE_SECONDS, _IDLE_TIGHT_SECONDS = 10.0, 0.5
_TIGHT_PERCENT = 10

_T = TypeVar("_T")
log = logging.getLogger(__name__)


class Slices:
    """`holder` names this worker to whoever clears up after it; `purses` are its slices by budget."""

    def __init__(self, db: Database, holder: str, changes: ChangeFeed, workers: Callable[[], int]) -> None:
        """`workers` says how many share the budgets."""
        self._db = db
        self._holder = holder
        self.purses: dict[str, Purse] = {}
        self._old: list[Purse] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._workers = workers
        changes.subscribe(self._on_change)

    def start(self) -> None:
        """Begins to look after them."""
        self._start(self.run())

    async def run(self) -> None:
        """Renews, sweeps and gives back until cancelled."""
        renew_at = sweep_at = time.monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                now = time.monotonic()
                if now >= renew_at:
                    await self.renew()
                    renew_at = now + RENEW_SECONDS
                if now >= sweep_at:
                    await store.end_over(self._db)
                    sweep_at = now + SWEEP_SECONDS
                await self.give_back_idle()
            except DATABASE_ERRORS as error:
                log.debug("Slices of budgets wait for the database (%s).", type(error).__name__)
            except Exception:
                log.exception("Looking after slices of budgets failed; it goes on.")

    async def renew(self) -> None:
        """Holds on to what this worker has. What was lost meanwhile is used no more.

        Raises:
            DATABASE_ERRORS: the database did not answer.
        """
        held = [*self.purses.values(), *self._old]
        if not held:
            return
        began = time.monotonic()
        async with self._db.write() as session:
            kept = await store.renew(session, self._holder, int(LEASE_SECONDS * SECOND_US))
        for purse in held:
            if (purse.budget.id, purse.start_us) in kept:
                purse.until = max(purse.until, began + LEASE_SECONDS - _MARGIN_SECONDS)
            elif purse.until < began + LEASE_SECONDS - _MARGIN_SECONDS and (purse.out or purse.left > 0):
                self._lose(purse)  # and it was not leased anew while we asked

    async def give_back_idle(self) -> None:
        """Gives back what nobody uses: sooner where little of a budget is left.

        Raises:
            DATABASE_ERRORS: the database did not answer.
        """
        now, at_us = time.monotonic(), now_us()
        for purse in [*self.purses.values(), *self._old]:
            is_over = at_us >= purse.ends_us
            patience = _IDLE_TIGHT_SECONDS if is_over or purse.free_percent < _TIGHT_PERCENT else _IDLE_SECONDS
            if purse.is_idle(now - patience):
                await self._give_back(purse)
                if purse.is_idle(now) and purse.left <= 0:
                    self._forget(purse)

    def _on_change(self, _kind: str, subject: str) -> None:
        """A subject's budgets may have changed: what is free of them goes back, to be asked for under the new cap."""
        for purse in self.purses.values():
            if purse.budget.subject == subject:
                purse.low, purse.spent_out_until = 0, float("-inf")
                self._start(self._give_back(purse))

    async def close(self) -> None:
        """Gives everything back; call it when the ledger has posted what was settled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.purses or self._old:
            try:
                await store.end_all_of(self._db, self._holder)
            except DATABASE_ERRORS as error:
                log.warning("Slices of budgets come back when their lease ends (%s).", type(error).__name__)

    async def _give_back(self, purse: Purse) -> None:
        amount, purse.left = purse.left, min(purse.left, 0)
        try:
            await store.give_back(self._db, purse.budget.id, purse.start_us, self._holder, max(amount, 0))
        except BaseException:
            purse.left += max(amount, 0)
            raise

    def purse(self, budget: Budget, at_us: int) -> Purse:
        """The slice that pays for a request of that moment; empty where there is none yet."""
        purse = self.purses.get(budget.id)
        if purse is None or at_us >= purse.ends_us:
            if purse is not None:
                self._old.append(purse)
            purse = self.purses[budget.id] = Purse(budget, at_us)
        return purse

    async def want(
        self, purse: Purse, cost: Cost, wanted: int, least: int, *, is_divisible: bool
    ) -> BudgetExceeded | None:
        """Sees to it that a purse can pay; why it cannot pay even for `least`, or None.

        Raises:
            Overloaded: the database is away.
        """
        if purse.affords(cost, wanted, time.monotonic()) >= wanted:
            return None
        if purse.spent_out_until > time.monotonic():
            return spent_out(purse.budget, purse.ends_us)
        # Shielded: what the database has given must be in the purse, also when who asked has left.
        asking = self._start(self._ask(purse, cost, wanted, least, is_divisible))
        return await asyncio.shield(asking)

    async def _ask(
        self, purse: Purse, cost: Cost, wanted: int, least: int, is_divisible: bool
    ) -> BudgetExceeded | None:
        async with purse.asking:  # whoever waits here may find that enough was got meanwhile
            now = time.monotonic()
            if purse.affords(cost, wanted, now) >= wanted:
                return None
            if now - purse.refused_at < POLL_SECONDS:
                return None if purse.affords(cost, least, now) >= least else reserved_by_others(purse.budget)
            return await self._lease(purse, purse.price(cost, wanted), purse.price(cost, least), is_divisible)

    async def _lease(self, purse: Purse, wanted: int, least: int, is_divisible: bool) -> BudgetExceeded | None:
        began = purse.touched = time.monotonic()
        if began >= purse.until:
            purse.left = min(purse.left, 0)  # what was not renewed is not ours
        held = purse.left
        lease_us, workers = int(LEASE_SECONDS * SECOND_US), self._workers()
        of = (purse.budget.id, purse.start_us, purse.since_us, self._holder)
        try:
            got = await store.lease(
                self._db,
                store.Wish(*of, wanted - held, least - held, workers, SHARE_PERCENT, lease_us, is_divisible),
            )
        except DATABASE_ERRORS as error:
            raise Overloaded(
                "Budgets cannot be checked right now: the database is away. Try again shortly.",
                code="database_unavailable",
                retry_after=1,
            ) from error
        if got.cap is None:  # taken away a moment ago: it limits nobody any more
            purse.left += wanted - min(held, 0)
            purse.until = began + 1.0
            return None
        self._put_in(purse, got, got.cap, began)
        if purse.left >= least:
            return None
        if got.spent + least > got.cap:
            purse.spent_out_until = began + 2 * POLL_SECONDS
            return spent_out(purse.budget, purse.ends_us)
        return reserved_by_others(purse.budget)

    def _put_in(self, purse: Purse, got: store.Lease, cap: int, began: float) -> None:
        purse.free_percent = max(0, cap - got.spent - got.reserved - got.granted) * 100 // cap
        if got.granted:
            purse.left += got.granted  # others may have taken from it, or given back, while we asked
            purse.low = max(0, min(got.granted, cap * SHARE_PERCENT // 100)) // 2 if purse.free_percent else 0
            purse.until = max(purse.until, began + LEASE_SECONDS - _MARGIN_SECONDS)
            if self.purses.get(purse.budget.id) is not purse and purse not in self._old:
                self._old.append(purse)  # given up meanwhile, and wanted again
        else:
            purse.refused_at = began
            purse.low = 0

    def refill_soon(self, purse: Purse) -> None:
        """Asks for more in the background."""
        if not purse.is_refilling:
            purse.is_refilling = True
            self._start(self._refill(purse))

    async def _refill(self, purse: Purse) -> None:
        try:
            async with purse.asking:
                if purse.left < purse.low:
                    await self._lease(purse, max(purse.left, 0) + 2 * purse.low, max(purse.left, 0) + 1, True)
        except Overloaded:
            purse.low = 0  # who needs more asks again
        finally:
            purse.is_refilling = False

    def _lose(self, purse: Purse) -> None:
        purse.until = float("-inf")
        purse.left = -purse.taken  # what requests have of it is not covered any more: it is owed
        self._forget(purse)

    def _forget(self, purse: Purse) -> None:
        if self.purses.get(purse.budget.id) is purse:
            del self.purses[purse.budget.id]
        elif purse in self._old:
            self._old.remove(purse)

    def _start(self, work: Coroutine[Any, Any, _T]) -> "asyncio.Task[_T]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("A slice of a budget was not renewed or given back (%s).", type(error).__name__)
