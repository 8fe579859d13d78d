"""What a request may say of the cache, and what it gets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.services.cache_terms import (
    MOST_TTL_SECONDS,
    CacheRule,
    CacheTerms,
    agreed_ttl,
    checked_rule,
    terms_of,
)

Headers = list[tuple[bytes, bytes]]
ON = CacheRule("on", 60, 600)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("headers", "body", "terms"),
    [
        ([], None, CacheTerms()),
        ([(b"x-aiservice-cache-ttl", b" 60 ")], None, CacheTerms(60)),
        ([(b"x-aiservice-cache-ttl", b"60")], {"ttl": 5}, CacheTerms(5)),
        ([(b"x-aiservice-cache-ttl", b"60")], {"ttl": None}, CacheTerms(60)),
        ([(b"cache-control", b"No-Store, max-age=7")], None, CacheTerms(is_kept=False, most_age_seconds=7)),
        ([(b"cache-control", b"max-age=0")], None, CacheTerms(is_fresh_wanted=True, most_age_seconds=0)),
        ([(b"cache-control", b"max-age=soon, stale-if-error=3")], None, CacheTerms()),
        ([], {"no_cache": True, "no_store": False}, CacheTerms(is_fresh_wanted=True)),
    ],
)
def test_headers_and_body_say_the_same_things(headers: Headers, body: Any, terms: CacheTerms) -> None:
    assert terms_of(headers, body) == terms


@given(st.dictionaries(st.sampled_from(["ttl", "no_store", "no_cache", "x"]), anything) | anything)
def test_a_body_is_read_or_refused_by_name(body: Any) -> None:
    try:
        terms = terms_of([], body)
    except InvalidRequest as error:
        assert error.param is not None
        assert error.param.startswith("cache")
    else:
        assert terms.ttl_seconds is None or 0 <= terms.ttl_seconds <= MOST_TTL_SECONDS


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_headers_are_read_or_refused_by_name(ttl: bytes, control: bytes) -> None:
    try:
        terms_of([(b"x-aiservice-cache-ttl", ttl), (b"cache-control", control)], None)
    except InvalidRequest as error:
        assert error.param == "x-aiservice-cache-ttl"


@pytest.mark.parametrize(
    ("rule", "terms", "seconds"),
    [
        (CacheRule(), CacheTerms(), 0),
        (CacheRule(), CacheTerms(60), 60),
        (CacheRule("off"), CacheTerms(60), 0),
        (ON, CacheTerms(), 60),
        (ON, CacheTerms(0), 0),
        (ON, CacheTerms(3600), 600),
        (ON, CacheTerms(is_kept=False), 0),
    ],
)
def test_the_policy_and_the_request_agree_on_a_time(rule: CacheRule, terms: CacheTerms, seconds: int) -> None:
    assert agreed_ttl(rule, terms) == seconds


@pytest.mark.parametrize(
    "rule",
    [
        CacheRule("sometimes"),  # type: ignore[arg-type]
        CacheRule("on", 0),
        CacheRule("on", 90, 60),
        CacheRule("on", 1, MOST_TTL_SECONDS + 1),
        CacheRule("on", shared_by="world"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: CacheRule) -> None:
    with pytest.raises(Unprocessable):
        checked_rule(rule)
