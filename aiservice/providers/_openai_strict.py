"""Our form as a server that knows OpenAI's words and no others takes it.

A client of chat completions is given what it asked for, word by word; a translated request holds words that the field
has and OpenAI has not (see `wire.py`), which a strict server answers with a 400.
"""

import re
from typing import Any

from aiservice.wire import Json

_NOT_IN_MESSAGES = frozenset({"reasoning_details", "extra_content", "is_error", "stop_reason"})
_NOT_IN_PARTS = frozenset({"cache_control", "extra_content"})
# These demand that a turn which called tools is given back with the thinking that came before the call.
_WANT_THINKING_BACK = re.compile(r"deepseek|kimi|glm-|minimax|mimo", re.IGNORECASE)
_SEE_BELOW = "The result is attached to the next message."


def strict_body(body: Json, model: str, *, is_openai: bool) -> Json:
    """`body` without our field's own words. What a tool gave that is no text follows in a message of the user's."""
    keeps_thinking = not is_openai and _WANT_THINKING_BACK.search(model) is not None
    messages: list[Json] = []
    attached: list[Any] = []
    for message in body.get("messages") or ():
        if attached and message.get("role") != "tool":
            messages.append({"role": "user", "content": attached})
            attached = []
        plain = _message(message, keeps_thinking=keeps_thinking and bool(message.get("tool_calls")))
        if plain.get("role") == "tool":
            attached += _take_attachments(plain)
        messages.append(plain)
    if attached:
        messages.append({"role": "user", "content": attached})
    strict = {**body, "messages": messages}
    if isinstance(body.get("tools"), list):
        strict["tools"] = [_without(tool, _NOT_IN_PARTS) for tool in body["tools"]]
    return strict


def _message(message: Json, *, keeps_thinking: bool) -> Json:
    plain: Json = _without(message, _NOT_IN_MESSAGES)
    if not keeps_thinking:
        plain.pop("reasoning_content", None)
    plain.pop("cache_control", None)
    if isinstance(plain.get("content"), list):
        plain["content"] = [_part(part) for part in plain["content"]]
    if isinstance(plain.get("tool_calls"), list):
        plain["tool_calls"] = [_without(call, _NOT_IN_PARTS) for call in plain["tool_calls"]]
    return plain


def _part(part: Any) -> Any:
    plain = _without(part, _NOT_IN_PARTS)
    file = plain.get("file") if isinstance(plain, dict) else None
    if isinstance(file, dict) and "file_url" in file:  # the servers that take addresses take them in this field
        kept = {name: value for name, value in file.items() if name != "file_url"}
        return {**plain, "file": {**kept, "file_data": file["file_url"]}}
    return plain


def _take_attachments(message: Json) -> list[Any]:
    """Takes what is no text out of a tool's message, which holds nothing but text; gives it with its place named."""
    content = message.get("content")
    if not isinstance(content, list):
        return []
    others = [part for part in content if isinstance(part, dict) and part.get("type") != "text"]
    if not others:
        return []
    texts = [part for part in content if part not in others]
    message["content"] = texts or _SEE_BELOW
    return [{"type": "text", "text": f"Attached to the result of {message.get('tool_call_id', 'the tool')}:"}, *others]


def _without(given: Any, names: frozenset[str]) -> Any:
    return {name: value for name, value in given.items() if name not in names} if isinstance(given, dict) else given
