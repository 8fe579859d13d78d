"""Jina AI: embeddings and rankings (jina.ai/embeddings, jina.ai/reranker; api.jina.ai/redoc).

What stands for what: what vectors are for is `task`, their encoding `embedding_type`. `late_chunking`, `normalized` and
`truncate` of a client's own are passed on; a text that does not fit is an error unless they say `truncate`. Inputs may
be objects, `{"image": …}` among them.
"""

from collections.abc import Mapping

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _openai_limits
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._embedding_inputs import Purpose, inputs_of, purpose_word, refuse_others
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_shape import embeddings_answer
from aiservice.providers._ranking import parsed, ranked, texts_to_rank, total_tokens
from aiservice.providers._vectors import packed
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json, QuotaNote

_EMBED, _RERANK = "/embeddings", "/rerank"
_MOST_INPUTS, _MOST_DOCUMENTS = 2_048, 2_048
_OWN = ("embedding_type", "late_chunking", "normalized", "truncate")
_KNOWN = frozenset({"dimensions", "encoding_format", *_OWN})
_WORDS: dict[Purpose, str] = {
    "query": "retrieval.query",
    "document": "retrieval.passage",
    "classification": "classification",
    "clustering": "separation",
    "similarity": "text-matching",
}
_WORDS_4: dict[Purpose, str] = {
    "query": "retrieval.query",
    "document": "retrieval.passage",
    "similarity": "text-matching",
    "code_query": "code.query",
    "code_document": "code.passage",
}
_WORDS_CODE: dict[Purpose, str] = {
    **_WORDS_4,
    "query": "nl2code.query",
    "document": "nl2code.passage",
    "code_query": "nl2code.query",
    "code_document": "nl2code.passage",
}


class Jina(Provider):
    kind = "jina"
    title = "Jina AI"
    default_base_url = "https://api.jina.ai/v1"

    def serves(self, model: str, kind: AskKind) -> bool:
        is_ranking = "rerank" in model or "colbert" in model
        return kind == "rerank" if is_ranking else kind == "embedding"

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
            return ranked(ask, told.get("results"), orjson.loads(call.body)["model"], usage, is_valid=is_valid)
        answer = embeddings_answer(said, reply.body)
        if ask.body.get("encoding_format") == "base64" and ask.body.get("embedding_type") is None:
            for item in answer.body["data"]:
                if isinstance(item["embedding"], list):
                    item["embedding"] = packed(item["embedding"])
            answer.raw = None
        return answer

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        raise NotImplementedError("no stream is ever asked for: it makes vectors and rankings alone")

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        return failure_from_body(reply.status, body, reply.headers)

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        return _openai_limits.quota_in(headers)

    def probe(self) -> HttpCall:
        """There is no free request: an embedding of one letter shows whether the key works."""
        return HttpCall(_EMBED, orjson.dumps({"model": "jina-embeddings-v3", "input": ["a"]}))

    def models_in(self, reply: HttpReply) -> list[str]:
        """It has no list to be asked for: the newest that it has published."""
        return ["jina-embeddings-v4", "jina-embeddings-v3", "jina-reranker-v3", "jina-reranker-m0"]


def _embed_body(asked: Json, model: str, title: str) -> Json:
    refuse_others(asked, _KNOWN, title)
    given = inputs_of(asked, _MOST_INPUTS, title)
    body: Json = {"model": model, "input": given}
    words = _WORDS_CODE if "code" in model else _WORDS_4 if "-v4" in model else _WORDS
    if (purpose := purpose_word(asked, words, title)) is not None:
        body["task"] = purpose
    if asked.get("encoding_format") not in (None, "float", "base64"):
        raise cannot_carry("encoding_format", f"{title} gives vectors as numbers or in base64.")
    return body | {name: asked[name] for name in ("dimensions", *_OWN) if asked.get(name) is not None}


def _rerank_body(asked: Json, model: str, title: str) -> Json:
    own = ("max_chunk_per_doc", "truncate")
    if any(isinstance(each, dict) and "image" in each for each in asked["documents"]):
        texts_to_rank({**asked, "documents": []}, title, _MOST_DOCUMENTS, own)
        documents = asked["documents"]  # of its model for pictures
    else:
        documents = texts_to_rank(asked, title, _MOST_DOCUMENTS, own)
    kept = {name: asked[name] for name in ("top_n", *own) if asked.get(name) is not None}
    return {"model": model, "query": asked["query"], "documents": documents, "return_documents": False, **kept}


PROVIDER = Jina()
