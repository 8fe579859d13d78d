"""What callers and people are told of a budget: its amount, why it refuses, when it begins anew, what to do."""

from aiservice.errors import BudgetExceeded, BudgetReserved
from aiservice.kit.clock import SECOND_US, iso, now_us
from aiservice.kit.money import to_usd_text
from aiservice.principal import Budget

_ROLLING = {"day": "in any 24 hours", "week": "in any 7 days", "month": "in any 30 days"}


def amount_words(measure: str, amount: int) -> str:
    """`1,250.50 USD` or `1,000,000 tokens`."""
    if measure == "tokens":
        return f"{amount:,} tokens"
    whole, _, cents = to_usd_text(amount).partition(".")
    return f"{int(whole):,}{'.' if cents else ''}{cents and cents.ljust(2, '0')} USD"


def budget_words(measure: str, period: str, amount: int, *, is_rolling: bool) -> str:
    """`10 USD a day`, `1,000 tokens in any 7 days`."""
    return f"{amount_words(measure, amount)} {_ROLLING[period] if is_rolling else 'a ' + period}"


def spent_out(budget: Budget, ends_us: int) -> BudgetExceeded:
    """The refusal while a budget is spent; `ends_us` is when its window, or the newest part of it, ends."""
    when = (
        "What was spent comes back bit by bit as that time moves on."
        if budget.is_rolling
        else f"It begins anew at {iso(ends_us)}."
    )
    return BudgetExceeded(
        f"{_own(budget)} is spent. {when} To go on before that, have it raised; GET /ai-service/limits shows how it "
        "stands.",
        retry_after=None if budget.is_rolling else max(1, round((ends_us - now_us()) / SECOND_US)),
    )


def reserved_by_others(budget: Budget) -> BudgetReserved:
    """The refusal while what is left of a budget is reserved by requests under way."""
    return BudgetReserved(
        f"What is left of {_own(budget, capital=False)} is reserved by requests under way. Try again in a moment, with "
        "a smaller max_tokens, or have the budget raised.",
        retry_after=1,
    )


def _own(budget: Budget, *, capital: bool = True) -> str:
    words = budget_words(budget.measure, budget.period, budget.cap, is_rolling=budget.is_rolling)
    return f"{'This' if capital else 'this'} {budget.scope}'s budget of {words}"
