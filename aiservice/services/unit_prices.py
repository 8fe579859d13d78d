"""Prices of work that is not sold by the token: by the image, the second of sound, the character.

The table of genai-prices has tokens alone. What is not here has no price, which is not free. Each price names the
vendor's page that it is from, and who read it there: the packages genai-prices 0.2.3 (its hours of sound and millions
of characters) and LiteLLM 1.110.2 (its map of prices). What neither has is left out, not guessed.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from aiservice.kit.money import NANO_USD
from aiservice.wire import Unit, Usage

LISTED = "2026-11"
"""When these were taken from there, year and month."""
_GENAI, _LITELLM = "genai-prices 0.2.3", "LiteLLM 1.110.2"
_MINUTE, _HOUR, _MILLION = 60, 3_600, 1_000_000


@dataclass(slots=True, frozen=True)
class _Price:
    """`usd` for `per` units of `unit`; of the first `qualities` whose pattern is found in `Usage.unit_quality`, else of
    the last. At least `least` units are charged for. `source` is (the vendor's page, who read it there)."""

    kinds: frozenset[str]
    model: re.Pattern[str]
    unit: Unit
    qualities: tuple[tuple[re.Pattern[str], Fraction], ...]
    source: tuple[str, str]
    least: int = 0


@dataclass(slots=True, frozen=True)
class _List:
    """The prices on one page of a vendor's."""

    kinds: str
    page: str
    reader: str

    def price(self, model: str, unit: Unit, usd: str, per: int = 1, *, least: int = 0) -> _Price:
        each = ((re.compile(""), Fraction(usd) * NANO_USD / per),)
        return _Price(frozenset(self.kinds.split()), re.compile(model), unit, each, (self.page, self.reader), least)

    def images(self, model: str, *prices: tuple[str, str]) -> _Price:
        qualities = tuple((re.compile(pattern), Fraction(usd) * NANO_USD) for pattern, usd in prices)
        source = (self.page, self.reader)
        return _Price(frozenset(self.kinds.split()), re.compile(model), "image", qualities, source)


_OPENAI = _List("openai", "developers.openai.com/api/docs/pricing", _GENAI)
_AZURE = _List("azure-openai", "azure.microsoft.com/en-us/pricing/details/azure-openai", _LITELLM)
_GROQ = _List("groq", "console.groq.com/docs/models", _GENAI)
_MISTRAL = _List("mistral", "mistral.ai/pricing/api", _GENAI)
_VOXTRAL = _List("mistral", "docs.mistral.ai/models", _LITELLM)
_DEEPGRAM = _List("deepgram", "deepgram.com/pricing", _LITELLM)
_ELEVENLABS = _List("elevenlabs", "elevenlabs.io/pricing/api", _LITELLM)
_GOOGLE = _List("gemini vertex", "cloud.google.com/vertex-ai/generative-ai/pricing", _LITELLM)
_XAI = _List("xai", "docs.x.ai/docs/models", _LITELLM)
# Of an image whose size or quality the model chooses, the dearest.
_PRICES = (
    _OPENAI.price(r"tts-1-hd", "character", "30", _MILLION),
    _OPENAI.price(r"tts-1", "character", "15", _MILLION),
    _OPENAI.price(r"whisper-1", "second", "0.36", _HOUR),
    _OPENAI.price(r"gpt-transcribe", "second", "0.27", _HOUR),
    _OPENAI.price(r"(?:omni|text)-moderation", "search", "0"),
    _AZURE.images(
        r"dall-e-3",
        (r"hd .*(?:1792x1024|1024x1792)", "0.132"), (r"hd", "0.088"), (r"1792x1024|1024x1792", "0.088"), (r"", "0.044"),
    ),
    _AZURE.price(r"whisper", "second", "0.36", _HOUR),
    _AZURE.price(r"tts-1-hd", "character", "33", _MILLION),
    _AZURE.price(r"tts-1", "character", "15", _MILLION),
    _AZURE.price(r"(?:omni|text)-moderation", "search", "0"),
    _GROQ.price(r"whisper-large-v3-turbo", "second", "0.04", _HOUR, least=10),
    _GROQ.price(r"whisper-large-v3", "second", "0.111", _HOUR, least=10),
    _MISTRAL.price(r"voxtral-mini-transcribe-realtime-3", "second", "0.48", _HOUR),
    _MISTRAL.price(r"voxtral-mini-(?:transcribe-)?realtime-2602", "second", "0.36", _HOUR),
    _MISTRAL.price(r"voxtral-mini-transcribe-3", "second", "0.21", _HOUR),
    _MISTRAL.price(r"voxtral-small-transcribe-3", "second", "0.24", _HOUR),
    _MISTRAL.price(r"voxtral-mini-2602", "second", "0.18", _HOUR),
    _VOXTRAL.price(r"voxtral-mini-latest", "second", "0.18", _HOUR),
    _VOXTRAL.price(r"voxtral-mini-tts-3", "character", "13", _MILLION),
    _VOXTRAL.price(r"voxtral-mini-tts-", "character", "16", _MILLION),
    _DEEPGRAM.price(r"nova-3-medical", "second", "0.0052", _MINUTE),
    _DEEPGRAM.price(r"nova-[23]", "second", "0.0043", _MINUTE),
    _DEEPGRAM.price(r"aura-2", "character", "30", _MILLION),
    _DEEPGRAM.price(r"aura-", "character", "15", _MILLION),
    _ELEVENLABS.price(r"scribe_v", "second", "0.22", _HOUR),
    _GOOGLE.images(r"imagen-3\.0-fast", (r"", "0.02")),
    _GOOGLE.images(r"imagen-3\.0-generate", (r"", "0.04")),
    _XAI.images(r"grok-imagine-image-(?:quality|pro)", (r"", "0.05")),
    _XAI.images(r"grok-imagine-image(?!-\d\.)", (r"", "0.02")),
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


def unit_source(kind: str, model: str) -> str:
    """The vendor's page that a price is from, and who read it there; "" where there is none."""
    price = _price_of(kind, model)
    return "" if price is None else f"{price.source[0]}, as {price.source[1]} has it"


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
