"""What a request's headers say of asking again: its `Idempotency-Key`, and whether its stream can be resumed."""

from collections.abc import MutableMapping
from typing import Any

from aiservice.errors import InvalidRequest
from aiservice.gateway.exchange import Receive, Scope
from aiservice.kit.event_ids import read_event_id

HEADER = b"idempotency-key"
RESUMABLE = b"x-aiservice-resumable"
LAST_EVENT_ID = b"last-event-id"
ALL = frozenset({HEADER, RESUMABLE, LAST_EVENT_ID})
_MAX_KEY = 255


def key_of(scope: Scope) -> str | None:
    """The request's idempotency key; None where it has none.

    Raises:
        InvalidRequest: not 1 to 255 visible ASCII characters, or two that differ.
    """
    found = {value for name, value in scope["headers"] if name == HEADER}
    if not found:
        return None
    key: bytes = found.pop()
    if found or not 1 <= len(key) <= _MAX_KEY or not all(0x21 <= byte <= 0x7E for byte in key):
        raise InvalidRequest(
            "The Idempotency-Key header must be one value of 1 to 255 visible ASCII characters, such as a UUID.",
            code="invalid_idempotency_key",
            param="Idempotency-Key",
        )
    return key.decode()


def is_resumable(scope: Scope) -> bool:
    """Whether a request's header asks that its stream can be resumed.

    Raises:
        InvalidRequest: it says neither true nor false.
    """
    found = {value.lower() for name, value in scope["headers"] if name == RESUMABLE}
    if found - {b"true", b"false"} or len(found) > 1:
        raise InvalidRequest(
            "The header x-aiservice-resumable must be true or false.",
            code="invalid_header",
            param="x-aiservice-resumable",
        )
    return b"true" in found


def with_body(raw: bytes, receive: Receive) -> Receive:
    """A client whose body was read already: it is given once more, and then what the client does."""
    waiting = [{"type": "http.request", "body": raw, "more_body": False}]

    async def again() -> MutableMapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return again


def event_id_in(scope: Scope) -> tuple[str, int] | None:
    """What a request's `Last-Event-ID` names; None where it has none.

    Raises:
        InvalidRequest: it is no id of ours.
    """
    for name, value in scope["headers"]:
        if name == LAST_EVENT_ID and value:
            found = read_event_id(value.decode("latin-1"))
            if found is None:
                raise InvalidRequest(
                    "The Last-Event-ID header must be the id of an event of ours, such as req_0123:7. Leave it out to "
                    "ask for something new.",
                    code="invalid_last_event_id",
                    param="Last-Event-ID",
                )
            return found
    return None
