"""Google Cloud's Vertex AI: Gemini, Claude and embeddings under a project and a place (cloud.google.com/vertex-ai).

The connection's address names both: `https://europe-west4-aiplatform.googleapis.com/v1/projects/P/locations/L`; express
mode has neither (`https://aiplatform.googleapis.com/v1`) and takes an API key.
"""

import re
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _anthropic_models
from aiservice.providers._anthropic_answer import read_answer, read_count
from aiservice.providers._anthropic_errors import failure_from_body
from aiservice.providers._anthropic_stream import MessagesStreamReader
from aiservice.providers._base import Provider, StreamReader, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._gemini.answer import chat_answer, token_count_answer
from aiservice.providers._gemini.errors import failure_in
from aiservice.providers._gemini.media import media_answer, media_body, media_call, media_reader, serves_media
from aiservice.providers._gemini.models import capabilities, model_path, serves
from aiservice.providers._gemini.native import generate_body, in_own_words, is_native
from aiservice.providers._gemini.quota import quota_in_refusal
from aiservice.providers._gemini.request import chat_body, wants_one_call
from aiservice.providers._gemini.stream import GeminiStreamReader
from aiservice.providers._key_exchange import KeyExchange
from aiservice.providers._vertex.claude import claude_call, is_claude, is_json_tool, plain_name
from aiservice.providers._vertex.embeddings import embedding_call, embeddings_answer
from aiservice.providers._vertex.key import BEARER, exchange_of, packed
from aiservice.wire import (
    MEDIA_KINDS,
    MESSAGES_WIRE,
    Answer,
    Ask,
    AskKind,
    AttemptFailure,
    HttpCall,
    HttpReply,
    Json,
    QuotaNote,
)

_GOOGLE = "/publishers/google/models"
_CLAUDE = "/publishers/anthropic/"
_COUNTED = ("contents", "systemInstruction", "tools", "generationConfig")  # of a request, what countTokens takes
_PROJECT = re.compile(r"/v1(?:beta1)?(?:/projects/.*)?$")
_NOT_OURS = re.compile(r"multimodalembedding|imagen|veo|lyria|live|gecko|aqa")


class Vertex(Provider):
    kind = "vertex"
    title = "Google Vertex AI"
    needs_base_url = True
    counts_tokens = True
    address_hint = "https://europe-west4-aiplatform.googleapis.com/v1/projects/PROJECT/locations/europe-west4"
    key_hint = "the JSON file of a service account, or an API key of express mode"

    def address(self, given: str) -> str:
        return re.sub(r"/publishers(/.*)?$", "", given.rstrip("/"))

    def probe_root(self, base_url: str) -> str:
        """Models are listed outside of any project."""
        return _PROJECT.sub("", base_url) + "/v1beta1"

    def normal_key(self, key: bytes) -> bytes:
        return packed(key)

    def exchange(self, key: Secret) -> KeyExchange | None:
        return exchange_of(key)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        text = key.reveal_text()
        return (("authorization", text),) if text.startswith(BEARER) else (("x-goog-api-key", text),)

    def serves(self, model: str, kind: AskKind) -> bool:
        if is_claude(model):
            return kind in ("chat", "token-count")
        if kind in MEDIA_KINDS:
            return serves_media(model, kind)
        return model != "multimodalembedding" and serves(model, kind)

    def capabilities(self, model: str) -> Capabilities:
        return _anthropic_models.capabilities(plain_name(model)) if is_claude(model) else capabilities(model)

    def build(self, ask: Ask, model: str) -> HttpCall:
        if is_claude(model):
            model_path(plain_name(model))
            return claude_call(ask, model, self.title)
        name = model_path(model.replace("@", "-"))  # a name that may stand in a path
        path = f"{_GOOGLE}/{model.removeprefix(name.partition('/')[0] + '/')}"
        if ask.kind == "embedding":
            return embedding_call(ask, model, path)
        if is_native(ask):
            body = _with_roles(orjson.loads(generate_body(ask, model)))
        else:
            refuse_uncarried(ask, self.title)
            if ask.kind in MEDIA_KINDS:
                return media_call(ask, path, media_body(ask, model, fetches_urls=True))
            body = chat_body(ask, model, fetches_urls=True)  # every model here: Vertex loads them
        if ask.kind == "token-count":
            return HttpCall(
                f"{path}:countTokens", orjson.dumps({name: body[name] for name in _COUNTED if name in body})
            )
        if ask.is_stream:
            return HttpCall(f"{path}:streamGenerateContent?alt=sse", orjson.dumps(body), is_stream=True)
        return HttpCall(f"{path}:generateContent", orjson.dumps(body))

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if call.path.startswith(_CLAUDE):
            if ask.kind == "token-count":
                return read_count(reply.body)
            return read_answer(reply.body, is_json_tool=is_json_tool(ask))
        model = call.path.rpartition(":")[0].rpartition("/")[2]
        if ask.kind == "embedding":  # never in Google's own words: those of :predict are of another method
            return embeddings_answer(ask, reply, model)
        if ask.kind in MEDIA_KINDS:
            return media_answer(ask, reply.body, model)
        if ask.kind == "token-count":
            answer = token_count_answer(reply.body, model)
        else:
            answer = chat_answer(reply.body, model, is_one_call=wants_one_call(ask))
        return in_own_words(answer, reply.body) if is_native(ask) else answer

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        if call.path.startswith(_CLAUDE):
            return MessagesStreamReader(keeps_frames=ask.wire == MESSAGES_WIRE, is_json_tool=is_json_tool(ask))
        if ask.kind in MEDIA_KINDS:
            return media_reader(ask, call, call.path.rpartition(":")[0].rpartition("/")[2])
        wanted = ask.body.get("n")
        return GeminiStreamReader(
            wanted if type(wanted) is int else 1, is_one_call=wants_one_call(ask), keeps_frames=is_native(ask)
        )

    def failure(self, reply: HttpReply) -> AttemptFailure:
        """Claude's own errors come in Anthropic's words, those before it in Google's."""
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        if isinstance(body, dict) and body.get("type") == "error":
            return failure_from_body(reply.status, body, reply.headers)
        return failure_in(reply.status, reply.body, reply.headers)

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        return quota_in_refusal(reply)

    def probe(self) -> HttpCall:
        return HttpCall(f"{_GOOGLE}?pageSize=200", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        try:
            said = loads(reply.body)
        except orjson.JSONDecodeError:
            return []
        listed = said.get("publisherModels", said.get("models")) if isinstance(said, dict) else None
        names = [_listed(item) for item in listed] if isinstance(listed, list) else []
        return list(dict.fromkeys(name for name in names if name))[:1000]


def _listed(item: Any) -> str:
    """The name of a listed model, without its folders; empty for one that does none of our work."""
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str) or len(name) > 200:
        return ""
    short = name.rpartition("/")[2]
    is_ours = short.startswith(("gemini-", "text-embedding-", "text-multilingual-embedding-", "claude-"))
    return short if is_ours and not _NOT_OURS.search(short) else ""


def _with_roles(body: Json) -> Json:
    """`body` with the roles that Gemini's own address does without, and Vertex does not."""
    given = body.get("contents") or ()
    given = [given] if isinstance(given, dict) else given
    contents = [
        content if not isinstance(content, dict) or content.get("role") else {**content, "role": "user"}
        for content in given
    ]
    return {**body, "contents": contents}


PROVIDER = Vertex()
