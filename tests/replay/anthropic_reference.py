"""Reads Anthropic's Messages API as it is documented (platform.claude.com/docs/en/api/messages, -streaming, errors)."""

import json
from typing import Any

from tests.replay._expected import Expected
from tests.replay.openai_reference import events_of, minimal_request
from tests.replay.traffic import is_event_stream

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_ERRORS = {
    "authentication_error": ("upstream_auth_failed", 502),
    "permission_error": ("upstream_auth_failed", 502),
    "billing_error": ("upstream_quota_exhausted", 502),
    "not_found_error": ("model_not_found", 404),
    "request_too_large": ("request_too_large", 413),
    "rate_limit_error": ("provider_quota_exhausted", 429),
    "timeout_error": ("provider_timeout", 504),
    "overloaded_error": ("provider_overloaded", 503),
    "api_error": ("provider_failed", 502),
}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    if status == 200 and is_event_stream(body):
        return _stream(body)
    said = json.loads(body)
    if status != 200 or said.get("type") == "error":
        return error(said)
    answer = Expected(finish_reason=_FINISH[said["stop_reason"]])
    for block in said["content"]:
        if block["type"] == "text":
            answer.text += block["text"]
        elif block["type"] == "tool_use":
            answer.tool_calls.append((block["name"], block["input"]))
    answer.refusal = _declined(said)
    _note_usage(answer, said["usage"])
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in chat's words, as far as chat has them."""
    if not isinstance(request, dict) or not all(isinstance(each, dict) for each in request["messages"]):
        return minimal_request()
    asked: dict[str, Any] = {"messages": [], "max_completion_tokens": request["max_tokens"]}
    system = request.get("system")
    if system:
        content = system if isinstance(system, str) else [_part(block) for block in system]
        asked["messages"].append({"role": "system", "content": content})
    for message in request["messages"]:
        asked["messages"] += _messages(message["role"], message["content"])
    tools = [_tool(tool) for tool in request.get("tools") or []]
    if tools:
        asked["tools"] = tools
    choice = request.get("tool_choice")
    if choice:
        named = {"type": "function", "function": {"name": choice.get("name")}}
        asked["tool_choice"] = {"auto": "auto", "any": "required", "none": "none", "tool": named}[choice["type"]]
        if choice.get("disable_parallel_tool_use"):
            asked["parallel_tool_calls"] = False
    for theirs, ours in {"temperature": "temperature", "stop_sequences": "stop", "thinking": "thinking"}.items():
        if request.get(theirs) is not None:
            asked[ours] = request[theirs]
    shape = (request.get("output_config") or {}).get("format")
    if shape:
        described = {"name": "answer", "schema": shape["schema"], "strict": True}
        asked["response_format"] = {"type": "json_schema", "json_schema": described}
    return asked


def error(said: Any) -> Expected:
    """Our code and status for the vendor's error."""
    kind, words = said["error"]["type"], said["error"]["message"]
    if "prompt is too long" in words:
        return Expected(error="context_length_exceeded", error_status=400)
    if "does not support" in words:
        return Expected(error="unsupported_parameter", error_status=400)
    code, status = _ERRORS.get(kind, (kind, 400))
    return Expected(error=code, error_status=status)


def _stream(body: bytes) -> Expected:
    answer = Expected()
    calls: dict[int, list[str]] = {}
    usage: dict[str, Any] = {}
    is_whole = False
    for _, data in events_of(body):
        if data == "[DONE]":
            continue
        event = json.loads(data)
        kind = event["type"]
        if kind == "message_start":
            usage = event["message"]["usage"]
        elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
            calls[event["index"]] = [event["content_block"]["name"], ""]
        elif kind == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":
                answer.text += delta["text"]
            elif delta["type"] == "input_json_delta" and event["index"] in calls:
                calls[event["index"]][1] += delta["partial_json"]
        elif kind == "message_delta":
            answer.finish_reason = _FINISH[event["delta"]["stop_reason"]]
            answer.refusal = _declined(event["delta"])
            usage = usage | event["usage"]
        elif kind == "error":
            failed = error(event)
            answer.error = failed.error
            answer.error_status = None if answer.text or answer.tool_calls else failed.error_status
            break
        elif kind == "message_stop":
            is_whole = True
            break  # one recording holds two answers, one behind the other: an answer ends here
    answer.tool_calls = [(name, json.loads(arguments or "{}")) for _, (name, arguments) in sorted(calls.items())]
    if not is_whole and answer.error is None:
        answer.error, answer.error_status = "upstream_truncated", 502
    _note_usage(answer, usage)
    return answer


def _declined(said: dict[str, Any]) -> str:
    return (said.get("stop_details") or {}).get("explanation") or ""


def _note_usage(answer: Expected, usage: dict[str, Any]) -> None:
    """Every pass of the model is billed; `input_tokens` leaves out what was read from or written to the cache."""
    passes = usage.get("iterations") or [usage]
    cached = sum(each.get("cache_read_input_tokens") or 0 for each in passes)
    written = sum(each.get("cache_creation_input_tokens") or 0 for each in passes)
    answer.input_tokens = sum(each["input_tokens"] for each in passes) + cached + written
    answer.output_tokens = sum(each["output_tokens"] for each in passes)
    answer.cached_input_tokens = cached
    answer.reasoning_tokens = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)


def _messages(role: str, content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    results = [_result(block) for block in content if block["type"] == "tool_result"]
    message: dict[str, Any] = {"role": role}
    parts = [_part(block) for block in content if block["type"] in ("text", "image", "document", "container_upload")]
    if parts:
        message["content"] = parts
    calls = [_call(block) for block in content if block["type"] == "tool_use"]
    if calls:
        message["tool_calls"] = calls
    thoughts = [_thought(block) for block in content if block["type"] == "thinking"]
    if thoughts:
        message["reasoning_details"] = thoughts
    return [*results, message] if len(message) > 1 else results


def _part(block: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any]
    source = block.get("source") or {}
    if block["type"] == "text":
        made = {"type": "text", "text": block["text"]}
    elif block["type"] == "image" and source["type"] == "base64":
        made = {"type": "image_url", "image_url": {"url": f"data:{source['media_type']};base64,{source['data']}"}}
    elif block["type"] == "image" and source["type"] == "url":
        made = {"type": "image_url", "image_url": {"url": source["url"]}}
    elif block["type"] == "document":
        return dict(block)
    else:
        return {"type": "text", "text": "(a file stored with the vendor, for which chat has no word)"}
    if "cache_control" in block:
        made["cache_control"] = block["cache_control"]
    return made


def _call(block: dict[str, Any]) -> dict[str, Any]:
    function = {"name": block["name"], "arguments": json.dumps(block["input"])}
    return {"id": block["id"], "type": "function", "function": function}


def _thought(block: dict[str, Any]) -> dict[str, Any]:
    about = {"type": "reasoning.text", "format": "anthropic-claude-v1"}
    return {**about, "text": block["thinking"], "signature": block["signature"]}


def _result(block: dict[str, Any]) -> dict[str, Any]:
    content = block.get("content") or ""
    if isinstance(content, list):
        content = [_part(each) for each in content]
    made = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": content}
    return made | ({"is_error": True} if block.get("is_error") else {})


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if "input_schema" not in tool:
        return tool
    function = {"name": tool["name"], "parameters": tool["input_schema"], "description": tool.get("description")}
    if tool.get("strict"):
        function["strict"] = True
    made = {"type": "function", "function": function}
    return made | ({"cache_control": tool["cache_control"]} if "cache_control" in tool else {})
