"""Google's Gemini API: generateContent, streamGenerateContent, embedContent and countTokens (ai.google.dev/api)."""

import orjson

from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._embedding_inputs import Purpose, purpose_word, refuse_others
from aiservice.providers._gemini.answer import chat_answer, embeddings_answer, token_count_answer
from aiservice.providers._gemini.errors import failure_in
from aiservice.providers._gemini.listing import models_in
from aiservice.providers._gemini.media import media_answer, media_body, media_call, media_reader, serves_media
from aiservice.providers._gemini.models import capabilities, model_path, serves
from aiservice.providers._gemini.native import count_body, embed_body, generate_body, in_own_words, is_native
from aiservice.providers._gemini.parts import bad_request
from aiservice.providers._gemini.quota import quota_in_refusal
from aiservice.providers._gemini.request import chat_body, wants_one_call
from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.wire import MEDIA_KINDS, Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json, QuotaNote

_MAX_TEXTS = 100  # that one batchEmbedContents takes
_LABELS = frozenset({"dimensions", "encoding_format"})
_PURPOSES: dict[Purpose, str] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
    "code_query": "CODE_RETRIEVAL_QUERY",
}


class Gemini(Provider):
    kind = "gemini"
    title = "Google Gemini"
    default_base_url = "https://generativelanguage.googleapis.com"
    own_path = "/v1beta"
    counts_tokens = True

    def serves(self, model: str, kind: AskKind) -> bool:
        return serves_media(model, kind) if kind in MEDIA_KINDS else serves(model, kind)

    def capabilities(self, model: str) -> Capabilities:
        return capabilities(model)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("x-goog-api-key", key.reveal_text()),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        name = model_path(model)
        path = f"{self.own_path}/{name}"
        if is_native(ask):
            return _native_call(ask, model, name, path)
        refuse_uncarried(ask, self.title)
        if ask.kind == "embedding":
            return _embedding_call(ask, name, path)
        if ask.kind in MEDIA_KINDS:
            return media_call(ask, path, media_body(ask, model))
        body = chat_body(ask, model)
        if ask.kind == "token-count":
            whole = {"generateContentRequest": {"model": name, **body}}
            return HttpCall(f"{path}:countTokens", orjson.dumps(whole))
        if ask.is_stream:
            return HttpCall(f"{path}:streamGenerateContent?alt=sse", orjson.dumps(body), is_stream=True)
        return HttpCall(f"{path}:generateContent", orjson.dumps(body))

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        model = call.path.rpartition(":")[0].rpartition("/")[2]
        if ask.kind == "embedding":
            answer = embeddings_answer(ask, reply.body, model)
        elif ask.kind in MEDIA_KINDS:
            return media_answer(ask, reply.body, model)
        elif ask.kind == "token-count":
            answer = token_count_answer(reply.body, model)
        else:
            answer = chat_answer(reply.body, model, is_one_call=wants_one_call(ask))
        return in_own_words(answer, reply.body) if is_native(ask) else answer

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if ask.kind in MEDIA_KINDS:
            return media_reader(ask, call, call.path.rpartition(":")[0].rpartition("/")[2])
        wanted = ask.body.get("n")
        return GeminiStreamReader(
            wanted if type(wanted) is int else 1, is_one_call=wants_one_call(ask), keeps_frames=is_native(ask)
        )

    def failure(self, reply: HttpReply) -> AttemptFailure:
        return failure_in(reply.status, reply.body, reply.headers)

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        return quota_in_refusal(reply)

    def probe(self) -> HttpCall:
        return HttpCall(f"{self.own_path}/models?pageSize=1000", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        return models_in(reply)


def _native_call(ask: Ask, model: str, name: str, path: str) -> HttpCall:
    if ask.kind == "embedding":
        method, body = embed_body(ask, name)
        return HttpCall(f"{path}:{method}", body)
    if ask.kind == "token-count":
        return HttpCall(f"{path}:countTokens", count_body(ask, model, name))
    body = generate_body(ask, model)
    if ask.is_stream:
        return HttpCall(f"{path}:streamGenerateContent?alt=sse", body, is_stream=True)
    return HttpCall(f"{path}:generateContent", body)


def _embedding_call(ask: Ask, name: str, path: str) -> HttpCall:
    refuse_others(ask.body, _LABELS, "Gemini")
    purpose = purpose_word(ask.body, _PURPOSES, "Gemini")
    given = ask.body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise bad_request("input", "'input' must be text or a list of texts.")
    if not all(isinstance(text, str) for text in texts):
        raise cannot_carry("input", "Gemini embeds texts, not tokens.")
    if len(texts) > _MAX_TEXTS:
        raise cannot_carry("input", f"Gemini embeds at most {_MAX_TEXTS} texts in one request: send several.")
    size = ask.body.get("dimensions")
    settings = {"outputDimensionality": size, "taskType": purpose}
    said = {field: value for field, value in settings.items() if value is not None}
    requests: list[Json] = [{"model": name, "content": {"parts": [{"text": text}]}, **said} for text in texts]
    if isinstance(given, str):
        return HttpCall(f"{path}:embedContent", orjson.dumps(requests[0]))
    return HttpCall(f"{path}:batchEmbedContents", orjson.dumps({"requests": requests}))


PROVIDER = Gemini()
