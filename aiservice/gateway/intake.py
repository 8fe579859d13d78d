"""Takes a request's body in, whole and within limits."""

import asyncio

from aiservice.errors import InvalidRequest, TooLarge, UnsupportedMedia
from aiservice.gateway.exchange import HINTS, LENGTH, Receive, Scope

_FIRST_SECONDS = 10.0
_LEAST_BYTES_PER_SECOND = 8 << 10  # 64 kbit/s: whoever is slower holds a place and uploads nothing


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        UnsupportedMedia: it is compressed.
        TooLarge: over `limit` bytes, as said or as sent.
        InvalidRequest: it stops before its end, or comes slower than 8 KiB/s after the first 10 s.
    """
    if HINTS in scope:
        for name, value in scope["headers"]:
            if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
                raise UnsupportedMedia(code="content_encoding_refused")
    said: int = scope.get(LENGTH, -1)
    if said > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes.")
    message = await receive()
    body: bytes = message.get("body", b"")
    # Servers give a short body in one piece and say only afterwards that there is no more: its length says so too.
    if message["type"] == "http.request" and (len(body) == said or not message.get("more_body")):
        if len(body) > limit:
            raise TooLarge(f"The request body is larger than {limit} bytes.")
        return body
    try:
        async with asyncio.timeout(_FIRST_SECONDS) as patience:
            return await _read_rest(message, body, receive, limit, patience)
    except TimeoutError:
        raise InvalidRequest("The request body came too slowly: send it again.", code="body_timeout") from None


async def _read_rest(message: Scope, first: bytes, receive: Receive, limit: int, patience: asyncio.Timeout) -> bytes:
    pieces, size = [first], len(first)
    until = patience.when() or 0.0
    while True:
        if message["type"] != "http.request":
            raise InvalidRequest("The request body ended before it was whole.", code="body_incomplete")
        if size > limit:
            raise TooLarge(f"The request body is larger than {limit} bytes.")
        if not message.get("more_body"):
            return b"".join(pieces)
        message = await receive()
        piece = message.get("body", b"")
        pieces.append(piece)
        size += len(piece)
        patience.reschedule(until + size / _LEAST_BYTES_PER_SECOND)
