"""Arguments for anything with annotations, made by introspection: every text in them is one that the attacker chose."""

import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from enum import Enum
from random import Random
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from aiservice.kit.secret import Secret

# What has to be there for an act to get as far as the row: words by the name of what is asked.
PLAUSIBLE = {
    "scope": "client", "task": "chat", "measure": "money", "period": "month", "window": "calendar", "amount": "5",
    "limit": "requests/minute", "mode": "on", "role": "developer", "policy": "observe", "percent": "5", "zone": "UTC",
    "tz": "UTC", "levels": "50", "unpriced": "", "seconds": "60", "shared_by": "client", "group_by": "none",
    "state": "", "overlap_seconds": "0", "expires_in_days": "", "is_test": "", "scopes": "", "allow_ip": "",
    "password": "",
    "ttl": "60", "most_ttl": "600", "by": "", "cursor": "", "before": "", "after": "", "bucket": "hour",
}  # fmt: skip


class Chosen:
    """`text` for every text, or only for those that do not have to be a certain word (`is_plausible`)."""

    def __init__(self, text: str, number: int = 1, *, is_plausible: bool = False) -> None:
        self.text, self.number, self.is_plausible = text, number, is_plausible

    def word(self, name: str) -> str:
        if not self.is_plausible or name not in PLAUSIBLE:
            return self.text
        kinds = {"tea": "team", "key": "key"}
        return kinds.get(self.text[:3], "client") if name == "scope" else PLAUSIBLE[name]

    def fill(self, hint: Any, name: str = "") -> Any:
        """A value of the type `hint`, for what is called `name`."""
        origin, inner = get_origin(hint), get_args(hint)
        if hint is str or hint is Any or hint is object:
            return self.word(name)
        if hint is bytes:
            return self.text.encode()
        if hint in (bool, int, float):
            return {bool: True, int: self.number, float: 1.0}[hint]
        if origin is Literal:
            return self.text if self.text in inner else inner[0]
        if origin in (Union, types.UnionType):
            return self._one_of(inner, name)
        if hint is Secret:
            return Secret("a secret that nobody has")
        if isinstance(hint, type) and issubclass(hint, Enum):
            return next(iter(hint))
        if origin is not None or hint in (list, tuple, dict, set, frozenset):
            return self._many(origin or hint, inner, name)
        return self._made(hint)

    def _one_of(self, hints: tuple[Any, ...], name: str) -> Any:
        for wanted in hints:
            if wanted is str or "str" in str(wanted):
                return self.fill(wanted, name)
        return self.fill(next(each for each in hints if each is not type(None)), name)

    def _many(self, origin: Any, inner: tuple[Any, ...], name: str) -> Any:
        if origin is tuple and Ellipsis not in inner:
            return tuple(self.fill(each, name) for each in inner)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            names = ("q", "client", "key", "from", "until", "owner", "team", "name")
            return {each: self.fill(inner[1], each) for each in names} if inner[:1] == (str,) else {}
        if origin is not None and getattr(origin, "__name__", "") == "Annotated":
            return self.fill(inner[0], name)
        if isinstance(origin, type) and issubclass(origin, Callable):  # type: ignore[arg-type]
            return lambda *_: 0
        filled = [self.fill(inner[0], name)] if inner else []
        return origin(filled) if origin in (set, frozenset, tuple) else filled

    def _made(self, kind: Any) -> Any:
        if hasattr(kind, "__required_keys__"):  # a TypedDict, of whichever library
            hints = get_type_hints(kind)
            return {each: self.fill(hint, each) for each, hint in hints.items() if not each.startswith("_")}
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return {each: self.fill(one.annotation, each) for each, one in kind.model_fields.items()}
        if dataclasses.is_dataclass(kind):
            hints, make = get_type_hints(kind), cast(Any, kind)
            return make(
                **{one.name: self.fill(hints[one.name], one.name) for one in dataclasses.fields(kind) if one.init}
            )
        raise LookupError(f"no value is known for {kind}")


def arguments(function: Any, chosen: Chosen, *, skipping: int) -> dict[str, Any]:
    """Arguments by name for every parameter but the first `skipping` ones; what cannot be filled keeps its default."""
    hints, found = get_type_hints(function), {}
    parameters = list(inspect.signature(function).parameters.values())[skipping:]
    for one in parameters:
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        try:
            found[one.name] = chosen.fill(hints[one.name], one.name)
        except (LookupError, TypeError):
            if one.default is one.empty:
                raise
    return found


class Drawn(Chosen):
    """Every text and number drawn anew: from what was given, or a word that is plausible there."""

    def __init__(self, texts: list[str], numbers: list[int], draw: Random) -> None:
        super().__init__("", is_plausible=True)
        self._texts, self._numbers, self._draw = texts, numbers, draw
        self.sent: set[str] = set()

    def word(self, name: str) -> str:
        self.number = self._draw.choice(self._numbers)
        if name in PLAUSIBLE and self._draw.random() < 0.5:
            return PLAUSIBLE[name]
        self.text = self._draw.choice(self._texts)
        self.sent.add(self.text)
        return self.text
