"""Google's embedContent and batchEmbedContents in our form, and back (ai.google.dev/api/embeddings)."""

import base64
import struct
from typing import Any

from aiservice.dialects._google_names import Json, items, named, text_in, wrong
from aiservice.wire import Answer, Usage

_READ = frozenset({"content", "model", "outputDimensionality", "taskType", "title", "embedContentConfig"})


def embeddings_body(body: Json, *, is_batch: bool) -> tuple[Json, tuple[str, ...]]:
    """The body of an embeddings request, and what it has no word for.

    Raises:
        InvalidRequest: a field is missing or of the wrong shape (named in `param`).
    """
    if not is_batch:
        text, settings, uncarried = _one(body, "")
        return _with(settings, {"input": text}), tuple(uncarried)
    requests = items(body.get("requests"), "requests")
    if not requests:
        raise wrong("requests", "must be a list of at least one request.")
    texts, wanted = [], []
    uncarried = [name for name in body if name not in ("requests", "model")]
    for place, request in enumerate(requests):
        path = f"requests[{place}]"
        text, settings, more = _one(named(request, path), f"{path}.")
        texts.append(text)
        wanted.append(settings)
        uncarried += more
    if any(settings != wanted[0] for settings in wanted):
        uncarried.append("requests[].outputDimensionality")  # one request of ours has one
    return _with(wanted[0], {"input": texts}), tuple(uncarried)


def embeddings_of(answer: Answer, usage: Usage, *, is_batch: bool) -> Json:
    """Google's answer."""
    data = answer.body.get("data")
    vectors = [
        {"values": _floats(item.get("embedding"))}
        for item in (data if isinstance(data, list) else ())
        if isinstance(item, dict)
    ]
    told: Json = {"embeddings": vectors} if is_batch else {"embedding": vectors[0] if vectors else {"values": []}}
    if usage.input_tokens:
        told["usageMetadata"] = {"promptTokenCount": usage.input_tokens}
    return told


def _one(request: Json, prefix: str) -> tuple[str, Json, list[str]]:
    """The text, what is set for it, and what cannot be carried."""
    content = named(request.get("content"), f"{prefix}content")
    parts = items(content.get("parts"), f"{prefix}content.parts")
    if not parts:
        raise wrong(f"{prefix}content.parts", "must be a list of at least one part.")
    uncarried = [f"{prefix}{name}" for name in request if name not in _READ]
    texts = []
    for place, part in enumerate(parts):
        path = f"{prefix}content.parts[{place}]"
        found = named(part, path)
        if set(found) == {"text"}:
            texts.append(text_in(found, "text", path))
        else:
            uncarried.append(path)
    settings = dict(request)
    config = request.get("embedContentConfig")
    if config is not None:
        settings |= named(config, f"{prefix}embedContentConfig")
        known = ("outputDimensionality", "taskType", "title", "autoTruncate")
        uncarried += [f"{prefix}embedContentConfig.{name}" for name in settings if name not in {*known, *request}]
    for name in ("taskType", "title"):
        if settings.get(name) not in (None, "", "TASK_TYPE_UNSPECIFIED"):
            uncarried.append(f"{prefix}{name}")
    return "\n".join(texts), {"outputDimensionality": settings.get("outputDimensionality")}, uncarried


def _with(settings: Json, body: Json) -> Json:
    dimensions = settings.get("outputDimensionality")
    if dimensions is not None:
        if type(dimensions) is not int:
            raise wrong("outputDimensionality", "must be a whole number.")
        body["dimensions"] = dimensions
    return body


def _floats(vector: Any) -> list[Any]:
    """The numbers of a vector; OpenAI's form may have them as base64 of 32-bit floats."""
    if isinstance(vector, str):
        try:
            raw = base64.b64decode(vector)
        except ValueError:  # a provider may have sent anything
            return []
        return list(struct.unpack(f"<{len(raw) // 4}f", raw[: len(raw) // 4 * 4]))
    return vector if isinstance(vector, list) else []
