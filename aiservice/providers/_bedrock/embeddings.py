"""Embeddings by InvokeModel, which passes each maker's own body on (docs.aws.amazon.com/bedrock, "model-parameters").

Amazon's Titan takes one text a call; Cohere's models take up to 96 and want to know what the vectors are for.
"""

import base64
import struct
from typing import Any, Final

from aiservice.providers._base import AttemptFailed, cannot_carry, token_count
from aiservice.providers._bedrock.answer import parsed
from aiservice.providers._failures import invalid_answer
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, HttpReply, Json, Usage

_LABELS: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_COHERE: Final = "cohere."
_MAX_TEXTS: Final = 96
_INPUT_TOKENS: Final = "x-amzn-bedrock-input-token-count"
# OpenAI's form does not say what the vectors are for; texts that are kept to be found are what most are made of.
_PURPOSE: Final = "search_document"
_OWN: Final = frozenset({"input_type", "truncate"})


def embedding_body(ask: Ask, model: str) -> Json:
    """The body for `model`.

    Raises:
        AttemptFailed: `ask` holds something that this model cannot carry (named in `param`).
    """
    is_cohere = _COHERE in model
    for field, value in ask.body.items():
        if value is not None and field not in _LABELS and not (is_cohere and field in _OWN):
            raise cannot_carry(field, f"'{field}' cannot be carried to '{model}': leave it out.")
    texts = _texts(ask.body.get("input"))
    dimensions = ask.body.get("dimensions")
    if is_cohere:
        return _cohere_body(ask.body, model, texts, dimensions)
    if "titan-embed" not in model:
        raise cannot_carry("model", f"Bedrock's '{model}' has a body of its own that cannot be written yet.")
    if len(texts) > 1:
        raise cannot_carry("input", "Amazon's Titan embeds one text in a request: send several requests.")
    body: Json = {"inputText": texts[0]}
    if dimensions is not None:
        if "v1" in model:
            raise cannot_carry("dimensions", f"'{model}' has vectors of one length: leave 'dimensions' out.")
        body["dimensions"] = dimensions
    return body


def embedding_answer(ask: Ask, reply: HttpReply, model: str) -> Answer:
    """The embeddings in a reply.

    Raises:
        AttemptFailed: there are none.
    """
    body = parsed(reply.body)
    vectors = _vectors(body)
    if not vectors:
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    vectors = [_vector(vector, is_base64=ask.body.get("encoding_format") == "base64") for vector in vectors]
    tokens = token_count(body.get("inputTextTokenCount"))
    if tokens is None and (counted := reply.headers.get(_INPUT_TOKENS, "")).isdigit():
        tokens = token_count(int(counted[:12]))
    usage = None if tokens is None else Usage(tokens)
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    made: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        made["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Answer(made, model, "stop", usage, raw_wire=EMBEDDINGS_WIRE)


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise cannot_carry("input", "Bedrock embeds a text or a list of texts, not tokens.")
    return texts


def _cohere_body(given: Json, model: str, texts: list[str], dimensions: object) -> Json:
    if len(texts) > _MAX_TEXTS:
        raise cannot_carry("input", f"Cohere embeds at most {_MAX_TEXTS} texts in one request: send several.")
    body: Json = {"texts": texts, "input_type": given.get("input_type") or _PURPOSE, "embedding_types": ["float"]}
    if given.get("truncate"):
        body["truncate"] = given["truncate"]
    if dimensions is not None:
        if "embed-v4" not in model:
            raise cannot_carry("dimensions", f"'{model}' has vectors of one length: leave 'dimensions' out.")
        body["output_dimension"] = dimensions
    return body


def _vectors(body: Json) -> list[Any]:
    """Titan's one vector; Cohere's by their type, or as an older model gives them."""
    if isinstance(body.get("embedding"), list):
        return [body["embedding"]]
    found = body.get("embeddings")
    if isinstance(found, dict):
        found = found.get("float")
    return found if isinstance(found, list) else []


def _vector(values: Any, *, is_base64: bool) -> list[float] | str:
    if not isinstance(values, list) or not values:
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    if not is_base64:
        return values
    try:
        return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    except (struct.error, OverflowError) as exc:
        raise AttemptFailed(invalid_answer("its answer held vectors that are none")) from exc
