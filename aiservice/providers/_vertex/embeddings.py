"""Embeddings on Vertex AI: `:predict` with instances, and `:embedContent` for Gemini's newer models
(cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api)."""

import base64
import re
import struct
from typing import Any

import orjson

from aiservice.providers._base import AttemptFailed, cannot_carry, token_count
from aiservice.providers._failures import invalid_answer
from aiservice.providers._gemini.answer import parsed
from aiservice.providers._gemini.native import is_native
from aiservice.providers._gemini.parts import bad_request
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, HttpCall, HttpReply, Json, Usage

_LABELS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_MAX_TEXTS = 250
# Of its models, those that take one text in a request; of these, those that are asked by :predict all the same.
_ONE_TEXT = re.compile(r"gemini-")
_BY_PREDICT = re.compile(r"(?!gemini-)|gemini-embedding-(001|exp)")


def embedding_call(ask: Ask, model: str, path: str) -> HttpCall:
    """The call that embeds what `ask` holds.

    Raises:
        AttemptFailed: it holds something that this model cannot be given (named in `param`).
    """
    instances, parameters = _native_instances(ask) if is_native(ask) else _instances(ask)
    limit = 1 if _ONE_TEXT.match(model) else _MAX_TEXTS
    if len(instances) > limit:
        few = "one text" if limit == 1 else f"at most {limit} texts"
        raise cannot_carry("input", f"'{model}' on Vertex AI embeds {few} in one request: send several.")
    if _BY_PREDICT.match(model):
        body: Json = {"instances": instances}
        if parameters:
            body["parameters"] = parameters
        return HttpCall(f"{path}:predict", orjson.dumps(body))
    (instance,) = instances
    named = {"task_type": "taskType", "title": "title"}
    config = {**{named[name]: instance[name] for name in named if name in instance}, **parameters}
    asked: Json = {"content": {"role": "user", "parts": [{"text": instance["content"]}]}}
    if config:
        asked["embedContentConfig"] = config
    return HttpCall(f"{path}:embedContent", orjson.dumps(asked))


def embeddings_answer(ask: Ask, reply: HttpReply, model: str) -> Answer:
    """The answer of either method.

    Raises:
        AttemptFailed: it is none.
    """
    said = parsed(reply.body)
    predictions = said.get("predictions", [{"embeddings": said["embedding"]}] if "embedding" in said else None)
    if not isinstance(predictions, list):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    found = [prediction.get("embeddings") if isinstance(prediction, dict) else None for prediction in predictions]
    vectors = [_vector(item, is_base64=ask.body.get("encoding_format") == "base64") for item in found]
    counts = [_tokens(item) for item in found]
    metadata = said.get("usageMetadata")
    if isinstance(metadata, dict):
        counts = [metadata.get("promptTokenCount")]
    tokens = [token_count(count) for count in counts if count is not None]
    known = [count for count in tokens if count is not None]
    usage = Usage(sum(known)) if known and len(known) == len(counts) else None
    data = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    body: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Answer(body, model, "stop", usage, None, None not in tokens, EMBEDDINGS_WIRE)


def _instances(ask: Ask) -> tuple[list[Json], Json]:
    for field, value in ask.body.items():
        if field not in _LABELS and value is not None:
            raise cannot_carry(
                field, f"Vertex AI has no word for '{field}': leave it out, or pin a provider that has it."
            )
    given = ask.body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise bad_request("input", "'input' must be text or a list of texts.")
    if not all(isinstance(text, str) for text in texts):
        raise cannot_carry("input", "Vertex AI embeds texts, not tokens.")
    dimensions = ask.body.get("dimensions")
    return [{"content": text} for text in texts], {} if dimensions is None else {"outputDimensionality": dimensions}


def _native_instances(ask: Ask) -> tuple[list[Json], Json]:
    """Those of a client of Google's wire, who may have said what each text is for."""
    # What has no place in an instance was noted as having no word in our form; these two have a place here.
    lost = [
        name
        for name in ask.uncarried
        if not name.endswith((".taskType", ".title")) and name not in ("taskType", "title")
    ]
    if lost:
        raise cannot_carry(lost[0], f"'{lost[0]}' cannot be carried to Vertex AI: leave it out.")
    native = ask.native or {}
    requests = native.get("requests") or [native]
    requests = requests if isinstance(requests, list) else [requests]  # one may stand without its list
    given = ask.body["input"]
    texts = [given] if isinstance(given, str) else given
    instances = []
    for text, request in zip(texts, requests, strict=True):
        config = request.get("embedContentConfig", request.get("embed_content_config")) or {}
        instance: Json = {"content": text}
        for name, theirs, snake in (("task_type", "taskType", "task_type"), ("title", "title", "title")):
            value = next((one[key] for one in (request, config) for key in (theirs, snake) if one.get(key)), None)
            if value is not None:
                instance[name] = value
        instances.append(instance)
    dimensions = ask.body.get("dimensions")
    return instances, {} if dimensions is None else {"outputDimensionality": dimensions}


def _tokens(item: Any) -> Any:
    statistics = item.get("statistics") if isinstance(item, dict) else None
    return statistics.get("token_count", statistics.get("tokenCount")) if isinstance(statistics, dict) else None


def _vector(item: object, *, is_base64: bool) -> list[float] | str:
    values = item.get("values") if isinstance(item, dict) else None
    if not isinstance(values, list) or not values:
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    if not is_base64:
        return values
    try:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    except (struct.error, OverflowError) as exc:
        raise AttemptFailed(invalid_answer("its answer held vectors that are none")) from exc
