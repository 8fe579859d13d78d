"""Anthropic's whole answers, finish reasons and usage, in our form (platform.claude.com/docs/en/api/messages)."""

import time
from typing import Any, Final

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._anthropic_errors import failure_from_body
from aiservice.providers._anthropic_tools import JSON_TOOL
from aiservice.providers._anthropic_turns import REASONING_FORMAT
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._failures import invalid_answer
from aiservice.providers._own_calls import OwnCalls
from aiservice.wire import MESSAGES_WIRE, Answer, FinishReason, Json, Usage

VENDOR: Final = "anthropic"  # whose name stands over its own calls in `extra_content`
_FINISH: Final[dict[object, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_INPUTS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def finish_reason_of(stop_reason: object) -> FinishReason | None:
    """OpenAI's finish reason; an unknown one counts as `stop`. None where there is none."""
    if stop_reason is None:
        return None
    return _FINISH.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"


def read_usage(raw: object) -> tuple[Usage | None, bool]:
    """The usage of an Anthropic `usage` object, and whether what was there was valid.

    `input_tokens` is only what no cache had a part in: reads and writes come on top. Thinking is inside
    `output_tokens`. Where several passes were made (`iterations`: compaction, fallback), each is billed, and the
    figures beside them are the last one's alone.
    """
    if not isinstance(raw, dict):
        return None, raw is None
    passes = raw.get("iterations")
    if not isinstance(passes, list) or not passes:
        passes = [raw]
    total = Usage()
    for each in passes:
        if not isinstance(each, dict):
            return None, False
        counts = [token_count(0 if each.get(name) is None else each[name]) for name in _INPUTS]
        output = token_count(each.get("output_tokens"))
        if output is None or None in counts or each.get("input_tokens") is None:
            return None, False
        fresh, written, read = (count or 0 for count in counts)
        total.input_tokens += fresh + written + read
        total.cache_write_tokens += written
        total.cached_input_tokens += read
        total.output_tokens += output
    details = raw.get("output_tokens_details")
    if isinstance(details, dict):
        total.reasoning_tokens = min(token_count(details.get("thinking_tokens")) or 0, total.output_tokens)
    return total, True


def read_answer(raw: bytes, *, is_json_tool: bool) -> Answer:
    """A whole answer; `is_json_tool` says that the tool which stands for JSON mode was asked for.

    Raises:
        AttemptFailed: no message (an error after 200, garbage).
    """
    body = parsed(raw)
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise AttemptFailed(invalid_answer("its answer had no content"))
    stop_reason = body.get("stop_reason")
    finish_reason = finish_reason_of(stop_reason)
    message = _message(content, is_json_tool=is_json_tool)
    if is_json_tool and finish_reason == "tool_calls" and "tool_calls" not in message:
        finish_reason = "stop"
    refusal = refusal_words(body)
    if finish_reason == "content_filter" and refusal:
        message["refusal"] = refusal
    choice: Json = {"index": 0, "message": message, "finish_reason": finish_reason, "native_finish_reason": stop_reason}
    if isinstance(body.get("stop_sequence"), str):
        choice["stop_reason"] = body["stop_sequence"]
    usage, is_valid = read_usage(body.get("usage"))
    model = body.get("model") if isinstance(body.get("model"), str) else ""
    made: Json = {
        "id": body.get("id"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
    }
    if usage is not None:
        made["usage"] = _usage_json(usage)
    return Answer(made, model or "", finish_reason, usage, raw, is_valid, MESSAGES_WIRE)


def read_count(raw: bytes) -> Answer:
    """How many tokens a prompt is.

    Raises:
        AttemptFailed: no count.
    """
    count = token_count(parsed(raw).get("input_tokens"))
    if count is None:
        raise AttemptFailed(invalid_answer("its answer was no count"))
    return Answer({"input_tokens": count}, "", usage=Usage(), raw=raw, raw_wire=MESSAGES_WIRE)


def parsed(raw: bytes) -> Json:
    """The JSON object of a reply with status 200.

    Raises:
        AttemptFailed: it is none, or it is an error.
    """
    try:
        body = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(body, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    if body.get("error") or body.get("type") == "error":
        raise AttemptFailed(failure_from_body(200, body, {}))
    return body


def refusal_words(source: Json) -> str:
    """Why the vendor's model refused, where it says so."""
    details = source.get("stop_details")
    words = details.get("explanation") if isinstance(details, dict) else None
    return words if isinstance(words, str) else ""


def _message(content: list[Json], *, is_json_tool: bool) -> Json:
    texts: list[str] = []
    thoughts: list[str] = []
    details: list[Json] = []
    calls: list[Json] = []
    own = OwnCalls(VENDOR)
    for block in content:
        kind = block.get("type")
        if kind == "text":
            put_citations(own, block.get("citations"), sum(map(len, texts)))
            texts.append(_text(block.get("text")))
        elif kind == "thinking":
            thoughts.append(_text(block.get("thinking")))
            details.append(thinking_detail(len(details), sum(map(len, texts)), thoughts[-1], block.get("signature")))
        elif kind == "redacted_thinking":
            details.append(redacted_detail(len(details), sum(map(len, texts)), block.get("data")))
        elif kind == "tool_use" and is_json_tool and block.get("name") == JSON_TOOL:
            texts.append(_arguments(block))
        elif kind == "tool_use":
            function = {"name": _text(block.get("name")), "arguments": _arguments(block)}
            calls.append({"id": _text(block.get("id")), "type": "function", "function": function})
        else:
            own.add("content", block, text_length=sum(map(len, texts)), thoughts=len(details))
    message: Json = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    if calls:
        message["tool_calls"] = calls
    if any(thoughts):
        message["reasoning_content"] = "".join(thoughts)
    if details:
        message["reasoning_details"] = details
    if (extra := own.extra_content()) is not None:
        message["extra_content"] = extra
    return message


def put_citations(own: OwnCalls, given: object, text_length: int) -> None:
    """The sources of a text that begins behind `text_length` characters."""
    for citation in given if isinstance(given, list) else ():
        if isinstance(citation, dict):
            own.add("citations", citation, text_length=text_length)


def thinking_detail(index: int, offset: int, text: str, signature: object) -> Json:
    """An item of `reasoning_details` for a piece of thinking; the signature is left out where there is none.

    `offset` is how many characters of the answer's text came before it. It is told (`content_offset`) where there were
    any: given back with the item, it puts the thought where it was, between two texts.
    """
    detail: Json = {"type": "reasoning.text", "text": text, "format": REASONING_FORMAT, "index": index}
    if offset:
        detail["content_offset"] = offset
    if isinstance(signature, str) and signature:
        detail["signature"] = signature
    return detail


def redacted_detail(index: int, offset: int, data: object) -> Json:
    """An item of `reasoning_details` for thinking that the vendor encrypted; `offset` as above."""
    detail: Json = {"type": "reasoning.encrypted", "data": _text(data), "format": REASONING_FORMAT, "index": index}
    return {**detail, "content_offset": offset} if offset else detail


def _arguments(block: Json) -> str:
    return orjson.dumps(block.get("input") or {}).decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _usage_json(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
