"""Conversations as vendors with their own rules take them. What differs is copied, the client's is left alone."""

from typing import Any

_THINKING = ("reasoning_content", "reasoning")


def without_developer(messages: list[Any]) -> list[Any]:
    """`developer` is `system` where the vendor knows only that."""
    for message in messages:
        if type(message) is dict and message.get("role") == "developer":
            return [_as_systems(message) for message in messages]
    return messages


def with_thinking_as(field: str, messages: list[Any]) -> list[Any]:
    """The assistant's thinking under the name that the vendor gave it, where it came under another's."""
    for message in messages:
        if _has_thinking(message):
            return [_renamed(field, message) if _has_thinking(message) else message for message in messages]
    return messages


def alternated(messages: list[Any]) -> list[Any]:
    """Messages of one role after another joined, for a vendor that takes them only in turns."""
    joined: list[Any] = []
    for message in messages:
        before = joined[-1] if joined else None
        if type(message) is dict and type(before) is dict and message.get("role") == before.get("role"):
            joined[-1] = {**before, "content": _both(before.get("content"), message.get("content"))}
        else:
            joined.append(message)
    return joined


def _as_systems(message: Any) -> Any:
    return {**message, "role": "system"} if type(message) is dict and message.get("role") == "developer" else message


def _has_thinking(message: Any) -> bool:
    if type(message) is not dict or message.get("role") != "assistant":
        return False
    return "reasoning_content" in message or "reasoning" in message


def _renamed(field: str, message: dict[str, Any]) -> dict[str, Any]:
    if message.get(field) is not None:
        return message
    said = next((message[name] for name in _THINKING if type(message.get(name)) is str), None)
    if not said:
        return message
    plain = {name: value for name, value in message.items() if name not in _THINKING}
    if field == "reasoning_details":
        return {**plain, "reasoning": said}  # the text alone, which OpenRouter takes under this name
    return {**plain, field: said}


def _both(first: Any, second: Any) -> Any:
    if type(first) is str and type(second) is str:
        return f"{first}\n\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: Any) -> list[Any]:
    if type(content) is list:
        return content
    return [{"type": "text", "text": content}] if type(content) is str and content else []
