"""Which models Google lists, by the names that they are asked by."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.wire import HttpReply

_OUR_METHODS = frozenset({"generateContent", "embedContent", "batchEmbedContents"})


def models_in(reply: HttpReply) -> list[str]:
    """The names in a list of Google's of its models, of those that do our work."""
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError:
        return []
    items = said.get("models") if isinstance(said, dict) else None
    names = [_listed(item) for item in items] if isinstance(items, list) else []
    return [name for name in names if name][:1000]


def _listed(item: Any) -> str:
    """The name of a listed model, without its folder; empty for one that does none of our work."""
    name, methods = (item.get("name"), item.get("supportedGenerationMethods")) if isinstance(item, dict) else ("", None)
    if not isinstance(name, str) or len(name) > 200:
        return ""
    if isinstance(methods, list) and not any(isinstance(method, str) and method in _OUR_METHODS for method in methods):
        return ""
    return name.removeprefix("models/")
