"""Images by Gemini's models for them (ai.google.dev/gemini-api/docs/image-generation), asked by generateContent.

Imagen is not among them: Google's library (google-genai 3.6.1) refuses it at this address, and calls it deprecated at
Vertex AI.
"""

import re
import time
from collections.abc import Iterator
from typing import Any

from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._failures import invalid_answer, vetted
from aiservice.providers._gemini.answer import parsed
from aiservice.providers._gemini.models import family_of
from aiservice.providers._gemini.parts import media_part
from aiservice.providers._gemini.usage import finish_reason_of, read_usage
from aiservice.providers._openai_media import as_references, images_answer
from aiservice.wire import Answer, Ask, AttemptFailure, Blame, Json, MediaTokens, Usage

_SIZED = re.compile(r"(?!.*gemini-2)")  # whose images may be of another size than 1K
_PIXELS = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})")
_RATIO = re.compile(r"[1-9]\d?:[1-9]\d?")
_STEPS = frozenset({"1K", "2K", "4K"})
_RATIOS = {
    f"{wide}:{high}": wide / high
    for wide, high in ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9))
}
_TOLERANCE = 0.03  # Google's own pixels are as far from the ratio that they are named for
_SMALLEST, _MOST_1K, _MOST_2K = 400_000, 2_100_000, 8_400_000  # pixels
_READ = frozenset({"aspect_ratio", "images", "prompt", "seed", "size"})
# What asks nothing of the picture, and what is done anyway.
_NOTHING: dict[str, tuple[Any, ...]] = {
    "background": ("auto",),
    "moderation": ("auto",),
    "n": (1,),
    "partial_images": (0, 1, 2, 3),  # of a stream, which may have fewer
    "quality": ("auto",),
    "response_format": ("b64_json",),
}
_LABELS = frozenset({"user"})
_BEGINS = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"RIFF", "image/webp"), (b"GIF8", "image/gif"))
_FORMATS = {"image/jpeg": "jpeg", "image/png": "png", "image/webp": "webp"}


def image_body(ask: Ask, model: str) -> Json:
    """The request; raises AttemptFailed for what Gemini has no word for."""
    body = ask.body
    for name in sorted(body.keys() - _READ - _LABELS):
        if body[name] not in _NOTHING.get(name, ()):
            raise cannot_carry(name, f"Gemini has no word for this '{name}' of an image: leave it out.")
    family = family_of(model)
    parts: list[Json] = [{"text": body["prompt"]}]
    for place, one in enumerate(as_references({"images": [_typed(one) for one in body.get("images") or ()]})):
        parts.append(media_part(one.get("url"), f"images[{place}].image_url", family))
    config: Json = {"responseModalities": ["IMAGE"]}
    if shape := _shape(body, model):
        config["imageConfig"] = shape
    if body.get("seed") is not None:
        config["seed"] = body["seed"]
    return {"contents": [{"role": "user", "parts": parts}], "generationConfig": config}


def image_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The images in a reply.

    Raises:
        AttemptFailed: there is none, for a filter's sake or any other.
    """
    said = parsed(raw)
    found = [(part["data"], str(part.get("mimeType"))) for part in _pictures(said)]
    if not found:
        raise AttemptFailed(_why_none(said))
    usage, is_valid = read_usage(said.get("usageMetadata"))
    kind = _FORMATS.get(found[0][1])
    body: Json = {
        "created": int(time.time()),
        "data": [{"b64_json": data} for data, _ in found],
        **({"output_format": kind} if kind else {}),
        **({"usage": _usage_json(usage)} if usage is not None else {}),
    }
    named = said.get("modelVersion")
    answer = images_answer(ask, body, None, named if isinstance(named, str) and named else model, usage)
    answer.is_usage_valid = is_valid
    return answer


def _shape(body: Json, model: str) -> Json:
    """`imageConfig`: the ratio that was asked for, or that of the pixels, and how large."""
    ratio, size, step = body.get("aspect_ratio"), body.get("size"), None
    if ratio is not None and not (isinstance(ratio, str) and _RATIO.fullmatch(ratio)):
        raise cannot_carry("aspect_ratio", "Gemini takes an 'aspect_ratio' such as '16:9'.")
    if isinstance(size, str) and size in _STEPS:
        step = size
    elif size not in (None, "auto"):
        found = _PIXELS.fullmatch(size) if isinstance(size, str) else None
        if found is None or ratio is not None:
            raise cannot_carry("size", "Gemini takes a 'size' such as '1024x1024', or '2K' with an 'aspect_ratio'.")
        ratio, step = _of_pixels(int(found[1]), int(found[2]))
    if step not in (None, "1K") and not _SIZED.match(model):
        raise cannot_carry("size", f"'{model}' gives no images of that size: at most about 1024 x 1024 pixels.")
    return {
        name: value for name, value in (("aspectRatio", ratio), ("imageSize", step if step != "1K" else None)) if value
    }


def _of_pixels(width: int, height: int) -> tuple[str, str]:
    wanted, pixels = width / height, width * height
    nearest = min(_RATIOS, key=lambda name: abs(_RATIOS[name] / wanted - 1))
    if abs(_RATIOS[nearest] / wanted - 1) > _TOLERANCE or pixels < _SMALLEST:
        raise cannot_carry("size", f"Gemini gives images of about a megapixel or more, as {', '.join(_RATIOS)}.")
    return nearest, "1K" if pixels <= _MOST_1K else "2K" if pixels <= _MOST_2K else "4K"


def _typed(image: Json) -> Json:
    """A file whose type its sender did not know, with the one that it begins as."""
    if not isinstance(image.get("data"), bytes) or str(image["content_type"]).startswith("image/"):
        return image
    found = next((kind for begin, kind in _BEGINS if image["data"].startswith(begin)), image["content_type"])
    return {**image, "content_type": found}


def _parts(said: Json) -> Iterator[Json]:
    candidates = said.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else ():
        content = candidate.get("content") if isinstance(candidate, dict) else None
        parts = content.get("parts") if isinstance(content, dict) else None
        yield from (part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, dict))


def _pictures(said: Json) -> Iterator[Json]:
    """Those that are the answer: drafts are thoughts."""
    for part in _parts(said):
        data = part.get("inlineData", part.get("inline_data"))
        if part.get("thought") is not True and isinstance(data, dict) and isinstance(data.get("data"), str):
            yield data


def _why_none(said: Json) -> AttemptFailure:
    feedback = said.get("promptFeedback")
    blocked = feedback.get("blockReason") if isinstance(feedback, dict) else None
    listed = said.get("candidates")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    reason = blocked or first.get("finishReason")
    if blocked or finish_reason_of(reason, has_calls=False) == "content_filter":
        words = first.get("finishMessage")
        more = f": {vetted(words)}" if isinstance(words, str) and words else ""
        message = f"The provider's filter let no image through ({vetted(str(reason))[:60]}){more}"
        return AttemptFailure(400, "content_filter", message, Blame.CALLER, upstream_status=200)
    return invalid_answer("its answer had no image")


def _usage_json(usage: Usage) -> Json:
    media = usage.media or MediaTokens(image_output=usage.output_tokens - usage.reasoning_tokens)
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "input_tokens_details": {
            "text_tokens": max(0, usage.input_tokens - media.image_input),
            "image_tokens": media.image_input,
        },
        "output_tokens_details": {
            "image_tokens": media.image_output,
            "text_tokens": max(0, usage.output_tokens - media.image_output),
        },
    }
