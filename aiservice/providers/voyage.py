"""Voyage AI: embeddings and rankings (docs.voyageai.com/reference).

What stands for what: `dimensions` is `output_dimension`, what vectors are for is `input_type` (query or document),
`top_n` is `top_k`. `output_dtype` and `truncation` of a client's own are passed on; a text that does not fit is an
error unless they say otherwise.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _openai_limits
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._embedding_inputs import Purpose, purpose_word, refuse_others, texts_of
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_shape import embeddings_answer
from aiservice.providers._ranking import parsed, ranked, texts_to_rank, total_tokens
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json, QuotaNote

_EMBED, _RERANK = "/embeddings", "/rerank"
_MOST_TEXTS = _MOST_DOCUMENTS = 1_000
_KNOWN = frozenset({"dimensions", "encoding_format", "output_dimension", "output_dtype", "truncation"})
_WORDS: dict[Purpose, str] = {
    "query": "query",
    "code_query": "query",
    "document": "document",
    "code_document": "document",
}
_MODELS = (
    "voyage-4-large", "voyage-4", "voyage-4-lite", "voyage-code-4", "voyage-3-large", "voyage-3.5", "voyage-3.5-lite",
    "voyage-code-3", "voyage-finance-2", "voyage-law-2", "rerank-2.5", "rerank-2.5-lite", "rerank-2", "rerank-2-lite",
)  # fmt: skip


class Voyage(Provider):
    kind = "voyage"
    title = "Voyage AI"
    default_base_url = "https://api.voyageai.com/v1"

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind in ("embedding", "rerank") and ("rerank" in model) == (kind == "rerank")

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(streaming=False, parameters=frozenset({"dimensions", "encoding_format"}))

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        if ask.kind == "rerank":
            return HttpCall(_RERANK, orjson.dumps(_rerank_body(ask.body, model, self.title)))
        return HttpCall(_EMBED, orjson.dumps(_embed_body(ask.body, model, self.title)))

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        said = parsed(reply.body)
        if ask.kind == "rerank":
            told = said if isinstance(said, dict) else {}
            usage, is_valid = total_tokens(told.get("usage"))
            return ranked(ask, told.get("data"), orjson.loads(call.body)["model"], usage, is_valid=is_valid)
        return embeddings_answer(said, reply.body)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        raise NotImplementedError("no stream is ever asked for: it makes vectors and rankings alone")

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        failure = failure_from_body(reply.status, body, reply.headers)
        if failure.status == 400 and "is not supported" in failure.message and failure.message.startswith("Model "):
            failure.status, failure.code = 404, "model_not_found"
        return failure

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        return _openai_limits.quota_in(headers)

    def probe(self) -> HttpCall:
        """There is no free request: an embedding of one letter shows whether the key works."""
        body = {"input": ["a"], "model": "voyage-3.5-lite"}
        return HttpCall(_EMBED, orjson.dumps(body))

    def models_in(self, reply: HttpReply) -> list[str]:
        """It has no list to be asked for: those that it has published."""
        return list(_MODELS)


def _embed_body(asked: Json, model: str, title: str) -> Json:
    refuse_others(asked, _KNOWN, title)
    body: Json = {"model": model, "input": texts_of(asked, _MOST_TEXTS, title)}
    if (purpose := purpose_word(asked, _WORDS, title)) is not None:
        body["input_type"] = purpose
    size = asked.get("dimensions") if asked.get("dimensions") is not None else asked.get("output_dimension")
    if size is not None:
        body["output_dimension"] = size
    encoding: Any = asked.get("encoding_format")
    if encoding not in (None, "float", "base64"):
        raise cannot_carry("encoding_format", f"{title} gives vectors as numbers or in base64.")
    if encoding == "base64":  # there is no word for numbers: it is what happens anyway
        body["encoding_format"] = "base64"
    if asked.get("output_dtype") is not None:
        body["output_dtype"] = asked["output_dtype"]
    given = asked.get("truncation")
    body["truncation"] = False if given is None else given
    return body


def _rerank_body(asked: Json, model: str, title: str) -> Json:
    texts = texts_to_rank(asked, title, _MOST_DOCUMENTS, ("truncation",))
    given = asked.get("truncation")
    body: Json = {"model": model, "query": asked["query"], "documents": texts, "truncation": given is True}
    return body if asked.get("top_n") is None else {**body, "top_k": asked["top_n"]}


PROVIDER = Voyage()
