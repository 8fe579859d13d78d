"""How the budgets of a caller stand, as its own questions are answered: money as text in USD, as costs are."""

from aiservice.kit.clock import iso
from aiservice.kit.money import to_usd_text
from aiservice.principal import Budget, Principal
from aiservice.services.budgets import Budgets, Standing


async def told_budgets(budgets: Budgets, principal: Principal) -> list[dict[str, object]]:
    """One object a budget; nothing is asked for a caller without any.

    Raises:
        DATABASE_ERRORS: the database did not answer.
    """
    if not principal.budgets:
        return []
    standing = await budgets.standing(principal.budgets)
    return [_told(budget, standing[budget.id]) for budget in principal.budgets]


def _told(budget: Budget, standing: Standing) -> dict[str, object]:
    def amount(value: int) -> object:
        return {"amount": to_usd_text(value), "currency": "USD"} if budget.measure == "money" else value

    return {
        "scope": budget.scope,
        "measure": budget.measure,
        "period": budget.period,
        "rolling": budget.is_rolling,
        "cap": amount(budget.cap),
        "spent": amount(standing.spent),
        "reserved": amount(standing.reserved),
        "left": amount(standing.left(budget.cap)),
        "resets_at": iso(standing.resets_us),
    }
