"""Prices of one's own: exact, from now on, on every worker, and never by accident a million times too high."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import BrokerError, NotFound, PermissionDenied, Unprocessable
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.audit import Audit, AuditFilter
from aiservice.services.changes import ChangeFeed
from aiservice.services.own_amounts import NAMES, clean_amounts, unit_price
from aiservice.services.own_prices import OwnPrices
from aiservice.services.price_list import PriceList
from aiservice.services.prices import Prices
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import UsageModelDay, UsageModelHour
from aiservice.wire import Usage
from tests.services.cast import person
from tests.services.test_routing_decision import view

AT_US = 1_795_000_000_000_000


@dataclass
class Desk:
    own: OwnPrices
    prices: Prices
    list: PriceList
    audit: Audit
    changes: ChangeFeed
    database: Database

    def cost(self, model: str, usage: Usage, kind: str = "openai") -> int | None:
        return self.prices.cost_nano_usd(kind, "", model, usage, AT_US)


@pytest.fixture
async def desk(database: Database, settings: Settings) -> AsyncIterator[Desk]:
    vault, changes, prices = Vault(database, settings), ChangeFeed(database), Prices()
    await vault.open()
    await changes.poll_once()
    own = OwnPrices(database, changes, prices)
    yield Desk(own, prices, PriceList(database, own), Audit(database, vault), changes, database)


async def test_an_own_price_goes_before_the_published_one_until_it_is_cleared(desk: Desk) -> None:
    published = desk.cost("gpt-5-mini", Usage(1_000_000, 1_000_000))
    assert published == 250_000_000 + 2_000_000_000
    await desk.own.set(OPERATOR, "openai", "gpt-5-mini", {"input_mtok": "0.2", "output_mtok": "1.6"}, "contract")
    assert desk.cost("gpt-5-mini", Usage(1_000_000, 1_000_000)) == 200_000_000 + 1_600_000_000
    assert desk.cost("gpt-5-mini", Usage(1_000_000, 0), kind="azure-openai") == 250_000_000, "of that kind alone"
    await desk.own.clear(OPERATOR, "openai", "gpt-5-mini")
    assert desk.cost("gpt-5-mini", Usage(1_000_000, 1_000_000)) == published


async def test_a_model_that_nobody_priced_has_a_price_then_and_none_of_what_is_left_out(desk: Desk) -> None:
    assert desk.cost("mine", Usage(10, 0)) is None
    await desk.own.set(OPERATOR, "openai", "mine", {"input_mtok": "3"}, "ours")
    assert desk.cost("mine", Usage(1_000_000, 0)) == 3_000_000_000
    assert desk.cost("mine", Usage(1, 1)) is None, "what it writes has no price, which is not 0"
    await desk.own.set(OPERATOR, "openai", "mine", {"input_mtok": "0", "output_mtok": "0"}, "our own machine")
    assert desk.cost("mine", Usage(5, 5)) == 0, "somebody said so"


async def test_units_have_prices_of_their_own_and_so_have_requests(desk: Desk) -> None:
    await desk.own.set(OPERATOR, "openai", "dall-e-3", {"per_unit": "0.03", "unit": "image"}, "contract")
    assert desk.cost("dall-e-3", Usage(unit="image", units=2, unit_quality="hd 1024x1792")) == 60_000_000
    await desk.own.set(OPERATOR, "openai", "whisper-1", {"per_unit": "0.36", "unit": "second", "units": "3600"}, "x")
    assert desk.cost("whisper-1", Usage(unit="second", units=7)) == 700_000
    assert desk.prices.is_priced("openai", "", "whisper-1", AT_US)
    assert desk.cost("whisper-1", Usage(1, 1)) is None
    await desk.own.set(OPERATOR, "openai", "flat", {"request": "0.005"}, "x")
    assert desk.cost("flat", Usage(0, 0)) == 5_000_000


async def test_another_worker_goes_by_it_too(desk: Desk, database: Database) -> None:
    there, feed = Prices(), ChangeFeed(database)
    await feed.poll_once()
    elsewhere = OwnPrices(database, feed, there)
    await elsewhere.refresh()
    assert there.cost_nano_usd("openai", "", "mine", Usage(1, 0), AT_US) is None
    await desk.own.set(OPERATOR, "openai", "mine", {"input_mtok": "1"}, "x")
    await feed.poll_once()
    await elsewhere._reload.settled()
    assert there.cost_nano_usd("openai", "", "mine", Usage(1, 0), AT_US) == 1_000


WRONG: list[tuple[str, str, dict[str, str], str, str]] = [
    ("openai", "m", {}, "x", "input_mtok"),
    ("openai", "m", {"cache_read_mtok": "1"}, "x", "input_mtok"),
    ("openai", "m", {"input_mtok": "-1"}, "x", "input_mtok"),
    ("openai", "m", {"input_mtok": "1e9"}, "x", "input_mtok"),
    ("openai", "m", {"input_mtok": "NaN"}, "x", "input_mtok"),
    ("openai", "m", {"input_mtok": "0.0000000000001"}, "x", "input_mtok"),
    ("openai", "m", {"input": "1"}, "x", "input"),
    ("openai", "m", {"per_unit": "1"}, "x", "unit"),
    ("openai", "m", {"per_unit": "1", "unit": "kilo"}, "x", "unit"),
    ("openai", "m", {"per_unit": "1", "unit": "image", "units": "0"}, "x", "units"),
    ("openai", "m", {"unit": "image"}, "x", "per_unit"),
    ("openai", "m", {"input_mtok": "1"}, "  ", "reason"),
    ("openai", "m m", {"input_mtok": "1"}, "x", "model"),
    ("opnai", "m", {"input_mtok": "1"}, "x", "kind"),
    ("sandbox", "sandbox", {"input_mtok": "1"}, "x", "kind"),
]


async def test_what_is_no_price_is_refused(desk: Desk) -> None:
    for kind, model, amounts, why, param in WRONG:
        with pytest.raises(Unprocessable) as refusal:
            await desk.own.set(OPERATOR, kind, model, amounts, why)
        assert refusal.value.param == param
    assert await desk.own.list(OPERATOR) == []


async def test_every_change_of_a_price_is_in_the_log_with_both_amounts(desk: Desk) -> None:
    await desk.own.set(OPERATOR, "openai", "mine", {"input_mtok": "1"}, "first")
    await desk.own.set(OPERATOR, "openai", "mine", {"input_mtok": "2.50"}, "second")
    await desk.own.clear(OPERATOR, "openai", "mine")
    with pytest.raises(NotFound):
        await desk.own.clear(OPERATOR, "openai", "mine")
    entries, _ = await desk.audit.page(OPERATOR, AuditFilter(subject="openai/mine"))
    assert [entry.action for entry in entries] == ["price.clear", "price.set", "price.set"]
    assert entries[1].before == {"amounts": {"input_mtok": "1"}, "reason": "first"}
    assert entries[1].after == {"amounts": {"input_mtok": "2.5"}, "reason": "second"}


async def test_only_admins_see_and_change_prices(desk: Desk) -> None:
    ada = await person(desk.database, "ada@example.org")
    for refused in (
        desk.own.list(ada),
        desk.own.set(ada, "openai", "m", {"input_mtok": "1"}, "x"),
        desk.own.clear(ada, "openai", "m"),
        desk.list.page(ada, ()),
    ):
        with pytest.raises(PermissionDenied):
            await refused


async def test_the_list_names_each_source_and_counts_what_went_without_a_price(desk: Desk) -> None:
    snapshot = (
        view("sandbox", models=("sandbox",)),
        _of("openai", "work", ("gpt-5-mini", "whisper-1", "unheard-of")),
        _of("openai", "home", ("gpt-5-mini",)),
    )
    row: dict[str, Any] = {"task": "chat", "provider": "work", "requests": 9}
    today = now_us() // DAY_US * DAY_US
    async with desk.database.write() as session:
        session.add(UsageModelHour(start_us=today, model="unheard-of", unpriced=4, **row))
        session.add(UsageModelDay(start_us=today - DAY_US, model="unheard-of", unpriced=3, **row))
        session.add(UsageModelHour(start_us=today, model="once-asked-for", unpriced=2, **row))
    await desk.own.set(OPERATOR, "mistral", "mine", {"input_mtok": "1"}, "x")
    page = await desk.list.page(OPERATOR, snapshot)
    found = {(each.kind, each.model): each for each in page.models}
    assert {name: each.source for name, each in found.items()} == {
        ("mistral", "mine"): "own",
        ("openai", "gpt-5-mini"): "published",
        ("openai", "once-asked-for"): "none",
        ("openai", "unheard-of"): "none",
        ("openai", "whisper-1"): "listed",
        ("sandbox", "sandbox"): "built_in",
    }
    assert found["openai", "gpt-5-mini"].connections == ("work", "home")
    assert found["openai", "gpt-5-mini"].amounts["input_mtok"] == "0.25"
    assert found["openai", "whisper-1"].unit_words == "0.006 USD a minute"
    assert found["openai", "unheard-of"].unpriced_calls == 7
    assert page.unpriced == 2
    assert [each.model for each in (await desk.list.page(OPERATOR, snapshot, source="none")).models] == [
        "once-asked-for",
        "unheard-of",
    ]


async def test_the_list_comes_in_pages_that_miss_nothing(desk: Desk) -> None:
    snapshot = (_of("openai", "work", tuple(f"m-{n:03}" for n in range(25))),)
    seen, after = [], ""
    while True:
        page = await desk.list.page(OPERATOR, snapshot, after=after, limit=10)
        seen += [each.model for each in page.models]
        after = page.following
        if not after:
            break
    assert seen == [f"m-{n:03}" for n in range(25)]
    assert [m.model for m in (await desk.list.page(OPERATOR, snapshot, containing="OPENAI 02")).models] == [
        "m-002",
        *(f"m-{n:03}" for n in range(20, 25)),
    ]


@given(st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), st.text(max_size=12), max_size=5))
def test_whatever_is_typed_is_a_price_that_can_be_used_or_a_refusal(given_amounts: dict[str, str]) -> None:
    try:
        clean = clean_amounts(given_amounts)
    except BrokerError as refusal:
        assert refusal.code == "invalid_price"
        return
    assert clean_amounts(clean) == clean
    prices = Prices()
    prices.go_by({("openai", "m"): clean})
    cost = prices.cost_nano_usd("openai", "", "m", Usage(3, 0), AT_US)
    assert cost is None or cost >= 0
    assert unit_price(clean) is None or clean["per_unit"]


@given(st.decimals("0", "1000", places=6), st.integers(0, 10**7), st.integers(0, 10**7))
def test_own_prices_are_exact(usd: Decimal, read: int, written: int) -> None:
    prices = Prices()
    prices.go_by({("openai", "m"): clean_amounts({"input_mtok": str(usd), "output_mtok": str(usd * 2)})})
    exact = (usd * read + usd * 2 * written) * 1000
    assert prices.cost_nano_usd("openai", "", "m", Usage(read, written), AT_US) == int(exact.to_integral_value())


def _of(kind: str, name: str, models: tuple[str, ...]) -> Any:
    return replace(view(name, models=models), kind=kind)
