"""Ids of objects that a provider keeps: files, stored responses, conversations, containers, vector stores.

A provider knows one account: that of the connection's key, whoever of our clients asks. So through a shared connection
an id is another client's as easily as the caller's own, and the key that we put in would open it. Until this broker
gives out ids of its own, ids go to a client's own connections alone.
"""

from collections.abc import Mapping
from typing import Any

from aiservice.errors import NotFound

Json = dict[str, Any]

_OF_BODIES = frozenset(
    {
        "assistant_id",
        "attachments",
        "batch_id",
        "cached_content",
        "cachedContent",
        "container",
        "conversation",
        "conversation_id",
        "file_id",
        "file_ids",
        "input_file_id",
        "previous_response_id",
        "prompt_id",
        "thread_id",
        "vector_store_ids",
    }
)
_OF_PARTS = frozenset({"file_id", "file_ids", "container_id"})
_OF_TOOLS = frozenset({"vector_store_ids", "container", "file_ids", "connector_id", "search_engine_id"})
_HOLDERS = ("file", "source", "image_file", "input_audio", "image_url", "document")
_DEEPEST = 8


def object_id_in(body: Json) -> str | None:
    """The place of an id in a request, by its names; None where there is none."""
    if not _OF_BODIES.isdisjoint(body) and (found := _named(body, _OF_BODIES, "")):
        return found
    for name in ("messages", "input"):
        turns = body.get(name)
        if type(turns) is list:
            for turn in turns:
                if type(turn) is dict and (found := _in_turn(turn, name)):
                    return found
    tools = body.get("tools")
    if type(tools) is list:
        for tool in tools:
            is_providers = type(tool) is dict and tool.get("type") not in (None, "function", "custom")
            if is_providers and (found := _named(tool, _OF_TOOLS, "tools.")):
                return found
    return None


def _in_turn(turn: Json, name: str) -> str | None:
    content = turn.get("content")
    if type(content) is list and (found := _in_parts(content, f"{name}.content.", 0)):
        return found
    if "type" in turn and (found := _in_part(turn, f"{name}.", _DEEPEST)):  # `input` may be a list of parts itself
        return found
    audio = turn.get("audio")
    return f"{name}.audio.id" if type(audio) is dict and audio.get("id") is not None else None


def _in_parts(parts: list[Any], place: str, depth: int) -> str | None:
    for part in parts:
        if type(part) is dict and part.get("type") != "text" and (found := _in_part(part, place, depth)):
            return found
    return None


def _in_part(part: Json, place: str, depth: int) -> str | None:
    if found := _named(part, _OF_PARTS, place):
        return found
    for holder in _HOLDERS:
        held = part.get(holder)
        if type(held) is dict and (found := _named(held, _OF_PARTS, f"{place}{holder}.")):
            return found
    inner = part.get("content")
    if type(inner) is list and depth < _DEEPEST:  # what a tool gave back
        return _in_parts(inner, f"{place}content.", depth + 1)
    return None


def _named(found: Mapping[str, Any], names: frozenset[str], place: str) -> str | None:
    return next((place + name for name in sorted(names.intersection(found)) if found[name] is not None), None)


def object_not_found(place: str) -> NotFound:
    """What a request is told whose id no connection of its client can know."""
    return NotFound(
        f"'{place}' names something that a provider keeps. Through a shared connection it could be anybody's, so it is "
        "not found: send the content itself, or use a connection of your own.",
        code="object_not_found",
        param=place,
    )
