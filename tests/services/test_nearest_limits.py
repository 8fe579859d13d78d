"""Which limit or budget refuses first: the fullest comes first, said in the words of its own page."""

from decimal import Decimal
from typing import Any

from aiservice.kit.clock import HOUR_US, now_us
from aiservice.kit.money import to_nano
from aiservice.principal import Limit
from aiservice.services.budget_terms import Terms
from aiservice.services.budgets import BudgetView
from aiservice.services.budgets import Standing as Spent
from aiservice.services.limit_standing import Holder, Holders
from aiservice.services.limiter import Standing
from aiservice.services.nearest_limits import nearest
from tests.services.usage_rows import DEVELOPER


def standing(name: str, measure: str, window: int, amount: int, used: int) -> Standing:
    return Standing(Limit("client", "cli_1", name, measure, window, amount), used, 30_000_000)


class Some:
    """A limits' standing and budgets that say what they were given."""

    def __init__(self, holders: list[Holder], budgets: list[BudgetView]) -> None:
        self.holders, self.budgets = holders, budgets

    async def of(self, _actor: Any) -> Holders:
        return Holders(tuple(self.holders), True)

    async def list(self, _actor: Any) -> list[BudgetView]:
        return self.budgets


def budget(spent: str, *, is_rolling: bool = False) -> BudgetView:
    stood = Spent(to_nano(Decimal(spent)), 0, 0, now_us() + HOUR_US, None)
    return BudgetView(
        "b", "key", "key_1", "prod", "shop", "cli_1", Terms("money", "month", to_nano(Decimal(10)), is_rolling), stood
    )


async def test_the_fullest_of_limits_and_budgets_comes_first() -> None:
    limits = (standing("requests/minute", "requests", 60, 40, 30), standing("concurrency", "concurrency", 0, 10, 1))
    some: Any = Some([Holder("client", "cli_1", "shop", "", {}, limits)], [budget("9.5"), budget("2", is_rolling=True)])
    found = await nearest(DEVELOPER, some, some, most=3)
    assert [(one.kind, round(one.share, 2)) for one in found] == [("budget", 0.95), ("limit", 0.75), ("budget", 0.2)]
    assert found[0].whose == "prod of shop"
    assert found[0].used == "9.50 USD of 10 USD"
    assert 0 < (found[0].frees_in_us or 0) <= HOUR_US
    assert found[1].words == "40 requests a minute"
    assert found[2].frees_in_us is None


async def test_nothing_is_near_where_nothing_is_set() -> None:
    some: Any = Some([Holder("client", "cli_1", "shop", "", {}, ())], [])
    assert await nearest(DEVELOPER, some, some) == []
