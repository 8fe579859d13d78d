"""The terms of routing as they are read, written and put over one another."""

from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import InvalidRequest
from aiservice.services.routing_terms import DATA_COLLECTIONS, FIELDS, SORTS, STRATEGIES, MaxPrice, Terms

names = st.lists(st.sampled_from(["east", "west", "openai:gpt-5-mini", "eu-azure"]), min_size=1, max_size=4)
usd = st.decimals(0, 1000, places=3).map(float) | st.integers(0, 1000)
prices = st.dictionaries(st.sampled_from(["prompt", "completion", "request"]), usd, min_size=1)
said = st.fixed_dictionaries(
    {},
    optional={
        "order": names,
        "only": names,
        "ignore": names,
        "allow_fallbacks": st.booleans(),
        "require_parameters": st.booleans(),
        "sort": st.sampled_from(SORTS),
        "strategy": st.sampled_from(STRATEGIES),
        "max_price": prices,
        "preferred_max_latency_ms": st.integers(1, 60_000),
        "preferred_min_throughput": st.floats(0.5, 500),
        "fallback_below_throughput": st.floats(0.5, 500),
        "data_collection": st.sampled_from(DATA_COLLECTIONS),
        "zdr": st.booleans(),
        "regions": names,
    },
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(given_=said)
def test_terms_are_written_as_they_are_read(given_: dict[str, Any]) -> None:
    terms = Terms.read(given_)
    assert Terms.read(terms.to_json()) == terms
    assert hash(Terms.read(terms.to_json())) == hash(terms)
    assert set(terms.to_json()) == set(given_)


@given(mine=said, theirs=said)
def test_what_the_one_says_wins_and_what_it_leaves_open_is_the_others(mine: Any, theirs: Any) -> None:
    merged = Terms.read(mine).over(Terms.read(theirs)).to_json()
    narrowing = {"data_collection", "zdr", "regions"}
    expected = {**Terms.read(theirs).to_json(), **Terms.read(mine).to_json()}
    assert {k: v for k, v in merged.items() if k not in narrowing} == {
        k: v for k, v in expected.items() if k not in narrowing
    }


def test_every_field_is_one_of_the_vocabulary() -> None:
    assert {each.name for each in fields(Terms) if each.init} == set(FIELDS)


def test_those_with_no_region_in_common_have_none() -> None:
    nowhere = Terms(regions=frozenset({"eu"})).over(Terms(regions=frozenset({"us"})))
    assert nowhere.regions == nowhere.over(Terms(regions=frozenset({"us"}))).regions == frozenset()


def test_what_is_said_of_data_only_narrows() -> None:
    strict = Terms(data_collection="deny", zdr=True, regions=frozenset({"eu", "ch"}))
    loose = Terms(data_collection="allow", zdr=False, regions=frozenset({"eu", "us"}))
    for merged in (strict.over(loose), loose.over(strict)):
        assert merged == Terms(data_collection="deny", zdr=True, regions=frozenset({"eu"}))


@given(name=st.sampled_from([*FIELDS, "chain", "other"]), value=anything)
def test_whatever_is_given_is_read_or_refused_by_name(name: str, value: Any) -> None:
    try:
        terms = Terms.read({name: value}, "preferences")
    except InvalidRequest as refused:
        assert (refused.param or "").startswith(f"preferences.{name}")
    else:
        assert Terms.read(terms.to_json()) == terms


@pytest.mark.parametrize(
    ("given_", "param", "words"),
    [
        ([], "preferences", "must be an object"),
        ({"order": ["a"], "chain": ["b"]}, "preferences.chain", "not both"),
        ({"orders": ["a"]}, "preferences.orders", "Did you mean 'order'"),
        ({"order": []}, "preferences.order", "1 to 10 names"),
        ({"sort": "cheap"}, "preferences.sort", "price, latency, throughput"),
        ({"max_price": {"promt": 1}}, "preferences.max_price", "prompt, completion, request"),
        ({"max_price": {"prompt": "x"}}, "preferences.max_price.prompt", "amount in USD"),
        ({"zdr": 1}, "preferences.zdr", "true or false"),
    ],
)
def test_what_cannot_be_read_says_which_field_and_why(given_: Any, param: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refused:
        Terms.read(given_)
    assert refused.value.param == param


def test_prices_are_exact_whether_numbers_or_texts() -> None:
    for given_ in ({"prompt": 0.1, "completion": 15}, {"prompt": "0.1", "completion": "15"}):
        price = Terms.read({"max_price": given_}).max_price
        assert price == MaxPrice(100_000_000, 15_000_000_000)
        assert Decimal(str(price.to_json()["prompt"])) == Decimal("0.1")
    assert Terms.read({"chain": ["a"], "order": None}) == Terms(order=("a",))
