"""Prices: exact to 10⁻⁹ USD, the library's own choice of model and time, unpriced where there is no price."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TimeOfDateConstraint
from genai_prices.types import Usage as TableUsage
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.kit.money import to_nano
from aiservice.services.prices import Prices, _rates
from aiservice.wire import MediaTokens, Usage

AT_US = 1_795_000_000_000_000  # 2026-11-18
PRICES = Prices()
MODELS = [(provider, model) for provider in get_snapshot().providers for model in provider.models]


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("kind", "model", "usage", "nano_usd"),
    [
        # 1 000 x 0.25 + 500 x 2 USD a million
        ("openai", "gpt-5-mini", Usage(1000, 500), 250_000 + 1_000_000),
        # 1 000 of 1 500 read from the cache: 500 x 0.25 + 1 000 x 0.025 + 100 x 2
        ("openai", "gpt-5-mini", Usage(1500, 100, cached_input_tokens=1000), 125_000 + 25_000 + 200_000),
        # 7 x 2.5 + 3 x 10
        ("openai", "gpt-4o", Usage(7, 3), 17_500 + 30_000),
        # an odd number of half nano-dollars: 1 x 0.025 of cache = 25; 3 x 0.02 USD a million = 60
        ("openai", "text-embedding-3-small", Usage(3, 0), 60),
        # Anthropic below 200 000: 100 x 3 + 300 x 0.3 (read) + 600 x 3.75 (written) + 50 x 15
        (
            "anthropic",
            "claude-sonnet-4-5-20250929",
            Usage(1000, 50, cached_input_tokens=300, cache_write_tokens=600),
            300_000 + 90_000 + 2_250_000 + 750_000,
        ),
        # and above, where all tokens pay the higher price: 250 000 x 6 + 10 x 22.5
        ("anthropic", "claude-sonnet-4-5-20250929", Usage(250_000, 10), 1_500_000_000 + 225_000),
        # exactly at the step the lower price holds: 200 000 x 1.25
        ("gemini", "gemini-2.5-pro", Usage(200_000, 0), 250_000_000),
        ("gemini", "gemini-2.5-pro", Usage(200_001, 0), 500_002_500),
        # 11 x 0.59 + 13 x 0.79
        ("groq", "llama-3.3-70b-versatile", Usage(11, 13), 6_490 + 10_270),
        # 100 x 5 of text + 50 x 8 of pictures + 1 000 x 32 of pictures drawn
        ("openai", "gpt-image-1.5", Usage(150, 1000, media=MediaTokens(50, 1000)), 500_000 + 400_000 + 32_000_000),
        # 10 x 2 + 1 120 x 120 of a picture + 30 x 12 of thoughts, which are none
        (
            "gemini",
            "gemini-3-pro-image",
            Usage(10, 1150, reasoning_tokens=30, media=MediaTokens(image_output=1150)),
            20_000 + 134_400_000 + 360_000,
        ),
        # 90 x 1 of sound + 10 x 0.3 of text + 5 x 2.5
        ("gemini", "gemini-2.5-flash", Usage(100, 5, media=MediaTokens(audio_input=90)), 90_000 + 3_000 + 12_500),
        ("xai", "grok-4", Usage(100, 100, cached_input_tokens=100), 75_000 + 1_500_000),
    ],
)
def test_amounts_equal_those_computed_by_hand(kind: str, model: str, usage: Usage, nano_usd: int) -> None:
    assert PRICES.cost_nano_usd(kind, "", model, usage, AT_US) == nano_usd


def test_halves_of_a_nano_dollar_are_rounded_once_and_to_even() -> None:
    rates = _rates({"input_mtok": Decimal("0.0005")})
    assert [rates.cost(Usage(tokens, 0)) for tokens in (1, 2, 3, 4, 5)] == [0, 1, 2, 2, 2]


def test_time_of_day_prices_hold_at_their_time() -> None:
    usage = Usage(1_000_000, 0)
    night, day = _at("2026-11-18T20:00:00"), _at("2026-11-18T12:00:00")
    assert PRICES.cost_nano_usd("deepseek", "", "deepseek-chat", usage, night) == 135_000_000
    assert PRICES.cost_nano_usd("deepseek", "", "deepseek-chat", usage, day) == 270_000_000


def test_a_later_price_holds_from_its_date_on() -> None:
    usage = Usage(300_000, 0)
    assert PRICES.cost_nano_usd("anthropic", "", "claude-opus-4-6", usage, _at("2026-03-12T23:59:00")) == 3_000_000_000
    assert PRICES.cost_nano_usd("anthropic", "", "claude-opus-4-6", usage, _at("2026-03-13T00:00:00")) == 1_500_000_000


def test_unknown_models_are_unpriced_and_never_free() -> None:
    for kind in ("openai", "anthropic", "no-such-vendor"):
        assert PRICES.cost_nano_usd(kind, "", "a-model-nobody-sells", Usage(10, 10), AT_US) is None
        assert not PRICES.is_priced(kind, "", "a-model-nobody-sells", AT_US)


def test_what_is_not_sold_by_token_is_unpriced() -> None:
    assert PRICES.cost_nano_usd("openai", "", "whisper-1", Usage(100, 100), AT_US) is None


def test_output_without_an_output_price_is_unpriced() -> None:
    assert PRICES.cost_nano_usd("openai", "", "text-embedding-3-small", Usage(3, 1), AT_US) is None


def test_the_sandbox_is_free() -> None:
    assert PRICES.cost_nano_usd("sandbox", "", "sandbox", Usage(1000, 1000), AT_US) == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/v1", "http://10.0.0.7/v1", "https://llm.example.org/v1"])
def test_a_server_that_nobody_knows_is_unpriced(url: str) -> None:
    assert PRICES.cost_nano_usd("openai-compatible", url, "gpt-4o", Usage(7, 3), AT_US) is None


def test_the_address_tells_whose_prices_hold() -> None:
    url, model = "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"
    assert PRICES.cost_nano_usd("openai-compatible", url, model, Usage(11, 13), AT_US) == 16_760


def test_a_named_vendor_behind_a_private_proxy_keeps_its_prices() -> None:
    assert PRICES.cost_nano_usd("openai", "http://10.0.0.7/v1", "gpt-4o", Usage(7, 3), AT_US) == 47_500


def test_parts_larger_than_their_whole_are_cut() -> None:
    """Azure-hosted xAI was recorded with 7 prompt tokens of which 163 were cached."""
    assert PRICES.cost_nano_usd("xai", "", "grok-4", Usage(7, 0, cached_input_tokens=163), AT_US) == 7 * 750


def test_names_from_callers_cannot_fill_the_memory() -> None:
    prices = Prices()
    for number in range(5000):
        prices.cost_nano_usd("mistral", "", f"made-up-{number}", Usage(1, 1), AT_US)
    assert len(prices._models) <= 4096


def test_time_constraints_change_at_whole_minutes() -> None:
    """The cache of a model's price lasts a minute."""
    for _, model in MODELS:
        for each in model.prices if isinstance(model.prices, list) else []:
            if isinstance(each.constraint, TimeOfDateConstraint):
                assert each.constraint.start_time.second == each.constraint.end_time.second == 0


