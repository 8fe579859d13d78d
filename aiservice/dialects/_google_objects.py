"""What a request of Google's wire names that Google keeps for an account: uploads, buckets, caches, stores to search.

A connection's key, or its service account, opens them whoever of our clients asks (see `_object_ids`).
"""

from typing import Any

from aiservice.dialects._google_parts import is_googles_own

Json = dict[str, Any]

_CACHES = ("cachedContent", "cached_content")
_WHOLES = ("generateContentRequest", "generate_content_request")
# What most requests are, and holds no id but in its turns.
_PLAIN = frozenset({"contents", "generationConfig", "systemInstruction"})
_TURNS = ("contents", "systemInstruction", "system_instruction", "content")
_FILES = ("fileData", "file_data")
_RESULTS = ("functionResponse", "function_response")
# Tools that search what an account has stored.
_STORES = ("retrieval", "fileSearch", "file_search", "mcpServers", "mcp_servers")


def google_object_in(body: Json) -> str | None:
    """The place of an id in a request, by its names; None where there is none."""
    if not _PLAIN.issuperset(body):
        found = _beside_turns(body)
        if found is not None:
            return found
    for name in _TURNS:
        if name in body and (found := _in_turns(body[name], name)):
            return found
    return None


def _beside_turns(body: Json) -> str | None:
    for name in _WHOLES:
        if isinstance(body.get(name), dict) and (found := google_object_in(body[name])):
            return f"{name}.{found}"
    for name in _CACHES:
        if body.get(name) is not None:
            return name
    for place, request in enumerate(_list(body.get("requests"))):
        if isinstance(request, dict) and (found := google_object_in(request)):
            return f"requests[{place}].{found}"
    for place, tool in enumerate(_list(body.get("tools"))):
        named = next((name for name in _STORES if isinstance(tool, dict) and tool.get(name) is not None), None)
        if named is not None:
            return f"tools[{place}].{named}"
    return None


def _in_turns(given: Any, name: str) -> str | None:
    """The place of a file in a content, or in a list of contents."""
    for at, content in enumerate(given if type(given) is list else [given]):
        parts = content.get("parts") if type(content) is dict else None
        for place, part in enumerate(parts if type(parts) is list else _list(parts)):
            # Most parts are plain text, of which nothing need be called.
            if type(part) is dict and (len(part) > 1 or "text" not in part) and (found := _file_in(part)):
                where = f"{name}[{at}]" if type(given) is list else name
                return f"{where}.parts[{place}].{found}"
    return None


def _file_in(part: Json) -> str | None:
    for name in _FILES:
        file = part.get(name)
        if isinstance(file, dict):
            address = file.get("fileUri", file.get("file_uri"))
            if isinstance(address, str) and is_googles_own(address):
                return name
    for name in _RESULTS:
        result = part.get(name)
        for place, inner in enumerate(_list(result.get("parts") if isinstance(result, dict) else None)):
            if isinstance(inner, dict) and (found := _file_in(inner)):
                return f"{name}.parts[{place}].{found}"
    return None


def _list(value: Any) -> list[Any]:
    """A list, or the one item that stands without it."""
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []
