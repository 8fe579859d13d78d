"""What models cost: published, or said by an admin, and since when."""

from typing import Literal

from pydantic import Field

from aiservice.management.models import At, Given, Page, PageQuery, Query, Told, at
from aiservice.management.paging import page_of
from aiservice.management.rows import Call, Row
from aiservice.services.own_prices import OwnPriceView
from aiservice.services.price_list import PricedModel

_MOST = 100_000


class PriceGiven(Given):
    kind: str = Field(max_length=64, description="Of the provider, such as openai.")
    model: str = Field(max_length=200)
    amounts: dict[str, str] = Field(
        description="USD as texts, such as input_mtok and output_mtok for a million tokens, request, or unit, per_unit."
    )
    reason: str = Field(min_length=1, max_length=300)


class PriceQuery(PageQuery):
    containing: str = Field(default="", max_length=200, description="Only models whose name has this.")
    source: Literal["", "own", "published", "none"] = Field(default="", description="`none`: nobody knows the price.")


class WhichPrice(Query):
    kind: str = Field(max_length=64)
    model: str = Field(max_length=200)


class PriceTold(Told):
    kind: str
    model: str
    connections: list[str]
    amounts: dict[str, str]
    steps: str | None
    unit: str | None
    source: str
    source_says: str
    since: str | None
    reason: str | None
    unpriced_calls: int


class OwnPrice(Told):
    kind: str
    model: str
    amounts: dict[str, str]
    reason: str
    set_by: str
    set_at: At


async def list_all(call: Call, query: PriceQuery) -> Page[PriceTold]:
    found = await call.core.price_list.page(
        call.me, call.core.connections.snapshot(), containing=query.containing, source=query.source, limit=_MOST
    )
    data, cursor = page_of(found.models, lambda one: (one.kind, one.model), query, "prices")
    return Page[PriceTold](data=[_told(one) for one in data], next_cursor=cursor)


async def put(call: Call, given: PriceGiven) -> OwnPrice:
    made = await call.core.own_prices.set(call.me, given.kind, given.model, given.amounts, given.reason)
    return _own(made)


async def clear(call: Call, query: WhichPrice) -> None:
    await call.core.own_prices.clear(call.me, query.kind, query.model)


def _own(one: OwnPriceView) -> OwnPrice:
    return OwnPrice(
        kind=one.kind,
        model=one.model,
        amounts=dict(one.amounts),
        reason=one.reason,
        set_by=one.set_by,
        set_at=at(one.set_us),
    )


def _told(one: PricedModel) -> PriceTold:
    return PriceTold(
        kind=one.kind,
        model=one.model,
        connections=list(one.connections),
        amounts=dict(one.amounts),
        steps=one.steps or None,
        unit=one.unit_words or None,
        source=one.source,
        source_says=one.source_words,
        since=one.since or None,
        reason=None if one.own is None else one.own.reason,
        unpriced_calls=one.unpriced_calls,
    )


ROWS = (
    Row("GET", "/api/prices", "price.list", list_all, "The models on offer with their prices, and who says so"),
    Row("PUT", "/api/prices", "price.set", put, "Say what a model costs, from now on"),
    Row("DELETE", "/api/prices", "price.clear", clear, "Go by the published price again", status=204),
)
