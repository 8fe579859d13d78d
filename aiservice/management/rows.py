"""A row of the management API: one method of one route, what it is called in the table of rights, what it takes and
gives. Routing, validation and the OpenAPI document are made from the same rows."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from aiservice.management.models import CsvLines, Given, Query, Told
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.rights import known

READING = frozenset({"GET", "HEAD"})
_NAMED = r"[^/\x00-\x1f\x7f]{1,200}"  # no database takes a NUL, and no name of ours holds a control character
_ARGUMENT = re.compile(r"\{([a-z_]+)\}")


@dataclass(slots=True, frozen=True)
class Call:
    """One call: the services, who asks, and what the path names."""

    core: Core
    me: Person
    args: Mapping[str, str]
    if_match: str | None = None


@dataclass(frozen=True)
class Row:
    """`action` is the name in the table of rights: who has no right to it with any row is refused before the body is
    read; whose row it is, the service finds out. The types of what it takes (a body's model, or a query's) and gives
    are those of `run`: `async def run(call[, given]) -> Told | CsvLines | None`.

    `reads`: a POST that changes nothing, which a token that only reads may make. `secrets` are fields of the answer
    that no replay holds. `owns_versions`: it takes If-Match by itself, in the commit of what it does.
    """

    method: str
    path: str
    action: str
    run: Callable[..., Any]
    summary: str
    status: int = 200
    reads: bool = False
    secrets: tuple[str, ...] = ()
    owns_versions: bool = False
    arguments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        known(self.action)
        object.__setattr__(self, "arguments", tuple(_ARGUMENT.findall(self.path)))

    @property
    def tag(self) -> str:
        """What it is about: the first word of the path."""
        return self.path.split("/")[2]

    @property
    def is_reading(self) -> bool:
        """Whether a token that may not write is enough."""
        return self.reads or self.method in READING

    @cached_property
    def given(self) -> type[Given] | type[Query] | None:
        """The model of the body, or of the query."""
        names = list(inspect.signature(self.run).parameters)
        return None if len(names) < 2 else get_type_hints(self.run)[names[1]]

    @cached_property
    def answer(self) -> type[Told] | type[CsvLines] | None:
        """The model of the answer; None where there is no content."""
        told = get_type_hints(self.run)["return"]
        return None if told is type(None) else told

    @property
    def body(self) -> type[Given] | None:
        return self.given if self.given is not None and issubclass(self.given, Given) else None

    @property
    def query(self) -> type[Query] | None:
        return self.given if self.given is not None and issubclass(self.given, Query) else None

    @property
    def pattern(self) -> re.Pattern[str]:
        """Of the paths that it answers."""
        parts = [f"(?P<{part[1:-1]}>{_NAMED})" if part[0] == "{" else part for part in self.path.split("/")[1:]]
        return re.compile("/" + "/".join(parts))


class Router:
    """Which rows a path has, by method."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows
        by_path: dict[str, dict[str, Row]] = {}
        for row in rows:
            methods = by_path.setdefault(row.path, {})
            if row.method in methods:
                raise ValueError(f"{row.method} {row.path} is there twice")
            methods[row.method] = row
        # A word in a path is meant where one stands: those with fewer arguments come first.
        ordered = sorted(by_path.values(), key=lambda methods: len(next(iter(methods.values())).arguments))
        self._found: dict[str, list[tuple[re.Pattern[str], dict[str, Row]]]] = {}
        for methods in ordered:
            row = next(iter(methods.values()))
            self._found.setdefault(row.tag, []).append((row.pattern, methods))

    def find(self, path: str) -> tuple[dict[str, Row], dict[str, str]] | None:
        """The rows of a path by method, and what it names; None where it is no route."""
        parts = path.split("/", 3)
        for pattern, methods in self._found.get(parts[2], ()) if len(parts) > 2 else ():
            if found := pattern.fullmatch(path):
                return methods, found.groupdict()
        return None
