"""`/openapi.json` and `/docs`: the same for everybody, made once from the table of rows when somebody first asks."""

from functools import cached_property

import orjson

from aiservice.errors import MethodNotAllowed
from aiservice.gateway.exchange import Send
from aiservice.gateway.respond import Header
from aiservice.management.openapi import document
from aiservice.management.reference import POLICY, page_of
from aiservice.management.rows import Row

PATHS = frozenset({"/openapi.json", "/docs"})
_FIXED: tuple[Header, ...] = (
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"server", b"aiservice"),
)


class Described:
    """Both, ready to be sent."""

    def __init__(self, rows: tuple[Row, ...], base_url: str) -> None:
        self._rows = rows
        self._base_url = base_url

    @cached_property
    def openapi(self) -> bytes:
        """The document, as JSON."""
        return orjson.dumps(document(self._rows, self._base_url))

    @cached_property
    def page(self) -> bytes:
        """The reference, as HTML."""
        return page_of(orjson.loads(self.openapi))

    async def send(self, path: str, method: str, named: Header, send: Send) -> None:
        """Answers for one of `PATHS`.

        Raises:
            MethodNotAllowed: anything but GET and HEAD.
        """
        if method not in ("GET", "HEAD"):
            error = MethodNotAllowed("This takes GET, HEAD.")
            error.headers = ((b"allow", b"GET, HEAD"),)
            raise error
        is_page = path == "/docs"
        body = self.page if is_page else self.openapi
        media_type = b"text/html; charset=utf-8" if is_page else b"application/json"
        policy = POLICY if is_page else "default-src 'none'; frame-ancestors 'none'"
        headers = [
            (b"content-type", media_type),
            (b"content-length", b"%d" % len(body)),
            (b"content-security-policy", policy.encode()),
            *_FIXED,
            named,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
