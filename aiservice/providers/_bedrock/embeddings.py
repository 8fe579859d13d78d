"""Embeddings by InvokeModel, which passes each maker's own body on (docs.aws.amazon.com/bedrock, "model-parameters").

Amazon's Titan and Nova take one text a call; Cohere's models take up to 96. Cohere and Nova have to be told what the
vectors are for.
"""

from typing import Any, Final

from aiservice.providers._base import AttemptFailed, cannot_carry, token_count
from aiservice.providers._bedrock.answer import parsed
from aiservice.providers._embedding_inputs import Purpose, purpose_word, refuse_others, texts_of
from aiservice.providers._failures import invalid_answer
from aiservice.providers._vectors import packed
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, HttpReply, Json, Usage

_TITLE: Final = "Amazon Bedrock"
_COHERE: Final = "cohere."
_TITAN: Final = "titan-embed-text"
_MOST_TEXTS: Final = 96
_INPUT_TOKENS: Final = "x-amzn-bedrock-input-token-count"
_WORDS: Final[dict[Purpose, str]] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}


_NOVA: Final = "nova-2-multimodal-embed"
_NOVA_WORDS: Final[dict[Purpose, str]] = {
    "query": "TEXT_RETRIEVAL",
    "document": "GENERIC_INDEX",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


def embedding_body(ask: Ask, model: str) -> Json:
    """The body for `model`.

    Raises:
        AttemptFailed: `ask` holds something that this model cannot carry (named in `param`).
    """
    if _COHERE in model:
        return _cohere_body(ask.body, model)
    if _NOVA in model:
        return _nova_body(ask.body)
    if _TITAN not in model:
        raise cannot_carry("model", f"Bedrock's '{model}' makes vectors in a form that is not known here.")
    asked = ask.body
    refuse_others(asked, frozenset({"dimensions", "encoding_format"}), _TITLE)
    purpose_word(asked, {}, "Amazon's Titan")
    body: Json = {"inputText": texts_of(asked, 1, "Amazon's Titan")[0]}
    if asked.get("dimensions") is not None:
        body["dimensions"] = _size(asked, model, has_sizes="text-v1" not in model)
    return body


def embedding_answer(ask: Ask, reply: HttpReply, model: str) -> Answer:
    """The embeddings in a reply.

    Raises:
        AttemptFailed: there are none.
    """
    body = parsed(reply.body)
    found = _vectors(body)
    if not found or not all(isinstance(each, list) for each in found):
        raise AttemptFailed(invalid_answer("its answer had no embeddings"))
    is_base64 = ask.body.get("encoding_format") == "base64"
    vectors = [packed(each) if is_base64 else each for each in found]
    tokens = token_count(body.get("inputTextTokenCount"))
    if tokens is None and (counted := reply.headers.get(_INPUT_TOKENS, "")).isdigit():
        tokens = token_count(int(counted[:12]))
    usage = None if tokens is None else Usage(tokens)
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    made: Json = {"object": "list", "data": data, "model": model}
    if usage is not None:
        made["usage"] = {"prompt_tokens": usage.input_tokens, "total_tokens": usage.input_tokens}
    return Answer(made, model, "stop", usage, raw_wire=EMBEDDINGS_WIRE)


def _cohere_body(asked: Json, model: str) -> Json:
    refuse_others(asked, frozenset({"dimensions", "encoding_format", "truncate"}), _TITLE)
    body: Json = {
        "texts": texts_of(asked, _MOST_TEXTS, "Cohere"),
        "input_type": purpose_word(asked, _WORDS, "Cohere on Bedrock") or _WORDS["document"],
        "embedding_types": ["float"],
        "truncate": asked.get("truncate") or "NONE",
    }
    if asked.get("dimensions") is not None:
        body["output_dimension"] = _size(asked, model, has_sizes="embed-v4" in model)
    return body


def _nova_body(asked: Json) -> Json:
    """docs.aws.amazon.com/nova, "embeddings-schema". A text that does not fit is to be an error, not cut off."""
    refuse_others(asked, frozenset({"dimensions", "encoding_format"}), _TITLE)
    params: Json = {
        "embeddingPurpose": purpose_word(asked, _NOVA_WORDS, "Amazon's Nova") or _NOVA_WORDS["document"],
        "text": {"truncationMode": "NONE", "value": texts_of(asked, 1, "Amazon's Nova")[0]},
    }
    if asked.get("dimensions") is not None:
        params["embeddingDimension"] = asked["dimensions"]
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}


def _size(asked: Json, model: str, *, has_sizes: bool) -> Any:
    if not has_sizes:
        raise cannot_carry("dimensions", f"The vectors of '{model}' have one size: leave 'dimensions' out.")
    return asked["dimensions"]


def _vectors(body: Json) -> list[Any]:
    """Titan's one vector; Cohere's by their type, or as an older model gives them; Nova's, each with its type."""
    if isinstance(body.get("embedding"), list):
        return [body["embedding"]]
    found = body.get("embeddings")
    if isinstance(found, dict):
        found = found.get("float")
    listed = found if isinstance(found, list) else []
    return [each.get("embedding") if isinstance(each, dict) else each for each in listed]
