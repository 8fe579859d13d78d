"""Cohere's answers, finish reasons and counts in our form (docs.cohere.com/reference/chat).

Citations and the plan before a tool call have no word in our form: they are `extra_content.cohere` of the message, and
the plan is shown as thinking, too.
"""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._base import AttemptFailed, token_count
from aiservice.providers._cohere.errors import failure_of
from aiservice.providers._failures import cut_short, invalid_answer, vetted
from aiservice.wire import Answer, AttemptFailure, Blame, FinishReason, Json, Usage

_FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content_filter",
    "TOOL_CALL": "tool_calls",
}
NO_ARGUMENTS = ("", "null")


def chat_answer(raw: bytes, model: str, *, is_one_call: bool) -> Answer:
    """A whole answer of `model`.

    Raises:
        AttemptFailed: it is none, or says that it failed.
    """
    said = parsed(raw)
    message = said.get("message")
    if not isinstance(message, dict):
        raise AttemptFailed(failure_of(200, said, {}) if "message" in said else invalid_answer("it had no message"))
    finish = finish_reason_of(said)
    if isinstance(finish, AttemptFailure):
        raise AttemptFailed(finish)
    text, thought = _said_in(message.get("content"))
    calls = _calls(message.get("tool_calls"))[: 1 if is_one_call else None]
    plan = text_of(message.get("tool_plan"))
    told: Json = {"role": "assistant", "content": text if text or not calls else None}
    if thought or plan:
        told["reasoning_content"] = thought + plan
    if extra := extra_content(message.get("citations"), plan):
        told["extra_content"] = extra
    if calls:
        told["tool_calls"] = calls
    choice: Json = {"index": 0, "message": told, "logprobs": _logprobs(said.get("logprobs")), "finish_reason": finish}
    usage, is_valid = usage_in(said.get("usage"))
    body: Json = {"object": "chat.completion", "choices": [choice]}
    return Answer(body, model, finish, usage, is_usage_valid=is_valid)


def parsed(raw: bytes) -> Json:
    """The object of a reply with 200.

    Raises:
        AttemptFailed: there is none.
    """
    try:
        said = loads(raw)
    except orjson.JSONDecodeError as exc:
        raise AttemptFailed(invalid_answer("its answer was not JSON")) from exc
    if not isinstance(said, dict):
        raise AttemptFailed(invalid_answer("its answer was not a JSON object"))
    return said


def finish_reason_of(said: Json) -> FinishReason | AttemptFailure:
    """Our word for `finish_reason`, or the failure that it means. `said` is an answer, or the `delta` that ends one."""
    reason = said.get("finish_reason")
    found = _FINISH.get(reason) if isinstance(reason, str) else None
    if found is not None:
        return found
    words = vetted(said["error"]) if isinstance(said.get("error"), str) else ""
    if reason == "TIMEOUT":
        return AttemptFailure(504, "provider_timeout", "The provider did not answer in time.", Blame.FAILOVER, 200)
    if not words:
        return cut_short()  # no reason at all, too: whoever is whole says why
    return AttemptFailure(502, "provider_failed", f"The provider failed: {words}", Blame.FAILOVER, 200)


def usage_in(said: Any) -> tuple[Usage | None, bool]:
    """The usage of a `usage` object, and whether what was there was valid.

    `tokens` are what the model read and wrote, its own prompt around ours included; `billed_units` are what is paid
    for. Counts come as floats, too. What is read from a cache is part of the input, thinking is part of the output.
    """
    if said is None:
        return None, True
    if not isinstance(said, dict):
        return None, False
    tokens, billed = said.get("tokens"), said.get("billed_units")
    if not tokens and not billed:
        return None, True
    counted = _pair(tokens or billed)
    paid = _pair(billed or tokens)
    if counted is None or paid is None:
        return None, False
    read, written = counted
    thought = count(tokens.get("reasoning_tokens")) if isinstance(tokens, dict) else 0
    return (
        Usage(
            read,
            written,
            cached_input_tokens=min(count(said.get("cached_tokens")) or 0, read),
            reasoning_tokens=min(thought or 0, written),
            billed=paid if paid != counted else None,
        ),
        True,
    )


def count(value: Any) -> int | None:
    """A count of tokens that may come as a float; None where it is none."""
    return token_count(int(value) if isinstance(value, float) and value.is_integer() else value)


def extra_content(citations: Any, plan: str) -> Json | None:
    """What of a message our form has no word for."""
    own: Json = {"tool_plan": plan} if plan else {}
    if isinstance(citations, list) and citations:
        own["citations"] = citations
    return {"cohere": own} if own else None


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _pair(said: Any) -> tuple[int, int] | None:
    if not isinstance(said, dict):
        return None
    counts = [count(0 if said.get(name) is None else said[name]) for name in ("input_tokens", "output_tokens")]
    return None if counts[0] is None or counts[1] is None else (counts[0], counts[1])


def _said_in(content: Any) -> tuple[str, str]:
    """Text and thinking."""
    if isinstance(content, str):
        return content, ""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return "".join(text_of(part.get("text")) for part in parts), "".join(
        text_of(part.get("thinking")) for part in parts
    )


def _calls(calls: Any) -> list[Json]:
    found: list[Json] = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise AttemptFailed(invalid_answer("it held a tool call that is none"))
        arguments = text_of(function.get("arguments")).strip()
        given = "{}" if arguments in NO_ARGUMENTS else function["arguments"]
        made = {"name": function["name"], "arguments": given}
        found.append({"id": text_of(call.get("id")), "type": "function", "function": made})
    return found


def _logprobs(said: Any) -> Json | None:
    """Log probabilities; a piece of several tokens has the product of theirs."""
    if not isinstance(said, list) or not said:
        return None
    found: list[Json] = []
    for item in said:
        numbers = item.get("logprobs") if isinstance(item, dict) else None
        if isinstance(numbers, list) and numbers and all(isinstance(number, (int, float)) for number in numbers):
            text = text_of(item.get("text"))
            found.append({"token": text, "logprob": sum(numbers), "bytes": list(text.encode()), "top_logprobs": []})
    return {"content": found}
