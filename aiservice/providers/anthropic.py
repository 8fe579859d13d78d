"""Anthropic's Messages API, and whoever else speaks it (platform.claude.com/docs/en/api/messages)."""

from collections.abc import Mapping
from typing import Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers import _anthropic_limits, _anthropic_models
from aiservice.providers._anthropic_answer import read_answer, read_count
from aiservice.providers._anthropic_errors import failure_from_body
from aiservice.providers._anthropic_request import count_body, messages_body
from aiservice.providers._anthropic_stream import MessagesStreamReader
from aiservice.providers._anthropic_tools import wants_json_tool
from aiservice.providers._base import Provider, StreamReader, refuse_uncarried
from aiservice.providers._capabilities import Capabilities
from aiservice.wire import MESSAGES_WIRE, Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json, QuotaNote

VERSION: Final = ("anthropic-version", "2023-06-01")
_CONTENT_TYPE: Final = ("content-type", "application/json")
_NATIVE_HEADERS: Final = ("anthropic-version", "anthropic-beta")
_COUNT_PATH: Final = "/v1/messages/count_tokens"
_MAX_HEADER: Final = 256


class Anthropic(Provider):
    """Claude, at Anthropic's own address or at any other that speaks this wire."""

    kind = "anthropic"
    title = "Anthropic"
    default_base_url = "https://api.anthropic.com"
    own_path = "/v1"
    counts_tokens = True

    def serves(self, model: str, kind: AskKind) -> bool:
        return kind in ("chat", "token-count")

    def capabilities(self, model: str) -> Capabilities:
        return _anthropic_models.capabilities(model)

    def auth_headers(self, key: Secret) -> tuple[tuple[str, str], ...]:
        return (("x-api-key", key.reveal_text()),)

    def build(self, ask: Ask, model: str) -> HttpCall:
        is_native = ask.wire == MESSAGES_WIRE and ask.native is not None
        if is_native:
            body: Json = {**(ask.native or {}), "model": model}
        else:
            refuse_uncarried(ask, self.title)
            body = messages_body(ask, model)
        headers = _headers(ask) if is_native else (_CONTENT_TYPE, VERSION)
        if ask.kind == "token-count":
            body = body if is_native else count_body(body)
            return HttpCall(_COUNT_PATH, orjson.dumps(body), headers=headers)
        if ask.is_stream or "stream" in body:
            body["stream"] = ask.is_stream
        return HttpCall("/v1/messages", orjson.dumps(body), headers=headers, is_stream=ask.is_stream)

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        if ask.kind == "token-count":
            return read_count(reply.body)
        return read_answer(reply.body, is_json_tool=_is_json_tool(ask))

    def reader(self, ask: Ask, call: HttpCall) -> StreamReader:
        return MessagesStreamReader(keeps_frames=ask.wire == MESSAGES_WIRE, is_json_tool=_is_json_tool(ask))

    def failure(self, reply: HttpReply) -> AttemptFailure:
        try:
            body = loads(reply.body) if reply.body else None
        except orjson.JSONDecodeError:
            body = None
        return failure_from_body(reply.status, body, reply.headers)

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        return _anthropic_limits.quota_in(headers)

    def quota_in_refusal(self, reply: HttpReply) -> tuple[QuotaNote, ...]:
        return _anthropic_limits.quota_in_refusal(reply)

    def probe(self) -> HttpCall:
        return HttpCall("/v1/models?limit=1000", b"", method="GET", headers=(VERSION,))

    def models_in(self, reply: HttpReply) -> list[str]:
        try:
            body = loads(reply.body)
        except orjson.JSONDecodeError:
            return []
        items = body.get("data") if isinstance(body, dict) else None
        if not isinstance(items, list):
            return []
        names = [item.get("id") for item in items if isinstance(item, dict)]
        return [name for name in names if isinstance(name, str) and 0 < len(name) <= 200][:1000]


def _is_json_tool(ask: Ask) -> bool:
    return ask.native is None and wants_json_tool(ask.body)


def _headers(ask: Ask) -> tuple[tuple[str, str], ...]:
    """What the client's own wire says in headers; a list that is too long for one line goes out in several."""
    given = [(name, value) for name, value in ask.native_headers if name in _NATIVE_HEADERS]
    headers = [_CONTENT_TYPE]
    if all(name != VERSION[0] for name, _ in given):
        headers.append(VERSION)
    for name, value in given:
        headers += [(name, line) for line in _lines(value)]
    return tuple(headers)


def _lines(value: str) -> list[str]:
    if len(value) <= _MAX_HEADER:
        return [value]
    lines = [""]
    for word in value.split(","):
        joined = f"{lines[-1]},{word}" if lines[-1] else word.strip()
        if len(joined) > _MAX_HEADER and lines[-1]:
            lines.append(word.strip())
        else:
            lines[-1] = joined
    return lines


PROVIDER = Anthropic()
