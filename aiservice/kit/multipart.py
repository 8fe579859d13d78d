"""Forms with files (multipart/form-data, RFC 7578): read from a whole body, and written.

Read by python-multipart, which Starlette reads forms with, too; it bounds the headers of a field itself.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

MOST_PARTS = 100
MOST_FIELD_BYTES = 1 << 20
"""What a field that is no file may hold."""


class BadForm(ValueError):
    """It is no form; the message says what is wrong with it."""


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form with files."""
    return content_type[:19].lower() == "multipart/form-data"


def read_form(raw: bytes, content_type: str) -> dict[str, Any]:
    """The fields of a form by name: text, or `{"filename", "content_type", "data": bytes}` for a file. A name with
    `[]` behind it, or one that comes several times, is a list.

    Raises:
        BadForm: it is none.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise BadForm("The form's content-type has no boundary of 1 to 70 characters.")
    parts = _Parts()
    parser = MultipartParser(boundary, parts.callbacks())  # type: ignore[arg-type]  # names are keys of a TypedDict
    try:
        parser.write(raw)
        parser.finalize()
    except MultipartParseError as exc:
        raise BadForm("The body is not the form that its content-type says: check the boundary.") from exc
    if not parts.is_ended:
        raise BadForm("The form ended before its last boundary.")
    return _by_name(parts.found)


def write_form(fields: Iterable[tuple[str, Any]]) -> tuple[bytes, str]:
    """(body, content type) of a form; a file is given as it is read. The same fields make the same bytes."""
    parts: list[bytes] = []
    for name, value in fields:
        head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
        if isinstance(value, dict):
            head += f'; filename="{_quoted(value["filename"])}"\r\nContent-Type: {_one_line(value["content_type"])}'
            content = value["data"]
        else:
            content = value.encode()
        parts.append(head.encode() + b"\r\n\r\n" + content)
    boundary = _boundary(parts)
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary
    return body, f"multipart/form-data; boundary={boundary.decode()}"


def _boundary(parts: list[bytes]) -> bytes:
    """One that is in none of the parts."""
    seed = hashlib.sha256(b"\0".join(parts))
    while any((found := seed.hexdigest()[:32].encode()) in part for part in parts):
        seed.update(found)
    return seed.hexdigest()[:32].encode()


def _quoted(text: str) -> str:
    """As browsers write a name (html.spec.whatwg.org, "multipart/form-data encoding algorithm")."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return text if text.isascii() and text.isprintable() else "application/octet-stream"


def _by_name(found: list[tuple[str, Any]]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for given, value in found:
        name = given.removesuffix("[]")
        if name in form:
            before = form[name]
            form[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            form[name] = [value] if given != name else value
    return form


class _Parts:
    """What the parser found so far."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Any]] = []
        self.is_ended = False
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []

    def callbacks(self) -> dict[str, Any]:
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": self._end,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_end": self._over,
        }

    def _begin(self) -> None:
        if len(self.found) >= MOST_PARTS:
            raise BadForm(f"The form has more than {MOST_PARTS} fields.")
        self._headers, self._data = {}, []

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if kind != b"form-data" or not name:
            raise BadForm("A field of the form has no name.")
        data, filename = b"".join(self._data), options.get(b"filename")
        if filename is not None:
            told = self._headers.get(b"content-type", b"").decode("latin-1").strip()
            shown = filename.decode("utf-8", "replace")
            value: Any = {"filename": shown, "content_type": told or "application/octet-stream", "data": data}
        else:
            value = _text(name, data)
        self.found.append((name.decode("utf-8", "replace"), value))

    def _over(self) -> None:
        self.is_ended = True


def _text(name: bytes, data: bytes) -> str:
    if len(data) > MOST_FIELD_BYTES:
        raise BadForm(f"A field of the form that is no file is longer than {MOST_FIELD_BYTES} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        shown = name[:60].decode("latin-1")
        raise BadForm(f"The field '{shown}' of the form is no text (UTF-8): send a file with a filename.") from exc
