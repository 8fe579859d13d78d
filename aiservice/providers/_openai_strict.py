"""Our form as a server that knows OpenAI's words and no others takes it.

A client of chat completions is given what it asked for, word by word; a translated request holds words that the field
has and OpenAI has not (see `wire.py`), which a strict server answers with a 400. Nothing of the request is changed:
what differs is copied.
"""

import re
from typing import Any

from aiservice.wire import Json

_NOT_IN_MESSAGES = frozenset({"cache_control", "extra_content", "is_error", "reasoning_details", "stop_reason"})
_NOT_WITHOUT_THINKING = _NOT_IN_MESSAGES | {"reasoning_content"}
_NOT_IN_PARTS = frozenset({"cache_control", "extra_content"})
# These demand that a turn which called tools is given back with the thinking that came before the call.
_WANT_THINKING_BACK = re.compile(r"deepseek|kimi|glm-|minimax|mimo", re.IGNORECASE)
_SEE_BELOW = "The result is attached to the next message."


def strict_body(body: Json, model: str, *, is_openai: bool) -> Json:
    """`body` without our field's own words. What a tool gave that is no text follows in a message of the user's."""
    wants_thinking = not is_openai and _WANT_THINKING_BACK.search(model) is not None
    messages: list[Json] = []
    attached: list[Any] = []
    for message in body.get("messages") or ():
        role = message.get("role")
        if attached and role != "tool":
            messages.append({"role": "user", "content": attached})
            attached = []
        keeps_thinking = wants_thinking and bool(message.get("tool_calls"))
        plain = _message(message, _NOT_IN_MESSAGES if keeps_thinking else _NOT_WITHOUT_THINKING)
        if role == "tool" and type(plain.get("content")) is list:
            plain, more = _with_text_alone(plain)
            attached += more
        messages.append(plain)
    if attached:
        messages.append({"role": "user", "content": attached})
    strict = {**body, "messages": messages}
    if isinstance(body.get("tools"), list):
        strict["tools"] = [_without(tool, _NOT_IN_PARTS) for tool in body["tools"]]
    return strict


def _message(message: Json, names: frozenset[str]) -> Json:
    plain: Json = _without(message, names)
    changed: Json = {}
    if type(plain.get("content")) is list:
        changed["content"] = [_part(part) for part in plain["content"]]
    if type(plain.get("tool_calls")) is list:
        changed["tool_calls"] = [_without(call, _NOT_IN_PARTS) for call in plain["tool_calls"]]
    return {**plain, **changed} if changed else plain


def _part(part: Any) -> Any:
    plain = _without(part, _NOT_IN_PARTS)
    file = plain.get("file") if isinstance(plain, dict) else None
    if not isinstance(file, dict):
        return plain
    # The servers that take a document by its address take it in the field of its data.
    data = file.get("file_data", file.get("file_url"))
    kept = {name: value for name, value in file.items() if name != "file_url"}
    return {**plain, "file": {"filename": "document", **kept, "file_data": data}} if data else plain


def _with_text_alone(message: Json) -> tuple[Json, list[Any]]:
    """A tool's message without what is no text, and that, with where it belongs said before it."""
    content = message["content"]
    others = [part for part in content if isinstance(part, dict) and part.get("type") != "text"]
    if not others:
        return message, []
    texts = [part for part in content if part not in others]
    about = f"Attached to the result of {message.get('tool_call_id', 'the tool')}:"
    return {**message, "content": texts or _SEE_BELOW}, [{"type": "text", "text": about}, *others]


def _without(given: Any, names: frozenset[str]) -> Any:
    if not isinstance(given, dict) or names.isdisjoint(given):
        return given
    return {name: value for name, value in given.items() if name not in names}
