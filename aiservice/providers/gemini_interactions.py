"""Gemini by its Interactions API, which Google's newer models and agents come to first; nothing is kept there.

A kind of its own: the same key, models and refusals as `gemini`, asked at /v1beta/interactions.
"""

import orjson

from aiservice.providers._base import StreamReader, refuse_uncarried
from aiservice.providers._gemini.answer import chat_answer
from aiservice.providers._gemini.interaction_answer import InteractionStreamReader, generated
from aiservice.providers._gemini.interaction_request import interaction_body
from aiservice.providers._gemini.models import model_path
from aiservice.providers._gemini.request import chat_body, wants_one_call
from aiservice.providers.gemini import Gemini
from aiservice.wire import Answer, Ask, AskKind, HttpCall, HttpReply


class GeminiInteractions(Gemini):
    kind = "gemini-interactions"
    title = "Google Gemini (Interactions)"
    counts_tokens = False

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind == "chat" and super().serves(model, kind)

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


PROVIDER = GeminiInteractions()
