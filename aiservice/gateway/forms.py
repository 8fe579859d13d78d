"""Bodies that are forms with files: what surfaces take that are sent sound and images."""

import asyncio
import hashlib
from typing import Any

from aiservice.dialects._base import Json
from aiservice.errors import InvalidRequest
from aiservice.gateway.exchange import Scope
from aiservice.kit.multipart import BadForm, is_form, read_form
from aiservice.kit.strict_json import SMALL_BYTES


def form_type(scope: Scope) -> str | None:
    """The content type of a body that is a form; None where it is none."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind = value.decode("latin-1")
            return kind if is_form(kind) else None
    return None


async def form_object(raw: bytes, content_type: str) -> Json:
    """The fields of a form, as `kit.multipart` gives them.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        if len(raw) <= SMALL_BYTES:
            return read_form(raw, content_type)
        return await asyncio.to_thread(read_form, raw, content_type)
    except BadForm as exc:
        raise InvalidRequest(str(exc), code="invalid_form") from None


async def compared(raw: bytes, content_type: str) -> object:
    """A form for comparing it with another: its boundary, which libraries choose anew for each try, says nothing. The
    bytes themselves where it is none."""
    try:
        form = await form_object(raw, content_type)
    except InvalidRequest:
        return raw
    return {name: _plain(value) for name, value in form.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {**value, "data": hashlib.sha256(value["data"]).hexdigest()}
    return value
