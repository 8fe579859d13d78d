"""Vectors as OpenAI's `base64` has them: little-endian float32."""

import base64
import struct
from typing import Any

from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import invalid_answer


def packed(numbers: list[Any]) -> str:
    """The numbers in base64.

    Raises:
        AttemptFailed: one of them is no number that float32 holds.
    """
    try:
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    except (struct.error, OverflowError, TypeError) as exc:
        raise AttemptFailed(invalid_answer("its embedding held something that is no number")) from exc
