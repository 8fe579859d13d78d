"""Lists of models as OpenAI's wire has them, and as those have them that differ a little."""

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.wire import HttpReply


def models_in(reply: HttpReply) -> list[str]:
    """The names in a list of models: `{"data": […]}`, `{"models": […]}` or the list alone."""
    try:
        body = loads(reply.body)
    except orjson.JSONDecodeError:
        return []
    items = body.get("data", body.get("models")) if isinstance(body, dict) else body
    if not isinstance(items, list):
        return []
    names = [item.get("id", item.get("name")) for item in items if isinstance(item, dict)]
    return [name for name in names if isinstance(name, str) and 0 < len(name) <= 200][:1000]
