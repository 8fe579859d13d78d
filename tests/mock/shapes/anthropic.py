"""Anthropic's Messages API."""

import json
from collections.abc import Iterator
from typing import Any

from tests.mock.plan import Plan, count_tokens
from tests.mock.script import Json, text_of
from tests.mock.shapes._base import Shape, pieces

SIGNATURE = "c2lnbmF0dXJlIG9mIHRoZSBtb2Nr"
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicShape(Shape):
    def ask(self, body: Json, path: str) -> Json:
        messages: list[Json] = []
        if body.get("system"):
            messages.append({"role": "system", "content": text_of(body["system"])})
        for message in body.get("messages") or []:
            messages += _messages(message)
        return {**body, "messages": messages}

    def task(self, path: str) -> str | None:
        return {"/v1/messages": "chat", "/v1/messages/count_tokens": "count"}.get(path)

    def whole(self, plan: Plan) -> Json:
        content: list[Json] = []
        if plan.thought:
            content.append({"type": "thinking", "thinking": plan.thought, "signature": SIGNATURE})
        if plan.calls:
            content += [_tool_use(call, json.loads(call["function"]["arguments"])) for call in plan.calls]
        else:
            content.append({"type": "text", "text": plan.text, "citations": None})
        return {**_message(plan), "content": content, "stop_reason": _REASONS[plan.reason], "usage": _usage(plan)}

    def opening(self, plan: Plan) -> bytes:
        usage = {**_usage(plan), "output_tokens": 1} if plan.tokens is not None else {}
        start = {"type": "message_start", "message": {**_message(plan), "content": [], "usage": usage}}
        return _event(start) + _event({"type": "ping"})

    def thinking(self, plan: Plan) -> Iterator[bytes]:
        if not plan.thought:
            return
        block = {"type": "thinking", "thinking": "", "signature": ""}
        yield _event({"type": "content_block_start", "index": 0, "content_block": block})
        for piece in plan.thought.split(" "):
            yield _delta(0, {"type": "thinking_delta", "thinking": piece + " "})
        yield _delta(0, {"type": "signature_delta", "signature": SIGNATURE})
        yield _event({"type": "content_block_stop", "index": 0})

    def tool_calls(self, plan: Plan) -> Iterator[bytes]:
        for index, call in enumerate(plan.calls, start=bool(plan.thought)):
            yield _event({"type": "content_block_start", "index": index, "content_block": _tool_use(call, {})})
            yield _delta(index, {"type": "input_json_delta", "partial_json": ""})
            for piece in pieces(call["function"]["arguments"]):
                yield _delta(index, {"type": "input_json_delta", "partial_json": piece})
            yield _event({"type": "content_block_stop", "index": index})

    def word(self, plan: Plan, word: str, place: int) -> bytes:
        index = int(bool(plan.thought))
        block = {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        begun = _event(block) if place == 0 else b""
        return begun + _delta(index, {"type": "text_delta", "text": word})

    def closing(self, plan: Plan) -> tuple[bytes, bytes]:
        stop = {"type": "content_block_stop", "index": int(bool(plan.thought))}
        frames = _event(stop) if plan.words else b""
        delta: Json = {"type": "message_delta", "delta": {"stop_reason": _REASONS[plan.reason], "stop_sequence": None}}
        if plan.tokens is not None:
            delta["usage"] = _usage(plan)
        return frames + _event(delta), _event({"type": "message_stop"})

    def error(self, status: int, message: str, code: str | None = None) -> Json:
        kind = _KINDS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_of_the_mock"}

    def error_event(self, message: str) -> bytes:
        return _event({"type": "error", "error": {"type": "overloaded_error", "message": message}})

    def half_event(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "caf\xc3\n\n'

    def count(self, body: Json) -> Json:
        return {"input_tokens": count_tokens(body)}


def _messages(message: Any) -> list[Json]:
    """One message as OpenAI's: a tool result is a message of its own there."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return [{"role": message.get("role"), "content": content}] if isinstance(message, dict) else []
    results = [part for part in content if isinstance(part, dict) and part.get("type") == "tool_result"]
    told = [{"role": "tool", "content": text_of(part.get("content"))} for part in results]
    text = text_of([part for part in content if isinstance(part, dict) and part.get("type") == "text"])
    plain = [{"role": message.get("role"), "content": text}] if text or not told else []
    return [*plain, *told]


def _message(plan: Plan) -> Json:
    return {
        "id": f"msg_{plan.number}",
        "type": "message",
        "role": "assistant",
        "model": plan.body.get("model"),
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(plan: Plan) -> Json:
    tokens = plan.tokens
    if tokens is None:
        return {}
    if plan.is_usage_bad:
        return {"input_tokens": -5, "output_tokens": "10"}
    return {
        "input_tokens": tokens.given - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.made,
        "service_tier": "standard",
    }


def _tool_use(call: Json, given: Json) -> Json:
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": given}


def _delta(index: int, delta: Json) -> bytes:
    return _event({"type": "content_block_delta", "index": index, "delta": delta})


def _event(event: Json) -> bytes:
    # The real one pads its JSON with spaces before the last brace's end.
    return f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n".encode()
