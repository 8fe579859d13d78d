"""Names of Google's JSON: its servers take each field as `camelCase` and as `snake_case` (protobuf's JSON mapping)."""

import re
from functools import lru_cache
from typing import Any

from aiservice.errors import InvalidRequest

Json = dict[str, Any]

_UNDERSCORE = re.compile(r"_([a-z0-9])")


def wrong(path: str, words: str) -> InvalidRequest:
    """The refusal of the field at `path` ("contents[0].parts[1].inlineData")."""
    return InvalidRequest(f"{path}: {words}", code="invalid_argument", param=path)


def named(value: object, path: str) -> Json:
    """The object `value` with its own fields in camelCase; the same object where they are already. What it holds is not
    touched: objects in it may be the client's own data.

    Raises:
        InvalidRequest: it is no object, or names a field twice.
    """
    if type(value) is not dict:
        raise wrong(path, "must be an object.")
    for name in value:
        if "_" in name:
            return _renamed(value, path)
    return value


def items(value: object, path: str) -> list[Any]:
    """The list `value`; an empty one where there is none. One item may stand without its list, as Google takes it.

    Raises:
        InvalidRequest: it is something else.
    """
    if value is None:
        return []
    if type(value) is dict:
        return [value]
    if type(value) is not list:
        raise wrong(path, "must be a list.")
    return value


def word(value: object, words: tuple[str, ...], path: str) -> str:
    """One of an enumeration's `words`, which protobuf's JSON also writes as its number; the first for nothing said.

    Raises:
        InvalidRequest: it is neither.
    """
    if value is None:
        return words[0]
    if type(value) is int and 0 <= value < len(words):
        return words[value]
    if type(value) is not str:
        raise wrong(path, f"must be one of {', '.join(words[1:])}.")
    return value


def text_in(of: Json, name: str, path: str) -> str:
    """The text field `name`.

    Raises:
        InvalidRequest: it is missing, or no text.
    """
    value = of.get(name)
    if type(value) is not str:
        raise wrong(f"{path}.{name}", "is missing." if value is None else "must be a text.")
    return value


def _renamed(value: Json, path: str) -> Json:
    found: Json = {}
    for name, item in value.items():
        known = camel(name)
        if known in found:
            raise wrong(f"{path}.{known}" if path else known, "is given twice.")
        found[known] = item
    return found


@lru_cache(maxsize=1024)
def camel(name: str) -> str:
    """`name` in camelCase. `_responseJsonSchema`, as older libraries send it, loses its underscore too."""
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name.lstrip("_"))
