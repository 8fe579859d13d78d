"""Reads OpenAI's Responses API as it is documented (platform.openai.com/docs/api-reference/responses, -streaming)."""

import json
from typing import Any

from tests.replay._expected import Expected
from tests.replay.openai_reference import error, events_of, minimal_request, parsed
from tests.replay.traffic import is_event_stream

_TERMINAL = {"response.completed", "response.incomplete", "response.failed"}


def expected(status: int, body: bytes) -> Expected:
    """What an answer says: of a stream, what its last event repeats whole, or what came before it broke off."""
    if not is_event_stream(body):
        said = json.loads(body)
        return error(status, said) if status != 200 or said.get("error") else _of_response(said)
    text = ""
    for _, data in events_of(body):
        if data == "[DONE]":
            continue
        event = json.loads(data)
        kind = event["type"]
        if kind == "response.output_text.delta":
            text += event["delta"]
        elif kind == "error":
            failed = error(200, event if isinstance(event.get("error"), dict) else {"error": event})
            if text:
                failed.text, failed.error_status = text, None
            return failed
        elif kind in _TERMINAL:
            answer = _of_response(event["response"])
            # The deltas are the answer, and the end repeats them; of two recordings the deltas alone were trimmed.
            answer.text = text
            return answer
    return Expected(text=text, error="upstream_truncated")


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request in chat's words, as far as chat has them."""
    if not isinstance(request, dict):
        return minimal_request()
    asked: dict[str, Any] = {"messages": _messages(request)}
    tools = [_tool(tool) for tool in request.get("tools") or [] if tool["type"] == "function"]
    if tools:
        asked["tools"] = tools
    choice = request.get("tool_choice")
    if isinstance(choice, str) and tools:
        asked["tool_choice"] = choice
    for theirs, ours in {"temperature": "temperature", "max_output_tokens": "max_completion_tokens"}.items():
        if request.get(theirs) is not None:
            asked[ours] = request[theirs]
    if (request.get("reasoning") or {}).get("effort"):
        asked["reasoning_effort"] = request["reasoning"]["effort"]
    shape = (request.get("text") or {}).get("format") or {}
    if shape.get("type") == "json_schema":
        asked["response_format"] = {"type": "json_schema", "json_schema": {k: shape[k] for k in shape if k != "type"}}
    return asked


def _of_response(said: dict[str, Any]) -> Expected:
    if said.get("error"):
        return error(200, said)
    answer = Expected()
    for item in said["output"]:
        if item["type"] == "message":
            answer.text += "".join(part["text"] for part in item["content"] if part["type"] == "output_text")
            answer.refusal += "".join(part["refusal"] for part in item["content"] if part["type"] == "refusal")
        elif item["type"] == "function_call":
            answer.tool_calls.append((item["name"], parsed(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            answer.tool_calls.append((item["name"], parsed(item["input"])))
    reason = (said.get("incomplete_details") or {}).get("reason")
    if said["status"] == "incomplete":
        answer.finish_reason = "content_filter" if reason == "content_filter" else "length"
    else:
        answer.finish_reason = "tool_calls" if answer.tool_calls else "stop"
    usage = said.get("usage")
    if usage:
        answer.input_tokens, answer.output_tokens = usage["input_tokens"], usage["output_tokens"]
        answer.cached_input_tokens = (usage.get("input_tokens_details") or {}).get("cached_tokens", 0)
        answer.reasoning_tokens = (usage.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    return answer


def _messages(request: dict[str, Any]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.get("instructions"):
        messages.append({"role": "system", "content": request["instructions"]})
    given = request["input"]
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for item in given:
        kind = item.get("type", "message")
        if kind == "message":
            messages.append({"role": item["role"], "content": _content(item["content"])})
        elif kind == "function_call":
            call = {"name": item["name"], "arguments": item["arguments"]}
            messages.append(
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": item["call_id"], "type": "function", "function": call}],
                }
            )
        elif kind == "function_call_output":
            output = item["output"]
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": _content(output)})
        elif kind == "reasoning" and item.get("encrypted_content"):
            state = {"type": "reasoning.encrypted", "data": item["encrypted_content"]}
            state |= {"id": item["id"]} if item.get("id") else {}
            details = [{**state, "format": "openai-responses-v1"}]
            messages.append({"role": "assistant", "content": None, "reasoning_details": details})
    return messages


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    parts: list[dict[str, Any]] = []
    for part in content:
        if part["type"] in {"input_text", "output_text"}:
            parts.append({"type": "text", "text": part["text"]})
        elif part["type"] == "input_image":
            detail = {"detail": part["detail"]} if "detail" in part else {}
            parts.append({"type": "image_url", "image_url": {"url": part["image_url"], **detail}})
        elif part["type"] == "input_file":
            parts.append({"type": "file", "file": {k: part[k] for k in part if k != "type"}})
    return parts


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type" and v is not None}}
