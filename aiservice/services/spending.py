"""Budgets on the hot path: a request pays from the slices that this worker holds (`services/slices.py`), in memory.

Fails closed: while the database is away a caller with a budget is served from what the worker holds, then refused.
"""

import asyncio
import time
from collections.abc import Iterable

from aiservice.errors import BrokerError, BudgetExceeded
from aiservice.kit.clock import now_us
from aiservice.principal import Budget
from aiservice.services.budget_words import reserved_by_others
from aiservice.services.purses import Cost, Reservation
from aiservice.services.slices import POLL_SECONDS, Slices

PATIENCE_SECONDS = 1.0
"""How long a request waits for what others have reserved and may not need."""


class Spending:
    """What requests of one worker take of their callers' budgets."""

    def __init__(self, slices: Slices) -> None:
        self.slices = slices

    def take(self, budgets: Iterable[Budget], cost: Cost, outputs: int, at_us: int) -> Reservation | None:
        """Takes from what this worker holds, at once; None where it does not hold enough: then ask `reserve`."""
        now, held = time.monotonic(), self.slices.purses
        parts = []
        for budget in budgets:
            purse = held.get(budget.id)
            if purse is None or at_us >= purse.ends_us or now >= purse.until:
                return None
            amount = cost.money + outputs * cost.money_per_output if purse.is_money else cost.tokens + outputs
            left = purse.left - amount
            if left < purse.low:
                if left < 0:
                    return None
                self.slices.refill_soon(purse)
            parts.append((purse, amount))
        return Reservation(parts, cost, outputs, now)

    async def reserve(self, budgets: Iterable[Budget], cost: Cost, wanted: int, least: int) -> Reservation:
        """Takes enough for the prompt and `wanted` tokens of answers, all that a whole answer may cost; where that is
        more than half of what there is, half of it, and at least what pays for `least`.

        Raises:
            BudgetExceeded: a budget is spent, or what is left of it is reserved.
            Overloaded: the database is away.
        """
        return await self._reserve(tuple(budgets), cost, wanted, least, is_divisible=False)

    async def begin(self, budgets: Iterable[Budget], cost: Cost, wanted: int, least: int) -> Reservation:
        """Takes enough for the prompt and the first `wanted` tokens of a stream, or the first `least`: where little is
        left, many begin with little. Raises as `reserve`."""
        return await self._reserve(tuple(budgets), cost, wanted, least, is_divisible=True)

    async def _reserve(
        self, budgets: tuple[Budget, ...], cost: Cost, wanted: int, least: int, *, is_divisible: bool
    ) -> Reservation:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            at_us = now_us()
            purses = [self.slices.purse(budget, at_us) for budget in budgets]
            refusal: BrokerError | None = None
            for purse in purses:
                refusal = refusal or await self.slices.want(purse, cost, wanted, least, is_divisible=is_divisible)
            now = time.monotonic()
            outputs = min(purse.affords(cost, wanted, now) for purse in purses)
            if outputs >= least:
                is_tight = is_divisible and any(purse.is_tight for purse in purses)
                outputs = least if is_tight else outputs
                return Reservation([(purse, purse.price(cost, outputs)) for purse in purses], cost, outputs, now)
            if type(refusal) is BudgetExceeded or now >= give_up:
                raise refusal or reserved_by_others(budgets[0])
            await asyncio.sleep(POLL_SECONDS)

    async def extend(self, reservation: Reservation, outputs: int) -> int:
        """Takes more for an answer under way, and waits a moment for it; for how many tokens, 0: there is no more.

        Raises:
            Overloaded: the database is away.
        """
        rest = reservation.cost._replace(money=0, tokens=0)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            refusal: BrokerError | None = None
            for purse, _ in reservation.parts:
                refusal = refusal or await self.slices.want(purse, rest, outputs, 1, is_divisible=True)
            now = time.monotonic()
            more = reservation.extend(outputs, now)
            if more or type(refusal) is BudgetExceeded or now >= give_up:
                return more
            await asyncio.sleep(POLL_SECONDS)

    def refill_soon(self, reservation: Reservation) -> None:
        """Asks for more in the background, where little is left."""
        for purse, _ in reservation.parts:
            if purse.left < purse.low:
                self.slices.refill_soon(purse)
