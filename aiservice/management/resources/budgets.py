"""BudgetList of money and tokens, of keys, clients and teams."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aiservice.errors import NotFound
from aiservice.management.models import At, Given, Money, Names, Page, PageQuery, Query, Told, at, one_of
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.budget_terms import WARN_PERCENT, Terms, nano_of
from aiservice.services.budgets import BudgetView

Measure = Literal["money", "tokens"]
Period = Literal["day", "week", "month"]


class BudgetGiven(Given):
    """Of `usd` and `tokens`, one."""

    period: Period
    usd: str | None = Field(default=None, max_length=40, description="An amount such as 12.50.")
    tokens: int | None = Field(default=None, ge=1)
    rolling: bool = Field(default=False, description="The period ends now, at any time.")
    warn_percent: list[int] = Field(default=list(WARN_PERCENT), max_length=5)
    unpriced_models: Names = Field(default=[], description="Models that may be used though they have no price.")

    @model_validator(mode="after")
    def _one_measure(self) -> "BudgetGiven":
        if (self.usd is None) is (self.tokens is None):
            raise ValueError("Say one of usd and tokens")
        return self


class WhichBudget(Query):
    measure: Measure | None = None
    period: Period | None = None


class BudgetTold(Told):
    """`cap`, `spent`, `reserved`, `left` and `forecast` are tokens, or amounts of money."""

    id: str
    scope: Annotated[str, one_of("key", "client", "team")]
    subject: str
    name: str
    client: str | None
    measure: Annotated[str, one_of("money", "tokens")]
    period: Annotated[str, one_of("day", "week", "month")]
    rolling: bool
    cap: int | Money
    spent: int | Money
    reserved: int | Money
    left: int | Money
    forecast: int | Money | None
    used_percent: int
    warn_percent: list[int]
    unpriced_models: list[str]
    since: At
    resets_at: At | None


class BudgetList(Told):
    data: list[BudgetTold]


async def list_all(call: Call, query: PageQuery) -> Page[BudgetTold]:
    data, cursor = page_of(await call.core.budgets.list(call.me), lambda one: (one.scope, one.id), query, "budgets")
    return Page[BudgetTold](data=[_told(one) for one in data], next_cursor=cursor)


async def get(call: Call) -> BudgetList:
    return BudgetList(data=[_told(one) for one in await call.core.budgets.of(call.me, _scope(call), call.args["ref"])])


async def put(call: Call, given: BudgetGiven) -> BudgetTold:
    cap = given.tokens if given.usd is None else nano_of(given.usd)
    terms = Terms(
        measure="tokens" if given.usd is None else "money",
        period=given.period,
        cap=cap or 0,
        is_rolling=given.rolling,
        warn_percent=tuple(given.warn_percent),
        unpriced_models=tuple(given.unpriced_models),
    )
    return _told(await call.core.budgets.set(call.me, _scope(call), call.args["ref"], terms))


async def clear(call: Call, query: WhichBudget) -> BudgetList:
    left = await call.core.budgets.clear(call.me, _scope(call), call.args["ref"], query.measure, query.period)
    return BudgetList(data=[_told(one) for one in left])


def _scope(call: Call) -> str:
    """Whose: the word in the path. Raises: NotFound."""
    if call.args["scope"] not in ("key", "client", "team"):
        raise NotFound("BudgetList are of a key, a client or a team: /api/budgets/client/NAME.", code="route_not_found")
    return call.args["scope"]


def _told(one: BudgetView) -> BudgetTold:
    terms, standing = one.terms, one.standing

    def amount(value: int) -> int | Money:
        return value if terms.measure == "tokens" else Money.of_nano(value)

    return BudgetTold(
        id=one.id,
        scope=one.scope,
        subject=one.subject,
        name=one.name,
        client=one.client or None,
        measure=terms.measure,
        period=terms.period,
        rolling=terms.is_rolling,
        cap=amount(terms.cap),
        spent=amount(standing.spent),
        reserved=amount(standing.reserved),
        left=amount(one.left),
        forecast=None if standing.forecast is None else amount(standing.forecast),
        used_percent=one.used_percent,
        warn_percent=list(terms.warn_percent),
        unpriced_models=list(terms.unpriced_models),
        since=at(standing.since_us),
        resets_at=None if terms.is_rolling else at(standing.resets_us),
    )


_ONE = "/api/budgets/{scope}/{ref}"
ROWS = (
    Row("GET", "/api/budgets", "budget.list", list_all, "The budgets you see, and how they stand"),
    Row("GET", _ONE, "budget.get", get, "The budgets of a key, client or team"),
    Row("PUT", _ONE, "key.budget", put, "Give a budget, in the place of the one of its measure and period"),
    Row("DELETE", _ONE, "key.budget", clear, "Take budgets away: of a measure and period, or all"),
)
