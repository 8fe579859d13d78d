"""Our form as a server that knows OpenAI's words and no others takes it.

A client of chat completions is given what it asked for, word by word; a translated request holds words that the field
has and OpenAI has not (see `wire.py`), which a strict server answers with a 400. Nothing of the request is changed:
what differs is copied.
"""

import re
from typing import Any, Literal, NamedTuple

from aiservice.wire import Json

ThinkingKept = Literal["never", "with_tool_calls", "always"]
"""On which of the assistant's messages a server takes the thinking that came with them."""

_NOT_IN_MESSAGES = frozenset({"cache_control", "extra_content", "is_error", "reasoning_details", "stop_reason"})
_THINKING = frozenset({"reasoning_content", "reasoning_details"})
_NOT_IN_PARTS = frozenset({"cache_control", "extra_content"})
# These demand that a turn which called tools is given back with the thinking that came before the call.
_WANT_THINKING_BACK = re.compile(r"deepseek|kimi|glm-|minimax|mimo", re.IGNORECASE)
_SEE_BELOW = "The result is attached to the next message."


class Keeps(NamedTuple):
    """What of the field's own words a server takes: thinking, and `names` out of `_NOT_IN_MESSAGES`."""

    thinking: ThinkingKept = "never"
    names: frozenset[str] = frozenset()


def keeps_by_name(model: str) -> Keeps:
    """What a server that nobody has described is taken to want for `model`."""
    return Keeps("with_tool_calls" if _WANT_THINKING_BACK.search(model) else "never")


def strict_body(body: Json, keeps: Keeps) -> Json:
    """`body` without our field's own words. What a tool gave that is no text follows in a message of the user's."""
    kept, in_parts = _NOT_IN_MESSAGES - keeps.names, _NOT_IN_PARTS - keeps.names
    without = kept | _THINKING
    messages: list[Json] = []
    attached: list[Any] = []
    for message in body.get("messages") or ():
        role = message.get("role")
        if attached and role != "tool":
            messages.append({"role": "user", "content": attached})
            attached = []
        is_kept = keeps.thinking == "always" or (keeps.thinking == "with_tool_calls" and message.get("tool_calls"))
        plain = _message(message, kept if is_kept else without, in_parts)
        if role == "tool" and type(plain.get("content")) is list:
            plain, more = _with_text_alone(plain)
            attached += more
        messages.append(plain)
    if attached:
        messages.append({"role": "user", "content": attached})
    strict = {**body, "messages": messages}
    if isinstance(body.get("tools"), list):
        strict["tools"] = [_without(tool, in_parts) for tool in body["tools"]]
    return strict


def _message(message: Json, names: frozenset[str], in_parts: frozenset[str]) -> Json:
    plain: Json = _without(message, names)
    changed: Json = {}
    if type(plain.get("content")) is list:
        changed["content"] = [_part(part, in_parts) for part in plain["content"]]
    if type(plain.get("tool_calls")) is list:
        changed["tool_calls"] = [_without(call, _NOT_IN_PARTS) for call in plain["tool_calls"]]
    return {**plain, **changed} if changed else plain


def _part(part: Any, names: frozenset[str]) -> Any:
    plain = _without(part, names)
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
