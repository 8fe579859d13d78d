"""Reads chat completions and embeddings as OpenAI documents them, with the habits of the vendors that copy them.

Nothing here is of the product: platform.openai.com/docs/api-reference/chat, /chat-streaming and /embeddings, and what
the vendors say of their own fields (`reasoning`, `x_groq`, `prompt_cache_hit_tokens`, top-level `cached_tokens`).
"""

import json
import re
from typing import Any

from tests.replay._expected import Expected
from tests.replay.traffic import is_event_stream

_FINISH = {
    "stop": "stop",
    "eos": "stop",
    "length": "length",
    "max_tokens": "length",  # in the `finish_details` of the first vision models
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_TOO_LONG = "context length|all messages is too long|Number of input tokens exceeds|too many tokens"
_CONTENT = ("content", "reasoning", "reasoning_content", "reasoning_details", "tool_calls", "refusal")


def expected(status: int, body: bytes) -> Expected:
    """What an answer says."""
    if status == 200 and is_event_stream(body):
        return _stream(body)
    try:
        said = json.loads(body)
    except ValueError:
        said = {}
    if status != 200 or (isinstance(said, dict) and said.get("error")):
        return error(status, said)
    if "data" in said:
        return _embeddings(said)
    choice = said["choices"][0]
    message = choice.get("message") or {}
    finish: str = choice["finish_reason"] if "finish_reason" in choice else choice["finish_details"]["type"]
    # Snowflake says none, and means what it holds.
    finish = finish or ("tool_calls" if message.get("tool_calls") else "stop")
    answer = Expected(text=_text(message.get("content")), finish_reason=_FINISH[finish])
    answer.refusal = message.get("refusal") or ""
    answer.tool_calls = [call_of(call) for call in message.get("tool_calls") or []]
    _note_usage(answer, said.get("usage"))
    return answer


def chat_request(request: Any) -> dict[str, Any]:
    """The recorded request itself."""
    return dict(request) if isinstance(request, dict) else minimal_request()


def minimal_request() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hello"}]}


def events_of(body: bytes) -> list[tuple[str, str]]:
    """(event name, data) of every server-sent event; comments left out."""
    events = []
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data":
                data.append(value.removeprefix(" "))
        if data:
            events.append((name, "\n".join(data)))
    return events


def error(status: int, said: Any) -> Expected:
    """Our code and status for a vendor's error, by the table of the contract."""
    found = said.get("error", said) if isinstance(said, dict) else {}
    if isinstance(said, dict) and isinstance(said.get("detail"), str):
        found = {"message": said["detail"]}
    if isinstance(found, str):
        found = {"code": said.get("code"), "message": found}  # xAI's
    code, words = (str(found.get("code") or ""), str(found.get("message"))) if isinstance(found, dict) else ("", found)
    if status == 200 and isinstance(found, dict):
        status = next((int(said) for said in (code, str(found.get("status_code"))) if said.isdigit()), 200)
    if status in (401, 403):
        return Expected(error="upstream_auth_failed", error_status=502)
    if code == "insufficient_quota" or status == 402:
        return Expected(error="upstream_quota_exhausted", error_status=502)
    if (status == 429 or code == "rate_limit_exceeded") and re.search(
        "(?i)request too large|must be reduced", str(words)
    ):  # no waiting makes it fit
        return Expected(error="request_over_provider_quota", error_status=413)
    if status == 429 or code == "rate_limit_exceeded":
        return Expected(error="provider_quota_exhausted", error_status=429)
    if re.search(_TOO_LONG, words) or code == "context_length_exceeded":
        return Expected(error="context_length_exceeded", error_status=400)
    if status == 404 or re.search("Model .+ is not supported", words):
        return Expected(error="model_not_found", error_status=404)
    if "doesn't support the" in words:
        return Expected(error="unsupported_parameter", error_status=400)
    if 400 <= status < 500:
        kind = code if code and not code.isdigit() else str(found.get("type") or "") if isinstance(found, dict) else ""
        return Expected(error=kind or "provider_rejected_request", error_status=400)
    return Expected(error="provider_failed", error_status=502)


def call_of(call: dict[str, Any]) -> tuple[str, Any]:
    """Name and arguments of a call of a whole answer; of a custom tool, its input."""
    if call.get("type") == "custom":
        return call["custom"]["name"], parsed(call["custom"]["input"])
    return call["function"]["name"], parsed(call["function"]["arguments"])


def parsed(arguments: str) -> Any:
    """A call's arguments; none at all are an empty object, and a custom tool's input is any text."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _stream(body: bytes) -> Expected:
    answer = Expected()
    calls: dict[int, list[str]] = {}
    is_done = has_begun = False
    for _, data in events_of(body):
        if data == "[DONE]":
            is_done = True
            continue
        chunk = json.loads(data)
        if chunk.get("error"):
            failed = error(200, chunk)
            answer.error, answer.error_status = failed.error, None if has_begun else failed.error_status
            break
        for choice in chunk.get("choices") or []:
            if choice.get("index", 0) != 0:
                continue
            delta = choice.get("delta") or {}
            has_begun = has_begun or any(delta.get(name) for name in _CONTENT) or bool(choice.get("finish_reason"))
            answer.text += _text(delta.get("content"))
            answer.refusal += delta.get("refusal") or ""
            for place, piece in enumerate(delta.get("tool_calls") or []):
                call = calls.setdefault(piece.get("index", place), ["", ""])
                function = piece.get("function") or {}
                call[0] = call[0] or function.get("name") or ""
                call[1] += function.get("arguments") or ""
            if choice.get("finish_reason"):
                answer.finish_reason = _FINISH[choice["finish_reason"]]
        _note_usage(answer, chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage"))
    answer.tool_calls = [(name, parsed(arguments)) for _, (name, arguments) in sorted(calls.items())]
    if answer.error is None and answer.finish_reason is None and not is_done:
        answer.error = "upstream_truncated"
    return answer


def _note_usage(answer: Expected, usage: Any) -> None:
    if not usage:
        return
    details = usage.get("prompt_tokens_details") or {}
    generated = usage.get("completion_tokens_details") or {}
    answer.input_tokens = usage["prompt_tokens"] if "prompt_tokens" in usage else usage["total_tokens"]
    answer.output_tokens = usage.get("completion_tokens", 0)
    thought = generated.get("reasoning_tokens") or 0
    if usage.get("total_tokens") == answer.input_tokens + answer.output_tokens + thought:
        answer.output_tokens += thought  # xAI's do not hold it
    cached = [
        *(usage.get("num_cached_tokens"), details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens")),
        *(usage.get("cached_tokens"), 0),
    ]
    # Azure's Grok says that more of a prompt was cached than the prompt is: a part is never larger than its whole.
    answer.cached_input_tokens = min(next(count for count in cached if count is not None), answer.input_tokens)
    # Some report more reasoning than they generated at all.
    answer.reasoning_tokens = min(generated.get("reasoning_tokens") or 0, answer.output_tokens or 0)


def _embeddings(said: Any) -> Expected:
    answer = Expected(vectors=[item["embedding"] for item in said["data"]])
    _note_usage(answer, said.get("usage"))
    return answer


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return content or ""
