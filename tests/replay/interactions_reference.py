"""Reads Gemini's Interactions API as ai.google.dev/api/interactions says: steps, whole or in events."""

import json
from typing import Any

from tests.replay import gemini_reference
from tests.replay._expected import Expected
from tests.replay.openai_reference import events_of, minimal_request
from tests.replay.traffic import is_event_stream


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    if not is_event_stream(body):
        said = json.loads(body)
        return gemini_reference.error(status, said) if status != 200 else _whole(said)
    answer, steps = Expected(), {}
    for _, data in events_of(body):
        if data == "[DONE]":
            continue
        event = json.loads(data)
        kind = event["event_type"]
        if kind == "step.start":
            steps[event["index"]] = dict(event["step"])
        elif kind == "step.delta":
            delta = event["delta"]
            if delta["type"] == "text":
                answer.text += delta["text"]
            elif delta["type"] in ("arguments_delta", "function_call_arguments"):
                step = steps[event["index"]]
                step["streamed"] = step.get("streamed", "") + (delta.get("arguments") or delta.get("partial_arguments"))
        elif kind == "interaction.completed":
            _end(answer, event["interaction"])
    for _, step in sorted(steps.items()):
        if step["type"] == "function_call":
            arguments = json.loads(step["streamed"]) if "streamed" in step else step.get("arguments") or {}
            answer.tool_calls.append((step["name"], arguments))
    if answer.finish_reason is None:
        answer.error = "upstream_truncated"
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The text of the recorded request: what else is in it, chat has other words for."""
    given = request.get("input") if isinstance(request, dict) else None
    return {"messages": [{"role": "user", "content": given}]} if isinstance(given, str) else minimal_request()


def _whole(said: dict[str, Any]) -> Expected:
    answer = Expected()
    for step in said.get("steps") or said.get("outputs") or []:
        if step["type"] == "model_output":
            answer.text += "".join(part.get("text", "") for part in step["content"])
        elif step["type"] == "text":
            answer.text += step["text"]
        elif step["type"] == "function_call":
            answer.tool_calls.append((step["name"], step.get("arguments") or {}))
    _end(answer, said)
    return answer


def _end(answer: Expected, said: dict[str, Any]) -> None:
    status, usage = said["status"], said.get("usage") or {}
    answer.finish_reason = {"completed": "stop", "requires_action": "tool_calls", "incomplete": "length"}[status]
    if usage:
        thoughts = usage.get("total_thought_tokens") or usage.get("total_reasoning_tokens") or 0
        used = usage.get("total_tool_use_tokens") or 0
        answer.input_tokens = usage["total_input_tokens"] + used
        answer.output_tokens = usage["total_output_tokens"] + thoughts
        answer.cached_input_tokens, answer.reasoning_tokens = usage.get("total_cached_tokens") or 0, thoughts
