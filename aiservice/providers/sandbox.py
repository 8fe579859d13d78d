"""A provider inside this process: deterministic answers without any key, so that a first call works offline.

It says what it is in every answer. It speaks OpenAI's wire, so the path behind it is the one real providers take.
"""

import base64
import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Any

import orjson

from aiservice.providers import _sandbox_media as media
from aiservice.providers._base import LocalProvider
from aiservice.providers._capabilities import Capabilities
from aiservice.providers._openai_shape import OpenAiShape
from aiservice.wire import AskKind, HttpCall, HttpReply

MODEL = "sandbox"
EMBEDDING_MODEL = "sandbox-embedding"
RANKING_MODEL = "sandbox-reranker"
_NOTICE = "[sandbox] This answer comes from the built-in sandbox, not from an AI model."
_CREATED = 1_767_225_600  # fixed: the same request gives the same bytes
_DIMENSIONS = 64
_MAX_DEPTH = 8
_MAX_RANKED = 500  # characters of a text that are read to rank it
_MAX_NUMBERS = 2048 * _DIMENSIONS  # a tenth of a second of the event loop


class Sandbox(OpenAiShape, LocalProvider):
    kind = "sandbox"
    title = "Sandbox (built in)"
    needs_key = False
    default_models = (MODEL, EMBEDDING_MODEL, RANKING_MODEL, *media.MODELS)

    def serves(self, model: str, kind: AskKind) -> bool:
        own = {EMBEDDING_MODEL: "embedding", RANKING_MODEL: "rerank", **media.MODELS}.get(model)
        return kind == own if own else kind in ("chat", "token-count")

    def capabilities(self, model: str) -> Capabilities:
        """It answers whatever it is asked, so that a first call works; nothing here says that the answer is real."""
        is_chat = self.serves(model, "chat")
        return Capabilities(tools=is_chat, json_schema=is_chat, streaming=is_chat, system=is_chat)

    def serve(self, call: HttpCall) -> HttpReply:
        if call.path == "/models":
            return _json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.default_models]})
        if call.path in media.PATHS:
            return media.reply_to(call)
        body = orjson.loads(call.body)
        if call.path == "/embeddings":
            return _json(_embeddings(body)) if _embedding_numbers(body) <= _MAX_NUMBERS else _too_many()
        if call.path == "/rerank":
            return _json(_ranking(body))
        text, tool_calls = _reply(body)
        return _json(_completion(body, call.body, text, tool_calls))

    def serve_stream(self, call: HttpCall) -> Iterator[bytes]:
        if call.path in media.PATHS:
            yield from media.stream_of(call)
            return
        body = orjson.loads(call.body)
        text, tool_calls = _reply(body)
        base = {
            "id": _id(call.body),
            "object": "chat.completion.chunk",
            "created": _CREATED,
            "model": body.get("model", MODEL),
        }

        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return b"data: " + orjson.dumps({**base, "choices": [choice], "usage": None}) + b"\n\n"

        yield chunk({"role": "assistant", "content": None if tool_calls else ""})
        for index, tool_call in enumerate(tool_calls):
            yield chunk({"tool_calls": [{"index": index, **tool_call}]})
        for word in _words(text):
            yield chunk({"content": word})
        yield chunk({}, _finish(body, text, tool_calls))
        yield b"data: " + orjson.dumps({**base, "choices": [], "usage": _usage(body, text, tool_calls)}) + b"\n\n"
        yield b"data: [DONE]\n\n"


