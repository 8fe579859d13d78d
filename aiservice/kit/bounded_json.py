"""JSON of providers, and texts that hold some: orjson, within bounds that what was read can be written in again."""

from typing import Any

import orjson

MAX_WRITTEN_DEPTH = 128
MOST_CONTAINERS = 1_000_000
_CONTAINERS = frozenset({dict, list})


def loads(raw: bytes | str) -> Any:
    """The value of a provider's JSON, or of a text that holds some: what orjson reads and can write again, also with a
    few levels around it (it reads 1,024 and writes 254).

    Raises:
        orjson.JSONDecodeError: malformed, deeper than 128, or with more than a million lists and objects.
    """
    if len(raw) <= 2 * MAX_WRITTEN_DEPTH:
        return orjson.loads(raw)
    brackets = raw.count(b"[") + raw.count(b"{") if type(raw) is bytes else brackets_in(raw)
    if brackets > MOST_CONTAINERS:
        raise orjson.JSONDecodeError(f"more than {MOST_CONTAINERS} lists and objects", "", 0)
    value = orjson.loads(raw)
    if brackets > MAX_WRITTEN_DEPTH and _is_deeper(value):
        raise orjson.JSONDecodeError(f"nested deeper than {MAX_WRITTEN_DEPTH} levels", "", 0)
    return value


def brackets_in(raw: bytes | str) -> int:
    """How many brackets open in it: at least as many as there are lists and objects."""
    return raw.count(b"[") + raw.count(b"{") if isinstance(raw, bytes) else raw.count("[") + raw.count("{")


def _is_deeper(value: Any) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_WRITTEN_DEPTH):
        below: list[Any] = []
        for item in level:
            held = item.values() if type(item) is dict else item
            if not _CONTAINERS.isdisjoint(map(type, held)):  # a vector is passed over at once
                below += [each for each in held if type(each) is dict or type(each) is list]
        if not below:
            return False
        level = below
    return True
