"""Vectors of vendors that give them in one encoding, as the client asked for them.

OpenAI's Python library asks for `base64` (little-endian float32) unless told otherwise; a vendor that knows only
numbers would refuse that, and one that answers with base64 of its own (Perplexity: signed bytes) would be misread.
"""

import base64
import binascii
import struct
from typing import Any

from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import invalid_answer
from aiservice.providers._vectors import packed
from aiservice.wire import Answer, Json

_OURS = ("float", "base64")


def ask_for_own(body: Json) -> None:
    """Takes an encoding that OpenAI has out of `body`: the vendor gives its own."""
    if body.get("encoding_format") in _OURS:
        body.pop("encoding_format", None)


def give_as_asked(answer: Answer, asked: object, encoding: str) -> None:
    """The vectors of `answer` as `asked` ("float", "base64"); as they came, where that is the vendor's own encoding.

    Raises:
        AttemptFailed: they are not what the vendor says they are.
    """
    if asked not in _OURS or (asked != "base64" and encoding == "float"):
        return
    for item in answer.body["data"]:
        given = item["embedding"]
        numbers = _signed_bytes(given) if type(given) is str and encoding == "base64_int8" else given
        item["embedding"] = packed(numbers) if asked == "base64" and type(numbers) is list else numbers
    answer.raw = None


def _signed_bytes(text: str) -> list[Any]:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise AttemptFailed(invalid_answer("its embedding was not base64")) from exc
    return list(struct.unpack(f"{len(raw)}b", raw))
