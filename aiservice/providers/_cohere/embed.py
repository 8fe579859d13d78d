"""Cohere's embeddings (docs.cohere.com/reference/embed): vectors by type, for a purpose that has to be said."""

from typing import Any

from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._cohere.answer import count, parsed
from aiservice.providers._cohere.models import TITLE, has_sizes
from aiservice.providers._embedding_inputs import Purpose, inputs_of, purpose_word, refuse_others
from aiservice.providers._failures import invalid_answer
from aiservice.providers._vectors import packed
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, Json, Usage

MOST_INPUTS = 96
_KNOWN = frozenset({"dimensions", "embedding_types", "encoding_format", "max_tokens", "priority", "truncate"})
_WORDS: dict[Purpose, str] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
    "image": "image",
}


def embed_body(asked: Json, model: str) -> Json:
    """The request to /v2/embed. A text that does not fit is to be an error: left to itself, Cohere cuts it off.

    Who does not say what the vectors are for (OpenAI's clients cannot) has them made as of documents to be searched.

    Raises:
        AttemptFailed: something has no word there (named in `param`).
    """
    refuse_others(asked, _KNOWN, TITLE)
    inputs = inputs_of(asked, MOST_INPUTS, TITLE)
    body: Json = {"model": model, "input_type": purpose_word(asked, _WORDS, TITLE) or _WORDS["document"]}
    if all(isinstance(each, str) for each in inputs):
        body["texts"] = inputs
    else:
        body["inputs"] = [{"content": _content(each, f"input[{n}]")} for n, each in enumerate(inputs)]
    if (size := asked.get("dimensions")) is not None:
        if not has_sizes(model):
            raise cannot_carry("dimensions", f"The vectors of '{model}' have one size: leave 'dimensions' out.")
        body["output_dimension"] = size
    types = asked.get("embedding_types") or ["float"]
    if not isinstance(types, list) or len(types) != 1:
        raise cannot_carry("embedding_types", "An answer has one vector for each input: ask for one type.")
    body["embedding_types"] = types
    body["truncate"] = asked.get("truncate") or "NONE"
    return body | {name: asked[name] for name in ("max_tokens", "priority") if asked.get(name) is not None}


def embeddings_answer(ask: Ask, raw: bytes, model: str) -> Answer:
    """The answer to `ask`, in its order.

    Raises:
        AttemptFailed: it is none.
    """
    said = parsed(raw)
    found: Any = said.get("embeddings")
    if isinstance(found, dict):
        found = next((vectors for vectors in found.values() if isinstance(vectors, list)), None)
    if not isinstance(found, list) or not all(isinstance(vector, (list, str)) for vector in found):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    is_base64 = ask.body.get("encoding_format") == "base64" and not ask.body.get("embedding_types")
    data = [
        {"object": "embedding", "index": n, "embedding": packed(each) if is_base64 and type(each) is list else each}
        for n, each in enumerate(found)
    ]
    usage, is_valid = _usage(said.get("meta"))
    body: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Answer(body, model, "stop", usage, None, is_valid, EMBEDDINGS_WIRE)


def _usage(meta: Any) -> tuple[Usage | None, bool]:
    billed = meta.get("billed_units") if isinstance(meta, dict) else None
    if not isinstance(billed, dict):
        return None, True
    counts = [count(billed[name]) for name in ("input_tokens", "image_tokens") if billed.get(name) is not None]
    if not counts:
        return None, True
    known = [each for each in counts if each is not None]
    return (Usage(sum(known)), True) if len(known) == len(counts) else (None, False)


def _content(each: Any, where: str) -> list[Json]:
    """One input in parts: a text, an image, or parts as chat has them."""
    if isinstance(each, str):
        return [{"type": "text", "text": each}]
    parts = each.get("content")
    if isinstance(parts, list):
        return parts
    if isinstance(each.get("text"), str):
        return [{"type": "text", "text": each["text"]}]
    image = each.get("image", each.get("image_url"))
    if isinstance(image, str):
        image = {"url": image}
    if not isinstance(image, dict):
        raise cannot_carry(where, f"{TITLE} embeds a text, {{'image': 'data:…'}}, or both as {{'content': [parts]}}.")
    return [{"type": "image_url", "image_url": image}]
