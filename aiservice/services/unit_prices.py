"""Prices of work that is not sold by the token: by the image, the second of sound, the character.

The table of genai-prices has tokens alone. What is not here has no price, which is not free. These are the vendors'
list prices as they were known when this was written, not read off their pages since: compare them with
platform.openai.com/docs/pricing, groq.com/pricing, deepgram.com/pricing, ai.google.dev/gemini-api/docs/pricing,
docs.x.ai/docs/models and docs.mistral.ai before a budget rests on them.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from aiservice.kit.money import NANO_USD
from aiservice.wire import Unit, Usage

LISTED = "2026-11"
"""When these were written down, year and month."""
_MINUTE, _HOUR, _MILLION = 60, 3_600, 1_000_000


@dataclass(slots=True, frozen=True)
class _Price:
    """`usd` for `per` units of `unit`; of the first `qualities` whose pattern is found in `Usage.unit_quality`, else of
    the last. At least `least` units are charged for."""

    kinds: frozenset[str]
    model: re.Pattern[str]
    unit: Unit
    qualities: tuple[tuple[re.Pattern[str], Fraction], ...]
    least: int = 0


def _price(kinds: str, model: str, unit: Unit, usd: str, per: int = 1, *, least: int = 0) -> _Price:
    each = Fraction(usd) * NANO_USD / per
    return _Price(frozenset(kinds.split()), re.compile(model), unit, ((re.compile(""), each),), least)


def _images(kinds: str, model: str, *prices: tuple[str, str]) -> _Price:
    qualities = tuple((re.compile(pattern), Fraction(usd) * NANO_USD) for pattern, usd in prices)
    return _Price(frozenset(kinds.split()), re.compile(model), "image", qualities)


_OPENAI = "openai azure-openai"
# Of an image whose size or quality the model chooses, the dearest.
_PRICES = (
    _images(_OPENAI, r"dall-e-2", (r"256x256", "0.016"), (r"512x512", "0.018"), (r"", "0.020")),
    _images(
        _OPENAI, r"dall-e-3",
        (r"hd .*(?:1792x1024|1024x1792)", "0.120"), (r"hd", "0.080"), (r"1792x1024|1024x1792", "0.080"), (r"", "0.040"),
    ),
    _price(_OPENAI, r"tts-1-hd", "character", "30", _MILLION),
    _price(_OPENAI, r"tts-1", "character", "15", _MILLION),
    _price(_OPENAI, r"whisper", "second", "0.006", _MINUTE),
    _price(_OPENAI, r"(?:omni|text)-moderation", "search", "0"),
    _price("groq", r"whisper-large-v3-turbo", "second", "0.04", _HOUR, least=10),
    _price("groq", r"whisper-large-v3", "second", "0.111", _HOUR, least=10),
    _price("mistral", r"voxtral-mini-(?!.*tts)", "second", "0.002", _MINUTE),
    _price("deepgram", r"nova-", "second", "0.0043", _MINUTE),
    _price("deepgram", r"aura-2", "character", "30", _MILLION),
    _price("deepgram", r"aura-", "character", "15", _MILLION),
    _price("elevenlabs", r"scribe_v", "second", "0.40", _HOUR),
    _images("gemini vertex", r"imagen-4\.0-ultra", (r"", "0.06")),
    _images("gemini vertex", r"imagen-4\.0-fast", (r"", "0.02")),
    _images("gemini vertex", r"imagen-[34]", (r"", "0.04")),
    _images("xai", r"grok-imagine-image(?!-)", (r"", "0.02")),
    _images("xai", r"grok-2-image", (r"", "0.07")),
)  # fmt: skip


@lru_cache(maxsize=1024)
def _price_of(kind: str, model: str) -> _Price | None:
    return next((each for each in _PRICES if kind in each.kinds and each.model.match(model)), None)


def is_sold_by_unit(kind: str, model: str) -> bool:
    """Whether the work of a model is sold by another unit than tokens, and its price is known."""
    return _price_of(kind, model) is not None


def unit_words(kind: str, model: str) -> str:
    """What a unit costs, in words: `0.006 USD a minute`, `0.04 to 0.12 USD an image`; "" where that is not known."""
    price = _price_of(kind, model)
    if price is None:
        return ""
    usd = sorted({each / NANO_USD for _, each in price.qualities})
    if not any(usd):
        return "given away"
    words, many = _SHOWN_PER[price.unit]
    amounts = [f"{float(each * many):.6f}".rstrip("0").rstrip(".") for each in (usd[0], usd[-1])]
    least = f", at least {price.least} {price.unit}s" if price.least else ""
    return f"{' to '.join(dict.fromkeys(amounts))} USD {words}{least}"


_SHOWN_PER: dict[Unit, tuple[str, int]] = {
    "image": ("an image", 1),
    "second": ("a minute", _MINUTE),
    "character": ("a million characters", _MILLION),
    "search": ("a search", 1),
}


def is_given_away(kind: str, model: str) -> bool:
    """Whether the work of a model is known to cost nothing."""
    price = _price_of(kind, model)
    return price is not None and not any(usd for _, usd in price.qualities)


def cost_of_units(kind: str, model: str, usage: Usage) -> int | None:
    """What the units of `usage` cost in nano-dollars, rounded half to even; None where they have no price."""
    price = _price_of(kind, model)
    if price is None or price.unit != usage.unit:
        return None
    each = next(usd for pattern, usd in price.qualities if pattern.search(usage.unit_quality) or not pattern.pattern)
    return round(each * max(usage.units, price.least if usage.units else 0))
