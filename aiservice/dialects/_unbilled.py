"""An answer that was billed before, as it is given out again: the same bytes, but every count in its usage is 0."""

from typing import Any

import orjson

from aiservice.kit.bounded_json import loads

Json = dict[str, Any]

_USAGE = ("usage", "usageMetadata")
_AROUND = ("message", "response", "x_groq")  # objects of a stream's events that hold a usage of their own
_UNITS = "search_units"  # what a ranking is paid by, in our form
_MARK = b'"usage'
_DATA = b"data:"


def unbilled(body: Json) -> Json:
    """`body` with every number in its usage 0; the same object where it has none."""
    changed: Json = {}
    for name in _USAGE:
        if isinstance(body.get(name), dict):
            changed[name] = _zeros(body[name])
    for name in _AROUND:
        inner = body.get(name)
        if isinstance(inner, dict) and (made := unbilled(inner)) is not inner:
            changed[name] = made
    if body.get(_UNITS):
        changed[_UNITS] = 0
    return {**body, **changed} if changed else body


def unbilled_bytes(raw: bytes) -> bytes:
    """A whole JSON answer, likewise; bytes that are no JSON object stay as they are."""
    if _MARK not in raw:
        return raw
    try:
        body = loads(raw)
    except ValueError:
        return raw
    made = unbilled(body) if isinstance(body, dict) else body
    return raw if made is body else orjson.dumps(made)


def unbilled_frame(frame: bytes) -> bytes:
    """Events of a stream, likewise; only a line that holds a usage is written anew."""
    if _MARK not in frame:
        return frame
    lines = frame.split(b"\n")
    for place, line in enumerate(lines):
        if line.startswith(_DATA) and _MARK in line:
            said = line[len(_DATA) :].strip()
            made = unbilled_bytes(said)
            if made is not said:
                lines[place] = _DATA + b" " + made
    return b"\n".join(lines)


def _zeros(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _zeros(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_zeros(inner) for inner in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value