def _reply(body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text and tool calls for a chat body: an echo, or a call of the first tool where the client insists on one."""
    messages = body.get("messages") or []
    last = messages[-1] if messages and isinstance(messages[-1], dict) else {}
    tools = body.get("tools") if isinstance(body.get("tools"), list) else []
    choice = body.get("tool_choice")
    if tools and last.get("role") != "tool" and (choice == "required" or isinstance(choice, dict)):
        return "", [_tool_call(tools, choice)]
    asked = _text(last.get("content"))
    schema = _dict_in(_dict_in(body.get("response_format"), "json_schema"), "schema")
    if schema:
        return orjson.dumps(_by_schema(schema, asked)).decode(), []
    text = f"{_NOTICE} You said: {asked[:2000]}" if asked else _NOTICE
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    words = _words(text)
    if isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit < len(words):
        text = "".join(words[:limit])
    return text, []


def _by_schema(schema: dict[str, Any], asked: str, depth: int = 0) -> Any:
    """Something that `schema` allows: of several values the one that the text holds, else the first. It says nothing of
    what a model would have said."""
    choices, kind = schema.get("enum"), schema.get("type")
    if isinstance(choices, list) and choices:
        return next((each for each in choices if isinstance(each, str) and each.lower() in asked.lower()), choices[0])
    if "const" in schema:
        return schema["const"]
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" and depth < _MAX_DEPTH:
        fields = _dict_in(schema, "properties")
        return {name: _by_schema(_dict_in(fields, name), asked, depth + 1) for name in fields}
    if kind == "array" and depth < _MAX_DEPTH:
        return [_by_schema(_dict_in(schema, "items"), asked, depth + 1)]
    samples: dict[Any, Any] = {"string": MODEL, "integer": 0, "number": 0, "boolean": False, "object": {}, "array": []}
    return samples.get(kind) if isinstance(kind, str) else None


def _dict_in(value: object, name: str) -> dict[str, Any]:
    """What callers send is passed on as it is, so here it may have any shape."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _tool_call(tools: list[Any], choice: object) -> dict[str, Any]:
    wanted = _dict_in(choice, "function").get("name")
    functions = [_dict_in(tool, "function") for tool in tools]
    function = next((f for f in functions if f.get("name") == wanted), functions[0] if functions else {})
    name = str(function.get("name", "tool"))
    required = _dict_in(function, "parameters").get("required")
    required = required if isinstance(required, list) else []
    arguments = orjson.dumps({str(field): "sandbox" for field in required}).decode()
    call_id = "call_" + hashlib.sha256(name.encode()).hexdigest()[:24]
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _completion(body: dict[str, Any], raw: bytes, text: str, tool_calls: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if tool_calls else text}
    if tool_calls:
        message["tool_calls"] = tool_calls
    return {
        "id": _id(raw),
        "object": "chat.completion",
        "created": _CREATED,
        "model": body.get("model", MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(body, text, tool_calls)}],
        "usage": _usage(body, text, tool_calls),
    }


def _texts(body: dict[str, Any]) -> list[Any]:
    given = body.get("input")
    return given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]


def _size(body: dict[str, Any]) -> int:
    wanted = body.get("dimensions")
    return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= 3072 else _DIMENSIONS


def _embedding_numbers(body: dict[str, Any]) -> int:
    return len(_texts(body)) * _size(body)


def _too_many() -> HttpReply:
    message = f"The sandbox makes at most {_MAX_NUMBERS} numbers at once: send fewer texts or ask for fewer dimensions."
    body = {"error": {"message": message, "type": "invalid_request_error", "param": "input", "code": "too_many_inputs"}}
    return HttpReply(400, {"content-type": "application/json"}, orjson.dumps(body))


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts, size = _texts(body), _size(body)
    vectors = [_vector(orjson.dumps(text), size) for text in texts]
    is_base64 = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if is_base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(max(1, _count(_text(text))) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body.get("model", EMBEDDING_MODEL), "usage": usage}


def _ranking(body: dict[str, Any]) -> dict[str, Any]:
    """Documents by how many of the query's words they hold: it shows the form of an answer, and judges nothing."""
    query = set(body["query"][:_MAX_RANKED].lower().split())
    found = [
        {"index": place, "relevance_score": round(_shared(query, text), 6)}
        for place, text in enumerate(body["documents"])
    ]
    tokens = _count(body["query"]) + sum(map(_count, body["documents"]))
    found.sort(key=lambda each: -each["relevance_score"])
    return {"model": body["model"], "results": found[: body.get("top_n")], "usage": {"total_tokens": tokens}}


def _shared(query: set[str], text: str) -> float:
    return len(query.intersection(text[:_MAX_RANKED].lower().split())) / max(1, len(query))


def _vector(seed: bytes, size: int) -> list[float]:
    stream = b"".join(hashlib.sha256(seed + number.to_bytes(4, "big")).digest() for number in range((size + 15) // 16))
    values = [value / 32768 - 1 for value in struct.unpack(f">{size}H", stream[: 2 * size])]
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [round(value / length, 7) for value in values]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _words(text: str) -> list[str]:
    parts = text.split(" ")
    return [part if place == 0 else f" {part}" for place, part in enumerate(parts)] if text else []


def _count(text: str) -> int:
    """The number of words, without making them: a prompt may be megabytes, and this runs on the event loop."""
    return text.count(" ") + 1 if text else 0


def _usage(body: dict[str, Any], text: str, tool_calls: list[dict[str, Any]]) -> dict[str, int]:
    messages = body.get("messages") or []
    prompt = sum(_count(_text(m.get("content"))) + 3 for m in messages if isinstance(m, dict))
    completion = len(_words(text)) + 8 * len(tool_calls)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _finish(body: dict[str, Any], text: str, tool_calls: list[dict[str, Any]]) -> str:
    if tool_calls:
        return "tool_calls"
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    is_cut = isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit == len(_words(text))
    return "length" if is_cut else "stop"


def _id(raw: bytes) -> str:
    return "chatcmpl-sandbox-" + hashlib.sha256(raw).hexdigest()[:20]


def _json(body: dict[str, Any]) -> HttpReply:
    return HttpReply(200, {"content-type": "application/json"}, orjson.dumps(body))


PROVIDER = Sandbox()
