"""Policies and ceilings as people write them, and when a ceiling is broken."""

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from aiservice.errors import BrokerError
from aiservice.services.abuse_features import Counts, Level
from aiservice.services.abuse_policies import (
    ANSWERS,
    CEILINGS,
    Ceiling,
    Policy,
    beyond,
    clean_ceilings,
    policy_of,
    read_ceilings,
    written,
)


@given_settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(CEILINGS)), st.integers(0, 10**6), st.sampled_from(sorted(ANSWERS)))
def test_what_is_written_is_read_again(name: str, amount: int, answer: str) -> None:
    stored = clean_ceilings(read_ceilings([f"{name}={amount}:{answer}"]))
    ceiling = policy_of(None, stored).ceilings[name]
    assert read_ceilings([written(name, ceiling)])[name] == (ceiling.amount, answer)


@given_settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_nonsense_is_refused_in_words(text: str) -> None:
    try:
        clean_ceilings(read_ceilings([text]))
    except BrokerError as error:
        assert error.status == 422


@pytest.mark.parametrize("text", ["requests/minute=nan:block", "cost/hour=inf:block", "cost/hour=1e300:alert"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(BrokerError) as raised:
        clean_ceilings(read_ceilings([text]))
    assert raised.value.code == "invalid_ceiling"


def test_the_furthest_answer_of_the_broken_ones_holds() -> None:
    policy = Policy(
        ceilings={
            "requests/minute": Ceiling(10, Level.THROTTLE),
            "errors/percent": Ceiling(50, Level.BLOCK),
            "cost/hour": Ceiling(10**9, Level.ALERT),
        }
    )
    minute, ten = Counts(requests=11), Counts(requests=30, errors=20)
    level, found = beyond(policy, minute, ten, Counts(cost_nano_usd=10**9))
    assert level is Level.BLOCK
    assert {f"{each.feature}/{each.window}": each.observed for each in found} == {
        "requests/minute": 11,
        "errors/percent": 66,
    }


def test_a_few_failures_are_no_share() -> None:
    policy = Policy(ceilings={"errors/percent": Ceiling(50, Level.BLOCK)})
    assert beyond(policy, Counts(), Counts(requests=19, errors=19), Counts())[0] is Level.NONE


def test_what_a_later_release_wrote_is_left_out() -> None:
    policy = policy_of("later", {"later/hour": {"amount": 1, "answer": "block"}, "cost/hour": {"answer": "shout"}})
    assert policy == Policy()