@settings(max_examples=300, deadline=None)
@given(
    choice=st.integers(0, len(MODELS) - 1),
    tokens=st.tuples(st.integers(0, 400_000), st.integers(0, 50_000)),
    shares=st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100)),
    at_us=st.integers(AT_US - 10**15, AT_US),
)
def test_every_price_equals_the_librarys_own(
    choice: int, tokens: tuple[int, int], shares: tuple[int, int, int], at_us: int
) -> None:
    provider, model = MODELS[choice]
    given_tokens, made = tokens
    read, written, thought = given_tokens * shares[0] // 100, given_tokens * shares[1] // 100, made * shares[2] // 100
    ours = Prices().cost_nano_usd(provider.id, "", model.id, Usage(given_tokens, made, read, written, thought), at_us)
    found = provider.find_model(model.id, all_providers=get_snapshot().providers)
    if ours is None or found is None:
        return
    usage = TableUsage(
        input_tokens=given_tokens,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_reasoning_tokens=thought,
    )
    when = datetime.fromtimestamp(at_us / 1e6, UTC)
    theirs = found.calc_price(usage, provider, genai_request_timestamp=when).total_price
    assert abs(ours - to_nano(theirs)) <= 1 if theirs.as_tuple().exponent == -28 else ours == to_nano(theirs)
