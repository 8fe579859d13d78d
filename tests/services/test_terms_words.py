"""What people read of terms."""

from hypothesis import given

from aiservice.services.routing_terms import MaxPrice, Terms
from aiservice.services.terms_words import Difference, differences, sentence
from tests.services.test_routing_terms import said


def test_terms_are_told_as_one_sentence() -> None:
    terms = Terms(
        order=("anthropic", "openai:gpt-5-mini"),
        ignore=frozenset({"west"}),
        max_price=MaxPrice(prompt=3_000_000_000, request=10_000_000),
        allow_fallbacks=False,
        zdr=True,
    )
    assert sentence(terms, "Chat") == (
        "Chat goes to anthropic first, then openai:gpt-5-mini; never to west; at most $3 per million tokens in, "
        "$0.01 a request; only where nothing is retained; and nowhere else when that fails"
    )
    assert sentence(Terms(sort="price")) == "Requests go where the broker chooses; the cheapest first"


def test_a_difference_names_what_was_and_what_will_be() -> None:
    before, after = Terms(order=("east",), zdr=False), Terms(order=("west", "east"), preferred_max_latency_ms=1500)
    assert differences(before, after) == [
        Difference("order", "east", "west, then east"),
        Difference("preferred max latency", "not set", "1,500 ms"),
        Difference("zero data retention", "no", "not set"),
    ]
    assert differences(after, after) == []


@given(given_=said)
def test_all_terms_have_words_and_differ_from_none_in_what_they_say(given_: dict[str, object]) -> None:
    terms = Terms.read(given_)
    assert sentence(terms)
    assert len(differences(Terms(), terms)) == len(given_)
