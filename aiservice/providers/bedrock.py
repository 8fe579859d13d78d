"""Amazon Bedrock: Converse for every model, InvokeModel for embeddings, rankings and Claude's own wire."""

import base64
from functools import lru_cache
from urllib.parse import unquote

import orjson

from aiservice.kit.secret import Secret
from aiservice.providers._anthropic_answer import read_answer
from aiservice.providers._anthropic_tools import wants_json_tool
from aiservice.providers._base import Credential, Provider, StreamReader, refuse_uncarried
from aiservice.providers._bedrock import models
from aiservice.providers._bedrock.address import control_address, place_of, quoted, runtime_address
from aiservice.providers._bedrock.answer import Wish, converse_answer, read_count
from aiservice.providers._bedrock.credential import credential_of
from aiservice.providers._bedrock.embeddings import embedding_answer, embedding_body
from aiservice.providers._bedrock.errors import failure_of
from aiservice.providers._bedrock.invoke import InvokeStreamReader, invoke_body, is_json_tool, is_native, needs_invoke
from aiservice.providers._bedrock.keys import KEY_HINT, normal_key
from aiservice.providers._bedrock.listing import models_in
from aiservice.providers._bedrock.request import converse_body, may_call, wants_one_call
from aiservice.providers._bedrock.rerank import rerank_answer, rerank_body
from aiservice.providers._bedrock.stream import ConverseStreamReader
from aiservice.providers._capabilities import Capabilities
from aiservice.wire import Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json

_COUNTED = frozenset({"additionalModelRequestFields", "messages", "system", "toolConfig"})
_LEAST_MAX_TOKENS = 1  # which a count does not depend on, and the body must have


class Bedrock(Provider):
    """One region of Amazon Bedrock."""

    kind = "bedrock"
    title = "Amazon Bedrock"
    needs_base_url = True
    counts_tokens = True
    address_hint = "https://bedrock-runtime.us-east-1.amazonaws.com, or the region alone"
    key_hint = KEY_HINT

    def __init__(self, geography: str = "us") -> None:
        self._geography = geography

    def at(self, base_url: str) -> Provider:
        return _in(place_of(base_url).geography)

    def address(self, given: str) -> str:
        return runtime_address(given)

    def probe_root(self, base_url: str) -> str:
        return control_address(base_url)

    def normal_key(self, key: bytes) -> bytes:
        return normal_key(key)

    def serves(self, model: str, kind: AskKind) -> bool:
        return models.serves(model, kind)

    def counts(self, model: str) -> bool:
        return models.counts(model)

    def capabilities(self, model: str) -> Capabilities:
        return models.capabilities(model)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {key.reveal_text()}"),)

    def credential(self, key: Secret, base_url: str) -> Credential:
        return credential_of(key, base_url)

    def build(self, ask: Ask, model: str) -> HttpCall:
        path = f"/model/{quoted(model)}"
        if ask.kind == "token-count":
            return HttpCall(f"/model/{quoted(models.foundation_of(model))}/count-tokens", _count_body(ask, model))
        if ask.kind == "embedding":
            return HttpCall(f"{path}/invoke", orjson.dumps(embedding_body(ask, model)))
        if ask.kind == "rerank":
            return HttpCall(f"{path}/invoke", orjson.dumps(rerank_body(ask, model)))
        if _is_invoked(ask, model):
            body, way = invoke_body(ask, model), "invoke-with-response-stream" if ask.is_stream else "invoke"
        else:
            refuse_uncarried(ask, self.title)
            body, way = converse_body(ask, model), "converse-stream" if ask.is_stream else "converse"
        return HttpCall(f"{path}/{way}", orjson.dumps(body), is_stream=ask.is_stream)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        model, way = _asked(call.path)
        if way == "count-tokens":
            return read_count(reply.body)
        if ask.kind == "embedding":
            return embedding_answer(ask, reply, model)
        if ask.kind == "rerank":
            return rerank_answer(ask, reply, model)
        if way == "invoke":
            return read_answer(reply.body, is_json_tool=is_json_tool(ask))
        return converse_answer(reply.body, model, models.reasoning_format(model), _wish(ask))

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        model, way = _asked(call.path)
        if way != "converse-stream":
            return InvokeStreamReader(keeps_frames=is_native(ask), is_json_tool=is_json_tool(ask))
        return ConverseStreamReader(models.reasoning_format(model), _wish(ask))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        return failure_of(reply)

    def probe(self) -> HttpCall:
        return HttpCall("/foundation-models", b"", method="GET", headers=())

    def models_in(self, reply: HttpReply) -> list[str]:
        return models_in(reply.body, self._geography)


@lru_cache(maxsize=16)
def _in(geography: str) -> Bedrock:
    return Bedrock(geography)


@lru_cache(maxsize=1024)
def _asked(path: str) -> tuple[str, str]:
    """The model that a path names, and what it is asked for."""
    model, _, way = unquote(path.removeprefix("/model/")).rpartition("/")
    return model, way


def _wish(ask: Ask) -> Wish:
    return Wish(wants_json_tool(ask.body), wants_one_call(ask), may_call(ask))


def _is_invoked(ask: Ask, model: str) -> bool:
    """Whether a chat goes to Claude in its maker's own wire, not through Converse."""
    return models.is_claude(model) and (is_native(ask) or needs_invoke(ask))


def _count_body(ask: Ask, model: str) -> bytes:
    """A count of what would be sent; `InvokeModel`'s body is a blob in it."""
    if _is_invoked(ask, model):
        body = {"max_tokens": _LEAST_MAX_TOKENS, **invoke_body(ask, model)}
        given: Json = {"invokeModel": {"body": base64.b64encode(orjson.dumps(body)).decode()}}
    else:
        refuse_uncarried(ask, Bedrock.title)
        body = converse_body(ask, model)
        given = {"converse": {name: value for name, value in body.items() if name in _COUNTED}}
    return orjson.dumps({"input": given})


PROVIDER = Bedrock()
