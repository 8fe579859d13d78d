"""Takes a request's body in, whole and within limits."""

import asyncio

from aiservice.errors import InvalidRequest, TooLarge, UnsupportedMedia
from aiservice.gateway.exchange import Receive, Scope

_BODY_SECONDS = 30.0


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        UnsupportedMedia: it is compressed.
        TooLarge: over `limit` bytes, as said or as sent.
        InvalidRequest: it stops before its end, or takes longer than 30 s.
    """
    said = -1
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            said = int(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMedia(code="content_encoding_refused")
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
        async with asyncio.timeout(_BODY_SECONDS):
            return await _read_rest(message, body, receive, limit)
    except TimeoutError:
        raise InvalidRequest(f"The request body took longer than {_BODY_SECONDS:.0f} s.", code="body_timeout") from None


async def _read_rest(message: Scope, first: bytes, receive: Receive, limit: int) -> bytes:
    pieces, size = [first], len(first)
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
