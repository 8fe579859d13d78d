"""Gemini by its Interactions API, which Google's newer models and agents come to first; nothing is kept there.

A kind of its own: the same key, models and refusals as `gemini`, asked at /v1beta/interactions.
"""

import orjson

from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._gemini.answer import chat_answer
from aiservice.providers._gemini.errors import failure_in
from aiservice.providers._gemini.interaction_answer import InteractionStreamReader, generated
from aiservice.providers._gemini.interaction_request import interaction_body
from aiservice.providers._gemini.listing import models_in
from aiservice.providers._gemini.models import capabilities, model_path, serves
from aiservice.providers._gemini.quota import quota_in_refusal
from aiservice.providers._gemini.request import chat_body, wants_one_call
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, QuotaNote


class GeminiInteractions(Provider):
    kind = "gemini-interactions"
    title = "Google Gemini (Interactions)"
    default_base_url = "https://generativelanguage.googleapis.com"
    own_path = "/v1beta"

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind == "chat" and serves(model, kind)

    def capabilities(self, model: str) -> Capabilities:
        return capabilities(model)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("x-goog-api-key", key.reveal_text()),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        refuse_uncarried(ask, self.title)
        name = model_path(model).removeprefix("models/")
        body = interaction_body(ask, name, chat_body(ask, model))
        return HttpCall(f"{self.own_path}/interactions", orjson.dumps(body), is_stream=ask.is_stream)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        model = orjson.loads(call.body)["model"]
        return chat_answer(generated(reply.body), model, is_one_call=wants_one_call(ask))

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return InteractionStreamReader(is_one_call=wants_one_call(ask))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        return failure_in(reply.status, reply.body, reply.headers)

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        return quota_in_refusal(reply)

    def probe(self) -> HttpCall:
        return HttpCall(f"{self.own_path}/models?pageSize=1000", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        return models_in(reply)


PROVIDER = GeminiInteractions()
