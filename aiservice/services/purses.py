"""What one worker holds of one window of a budget, and what one request has taken of it. Memory only: no waiting."""

import asyncio
from typing import NamedTuple

from aiservice.principal import Budget
from aiservice.services.budget_windows import window_at
from aiservice.store.budget_charges import window_name

_TIGHT_PERCENT = 50


class Cost(NamedTuple):
    """What a request costs: its prompt, and each token of its answers. Money is 10⁻⁹ USD, rounded up."""

    money: int
    money_per_output: int
    tokens: int


class Purse:
    """A slice: `left` is what no request has taken; `out` requests have, `taken` in all. `until` is when it is not ours
    any more (monotonic seconds), below `low` more is asked for, `free_percent` of the cap was free when we last asked.

    `left` may be below nothing: an answer cost more than was thought. What comes next pays that first.
    """

    __slots__ = (
        "asking",
        "budget",
        "ends_us",
        "free_percent",
        "is_money",
        "is_refilling",
        "left",
        "low",
        "name",
        "out",
        "refused_at",
        "since_us",
        "spent_out_until",
        "start_us",
        "taken",
        "touched",
        "until",
    )

    def __init__(self, budget: Budget, at_us: int) -> None:
        window = window_at(budget.period, at_us, is_rolling=budget.is_rolling)
        self.budget = budget
        self.start_us, self.since_us, self.ends_us = window
        self.is_money = budget.measure == "money"
        self.name = window_name(budget.id, self.start_us, budget.measure)
        self.left = self.out = self.taken = self.low = 0
        self.free_percent = 100
        self.until = self.touched = self.refused_at = self.spent_out_until = float("-inf")
        self.asking = asyncio.Lock()
        self.is_refilling = False

    def price(self, cost: Cost, outputs: int) -> int:
        """What a prompt and so many tokens of answers cost, in this budget's measure."""
        if self.is_money:
            return cost.money + outputs * cost.money_per_output
        return cost.tokens + outputs

    @property
    def is_tight(self) -> bool:
        """Whether more than half of the budget was spent or reserved when we last asked."""
        return self.free_percent < _TIGHT_PERCENT

    def is_idle(self, since: float) -> bool:
        """Whether nobody has used it since that moment, or is about to."""
        return not self.out and self.touched <= since and not self.asking.locked()

    def affords(self, cost: Cost, most: int, now: float) -> int:
        """How many tokens of answers, at most `most`, can be paid from what is left; below 0: not even the prompt."""
        left = self.left if now < self.until else 0
        spare = left - (cost.money if self.is_money else cost.tokens)
        if spare < 0:
            return -1
        each = cost.money_per_output if self.is_money else 1
        return min(most, spare // each) if each else most


class Reservation:
    """What one request has taken of its caller's budgets, of each a part: enough for its prompt and `covers` tokens of
    answers.

    `settle` puts back what was not used; only the first call counts.
    """

    __slots__ = ("cost", "covers", "is_settled", "names", "parts")

    def __init__(self, parts: list[tuple[Purse, int]], cost: Cost, outputs: int, now: float) -> None:
        self.cost = cost
        self.covers = outputs
        self.is_settled = False
        self.names = parts[0][0].name if len(parts) == 1 else " ".join([purse.name for purse, _ in parts])
        """The windows that are charged, as the ledger's rows name them."""
        self.parts = parts
        """Each budget's purse, and how much was taken of it."""
        for purse, amount in parts:
            purse.left -= amount
            purse.taken += amount
            purse.out += 1
            purse.touched = now

    @property
    def is_tight(self) -> bool:
        """Whether more than half of one of the budgets is spent or reserved."""
        return any(purse.is_tight for purse, _ in self.parts)

    def extend(self, outputs: int, now: float) -> int:
        """Takes more for an answer that goes on: up to `outputs` tokens, as far as all purses can pay; how many."""
        more = outputs
        rest = self.cost._replace(money=0, tokens=0)
        for purse, _ in self.parts:
            more = min(more, purse.affords(rest, more, now))
        if more <= 0:
            return 0
        for place, (purse, taken) in enumerate(self.parts):
            amount = purse.price(rest, more)
            purse.left -= amount
            purse.taken += amount
            self.parts[place] = (purse, taken + amount)
        self.covers += more
        return more

    def keep(self) -> None:
        """Ends it where it could not be settled: what was reserved stays used."""
        if not self.is_settled:
            self.is_settled = True
            for purse, amount in self.parts:
                purse.taken -= amount
                purse.out -= 1

    def settle(self, money: int, tokens: int, now: float) -> None:
        """Gives back what `money` (10⁻⁹ USD) and `tokens`, as the ledger has them, left over. Never waits or fails."""
        if self.is_settled:
            return
        self.is_settled = True
        for purse, amount in self.parts:
            purse.left += amount - (money if purse.is_money else tokens)
            purse.taken -= amount
            purse.out -= 1
            purse.touched = now
