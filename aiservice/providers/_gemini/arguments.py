"""Arguments of a function call that come in pieces: `{"jsonPath": "$.a.b[0]", "stringValue": "…"}`.

They come so only where a client asked for it (`streamFunctionCallArguments`), which we never do; a proxy before Google
may. A path names one value; text of the same path is one text (ai.google.dev/api/caching, "PartialArg").
"""

import re
from itertools import pairwise
from typing import Any

from aiservice.wire import Json

_MAX_DEPTH = 64
_STEP = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,5})\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_VALUES = ("stringValue", "string_value", "numberValue", "number_value", "boolValue", "bool_value")


class PartialArguments:
    """The arguments so far, in `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: Json = {}

    def take(self, piece: object) -> None:
        """Takes the next piece; one that names no value or no place is passed over."""
        if not isinstance(piece, dict):
            return
        path = _steps(piece.get("jsonPath", piece.get("json_path")))
        if not path or not isinstance(path[0], str):
            return
        value = next((piece[name] for name in _VALUES if piece.get(name) is not None), None)
        holder: Any = self.value
        for step, following in pairwise(path):
            holder = _entered(holder, step, following)
            if holder is None:
                return
        _put(holder, path[-1], value)


def _steps(path: object) -> list[str | int]:
    """The keys and places that a path names; nothing where it is none."""
    if not isinstance(path, str) or not path.startswith("$"):
        return []
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or len(steps) >= _MAX_DEPTH:
            return []
        key = next((text for text in (found[1], found[3], found[4]) if text is not None), None)
        steps.append(int(found[2]) if key is None else key)
        at = found.end()
    return steps


def _entered(holder: Any, step: str | int, following: str | int) -> Any:
    """The list or object at `step`, made if it is not there; None where something else is in its place."""
    kind: type[Any] = list if isinstance(following, int) else dict
    if not _fits(holder, step):
        return None
    if isinstance(holder, list) and isinstance(step, int):
        if step == len(holder):
            holder.append(None)
        if holder[step] is None:
            holder[step] = kind()
        found = holder[step]
    else:
        found = holder.setdefault(step, kind())
    return found if isinstance(found, kind) else None


def _put(holder: Any, step: str | int, value: Any) -> None:
    if not _fits(holder, step):
        return
    if isinstance(holder, list) and isinstance(step, int):
        if step == len(holder):
            holder.append(None)
        before = holder[step]
    else:
        before = holder.get(step)
    holder[step] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _fits(holder: Any, step: str | int) -> bool:
    if isinstance(step, int):
        # Lists grow one by one: a number in a path must not decide how much memory we take.
        return isinstance(holder, list) and step <= len(holder)
    return isinstance(holder, dict)
