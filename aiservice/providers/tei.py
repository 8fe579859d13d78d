"""Text Embeddings Inference, Hugging Face's server of one's own (huggingface.github.io/text-embeddings-inference):
vectors by OpenAI's wire, rankings by its own. A server has one model, whatever it is asked for."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, refuse_uncarried, token_count
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._embedding_inputs import Purpose, purpose_word, refuse_others
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_shape import embeddings_answer
from aiservice.providers._ranking import parsed, ranked, texts_to_rank
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, Blame, HttpCall, HttpReply, Usage

_EMBED, _RERANK = "/v1/embeddings", "/rerank"
_MOST_DOCUMENTS = 10_000  # its own limit (--max-client-batch-size, 32) is refused by it in its words
_KNOWN = frozenset({"dimensions", "encoding_format"})
_RANKS_BY = ("raw_scores", "truncate", "truncation_direction")
_NO_PURPOSES: dict[Purpose, str] = {}


class TextEmbeddingsInference(Provider):
    kind = "tei"
    title = "Text Embeddings Inference"
    needs_key = False
    needs_base_url = True
    address_hint = "http://127.0.0.1:8080"

    def address(self, given: str) -> str:
        return given.rstrip("/").removesuffix("/v1")

    def serves(self, model: str, kind: AskKind) -> bool:
        """Its name may say that it ranks; else both are tried, and the server refuses what its model cannot."""
        return kind == "rerank" or (kind == "embedding" and "rerank" not in model.lower())

    def capabilities(self, model: str) -> Capabilities:
        return Capabilities(streaming=False, parameters=frozenset({"dimensions", "encoding_format"}))

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        asked = ask.body
        if ask.kind == "rerank":
            texts = texts_to_rank(asked, self.title, _MOST_DOCUMENTS, _RANKS_BY)
            own = {name: asked[name] for name in _RANKS_BY if asked.get(name) is not None}
            return HttpCall(_RERANK, orjson.dumps({"query": asked["query"], "texts": texts, **own}))
        refuse_others(asked, _KNOWN, self.title)
        purpose_word(asked, _NO_PURPOSES, self.title)
        kept = {name: asked[name] for name in ("input", *_KNOWN) if asked.get(name) is not None}
        return HttpCall(_EMBED, orjson.dumps({"model": model, **kept}))

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        said = parsed(reply.body)
        if ask.kind == "rerank":
            usage, is_valid = _computed(reply)
            return ranked(ask, said, ask.requested_model or "", usage, is_valid=is_valid)
        return embeddings_answer(said, reply.body)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        raise NotImplementedError("no stream is ever asked for: it makes vectors and rankings alone")

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        if reply.status == 429:  # its queue is full, which is no quota
            return AttemptFailure(503, "provider_overloaded", "The provider is overloaded.", Blame.RETRY, 429)
        return failure_from_body(reply.status, body, reply.headers)

    def probe(self) -> HttpCall:
        return HttpCall("/info", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        said: Any
        try:
            said = loads(reply.body)
        except orjson.JSONDecodeError:
            return []
        name = said.get("model_id") if isinstance(said, dict) else None
        return [name] if isinstance(name, str) and 0 < len(name) <= 200 else []


def _computed(reply: HttpReply) -> tuple[Usage | None, bool]:
    """The tokens of a ranking, which a header tells."""
    text = reply.headers.get("x-compute-tokens")
    if text is None:
        return None, True
    count = token_count(int(text)) if text.isascii() and text.isdigit() and len(text) < 12 else None
    return (None, False) if count is None else (Usage(count), True)


PROVIDER = TextEmbeddingsInference()
