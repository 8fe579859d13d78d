"""Names that people give: what is a good one, and what was probably meant by one that does not exist."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

from aiservice.errors import NotFound, Unprocessable

MAX_NAME = 100
_CONNECTION_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_LOOKS_LIKE_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z]{26,32}", re.ASCII)
_SHOWN = 60


def clean_name(name: str, what: str) -> str:
    """`name` in composed form without spaces around it.

    Raises:
        Unprocessable: empty, longer than 100 characters, not printable, or in the form of an id.
    """
    text = unicodedata.normalize("NFC", name).strip()
    if not text:
        raise Unprocessable(f"A {what} needs a name.", code="invalid_name", param="name")
    if len(text) > MAX_NAME:
        raise Unprocessable(
            f"The name of a {what} has at most {MAX_NAME} characters, this one has {len(text)}.",
            code="invalid_name",
            param="name",
        )
    if not text.isprintable():
        raise Unprocessable(
            f"The name of a {what} may hold printable characters only (no line breaks, tabs or control characters).",
            code="invalid_name",
            param="name",
        )
    if looks_like_id(text):
        raise Unprocessable(
            f"The name of a {what} may not look like an id such as {text[:4]}….", code="invalid_name", param="name"
        )
    return text


def clean_connection_name(name: str, kind: str, kinds: Iterable[str]) -> str:
    """`name` if it may stand before `/` in a model name and names no other kind.

    Raises:
        Unprocessable: it may not.
    """
    if not _CONNECTION_NAME.fullmatch(name):
        raise Unprocessable(
            "The name of a provider connection has 1 to 64 characters: lower case letters, digits and hyphens, "
            "beginning with a letter or a digit.",
            code="invalid_name",
            param="name",
        )
    if name == "auto" or (name != kind and name in kinds):
        raise Unprocessable(
            f"'{name}' is a reserved word here; a connection of kind {kind} needs another name.",
            code="invalid_name",
            param="name",
        )
    return name


def suggestion(name: str, known: Iterable[str]) -> str:
    """`Did you mean 'x'?`, or what there is, or nothing when there is nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name[:_SHOWN], names, n=1)
    if near:
        return f" Did you mean '{near[0]}'?"
    if not names:
        return ""
    listed = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return f" There are: {listed}."


def shown(name: str) -> str:
    """`name` as it may stand in a message: short, and without control characters."""
    return "".join(c if c.isprintable() else "?" for c in name[:_SHOWN])


def no_such(what: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a name that does not exist or belongs to somebody else."""
    code = what.replace(" ", "_") + "_not_found"
    return NotFound(f"There is no {what} '{shown(name)}'.{suggestion(name, known)}", code=code)


def looks_like_id(text: str) -> bool:
    """Whether `text` has the form of our ids, so that it could be mistaken for one."""
    return _LOOKS_LIKE_ID.fullmatch(text) is not None
