"""What replies say of the provider's own limits, wire by wire. Headers are recordings' where there are."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._limit_headers import amount, wait_seconds
from aiservice.wire import HttpReply, QuotaNote

OPENAI, ANTHROPIC, GEMINI = (registry()[kind] for kind in ("openai", "anthropic", "gemini"))
NOW = 1_790_000_000.0


def _rates(left: str, of: str, reset: str, what: str = "requests") -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": of,
        f"x-ratelimit-remaining-{what}": left,
        f"x-ratelimit-reset-{what}": reset,
    }


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6ms", 0.006), ("0s", 0.0), ("8.64s", 8.64), ("1m13.588s", 73.588), ("1m0s", 60.0), ("2h0m30s", 7230.0),
        ("500", 500.0), ("1", 1.0), ("17.399999999s", 17.399999999), ("130ms", 0.13), ("6m0s", 360.0),
        ("2026-09-21T14:14:11Z", 51.0), ("2026-09-21T14:13:20+00:00", 0.0), ("1790000007000", 7.0),
        ("99999999999h", None), ("-3", None), ("soon", None), ("", None), ("nan", None), ("1e9", None), ("٣", None),
        ("2026-09-21T14:14:11", None), ("999999h", 31 * 86_400.0),
    ],
)  # fmt: skip
def test_waits_of_every_form_are_read_and_bounded(text: str, seconds: float | None) -> None:
    found = wait_seconds(text, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(st.text(max_size=60))
def test_no_text_makes_a_wait_or_an_amount_that_cannot_be(text: str) -> None:
    wait, count = wait_seconds(text), amount(text)
    assert wait is None or 0.0 <= wait <= 31 * 86_400.0
    assert count is None or 0 <= count <= 10**12


def test_openai_says_requests_and_tokens_of_a_minute() -> None:
    headers = _rates("499", "500", "120ms") | _rates("29986", "30000", "28ms", "tokens")
    assert OPENAI.quota_in(headers) == (
        QuotaNote("requests", 60, 500, 499, 0.12),
        QuotaNote("tokens", 60, 30000, 29986, 0.028),
    )


def test_azure_names_the_period_and_bare_seconds() -> None:
    headers = _rates("249", "250", "10") | {"x-ratelimit-renewalperiod-requests": "10"}
    assert OPENAI.quota_in(headers) == (QuotaNote("requests", 10, 250, 249, 10.0),)


def test_groqs_requests_are_a_days_and_its_tokens_a_minutes() -> None:
    headers = _rates("14399", "14400", "6s") | _rates("5987", "6000", "130ms", "tokens") | {"x-groq-region": "us-east"}
    assert [(note.measure, note.window_seconds) for note in OPENAI.quota_in(headers)] == [
        ("requests", 86_400),
        ("tokens", 60),
    ]


def test_mistral_has_names_of_its_own_and_no_reset() -> None:
    headers = {
        "x-ratelimit-limit-req-minute": "360",
        "x-ratelimit-remaining-req-minute": "359",
        "x-ratelimit-limit-tokens-minute": "2000000",
        "x-ratelimit-remaining-tokens-minute": "1999961",
        "x-ratelimit-limit-req-10-second": "60",
        "x-ratelimit-remaining-req-10-second": "59",
    }
    notes = OPENAI.quota_in(headers)
    assert [(note.measure, note.window_seconds, note.remaining) for note in notes] == [
        ("requests", 60, 359),
        ("requests", 10, 59),
        ("tokens", 60, 1999961),
    ]
    before = {"ratelimitbysize-limit": "500000", "ratelimitbysize-remaining": "342032", "ratelimitbysize-reset": "46"}
    assert OPENAI.quota_in(before) == (QuotaNote("tokens", 60, 500000, 342032, 46.0),)


def test_together_and_cohere_and_xai() -> None:
    together = {"x-ratelimit-limit": "2", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    assert OPENAI.quota_in(together) == (QuotaNote("requests", 1, 2, 0, 1.0),)
    cohere = {"x-trial-endpoint-call-limit": "20", "x-trial-endpoint-call-remaining": "19"}
    assert OPENAI.quota_in(cohere) == (QuotaNote("requests", 60, 20, 19),)
    xai = {"x-ratelimit-limit-tokens": "10000000", "x-ratelimit-remaining-tokens": "10000000"}
    assert OPENAI.quota_in(xai) == (QuotaNote("tokens", 60, 10000000, 10000000),)


def test_anthropic_says_moments_and_kinds_of_tokens() -> None:
    headers = {
        f"anthropic-ratelimit-{name}-{what}": value
        for name, limit, left in (("requests", 50, 49), ("tokens", 90, 80), ("input-tokens", 50, 45))
        for what, value in (("limit", f"{limit}"), ("remaining", f"{left}"), ("reset", "2020-01-01T00:00:00Z"))
    }
    notes = ANTHROPIC.quota_in(headers | {"retry-after": "30"})
    assert notes == (QuotaNote("requests", 60, 50, 49, 0.0), QuotaNote("input_tokens", 60, 50, 45, 0.0))


def test_refusals_say_it_in_words() -> None:
    said = "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30,000, Used 29,500, "
    body = orjson.dumps({"error": {"message": said + "Requested 1,200. Please try again in 1.4s."}})
    assert OPENAI.quota_in_refusal(HttpReply(429, {}, body)) == (QuotaNote("tokens", 60, 30000, 500),)
    said = "This request would exceed the rate limit for your organization of 40,000 input tokens per minute."
    body = orjson.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": said}})
    assert ANTHROPIC.quota_in_refusal(HttpReply(429, {}, body)) == (QuotaNote("input_tokens", 60, 40000),)


def test_google_names_the_quota_in_the_body() -> None:
    for name, measure, window in (
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "requests", 60),
        ("GenerateContentPaidTierInputTokensPerModelPerMinute", "input_tokens", 60),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "requests", 86_400),
    ):
        violation = {"quotaId": name, "quotaValue": "15"}
        error = {"code": 429, "details": [{"violations": [violation]}, {"retryDelay": "34.4s"}]}
        body = orjson.dumps([{"error": error}])
        assert GEMINI.quota_in_refusal(HttpReply(429, {}, body)) == (QuotaNote(measure, window, 15, 0),)  # type: ignore[arg-type]


def test_openrouter_passes_anothers_headers_on_in_the_body() -> None:
    inner = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000000000000"}
    body = orjson.dumps({"error": {"code": 429, "message": "slow", "metadata": {"headers": inner}}})
    assert OPENAI.quota_in_refusal(HttpReply(429, {}, body)) == (QuotaNote("requests", 60, 20, 0, 0.0),)


_NAMES = [f"x-ratelimit-{a}-{b}" for a in ("limit", "remaining", "reset") for b in ("requests", "tokens", "req-minute")]
_NAMES += ["x-ratelimit-limit", "ratelimitbysize-limit", "anthropic-ratelimit-requests-limit", "x-groq-region"]
_NAMES += ["anthropic-ratelimit-requests-remaining", "x-ratelimit-renewalperiod-requests", "retry-after"]
_VALUES = st.one_of(st.text(max_size=20), st.integers().map(str), st.sampled_from(["-1", "nan", "1e308", "0", "7"]))


@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES), st.binary(max_size=200))
def test_no_reply_breaks_a_reader_or_makes_a_limit_that_cannot_be(headers: dict[str, str], body: bytes) -> None:
    for provider in (OPENAI, ANTHROPIC, GEMINI):
        for note in (*provider.quota_in(headers), *provider.quota_in_refusal(HttpReply(429, headers, body))):
            assert note.limit is not None or note.remaining is not None
            assert all(n is None or 0 <= n <= 10**12 for n in (note.limit, note.remaining))
            assert note.window_seconds >= 1
            assert note.reset_seconds is None or 0 <= note.reset_seconds <= 31 * 86_400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "details", "violations", "quotaId", "quotaValue", "metadata", "headers"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_no_body_breaks_a_reader(body: object) -> None:
    for provider in (OPENAI, ANTHROPIC, GEMINI):
        provider.quota_in_refusal(HttpReply(429, {}, orjson.dumps(body)))


def test_a_request_over_the_accounts_limit_is_not_the_keys_fault() -> None:
    said = "Request too large for gpt-4o on tokens per min (TPM): Limit 1, Requested 30. The input or output tokens"
    body = orjson.dumps({"error": {"message": said, "code": "rate_limit_exceeded"}})
    failure = OPENAI.failure(HttpReply(429, {}, body))
    assert (failure.status, failure.code) == (413, "request_over_provider_quota")
