"""Budgets as people set them: who may, what is refused, what is told; and the windows they are of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, SECOND_US
from aiservice.services.budget_terms import Terms, nano_of
from aiservice.services.budget_windows import PERIODS, window_at
from aiservice.services.budget_words import amount_words
from aiservice.services.budgets import Budgets
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig

_2100_US = 4_102_444_800 * SECOND_US


@pytest.fixture
def budgets(rig: Rig) -> Budgets:
    return Budgets(rig.db, rig.changes)


async def test_a_budget_reaches_a_known_key_and_leaves_it_again(rig: Rig, budgets: Budgets) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).budgets == ()
    await budgets.set(DEVELOPER, "key", made.id, Terms("money", "month", 25 * 10**9))
    await budgets.set(ADMIN, "client", "acme", Terms("tokens", "day", 1_000, is_rolling=True))
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert [(each.scope, each.subject, each.measure, each.period, each.cap) for each in principal.budgets] == [
        ("key", made.id, "money", "month", 25 * 10**9),
        ("client", "cli_1", "tokens", "day", 1_000),
    ]
    await budgets.clear(ADMIN, "client", "acme")
    await budgets.clear(DEVELOPER, "key", made.id, "money", "month")
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).budgets == ()


async def test_setting_again_changes_the_cap_and_keeps_the_budget(rig: Rig, budgets: Budgets) -> None:
    first = await budgets.set(ADMIN, "client", "acme", Terms("money", "day", 10))
    second = await budgets.set(ADMIN, "client", "acme", Terms("money", "day", 20, warn_percent=(90, 10)))
    assert (second.id, second.terms.cap, second.terms.warn_percent) == (first.id, 20, (10, 90))
    rolling = await budgets.set(ADMIN, "client", "acme", Terms("money", "day", 20, is_rolling=True))
    assert [view.id for view in await budgets.of(ADMIN, "client", "acme")] == [rolling.id] != [first.id]


async def test_only_an_admin_gives_a_client_a_budget_and_an_owner_stays_within_it(rig: Rig, budgets: Budgets) -> None:
    with pytest.raises(BrokerError) as raised:
        await budgets.set(DEVELOPER, "client", "acme", Terms("money", "day", 1))
    assert raised.value.code == "admin_only"
    await budgets.set(ADMIN, "client", "acme", Terms("money", "day", 100))
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    with pytest.raises(BrokerError) as raised:
        await budgets.set(DEVELOPER, "key", made.id, Terms("money", "day", 101))
    assert raised.value.code == "wider_than_client"
    await budgets.set(DEVELOPER, "key", made.id, Terms("money", "day", 100))
    assert [view.scope for view in await budgets.list(DEVELOPER)] == ["client", "key"]


async def test_a_stranger_finds_neither_the_budget_nor_its_key(rig: Rig, budgets: Budgets) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await budgets.set(ADMIN, "key", made.id, Terms("money", "day", 1))
    for work in (
        budgets.of(STRANGER, "key", made.id),
        budgets.set(STRANGER, "key", made.id, Terms("money", "day", 2)),
        budgets.clear(STRANGER, "key", made.id),
        budgets.of(STRANGER, "client", "acme"),
    ):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.status == 404
    assert await budgets.list(STRANGER) == []


@pytest.mark.parametrize(
    "terms",
    [
        Terms("money", "day", 0),
        Terms("money", "day", -1),
        Terms("money", "year", 1),
        Terms("euros", "day", 1),
        Terms("tokens", "day", 2**63),
        Terms("tokens", "day", 1, warn_percent=(0,)),
        Terms("tokens", "day", 1, warn_percent=(101,)),
        Terms("money", "day", 1, unpriced_models=("",)),
    ],
)
async def test_terms_that_are_none_are_refused(budgets: Budgets, terms: Terms) -> None:
    with pytest.raises(BrokerError) as raised:
        await budgets.set(ADMIN, "client", "acme", terms)
    assert (raised.value.status, raised.value.code) == (422, "invalid_budget")


@given(st.text(max_size=30))
def test_t73_an_amount_is_a_number_above_nothing_or_refused_in_words(text: str) -> None:
    try:
        assert 0 < nano_of(text) < 2**62
    except BrokerError as error:
        assert error.code == "invalid_budget"


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1", "0", "1e308", "", "0x10", "1,5", "1e-10"])
def test_t73_what_is_no_amount_of_money_makes_no_budget(text: str) -> None:
    with pytest.raises(BrokerError):
        nano_of(text)


def test_amounts_read_as_people_write_them() -> None:
    assert nano_of("$12.50") == 12_500_000_000
    assert amount_words("money", 1_250_500_000_000) == "1,250.50 USD"
    assert amount_words("money", 25 * 10**9) == "25 USD"
    assert amount_words("tokens", 1_000_000) == "1,000,000 tokens"


@given(st.sampled_from(PERIODS), st.booleans(), st.integers(0, _2100_US))
def test_every_moment_is_in_one_window_and_the_next_begins_where_it_ends(
    period: str, is_rolling: bool, at_us: int
) -> None:
    window = window_at(period, at_us, is_rolling=is_rolling)
    assert window.since_us <= window.start_us <= at_us < window.ends_us
    assert window_at(period, window.start_us, is_rolling=is_rolling) == window
    assert window_at(period, window.ends_us - 1, is_rolling=is_rolling) == window
    assert window_at(period, window.ends_us, is_rolling=is_rolling).start_us == window.ends_us


def test_windows_of_the_calendar_begin_at_midnight_monday_and_the_first() -> None:
    at_us = int(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * SECOND_US
    starts = {period: window_at(period, at_us, is_rolling=False) for period in PERIODS}
    shown = {name: [f"{datetime.fromtimestamp(us / SECOND_US, UTC):%m-%d}" for us in w] for name, w in starts.items()}
    assert shown == {
        "day": ["12-31", "12-31", "01-01"],
        "week": ["12-28", "12-28", "01-04"],
        "month": ["12-01", "12-01", "01-01"],
    }


@given(st.integers(40 * DAY_US, _2100_US))
def test_a_rolling_window_never_forgets_what_is_younger_than_it(at_us: int) -> None:
    for period, days in (("day", 1), ("week", 7), ("month", 30)):
        assert window_at(period, at_us, is_rolling=True).since_us <= at_us - days * DAY_US
