"""Ids of objects that a provider keeps: files, stored responses, conversations, containers, vector stores.

A provider knows one account: that of the connection's key, whoever of our clients asks. So through a shared connection
an id is another client's as easily as the caller's own, and the key that we put in would open it. Until this broker
gives out ids of its own, ids go to a client's own connections alone.
"""

from collections.abc import Mapping
from typing import Any

from aiservice.dialects._google_objects import google_object_in
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
_OF_PLACES = frozenset({"container_id", "file_ids", "skills"})
_OF_PARTS = frozenset({"file_id", "file_ids", "container_id"})
_OF_TOOLS = frozenset({"vector_store_ids", "container", "file_ids", "connector_id", "search_engine_id"})
_OF_ITEMS = frozenset({"container_id"})
_OUR_TOOLS = (None, "function", "custom")
_HOLDERS = frozenset({"file", "source", "image_file", "input_audio", "image_url", "document"})
_DEEPEST = 8


def object_id_in(body: Json, plain: object = None) -> str | None:
    """The place of an id in a request, by its names; None where there is none. Of the messages that are `plain` it is
    known that each is a role and a text."""
    if not _OF_BODIES.isdisjoint(body) and (found := _named(body, _OF_BODIES)):
        return found
    if "prompt" in body and type(body["prompt"]) is dict and body["prompt"].get("id") is not None:
        return "prompt.id"  # a template that is kept; a text is a prompt of its own
    turns = body.get("messages")
    if turns is not plain and type(turns) is list and (found := _in_turns(turns)):
        return f"messages.{found}"
    if "input" in body and type(body["input"]) is list:
        items = body["input"]
        if found := _in_items(items) or _in_turns(items):
            return f"input.{found}"
    if "contents" in body or "requests" in body or "generateContentRequest" in body:
        return google_object_in(body)
    tools = body.get("tools")
    if type(tools) is list:
        for tool in tools:
            if type(tool) is dict and tool.get("type") not in _OUR_TOOLS and (found := _in_tool(tool)):
                return f"tools.{found}"
    return None


def _in_items(items: list[Any]) -> str | None:
    """Of a request of the Responses API: an item that is only named, or was made in something that is kept."""
    for item in items:
        if type(item) is dict and "role" not in item:
            if item.get("type") == "item_reference":
                return "item_reference"
            if found := _named(item, _OF_ITEMS):
                return found
    return None


def _in_tool(tool: Json) -> str | None:
    """A container that is made anew is nobody's yet; what it is given may be somebody's."""
    if not _OF_TOOLS.isdisjoint(tool):
        container = tool.get("container")
        named = {name: value for name, value in tool.items() if name != "container" or type(container) is not dict}
        if found := _named(named, _OF_TOOLS):
            return found
    for name in ("container", "environment"):
        place = tool.get(name)
        if type(place) is dict and (found := _named(place, _OF_PLACES)):
            return f"{name}.{found}"
    return None


def _in_turns(turns: list[Any]) -> str | None:
    for turn in turns:  # most are plain text, of which nothing need be called
        if type(turn) is dict and (type(turn.get("content")) is list or "audio" in turn) and (found := _in_turn(turn)):
            return found
    return None


def _in_turn(turn: Json) -> str | None:
    content = turn.get("content")
    if type(content) is list and (found := _in_parts(content, 0)):
        return f"content.{found}"
    audio = turn.get("audio")
    return "audio.id" if type(audio) is dict and audio.get("id") is not None else None


def _in_parts(parts: list[Any], depth: int) -> str | None:
    for part in parts:
        if type(part) is dict and part.get("type") != "text" and (found := _in_part(part, depth)):
            return found
    return None


def _in_part(part: Json, depth: int) -> str | None:
    if not _OF_PARTS.isdisjoint(part) and (found := _named(part, _OF_PARTS)):
        return found
    for name, held in part.items():
        if type(held) is dict:  # not the arguments of a call: they are the client's own words
            if name in _HOLDERS and not _OF_PARTS.isdisjoint(held) and (found := _named(held, _OF_PARTS)):
                return f"{name}.{found}"
        elif type(held) is list and name == "content" and depth < _DEEPEST and (found := _in_parts(held, depth + 1)):
            return f"content.{found}"  # what a tool gave back
    return None


def _named(found: Mapping[str, Any], names: frozenset[str]) -> str | None:
    return next((name for name in sorted(names.intersection(found)) if found[name] is not None), None)


def object_not_found(place: str) -> NotFound:
    """What a request is told whose id no connection of its client can know."""
    return NotFound(
        f"'{place}' names something that a provider keeps. Through a shared connection it could be anybody's, so it is "
        "not found: send the content itself, or use a connection of your own.",
        code="object_not_found",
        param=place,
    )
