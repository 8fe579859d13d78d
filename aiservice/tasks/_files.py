"""Files in a request: of a form, or in JSON as data: URLs and base64."""

import base64
import binascii
import re
from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.tasks._base import Json

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[\w.+-]+)*;base64,")
_ENDINGS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-m4a": "m4a", "octet-stream": "bin"}


def file_of(value: Any, name: str, stem: str) -> Json:
    """A file `{"filename", "content_type", "data"}`: one of a form as it is, else from a data URL or base64, where its
    name is made of `stem`. `name` is the field that it is in, for who is told.

    Raises:
        InvalidRequest: it is none, or empty.
    """
    if isinstance(value, dict) and isinstance(value.get("data"), bytes):
        found = value
    elif isinstance(value, str):
        head = _DATA_URL.match(value[:200])
        try:
            data = base64.b64decode(value[head.end() :] if head else value, validate=True)
        except (binascii.Error, ValueError):
            raise _no_file(name) from None
        kind = head[1] if head and head[1] else "application/octet-stream"
        found = {"filename": f"{stem}.{_ending(kind)}", "content_type": kind, "data": data}
    else:
        raise _no_file(name)
    if not found["data"]:
        raise InvalidRequest(f"The file '{name}' is empty.", param=name)
    return found


def data_url(file: Json) -> str:
    """A file as a data: URL."""
    return f"data:{file['content_type']};base64,{base64.b64encode(file['data']).decode()}"


def _no_file(name: str) -> InvalidRequest:
    return InvalidRequest(f"'{name}' must be a file: in a form, as a data: URL, or in base64.", param=name)


def _ending(kind: str) -> str:
    name = kind.partition("/")[2].lower()
    return _ENDINGS.get(name, name if name.isalnum() else "bin")
