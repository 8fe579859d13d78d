"""What work that is no chat may use at most, as far as its request tells: what budgets reserve (`Ask.at_most`)."""

import re

from aiservice.wire import Ask, Json, MediaTokens, Usage

# Models that are paid by the token, if only by some vendors.
_BY_TOKEN = re.compile(r"gpt-|chatgpt-image|gemini|nano-banana|voxtral")
_TOKENS_PER_IMAGE = 6_300
_LEAST_BYTES_PER_SECOND = 1_000  # 8 kbit/s: speech is hardly ever coded with less
_SECONDS_BY_ADDRESS = 3_600
_TOKENS_PER_SECOND = 5
_ALL = 1_000_000_000  # however many tokens there are
_TOKENS_PER_CHARACTER = 3  # at 15 characters a second, and 32 tokens for each, it is two or so


def at_most(ask: Ask) -> Usage | None:
    """What `ask` may use at most; None for chat and its like, and for what is judged alone."""
    model = ask.requested_model
    if ask.kind == "image":
        return images_at_most(ask.body, model)
    if ask.kind == "speech":
        return speech_at_most(ask.body, model)
    return seconds_at_most(ask.body, model) if ask.kind == "transcription" else None


def _is_by_token(model: str | None) -> bool:
    return model is None or _BY_TOKEN.search(model) is not None


def images_at_most(body: Json, model: str | None) -> Usage:
    """What images of a request may use at most: each one of its size and quality, and tokens where models are paid by
    them, or may be."""
    count = body.get("n") or 1
    quality = f"{body.get('quality') or ''} {body.get('size') or ''}".strip()
    tokens = _TOKENS_PER_IMAGE * count if _is_by_token(model) else 0
    media = MediaTokens(image_input=_ALL, image_output=_ALL)
    return Usage(output_tokens=tokens, units=count, unit="image", unit_quality=quality, media=media)


def seconds_at_most(body: Json, model: str | None) -> Usage:
    """What a recording may use at most: the seconds that so many bytes can hold, and tokens of its sound and text where
    models are paid by them, or may be. Of one that the provider loads itself, an hour."""
    file = body.get("file")
    seconds = _SECONDS_BY_ADDRESS if file is None else -(-len(file["data"]) // _LEAST_BYTES_PER_SECOND)
    tokens = _TOKENS_PER_SECOND * seconds if _is_by_token(model) else 0
    return Usage(output_tokens=tokens, units=seconds, unit="second", media=MediaTokens(audio_input=_ALL))


def speech_at_most(body: Json, model: str | None) -> Usage:
    """What speech may use at most: its characters, and tokens where models are paid by them, or may be."""
    characters = len(body["input"])
    tokens = _TOKENS_PER_CHARACTER * characters if _is_by_token(model) else 0
    return Usage(output_tokens=tokens, units=characters, unit="character", media=MediaTokens(audio_output=_ALL))
