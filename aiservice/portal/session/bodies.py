"""Reads the small bodies of the sign-in routes: a plain HTML form or a JSON object of texts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from starlette.requests import ClientDisconnect, Request

from aiservice.errors import InvalidRequest, TooLarge, UnsupportedMedia

MAX_BYTES = 16 * 1024
_MAX_FIELDS = 20
_DEADLINE_SECONDS = 10.0
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@dataclass(slots=True, frozen=True)
class Fields:
    """The fields by name; texts as they were sent, nothing stripped. `origin` is that of the page which sent them, as
    its browser says (Origin; "" where none was sent): whether it is one of ours is checked elsewhere."""

    values: Mapping[str, str]
    origin: str = ""

    def required(self, name: str) -> str:
        """The field's text. Raises: InvalidRequest: it is missing (`field_missing`)."""
        if name not in self.values:
            raise InvalidRequest(f"The field '{name}' is missing.", code="field_missing", param=name)
        return self.values[name]

    def optional(self, name: str) -> str:
        return self.values.get(name, "")


def is_form(request: Request) -> bool:
    """Whether a browser's form was posted, which is answered with a page and not with JSON."""
    return _media_type(request) == FORM


async def receive_body(request: Request) -> None:
    """Takes the body in, for `read_fields`. Do it before any answer: over HTTP/2 an answer that leaves before the body
    came is lost with its stream (Granian resets it).

    Raises:
        TooLarge: above 16 KiB, said or sent. InvalidRequest: not here within 10 seconds (`body_incomplete`).
    """
    request.state.body = await _read(request)


async def read_fields(request: Request) -> Fields:
    """The fields of the body, which is received first if it was not.

    Raises:
        UnsupportedMedia: neither form nor JSON, or compressed.
        InvalidRequest: malformed, a field twice, or a value that is no text.
        TooLarge, InvalidRequest: as `receive_body`.
    """
    if not hasattr(request.state, "body"):
        await receive_body(request)
    media_type = _media_type(request)
    if media_type not in (FORM, JSON):
        raise UnsupportedMedia(f"Send {FORM} or {JSON}.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMedia
    body: bytes = request.state.body
    values = _parse_form(body) if media_type == FORM else _parse_json(body)
    fields = Fields(values, request.headers.get("origin", ""))
    request.state.fields = fields
    return fields


def sent_fields(request: Request) -> Fields:
    """What `read_fields` returned for this request, for the page that a refused form goes back to; else no fields."""
    fields = getattr(request.state, "fields", None)
    return fields if isinstance(fields, Fields) else Fields({})


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read(request: Request) -> bytes:
    said = request.headers.get("content-length", "0")
    if not said.isdecimal() or int(said) > MAX_BYTES:
        raise TooLarge(f"The body may have at most {MAX_BYTES:,} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise TooLarge(f"The body may have at most {MAX_BYTES:,} bytes.")
    except (TimeoutError, ClientDisconnect) as exc:
        raise InvalidRequest("The body did not arrive.", code="body_incomplete") from exc
    return bytes(body)


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=_MAX_FIELDS,
        )  # fmt: skip
    except ValueError as exc:
        raise _malformed() from exc
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _malformed()
    return values


def _parse_json(body: bytes) -> dict[str, str]:
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise _malformed() from exc
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise _malformed()
    return values


def _malformed() -> InvalidRequest:
    return InvalidRequest("The body must be a form or a JSON object whose values are texts, each field once.")
