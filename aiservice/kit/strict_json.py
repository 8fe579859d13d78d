"""JSON from strangers: orjson (which refuses NaN, Infinity, 1e400 and lone surrogates), then limits on shape."""

import asyncio
from typing import Any

import orjson

from aiservice.kit.bounded_json import brackets_in

MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_TEXT_CHARACTERS = 8 << 20
SMALL_BYTES = 256 << 10
"""What is no longer is parsed without holding the event loop up."""


class BadJson(ValueError):
    """Not JSON, or JSON that is deeper or larger than anything sensible; the message says which."""


def parse(raw: bytes) -> Any:
    """The value of `raw`.

    Raises:
        BadJson: malformed, deeper than 64, more than 200 000 values, or a text over 8 MiB.
    """
    brackets, commas = raw.count(b"[") + raw.count(b"{"), raw.count(b",")
    if brackets > MAX_NODES or commas > MAX_NODES:  # before it is read: 20 MB of "[]," are half a gigabyte of lists
        _check_count(raw)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise BadJson(f"The body is not valid JSON: {exc}.") from None
    # Brackets bound both depth and container count; commas bound the rest. Texts may hold some: then look closer.
    if brackets > MAX_DEPTH or commas > MAX_NODES or len(raw) > MAX_TEXT_CHARACTERS:
        _check_shape(value)
    return value


async def parse_without_stall(raw: bytes) -> Any:
    """`parse`, in a thread for bodies large enough to hold up the event loop."""
    if len(raw) <= SMALL_BYTES:
        return parse(raw)
    return await asyncio.to_thread(parse, raw)


def _check_count(raw: bytes) -> None:
    """Refuses what holds too many values, by its commas and brackets outside of texts. A backslash is only in texts: a
    reader stops at any other, so that what stands behind it costs nothing."""
    plain = b"".join(raw.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    if max(brackets_in(plain), plain.count(b",")) > MAX_NODES:
        raise _too_many()


def _too_many() -> BadJson:
    return BadJson(f"The body holds more than {MAX_NODES} values.")


def _check_shape(value: Any) -> None:
    level, nodes, depth = [value], 0, 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > MAX_DEPTH and any(isinstance(item, (dict, list)) for item in level):
            raise BadJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
        if nodes > MAX_NODES:
            raise _too_many()
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str) and len(item) > MAX_TEXT_CHARACTERS:
                raise BadJson("The body holds a text over 8 MiB.")
        level = below
