"""`x-aiservice-lossy`: what a client would rather have dropped than refused, and what was dropped of its request."""

import re
from collections.abc import Iterable

from aiservice.errors import InvalidRequest

LOSSY = "x-aiservice-lossy"
_HEADER = LOSSY.encode()
_NAMES = re.compile(r"[\x21-\x2b\x2d-\x7e]+(?:\s*,\s*[\x21-\x2b\x2d-\x7e]+)*")
_UNSAFE = re.compile(r"[^\x20-\x2b\x2d-\x7e]")
_ALL = frozenset({"*"})
_NONE: frozenset[str] = frozenset()
_MOST_CHARACTERS = 2_000


def lossy_in(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[str]:
    """The fields that may be dropped (`*`: all of them); none, where the header is not there.

    Raises:
        InvalidRequest: it is neither `allow` nor a list of names.
    """
    for name, value in headers:
        if name == _HEADER:
            said = value.decode("latin-1").strip()
            if said == "allow":
                return _ALL
            if not _NAMES.fullmatch(said):
                raise InvalidRequest(
                    f"The header {LOSSY} must be 'allow', or the names of the fields that may be dropped: seed, stop.",
                    code="invalid_header",
                    param=LOSSY,
                )
            return frozenset(said.replace(" ", "").split(","))
    return _NONE


def dropped_header(dropped: tuple[str, ...]) -> tuple[bytes, bytes]:
    """The answer's header, which names each field that was dropped."""
    names = ", ".join(_UNSAFE.sub("?", name) for name in dropped)
    if len(names) > _MOST_CHARACTERS:
        names = names[:_MOST_CHARACTERS].rpartition(",")[0] + f", and more: {len(dropped)} in all"
    return _HEADER, names.encode("ascii")
