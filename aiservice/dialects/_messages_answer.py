"""An answer in our form as Anthropic's `message` (docs.claude.com/en/api/messages, "Returns")."""

import hashlib
import re
from typing import Any

import orjson

from aiservice.dialects._base import Outcome
from aiservice.dialects._messages_state import block_of_extra_content, blocks_of_details
from aiservice.kit.bounded_json import loads
from aiservice.wire import Answer, FinishReason, Usage

Json = dict[str, Any]

_STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "budget_exhausted": "max_tokens",
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)


def message_of(answer: Answer, outcome: Outcome) -> Json:
    """The whole message."""
    choices = answer.body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    said = choice.get("message")
    content = blocks_of(said if isinstance(said, dict) else {}, outcome.request_id)
    stop = choice.get("stop_reason")
    is_refusal = isinstance(said, dict) and bool(said.get("refusal"))
    return {
        "id": message_id(outcome),
        "type": "message",
        "role": "assistant",
        "model": answer.model or outcome.model,
        "content": content,
        **stop_of(
            "content_filter" if is_refusal else answer.finish_reason,
            stop if isinstance(stop, str) else "",
            has_tool_use=any(block["type"] == "tool_use" for block in content),
        ),
        "usage": usage_of(outcome.usage),
    }


def message_id(outcome: Outcome) -> str:
    """The message's id: the request's, as Anthropic writes its own."""
    return "msg_" + outcome.request_id.removeprefix("req_")


def stop_of(finish: FinishReason | None, stop_sequence: str, *, has_tool_use: bool) -> Json:
    """`stop_reason` and what goes with it. A turn that calls tools ends in `tool_use` whatever its server called it:
    else no client would run them."""
    reason = _STOP_REASONS[finish] if finish is not None else "end_turn"
    if has_tool_use and reason == "end_turn":
        reason = "tool_use"
    is_matched = bool(stop_sequence) and reason == "end_turn"
    stop: Json = {
        "stop_reason": "stop_sequence" if is_matched else reason,
        "stop_sequence": stop_sequence if is_matched else None,
    }
    if finish == "budget_exhausted":  # this wire's clients know no such reason; those who look closer are told
        stop["stop_details"] = {"type": "budget_exhausted"}
    if reason == "refusal":
        stop["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return stop


def usage_of(usage: Usage) -> Json:
    """Anthropic's `usage`, whose `input_tokens` hold neither cache reads nor cache writes."""
    told: Json = {
        "input_tokens": max(usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens, 0),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return told


def blocks_of(message: Json, request_id: str) -> list[Json]:
    """The content blocks of an assistant's message in our form: thinking, text, then tool calls."""
    blocks: list[Json] = []
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        blocks.extend(blocks_of_details(details))
    else:
        thought = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(thought, str) and thought:
            blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    if isinstance(message.get("extra_content"), dict):
        blocks.append(block_of_extra_content(message["extra_content"]))
    for text in (_text_of(message.get("content")), message.get("refusal")):
        if isinstance(text, str) and text:
            blocks.append({"type": "text", "text": text})
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for place, call in enumerate(calls):
            if isinstance(call, dict):
                blocks.extend(_tool_use(call, tool_use_id(call.get("id"), request_id, place)))
    return blocks


def tool_use_id(given: object, request_id: str, place: int) -> str:
    """A call's id as this wire allows it: other vendors' hold dots and colons, or are missing. A result comes back
    under the same one."""
    if isinstance(given, str) and given:
        return given if _ID.fullmatch(given) else "toolu_" + hashlib.sha256(given.encode()).hexdigest()[:24]
    return f"toolu_{request_id.removeprefix('req_')}_{place}"


def _text_of(content: object) -> str | None:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else None


def _tool_use(call: Json, call_id: str) -> list[Json]:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    name = function.get("name")
    block: Json = {
        "type": "tool_use",
        "id": call_id,
        "name": name if isinstance(name, str) else "",
        "input": _input_of(function.get("arguments")),
    }
    extra = call.get("extra_content")
    return [block_of_extra_content(extra, call_id), block] if isinstance(extra, dict) else [block]


def _input_of(arguments: object) -> Json:
    """The call's input. Anthropic's must be an object: what is none is kept beside a name that says so."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        given = loads(arguments)
    except orjson.JSONDecodeError:
        return {"invalid_arguments": arguments}
    if given is None:
        return {}
    return given if isinstance(given, dict) else {"invalid_arguments": arguments}
