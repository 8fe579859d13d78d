"""An answer of OpenAI's Responses API in our form.

Items become one chat message: `message` items its text (or refusal), `function_call` and `custom_tool_call` items its
tool calls, `reasoning` items its `reasoning_content` and `reasoning_details`. What OpenAI's own tools did (searches,
code, images) are the other items: they are `extra_content.openai.output`, and the text's annotations chat's own.
"""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._failures import cut_short, invalid_answer
from aiservice.providers._openai_errors import failure_from_body
from aiservice.providers._openai_responses import REASONING_FORMAT
from aiservice.providers._own_calls import OwnCalls
from aiservice.wire import CHAT_WIRE, RESPONSES_WIRE, Answer, FinishReason, HttpReply, Json, Usage

VENDOR = "openai"  # whose name stands over its own calls in `extra_content`


def read_response(reply: HttpReply, *, keeps_raw: bool = False) -> Answer:
    """A whole answer; with `keeps_raw` its bytes are what the client is given.

    Raises:
        AttemptFailed: an error after 200, an answer that was broken off, or none.
    """
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(said, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    if said.get("error"):
        raise AttemptFailed(failure_from_body(reply.status, said, reply.headers))
    status, output = said.get("status"), said.get("output")
    if status in ("cancelled", "failed"):
        raise AttemptFailed(cut_short())
    if not isinstance(output, list) or status not in ("completed", "incomplete"):
        raise AttemptFailed(invalid_answer("its answer had no output"))
    items = [item for item in output if isinstance(item, dict)]
    message = _message(items)
    finish_reason = finish_reason_of(said, has_calls=bool(message.get("tool_calls")))
    usage, is_valid = read_usage(said.get("usage"))
    if usage is not None and (drawn := sum(map(is_drawn, items))):
        usage.units, usage.unit = drawn, "image"
    model = said.get("model")
    body = {
        "id": said.get("id"),
        "object": "chat.completion",
        "created": said.get("created_at"),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": _logprobs(items)}],
        "usage": None if usage is None else _chat_usage(usage),
    }
    raw, wire = (reply.body, RESPONSES_WIRE) if keeps_raw else (None, CHAT_WIRE)
    return Answer(body, model if isinstance(model, str) else "", finish_reason, usage, raw, is_valid, wire)


def finish_reason_of(said: Json, *, has_calls: bool) -> FinishReason:
    """Chat's finish reason for a response that ended; every kind of incomplete is a cut but a filter's verdict."""
    if said.get("status") == "incomplete":
        details = said.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if has_calls else "stop"


def read_usage(raw: object) -> tuple[Usage | None, bool]:
    """Usage, and whether what was there was valid. Cache reads and writes are part of the input, reasoning of the
    output."""
    if not isinstance(raw, dict):
        return None, raw is None
    given, generated = token_count(raw.get("input_tokens")), token_count(raw.get("output_tokens"))
    if given is None or generated is None:
        return None, False
    details, thought = raw.get("input_tokens_details"), raw.get("output_tokens_details")
    cached = token_count(details.get("cached_tokens")) if isinstance(details, dict) else None
    written = token_count(details.get("cache_write_tokens")) if isinstance(details, dict) else None
    reasoning = token_count(thought.get("reasoning_tokens")) if isinstance(thought, dict) else None
    read = min(cached or 0, given)
    usage = Usage(
        given,
        generated,
        cached_input_tokens=read,
        cache_write_tokens=min(written or 0, given - read),
        reasoning_tokens=min(reasoning or 0, generated),
    )
    return usage, True


def is_drawn(item: Json) -> bool:
    """Whether an item is a picture that OpenAI's own tool drew. Its tokens are another model's, which nothing here
    names: it is counted as a picture."""
    return item.get("type") == "image_generation_call" and bool(item.get("result"))


def encrypted_reasoning(item: Json, index: int) -> Json | None:
    """The item of `reasoning_details` that gives a reasoning item back on a later turn; None where it holds nothing."""
    data = item.get("encrypted_content")
    if not isinstance(data, str) or not data:
        return None
    named = {"id": item["id"]} if isinstance(item.get("id"), str) else {}
    return {"type": "reasoning.encrypted", **named, "data": data, "format": REASONING_FORMAT, "index": index}


def _message(items: list[Json]) -> Json:
    texts, refusals, thoughts = [], [], []
    annotations: list[Any] = []
    calls: list[Json] = []
    details: list[Json] = []
    own = OwnCalls(VENDOR)
    for item in items:
        kind = item.get("type")
        if kind == "message":
            for part in _parts(item, "content"):
                texts.append(_text(part, "text") if part.get("type") == "output_text" else "")
                refusals.append(_text(part, "refusal") if part.get("type") == "refusal" else "")
                noted = part.get("annotations")
                annotations += noted if isinstance(noted, list) else []
        elif kind in ("function_call", "custom_tool_call"):
            calls.append(_call(item))
        elif kind == "reasoning":
            for part in (*_parts(item, "summary"), *_parts(item, "content")):
                thoughts.append(_text(part, "text"))
            details += _reasoning_details(item, len(details))
        else:
            own.add("output", item)
    text, refusal = "".join(texts), "".join(refusals)
    message: Json = {"role": "assistant", "content": text or (None if calls or refusal else ""), "refusal": None}
    message["refusal"] = refusal or None
    optional = {
        "tool_calls": calls,
        "reasoning_content": "\n\n".join(thought for thought in thoughts if thought),
        "reasoning_details": details,
        "annotations": annotations,
        "extra_content": own.extra_content(),
    }
    return message | {name: value for name, value in optional.items() if value}


def _logprobs(items: list[Json]) -> Json | None:
    """Chat's `logprobs`: its items are the same, those of all texts in one list."""
    found = [
        part.get("logprobs") for item in items if item.get("type") == "message" for part in _parts(item, "content")
    ]
    tokens = [token for listed in found if isinstance(listed, list) for token in listed]
    return {"content": tokens, "refusal": None} if tokens else None


def _parts(item: Json, name: str) -> list[Json]:
    parts = item.get(name)
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(part: Json, name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _call(item: Json) -> Json:
    call_id, name = _text(item, "call_id") or _text(item, "id"), _text(item, "name")
    if item["type"] == "custom_tool_call":
        return {"id": call_id, "type": "custom", "custom": {"name": name, "input": _text(item, "input")}}
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": _text(item, "arguments")}}


def _reasoning_details(item: Json, index: int) -> list[Json]:
    named = {"id": item["id"]} if isinstance(item.get("id"), str) else {}
    texts = [_text(part, "text") for part in _parts(item, "summary")]
    found: list[Json] = [
        {"type": "reasoning.summary", **named, "summary": text, "format": REASONING_FORMAT, "index": index + place}
        for place, text in enumerate(texts)
    ]
    encrypted = encrypted_reasoning(item, index + len(found))
    return [*found, encrypted] if encrypted else found


def _chat_usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
