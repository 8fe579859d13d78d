"""Ollama by its own wire (docs.ollama.com/api), on one's own machine or in its cloud.

What stands for what: settings are `options` (a limit is `num_predict`), a schema is `format`, effort is `think`, an
image is base64 without its type; a stream is a JSON object a line. `keep_alive`, `options`, `think`, `format` and
`truncate` of a client's own are passed on. Chats are /api/chat's, text completions /api/generate's. By OpenAI's wire
the same server is of kind `ollama-openai`.
"""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers._base import Provider, StreamReader, cannot_carry, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._embedding_inputs import purpose_word, refuse_others
from aiservice.providers._model_names import is_embedding_name
from aiservice.providers._ollama.answer import chat_answer, embeddings_answer
from aiservice.providers._ollama.request import PARAMETERS, chat_body, generate_body
from aiservice.providers._ollama.stream import LinesReader
from aiservice.providers._openai_errors import failure_from_body
from aiservice.wire import COMPLETIONS_WIRE, Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json

_CHAT, _EMBED, _GENERATE = "/api/chat", "/api/embed", "/api/generate"
_OF_EMBEDDINGS = ("dimensions", "keep_alive", "options", "truncate")


class Ollama(Provider):
    kind = "ollama"
    title = "Ollama"
    default_base_url = "http://127.0.0.1:11434"
    own_path = "/api"
    needs_key = False

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind in ("chat", "embedding") and is_embedding_name(model) == (kind == "embedding")

    def capabilities(self, model: str) -> Capabilities:
        """What the wire has for every model; the server says nothing of its models where we ask."""
        if self.serves(model, "embedding"):
            return Capabilities(streaming=False, parameters=frozenset({"dimensions", "encoding_format"}))
        return Capabilities(
            streaming=True, system=True, forced_tools=False, documents=False, audio=False, video=False,
            audio_output=False, json_object=True, json_schema=True, parameters=PARAMETERS,
        )  # fmt: skip

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        if ask.wire == COMPLETIONS_WIRE:
            return HttpCall(_GENERATE, orjson.dumps(generate_body(ask, model)), is_stream=ask.is_stream)
        refuse_uncarried(ask, self.title)
        if ask.kind == "embedding":
            return HttpCall(_EMBED, orjson.dumps(_embed_body(ask.body, model)))
        return HttpCall(_CHAT, orjson.dumps(chat_body(ask, model)), is_stream=ask.is_stream)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        model = orjson.loads(call.body)["model"]
        if ask.kind == "embedding":
            return embeddings_answer(ask, reply.body, model)
        return chat_answer(reply.body, model)

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return LinesReader()

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        return failure_from_body(reply.status, body, reply.headers)

    def probe(self) -> HttpCall:
        return HttpCall("/api/tags", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        try:
            body = loads(reply.body)
        except orjson.JSONDecodeError:
            return []
        items: Any = body.get("models") if isinstance(body, dict) else None
        names = [item.get("model", item.get("name")) for item in items or () if isinstance(item, dict)]
        return [name for name in names if isinstance(name, str) and 0 < len(name) <= 200][:1000]


def _embed_body(asked: Json, model: str) -> Json:
    refuse_others(asked, frozenset({*_OF_EMBEDDINGS, "encoding_format"}), "Ollama")
    purpose_word(asked, {}, "Ollama")
    given = asked.get("input")
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise cannot_carry("input", "Ollama embeds texts, not tokens: give them as text.")
    own = {name: asked[name] for name in _OF_EMBEDDINGS if asked.get(name) is not None}
    return {"truncate": False, **own, "model": model, "input": given}


PROVIDER = Ollama()
