"""Prices by the image, the second and the character."""

import pytest

from aiservice.services.prices import Prices
from aiservice.services.unit_prices import cost_of_units
from aiservice.wire import Unit, Usage

_AT_US = 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("kind", "model", "units", "unit", "quality", "nano_usd"),
    [
        ("openai", "whisper-1", 60, "second", "", 6_000_000),
        ("openai", "tts-1", 1_000, "character", "", 15_000_000),
        ("openai", "tts-1-hd", 1_000, "character", "", 30_000_000),
        ("openai", "dall-e-3", 2, "image", "", 80_000_000),
        ("openai", "dall-e-3", 1, "image", "hd 1024x1792", 120_000_000),
        ("openai", "dall-e-2", 1, "image", "256x256", 16_000_000),
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


def test_moderation_is_free_and_priced() -> None:
    prices = Prices()
    assert prices.is_priced("openai", "", "omni-moderation-latest", _AT_US)
    assert prices.cost_nano_usd("openai", "", "omni-moderation-latest", Usage(90), _AT_US) == 0


def test_a_model_paid_by_the_token_is_paid_by_the_token_though_its_seconds_are_known() -> None:
    by_token = Prices().cost_nano_usd("openai", "", "gpt-4o-transcribe", Usage(1_000, 100), _AT_US)
    both = Prices().cost_nano_usd("openai", "", "gpt-4o-transcribe", Usage(1_000, 100, units=9, unit="second"), _AT_US)
    assert by_token == both
    assert both is not None and both > 0
