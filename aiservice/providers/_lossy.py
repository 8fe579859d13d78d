"""A request without what a provider has no word for, where its client would rather have it dropped than refused.

Whatever a provider refuses by name (`cannot_carry`) is taken out of the request in our form, and the request is built
again: one place for all providers and all fields. Never dropped is what the request would be another without: a whole
message, a call or its result, the model, a document that is ranked (the others are counted by their places).
"""

import re
from dataclasses import replace
from typing import Any

from aiservice.providers._base import AttemptFailed, Provider
from aiservice.wire import Ask, HttpCall, Json

_MOST = 64
_STEP = re.compile(r"[^.\[\]]+")
_NEVER = frozenset({"documents", "input", "messages", "model", "prompt", "query", "stream"})
_NEVER_OF_MESSAGES = frozenset({"role", "tool_call_id", "tool_calls"})
_PAYLOADS = frozenset({"data", "file", "file_data", "file_id", "file_url", "image_url", "input_audio", "url"})
_WITH_TOOLS = ("tool_choice", "parallel_tool_calls")


def built_with_less(provider: Provider, ask: Ask, model: str) -> tuple[Ask, HttpCall, tuple[str, ...]]:
    """What `provider.build` gives, the request that it was built from, and the names of what that lacks.

    Raises:
        AttemptFailed: it still holds something that cannot be carried, and may not be dropped.
    """
    dropped: list[str] = []
    while True:
        try:
            return ask, provider.build(ask, model), tuple(dropped)
        except AttemptFailed as failed:
            failure = failed.failure
            name = failure.param if failure.code == "unsupported_parameter" else None
            if name is None or len(dropped) >= _MOST or not _may_drop(ask.may_drop, name):
                raise
            lighter = _without(ask, name)
            if lighter is None:
                raise
            ask = lighter
            dropped.append(name)


def _may_drop(allowed: frozenset[str], name: str) -> bool:
    """Whether `name` is among what may be dropped, or within it: `tools` holds `tools[0].strict`."""
    if "*" in allowed or name in allowed:
        return True
    return any(name.startswith(f"{each}{end}") for each in allowed for end in (".", "[", " "))


def _without(ask: Ask, name: str) -> Ask | None:
    if name in ask.uncarried:
        return replace(ask, uncarried=tuple(other for other in ask.uncarried if other != name))
    path = _STEP.findall(name.partition(" ")[0])
    if not path or (path[0] in _NEVER and not _is_within_a_message(path)):
        return None
    if path[0] == "messages" and path[2] == "content" and path[-1] in _PAYLOADS:
        path = path[:4]  # a part is nothing without what it holds
    body = _cut(ask.body, path)
    if body is None or (path[2:3] == ["content"] and _is_empty(body["messages"][int(path[1])])):
        return None
    if "tools" in ask.body and not body.get("tools"):
        body = {field: value for field, value in body.items() if field != "tools" and field not in _WITH_TOOLS}
    return replace(ask, body=body)


def _is_within_a_message(path: list[str]) -> bool:
    return path[0] == "messages" and len(path) > 2 and path[2] not in _NEVER_OF_MESSAGES and path[2:] != ["content"]


def _is_empty(message: Any) -> bool:
    """Whether nothing is left of what a message said."""
    return not message.get("content") and not message.get("tool_calls")


def _cut(of: Any, path: list[str]) -> Any:
    """A copy of `of` without what `path` leads to; None where it leads nowhere."""
    step, rest = path[0], path[1:]
    if isinstance(of, dict) and step in of:
        if not rest:
            return {name: value for name, value in of.items() if name != step}
        inner = _cut(of[step], rest)
        changed: Json = {**of, step: inner}
        return None if inner is None else changed
    if isinstance(of, list) and step.isdecimal() and int(step) < len(of):
        place = int(step)
        if not rest:
            return [*of[:place], *of[place + 1 :]]
        inner = _cut(of[place], rest)
        return None if inner is None else [*of[:place], inner, *of[place + 1 :]]
    return None
