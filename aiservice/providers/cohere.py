"""Cohere's own wire, v2 (docs.cohere.com/reference): /v2/chat, /v2/embed and /v2/rerank.

What stands for what: `p` and `k` are top_p and top_k, a schema is a JSON object's, a plan before tool calls and
citations are `extra_content.cohere` of the message (the plan is shown as thinking, too). `documents`,
`citation_options`, `safety_mode`, `strict_tools`, `thinking` and `priority` of a client's own are passed on.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _openai_limits
from aiservice.providers._base import Provider, StreamReader, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._cohere import models
from aiservice.providers._cohere.answer import chat_answer
from aiservice.providers._cohere.audio import transcript_call
from aiservice.providers._cohere.embed import embed_body, embeddings_answer
from aiservice.providers._cohere.errors import failure_of
from aiservice.providers._cohere.request import chat_body, wants_one_call
from aiservice.providers._cohere.rerank import rerank_answer, rerank_body
from aiservice.providers._cohere.stream import ChatReader
from aiservice.providers._media_reader import MediaReader
from aiservice.providers._openai_media import transcript_answer, transcript_usage
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, QuotaNote

_CHAT, _EMBED, _RERANK = "/v2/chat", "/v2/embed", "/v2/rerank"


class Cohere(Provider):
    kind = "cohere"
    title = models.TITLE
    default_base_url = "https://api.cohere.com"

    def address(self, given: str) -> str:
        return given.rstrip("/").removesuffix("/v1").removesuffix("/v2")

    def serves(self, model: str, kind: AskKind) -> bool:
        return models.serves(model, kind)

    def capabilities(self, model: str) -> Capabilities:
        return models.capabilities(model)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        if ask.kind == "embedding":
            return HttpCall(_EMBED, orjson.dumps(embed_body(ask.body, model)))
        if ask.kind == "rerank":
            return HttpCall(_RERANK, orjson.dumps(rerank_body(ask.body, model)))
        if ask.kind == "transcription":
            return transcript_call(ask, model)
        return HttpCall(_CHAT, orjson.dumps(chat_body(ask, model)), is_stream=ask.is_stream)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if ask.kind == "transcription":
            answer = transcript_answer(ask, reply.body, "", None)
            answer.usage = transcript_usage(ask, answer.body, None)
            return answer
        model = orjson.loads(call.body)["model"]
        if ask.kind == "embedding":
            return embeddings_answer(ask, reply.body, model)
        if ask.kind == "rerank":
            return rerank_answer(ask, reply.body, model)
        return chat_answer(reply.body, model, is_one_call=wants_one_call(ask))

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if ask.kind == "transcription":
            return MediaReader(ask, partial(self.read, ask, call))
        return ChatReader(is_one_call=wants_one_call(ask))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        return failure_of(reply.status, body, reply.headers)

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        return _openai_limits.quota_in(headers)  # a trial key's; paid keys say nothing of theirs

    def probe(self) -> HttpCall:
        return HttpCall("/v1/models?page_size=1000", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        try:
            body = loads(reply.body)
        except orjson.JSONDecodeError:
            return []
        items: Any = body.get("models") if isinstance(body, dict) else None
        names = [item.get("name") for item in items or () if isinstance(item, dict)]
        return [name for name in names if isinstance(name, str) and 0 < len(name) <= 200][:1000]


PROVIDER = Cohere()
