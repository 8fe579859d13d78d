"""A vendor's row in a form: what everybody fills in has fields of its own, the rest is text as it is written."""

import json
import re
import tomllib
from typing import TypedDict

from aiservice.errors import InvalidRequest

_OWN_LINE = re.compile(r"(?:kind|title|base_url|needs_key)\s*=[^\n]*(?:\n|$)")
_OF_ITS_VENDOR = re.compile(r"(?:key_env|source|base_url_example)\s*=[^\n]*(?:\n|$)")
_TABLE = re.compile(r"^\[", re.MULTILINE)
_FIELDS = ("kind", "title", "base_url")


class RowForm(TypedDict):
    """A row as the form shows it; `key` is "needed" or "none", `rest` the lines that have no field of their own."""

    kind: str
    title: str
    base_url: str
    key: str
    rest: str


def form_of(text: str, *, as_start: bool = False) -> RowForm:
    """The form that shows a row; one that cannot be read is all `rest`. `as_start`: for a vendor of one's own, so
    without what is said of that vendor alone."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        table = {}
    kind, title, base_url = (str(table.get(name, "")) for name in _FIELDS)
    return RowForm(
        kind=kind,
        title=title,
        base_url=base_url,
        key="none" if table.get("needs_key") is False else "needed",
        rest=_rest_of(text, as_start=as_start) if table else text,
    )


def text_of(form: RowForm) -> str:
    """The row that a form describes.

    Raises:
        InvalidRequest: a field holds more than a line.
    """
    lines = []
    for name in _FIELDS:
        value = form[name].strip()  # type: ignore[literal-required]
        if not value.isprintable():
            raise InvalidRequest(f"'{name}' must be one line.", param=name)
        if value:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    if form["key"] == "none":
        lines.append("needs_key = false")
    rest = form["rest"].replace("\r\n", "\n").strip()
    return "\n".join([*lines, *([rest] if rest else [])]) + "\n"


def _rest_of(text: str, *, as_start: bool) -> str:
    """The lines that have no field of their own: they stand before the first table."""
    first = _TABLE.search(text)
    head, tables = (text[: first.start()], text[first.start() :]) if first else (text, "")
    lines = (line for line in head.splitlines(keepends=True) if not _OWN_LINE.fullmatch(line))
    kept = "".join(line for line in lines if not (as_start and _OF_ITS_VENDOR.fullmatch(line)))
    return (kept + tables).strip()
