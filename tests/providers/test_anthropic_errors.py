"""Anthropic's errors in our words: each kind known, nobody's account in them."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import Ask, Blame, HttpCall, HttpReply

_ASK = Ask("chat", "chat", {"messages": []})
_CALL = HttpCall("/v1/messages", b"{}")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _failed(status: int, kind: str, message: str = "no", headers: dict[str, str] | None = None, **extra: Any) -> Any:
    error = {"type": "error", "error": {"type": kind, "message": message, **extra}, "request_id": "req_1"}
    return PROVIDER.failure(HttpReply(status, headers or {}, orjson.dumps(error)))


def test_an_error_after_200_is_an_error() -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(AttemptFailed) as raised:
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {"retry-after": "9"}, orjson.dumps(body)))
    failure = raised.value.failure
    assert (failure.code, failure.upstream_status, failure.retry_after_seconds) == ("provider_overloaded", 529, None)


@given(_JSON, st.sampled_from([400, 401, 404, 413, 429, 500, 529]))
def test_any_error_body_is_a_failed_attempt(error: Any, status: int) -> None:
    body = orjson.dumps({"type": "error", "error": error}, option=orjson.OPT_NON_STR_KEYS)
    assert PROVIDER.failure(HttpReply(status, {}, body)).code


@pytest.mark.parametrize(
    ("status", "kind", "ours", "code", "blame"),
    [
        (400, "invalid_request_error", 400, "invalid_request_error", Blame.CALLER),
        (401, "authentication_error", 502, "upstream_auth_failed", Blame.FAILOVER),
        (402, "billing_error", 502, "upstream_quota_exhausted", Blame.FAILOVER),
        (403, "permission_error", 502, "upstream_auth_failed", Blame.FAILOVER),
        (404, "not_found_error", 404, "model_not_found", Blame.FAILOVER),
        (409, "conflict_error", 400, "conflict_error", Blame.CALLER),
        (413, "request_too_large", 413, "request_too_large", Blame.CALLER),
        (429, "rate_limit_error", 429, "provider_quota_exhausted", Blame.RETRY),
        (500, "api_error", 502, "provider_failed", Blame.FAILOVER),
        (504, "timeout_error", 504, "provider_timeout", Blame.FAILOVER),
        (529, "overloaded_error", 503, "provider_overloaded", Blame.RETRY),
    ],
)
def test_every_kind_of_error_is_known_with_its_status_and_without(
    status: int, kind: str, ours: int, code: str, blame: Blame
) -> None:
    for seen in (status, 200):
        failure = _failed(seen, kind)
        assert (failure.status, failure.code, failure.blame, failure.upstream_status) == (ours, code, blame, status)


@pytest.mark.parametrize(
    ("words", "code", "blame"),
    [
        ("prompt is too long: 300 tokens > 200 maximum", "context_length_exceeded", Blame.CALLER),
        ("Your credit balance is too low to access the API.", "upstream_quota_exhausted", Blame.FAILOVER),
        ("You have reached your specified API usage limits.", "upstream_quota_exhausted", Blame.FAILOVER),
        ("This model does not support assistant message prefill.", "unsupported_parameter", Blame.FAILOVER),
        ("`temperature` is deprecated for this model.", "unsupported_parameter", Blame.FAILOVER),
    ],
)
def test_errors_that_only_their_words_tell_apart(words: str, code: str, blame: Blame) -> None:
    failure = _failed(400, "invalid_request_error", words)
    assert (failure.code, failure.blame) == (code, blame)


def test_a_spending_limit_is_no_reason_to_try_again() -> None:
    failure = _failed(429, "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"})
    assert (failure.code, failure.blame) == ("upstream_quota_exhausted", Blame.FAILOVER)


def test_the_wait_and_whether_to_try_again_are_the_vendors() -> None:
    failure = _failed(429, "rate_limit_error", headers={"retry-after": "7", "x-should-retry": "true"})
    assert (failure.retry_after_seconds, failure.blame) == (7.0, Blame.RETRY)
    assert _failed(529, "overloaded_error", headers={"x-should-retry": "false"}).blame is Blame.FAILOVER


@pytest.mark.parametrize(
    "words",
    [
        "This request would exceed your organization's rate limit of 30,000 input tokens per minute "
        "(org: 3f0e4c1a-1111-2222-3333-444455556666, model: claude-x).",
        "This would exceed the limit for your organization (3f0e4c1a-1111-2222-3333-444455556666).",
        "organization: acme-corp has exceeded sk-ant-api03-abcdef",
    ],
)
def test_neither_key_nor_account_is_in_an_error(words: str) -> None:
    message = _failed(429, "rate_limit_error", words).message
    assert all(part not in message for part in ("3f0e4c1a", "acme", "sk-ant", "api03"))


def test_errors_of_other_shapes_are_read_too() -> None:
    assert PROVIDER.failure(HttpReply(529, {}, b"<html>")).code == "provider_overloaded"
    assert PROVIDER.failure(HttpReply(502, {}, b"<html>")).code == "provider_failed"
    body = b'{"error": {"message": "bad key", "code": "invalid_api_key"}}'
    assert PROVIDER.failure(HttpReply(401, {}, body)).code == "upstream_auth_failed"


@pytest.mark.parametrize("kind", [[], {}, None, 7])
def test_an_error_of_a_kind_that_is_no_name_is_a_failed_attempt(kind: Any) -> None:
    assert _failed(400, kind).code
