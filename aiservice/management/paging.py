"""Pages of lists, by cursor: a cursor names the last thing that was given, so what is added or removed meanwhile moves
nothing. It is opaque to callers, and whatever they make of it only ever chooses where a list begins."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

import orjson

from aiservice.errors import InvalidRequest
from aiservice.management.models import PageQuery

Place = tuple[str | int, ...]
T = TypeVar("T")


def cursor_of(kind: str, place: Place) -> str:
    """The cursor of a place in lists of this kind."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, *place])).decode().rstrip("=")


def place_of(kind: str, cursor: str) -> Place:
    """The place that a cursor names.

    Raises:
        InvalidRequest: it is none of ours, or of another list (`invalid_cursor`).
    """
    try:
        said = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise _invalid() from None
    is_ours = isinstance(said, list) and len(said) > 1 and said[0] == kind
    if not is_ours or not all(type(part) in (str, int) for part in said):
        raise _invalid()
    return tuple(said[1:])


def page_of(
    items: Iterable[T], place: Callable[[T], Place], query: PageQuery, kind: str, *, newest_first: bool = False
) -> tuple[list[T], str | None]:
    """The part of `items` that the query asks for, in the order of their places, and the cursor of the next.

    Raises:
        InvalidRequest: the cursor is none of this list.
    """
    ordered = sorted(items, key=place, reverse=newest_first)
    if query.cursor is not None:
        after = place_of(kind, query.cursor)
        if ordered and [type(part) for part in place(ordered[0])] != [type(part) for part in after]:
            raise _invalid()
        ordered = [item for item in ordered if (place(item) < after if newest_first else place(item) > after)]
    data = ordered[: query.limit]
    return data, cursor_of(kind, place(data[-1])) if len(ordered) > len(data) else None


def _invalid() -> InvalidRequest:
    return InvalidRequest(
        "That cursor is none of this list. Send the `next_cursor` of the page before, or none to begin.",
        code="invalid_cursor",
        param="cursor",
    )
