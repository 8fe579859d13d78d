"""Reads Cohere's v2 chat and embed as docs.cohere.com/reference/chat, /chat-stream and /embed say."""

import json
from typing import Any

from tests.replay import openai_reference
from tests.replay._expected import Expected
from tests.replay.openai_reference import events_of, minimal_request, parsed
from tests.replay.traffic import is_event_stream

_FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
# What chat has under another name, and what it has under the same.
_EMBEDDED = {"texts": "input", "input_type": "input_type"}
_RENAMED = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}
_SAME = ("max_tokens", "temperature", "seed", "frequency_penalty", "presence_penalty", "tools")
# What it has no word for, and takes as Cohere says it.
_OWN = ("documents", "citation_options", "safety_mode", "strict_tools", "thinking", "priority")


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    if status == 200 and is_event_stream(body):
        return _stream(body)
    said = json.loads(body)
    if status != 200:
        # "model 'x' was removed" is this vendor's way to say that there is none.
        return openai_reference.error(status, {"error": {"message": said.get("message", "")}})
    if "embeddings" in said:
        found = said["embeddings"]
        vectors = next(iter(found.values())) if isinstance(found, dict) else found
        return Expected(vectors=vectors, input_tokens=said["meta"]["billed_units"]["input_tokens"], output_tokens=0)
    message = said["message"]
    answer = Expected(_text(message.get("content")))
    answer.tool_calls = [_call(call["function"]) for call in message.get("tool_calls") or []]
    _end(answer, said)
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in chat's words, as far as chat has them."""
    if not isinstance(request, dict):
        return minimal_request()
    if "texts" in request:
        return {name: request[theirs] for theirs, name in _EMBEDDED.items() if theirs in request}
    asked = {name: request[name] for name in (*_SAME, *_OWN) if request.get(name) is not None}
    asked |= {ours: request[theirs] for theirs, ours in _RENAMED.items() if request.get(theirs) is not None}
    asked["messages"] = [_message(message) for message in request["messages"]]
    if request.get("tool_choice"):
        asked["tool_choice"] = {"REQUIRED": "required", "NONE": "none"}[request["tool_choice"]]
    shape = request.get("response_format") or {}
    schema = shape.get("json_schema") or shape.get("schema")
    if schema:
        asked["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    elif shape.get("type") == "json_object":
        asked["response_format"] = {"type": "json_object"}
    return asked


def _message(message: dict[str, Any]) -> dict[str, Any]:
    own = {name: message[name] for name in ("tool_plan", "citations") if message.get(name)}
    plain = {name: value for name, value in message.items() if name not in own}
    return {**plain, **({"extra_content": {"cohere": own}} if own else {})}


def _stream(body: bytes) -> Expected:
    answer, calls, is_whole = Expected(), {}, False
    for _, data in events_of(body):
        if data == "[DONE]":
            continue
        event = json.loads(data)
        kind, said = event["type"], (event.get("delta") or {}).get("message") or {}
        if kind == "content-delta":
            answer.text += said["content"].get("text", "")
        elif kind == "tool-call-start":
            function = said["tool_calls"]["function"]
            calls[event["index"]] = {"name": function["name"], "arguments": function.get("arguments") or ""}
        elif kind == "tool-call-delta":
            calls[event["index"]]["arguments"] += said["tool_calls"]["function"]["arguments"]
        elif kind == "message-end":
            is_whole = True
            answer.tool_calls = [_call(call) for _, call in sorted(calls.items())]
            _end(answer, event["delta"])
            if answer.error and (answer.text or answer.tool_calls or b"tool-plan-delta" in body):
                answer.error_status = None
    if not is_whole:
        answer.error = "upstream_truncated"
    return answer


def _end(answer: Expected, said: dict[str, Any]) -> None:
    reason = said["finish_reason"]
    if reason in ("ERROR", "TIMEOUT"):
        answer.error, answer.error_status = {"ERROR": "provider_failed", "TIMEOUT": "provider_timeout"}[reason], 502
    else:
        answer.finish_reason = _FINISH[reason]
    usage = said.get("usage") or {}
    counts = usage.get("tokens") or {}
    if counts:
        answer.input_tokens, answer.output_tokens = int(counts["input_tokens"]), int(counts["output_tokens"])
        answer.cached_input_tokens = int(usage.get("cached_tokens") or 0)


def _call(function: dict[str, Any]) -> tuple[str, Any]:
    arguments = parsed(function.get("arguments") or "")
    return function["name"], {} if arguments is None else arguments  # "null" was recorded: a call without any


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or [] if part["type"] == "text")
