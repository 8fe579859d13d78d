"""Prices by the image, the second and the character."""

import pytest

from aiservice.kit.clock import from_us
from aiservice.providers.capabilities import published
from aiservice.services.prices import Prices
from aiservice.services.unit_prices import _PRICES, cost_of_units, unit_source
from aiservice.wire import Unit, Usage

_AT_US = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("kind", "model", "units", "unit", "quality", "nano_usd"),
    [
        ("openai", "whisper-1", 60, "second", "", 6_000_000),
        ("openai", "tts-1", 1_000, "character", "", 15_000_000),
        ("openai", "tts-1-hd", 1_000, "character", "", 30_000_000),
        ("azure-openai", "dall-e-3", 2, "image", "", 88_000_000),
        ("azure-openai", "dall-e-3", 1, "image", "hd 1024x1792", 132_000_000),
        ("deepgram", "nova-3", 60, "second", "", 4_300_000),
        ("mistral", "voxtral-mini-2602", 3_600, "second", "", 180_000_000),
        ("groq", "whisper-large-v3-turbo", 3_600, "second", "", 40_000_000),
        ("groq", "whisper-large-v3", 1, "second", "", 308_333),  # ten seconds are the least
        ("xai", "grok-imagine-image", 1, "image", "", 20_000_000),
    ],
)
def test_a_unit_costs_what_its_vendor_says(  # noqa: PLR0917 - a table
    kind: str, model: str, units: int, unit: Unit, quality: str, nano_usd: int
) -> None:
    usage = Usage(units=units, unit=unit, unit_quality=quality)
    assert Prices().cost_nano_usd(kind, "", model, usage, _AT_US) == nano_usd


def test_what_has_no_price_is_not_free() -> None:
    assert cost_of_units("openrouter", "hexgrad/kokoro-82m", Usage(units=9, unit="character")) is None
    assert cost_of_units("openai", "whisper-1", Usage(units=9, unit="character")) is None
    assert not Prices().is_priced("openrouter", "", "hexgrad/kokoro-82m", _AT_US)


def test_every_price_names_the_page_it_is_from_and_who_read_it() -> None:
    assert all("." in page and reader for page, reader in (price.source for price in _PRICES))
    assert unit_source("openai", "tts-1") == "developers.openai.com/api/docs/pricing, as genai-prices 0.2.3 has it"


@pytest.mark.parametrize(
    ("model", "per_million_or_hour"),
    [("whisper-1", "audio_hours"), ("tts-1", "input_mchars"), ("tts-1-hd", "input_mchars")],
)
def test_ours_are_the_same_as_in_the_package_that_is_installed(model: str, per_million_or_hour: str) -> None:
    info = published("openai", "", model)
    assert info is not None
    amount = getattr(info.get_prices(from_us(_AT_US)), per_million_or_hour)
    usage = (
        Usage(units=3_600, unit="second")
        if per_million_or_hour == "audio_hours"
        else Usage(units=10**6, unit="character")
    )
    assert cost_of_units("openai", model, usage) == amount * 10**9


@pytest.mark.parametrize("model", ["dall-e-3", "dall-e-2"])
def test_what_nobody_lists_any_more_has_no_price(model: str) -> None:
    assert Prices().cost_nano_usd("openai", "", model, Usage(units=1, unit="image"), _AT_US) is None


def test_moderation_is_free_and_priced() -> None:
    prices = Prices()
    assert prices.is_priced("openai", "", "omni-moderation-latest", _AT_US)
    assert prices.cost_nano_usd("openai", "", "omni-moderation-latest", Usage(90), _AT_US) == 0


def test_a_model_paid_by_the_token_is_paid_by_the_token_though_its_seconds_are_known() -> None:
    by_token = Prices().cost_nano_usd("openai", "", "gpt-4o-transcribe", Usage(1_000, 100), _AT_US)
    both = Prices().cost_nano_usd("openai", "", "gpt-4o-transcribe", Usage(1_000, 100, units=9, unit="second"), _AT_US)
    assert by_token == both
    assert both is not None and both > 0
