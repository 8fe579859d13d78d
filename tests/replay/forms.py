"""multipart/form-data, read and written plainly: what recorded transcriptions were sent in, and what we are sent."""

import re
from typing import NamedTuple

_BOUNDARY = "recorded-again"


class Field(NamedTuple):
    """One field; of a file with its name and type."""

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None


def read(body: bytes) -> list[Field]:
    """The fields of a form; none where `body` is no form."""
    first = body.split(b"\r\n", 1)[0]
    if not first.startswith(b"--"):
        return []
    fields = []
    for part in body.split(first)[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]*)"', head)
        filename = re.search(rb'filename="([^"]*)"', head)
        kind = re.search(rb"(?i)content-type: *(\S+)", head)
        assert name is not None
        fields.append(
            Field(
                name[1].decode(),
                content.removesuffix(b"\r\n"),
                filename[1].decode() if filename else None,
                kind[1].decode() if kind else None,
            )
        )
    return fields


def written(fields: list[Field]) -> tuple[bytes, str]:
    """(body, content type) of a form."""
    parts = []
    for field in fields:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field.name}"'
        if field.filename is not None:
            head += f'; filename="{field.filename}"\r\nContent-Type: {field.content_type or "application/octet-stream"}'
        parts.append(head.encode() + b"\r\n\r\n" + field.content + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={_BOUNDARY}"
