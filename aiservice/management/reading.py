"""Reads bodies and queries into their models. Whatever is at fault is named, all of it at once."""

import difflib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from aiservice.errors import InvalidRequest, UnsupportedMedia
from aiservice.kit.strict_json import BadJson, parse
from aiservice.management.models import Given, Query
from aiservice.management.problems import Fault, InvalidBody, InvalidQuery

MAX_BODY_BYTES = 1 << 20
_WORDS = {
    "missing": "This field is required.",
    "string_type": "This must be a text.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "list_type": "This must be a list.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
}
_TAKEN = (b"", b"application/json", b"application/x-www-form-urlencoded")
_MOST_FAULTS = 50
_SHOWN = 60


def check_media_type(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises UnsupportedMedia where a body says that it is no JSON. One that says nothing is taken for it, and so is
    what curl says of every body unless it is told."""
    for name, value in headers:
        kind = value.partition(b";")[0].strip().lower()
        if name == b"content-type" and kind not in _TAKEN and not kind.endswith(b"+json"):
            raise UnsupportedMedia("Send a JSON body, with Content-Type: application/json.")


def read_object(model: type[Given], raw: bytes) -> Given:
    """The body as its model; no body is an empty object.

    Raises:
        InvalidRequest: no JSON object (`invalid_json`). InvalidBody: fields are at fault.
    """
    try:
        said = parse(raw) if raw.strip() else {}
    except BadJson as exc:
        raise InvalidRequest(str(exc), code="invalid_json") from None
    if not isinstance(said, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    if b"\\u0000" in raw:  # no database takes one
        raise InvalidRequest("A text in the body holds a NUL character: leave it out.", code="invalid_json")
    try:
        return model.model_validate_json(raw if raw.strip() else b"{}")
    except ValidationError as exc:
        known = list(model.model_fields)
        raise InvalidBody([{"pointer": _pointer(one["loc"]), **_fault(one, known)} for one in _few(exc)]) from None


def read_query(model: type[Query] | None, query: bytes) -> Query | None:
    """The query as its model, None where the route takes none.

    Raises:
        InvalidQuery: parameters are unknown, there twice, or not of their kind.
    """
    given: dict[str, str] = {}
    known = [] if model is None else list(model.model_fields)
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in given:
            raise InvalidQuery([{"parameter": name[:_SHOWN], "code": "twice", "detail": "Say it once."}])
        if name not in known:
            detail = _unknown(name, known, "parameter")
            raise InvalidQuery([{"parameter": name[:_SHOWN], "code": "extra_forbidden", "detail": detail}])
        if "\0" in value:
            raise InvalidQuery([{"parameter": name, "code": "nul", "detail": "It holds a NUL character."}])
        given[name] = value
    if model is None:
        return None
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        faults = [{"parameter": str(one["loc"][0]), **_fault(one, known)} for one in _few(exc)]
        raise InvalidQuery(faults) from None


def _few(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_context=False, include_input=False)[:_MOST_FAULTS]


def _fault(one: Any, known: list[str]) -> Fault:
    kind: str = one["type"]
    if kind == "extra_forbidden":
        detail = _unknown(str(one["loc"][-1]), known if len(one["loc"]) == 1 else [], "field")
    else:
        detail = _WORDS.get(kind) or f"{one['msg']}."
    return {"code": kind, "detail": detail}


def _unknown(name: str, known: list[str], what: str) -> str:
    near = difflib.get_close_matches(name[:_SHOWN], known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}." if known else ""
    return f"There is no {what} '{name[:_SHOWN]}' here.{hint}"


def _pointer(loc: tuple[str | int, ...]) -> str:
    """RFC 6901, as the fragment of a URI."""
    return "#" + "".join("/" + str(part)[:_SHOWN].replace("~", "~0").replace("/", "~1") for part in loc)
