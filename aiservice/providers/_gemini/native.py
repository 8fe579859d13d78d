"""A client's own generateContent, countTokens or embedContent, for Google itself: as it was written."""

import orjson

from aiservice.providers._gemini.models import family_of
from aiservice.wire import GOOGLE_WIRE, Answer, Ask, Json

# Where a part's call was another vendor's. Families without signed calls do not know the word, and need none.
_UNSIGNED = "skip_thought_signature_validator"
_MARK = _UNSIGNED.encode()


def is_native(ask: Ask) -> bool:
    """Whether the client speaks Google's own wire."""
    return ask.wire == GOOGLE_WIRE and ask.native is not None


def in_own_words(answer: Answer, raw: bytes) -> Answer:
    """The answer to a client of Google's wire, who is given the bytes of it."""
    answer.raw, answer.raw_wire = raw, GOOGLE_WIRE
    return answer


def generate_body(ask: Ask, model: str) -> bytes:
    """The body of generateContent, as the client sent it."""
    native = _of(ask)
    body = orjson.dumps(native)
    if _MARK in body and not family_of(model).is_signed:
        contents = native["contents"] if isinstance(native["contents"], list) else [native["contents"]]
        body = orjson.dumps({**native, "contents": [_without_mark(content) for content in contents]})
    return body


def count_body(ask: Ask, model: str, name: str) -> bytes:
    """The body of countTokens."""
    return (
        b'{"generateContentRequest":' + orjson.dumps({"model": name, **orjson.loads(generate_body(ask, model))}) + b"}"
    )


def embed_body(ask: Ask, name: str) -> tuple[str, bytes]:
    """The method for an embedding, and its body."""
    native = _of(ask)
    if "requests" not in native:
        return "embedContent", orjson.dumps({**native, "model": name})
    given = native["requests"] if isinstance(native["requests"], list) else [native["requests"]]
    requests = [{**request, "model": name} for request in given]
    return "batchEmbedContents", orjson.dumps({**native, "requests": requests})


def _of(ask: Ask) -> Json:
    """The native body without the model, which is in the address."""
    native = ask.native or {}
    return {name: value for name, value in native.items() if name != "model"} if "model" in native else native


def _without_mark(content: Json) -> Json:
    parts = content.get("parts")
    if not isinstance(parts, list):  # one part alone
        parts = [parts]
    return {**content, "parts": [{k: v for k, v in part.items() if v != _UNSIGNED} for part in parts]}
