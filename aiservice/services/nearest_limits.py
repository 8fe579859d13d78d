"""Which limit or budget of somebody's will refuse first: the fullest come first."""

from dataclasses import dataclass
from heapq import nlargest
from typing import Literal

from aiservice.kit.clock import now_us
from aiservice.principal import Person
from aiservice.services.budget_words import amount_words, budget_words
from aiservice.services.budgets import Budgets, BudgetView
from aiservice.services.limit_names import words_of
from aiservice.services.limit_standing import Holder, LimitStanding
from aiservice.services.limiter import Standing


@dataclass(slots=True, frozen=True)
class Nearest:
    """A limit or budget: whose it is, how much of it is used (1.0 is all), and in how many microseconds that is free
    again (None: bit by bit, or as answers end)."""

    kind: Literal["limit", "budget"]
    scope: str
    whose: str
    words: str
    used: str
    share: float
    frees_in_us: int | None


async def nearest(actor: Person, standing: LimitStanding, budgets: Budgets, most: int = 4) -> list[Nearest]:
    """The fullest `most` of the limits and budgets that the actor may see, fullest first."""
    limits = [(holder, one) for holder in (await standing.of(actor)).holders for one in holder.standing]
    # Of thousands only the few that are shown are put into words.
    found = [_of_limit(*each) for each in nlargest(most, limits, key=lambda each: _share_of_limit(each[1]))]
    found += [_of_budget(view) for view in nlargest(most, await budgets.list(actor), key=_share_of_budget)]
    return nlargest(most, found, key=lambda one: one.share)


def _share_of_limit(one: Standing) -> float:
    """How much of a limit is used; 1.0 and more is all."""
    return one.used / one.limit.amount if one.limit.amount else 1.0


def _share_of_budget(view: BudgetView) -> float:
    return view.standing.spent / view.terms.cap if view.terms.cap else 1.0


def _of_limit(holder: Holder, one: Standing) -> Nearest:
    return Nearest(
        kind="limit",
        scope=holder.scope,
        whose=f"{holder.name} of {holder.within}" if holder.scope == "key" else holder.name,
        words=f"{one.limit.amount:,} {words_of(one.limit.name)}",
        used=f"{one.used:,} of {one.limit.amount:,}",
        share=_share_of_limit(one),
        frees_in_us=one.reset_us if one.limit.window_seconds else None,
    )


def _of_budget(view: BudgetView) -> Nearest:
    terms = view.terms
    spent = view.standing.spent
    return Nearest(
        kind="budget",
        scope=view.scope,
        whose=f"{view.name} of {view.client}" if view.scope == "key" else view.name,
        words=budget_words(terms.measure, terms.period, terms.cap, is_rolling=terms.is_rolling),
        used=f"{amount_words(terms.measure, spent)} of {amount_words(terms.measure, terms.cap)}",
        share=_share_of_budget(view),
        frees_in_us=None if terms.is_rolling else max(0, view.standing.resets_us - now_us()),
    )
