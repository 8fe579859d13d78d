"""The outermost ASGI callable: refuses what no HTTP server refuses alone, and sends each path to its one owner.

API paths are answered here, in JSON, whatever follows them; sign-in routes and the portal get everything else.
"""

import logging
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import chain
from urllib.parse import parse_qsl

from aiservice.dialects._base import OVERRIDE_NAMES, Dialect
from aiservice.errors import (
    BrokerError,
    HeadersTooLarge,
    InternalFault,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from aiservice.gateway.browser_headers import beside_the_api, over_https
from aiservice.gateway.exchange import (
    CREDENTIAL_HEADERS,
    CREDENTIALS,
    HINT_HEADERS,
    HINTS,
    LENGTH,
    TOLD,
    AsgiApp,
    Handler,
    Receive,
    Routes,
    Scope,
    Send,
)
from aiservice.gateway.head import head_alone
from aiservice.gateway.respond import send_error
from aiservice.kit.addresses import Networks, client_address, is_https
from aiservice.kit.ids import new_id
from aiservice.services.audit_entry import CALLER_ADDRESS

MAX_HEADER_BYTES = 16 << 10
MAX_HEADERS = 64
MAX_QUERY_BYTES = 4 << 10
API_PREFIXES = (
    "/ai-service", "/v1", "/v1beta", "/v2", "/api", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs",
    "/.well-known/jwks.json",
)  # fmt: skip
_SLASHES = re.compile(r"/{2,}")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_CODING = "The request's Transfer-Encoding is not 'chunked'."
_SINGLE = {  # what may be said once, and what is said to who says it twice
    b"host": "The request names two hosts.",
    b"content-length": "The request says its length twice.",
    b"transfer-encoding": _CODING,
}
_OVERRIDE_HEADERS = frozenset(
    variant for name in OVERRIDE_NAMES for variant in (f"x-{name}".replace("_", "-").encode(),)
) - {b"x-api-key"}

_HINTS = HINT_HEADERS | _OVERRIDE_HEADERS

log = logging.getLogger(__name__)


class Edge:
    """Routes a connection. `sign_in` gets `/auth`, `management` `/api` and what describes the APIs, `portal` everything
    that is no API path, and the lifespan."""

    def __init__(
        self,
        routes: Routes,
        with_argument: Callable[[str], Mapping[str, Handler] | None],
        sign_in: AsgiApp,
        portal: AsgiApp,
        trusted_proxies: Networks,
        *,
        management: AsgiApp | None = None,
    ) -> None:
        self._routes = routes
        self._with_argument = with_argument
        self._sign_in = sign_in
        self._portal = portal
        self._trusted = trusted_proxies
        self._management = management

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._portal(scope, receive, send)
            return
        if scope.get("scheme") == "https" or (self._trusted and is_https(scope, self._trusted)):
            send = over_https(send)
        path: str = scope["path"]
        route = self._routes.get(path)
        if route is None:
            plain = _SLASHES.sub("/", path)
            if not is_api_path(plain) and not self._is_without_version(scope["method"], plain):
                await self._beside(scope, receive, send, plain)
                return
            if self._management is not None and is_management_path(plain):
                await self._management(scope, receive, send)
                return
        request_id = new_id("req")
        dialect: Dialect | None = None
        if scope["method"] == "HEAD":
            receive, send = head_alone(receive, send)
        try:
            check_head(scope)
            route = route or self._with_argument(scope["path"])
            handler = (route and route.get(scope["method"])) or self._handler_for(scope, route)
            dialect = handler.dialect
            if scope["query_string"] or HINTS in scope:
                check_query(scope)
            await handler.run(scope, receive, send, request_id)
        except BrokerError as error:
            if TOLD in scope:
                scope[TOLD](error)
            await send_error(send, error, request_id, dialect or _dialect_of(route))
        except Exception:
            log.exception("request %s failed", request_id)
            # Where the head is out already the server refuses a second one; the answer then simply ends.
            await send_error(send, InternalFault(), request_id, dialect)

    def _handler_for(self, scope: Scope, route: Mapping[str, Handler] | None) -> Handler:
        if route is None:
            raise NotFound(f"There is no such API route. {self._way(scope['path'])}")
        if scope["method"] == "HEAD" and "GET" in route:
            return route["GET"]
        allow = ", ".join(sorted({*route, "HEAD"} if "GET" in route else route))
        error = MethodNotAllowed(f"This route takes {allow}.")
        error.headers = ((b"allow", allow.encode()),)
        raise error

    def _is_without_version(self, method: str, path: str) -> bool:
        """Whether a library was given a base URL that lacks its /v1. Pages take no POST, so no page is in question."""
        return method == "POST" and f"/v1{path}" in self._routes

    def _way(self, path: str) -> str:
        """Where a path that is no route was meant to go: base URLs come with a /v1 too many or too few."""
        plain = _SLASHES.sub("/", path).rstrip("/")
        if f"/v1{plain}" in self._routes:
            return f"Did you mean /v1{plain}? The base URL of OpenAI's libraries ends in /v1."
        if plain.startswith("/v1/v1/") and plain[3:] in self._routes:
            return f"Did you mean {plain[3:]}? Anthropic's libraries add /v1 themselves: leave it out of the URL."
        if plain in self._routes:
            return f"Did you mean {plain}?"
        return (
            "The main ones are POST /ai-service, POST /v1/chat/completions, POST /v1/messages, POST /v1/embeddings "
            "and GET /v1/models."
        )

    async def _beside(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Sign-in routes and the portal, under the same checks of the head."""
        send = beside_the_api(send)
        CALLER_ADDRESS.set(client_address(scope, self._trusted))
        try:
            check_head(scope)
        except BrokerError as error:
            await send_error(send, error, new_id("req"), None)
            return
        owner = self._sign_in if path == "/auth" or path.startswith("/auth/") else self._portal
        await owner(scope, receive, send)


def _dialect_of(route: Mapping[str, Handler] | None) -> Dialect | None:
    """In whose words a route says no before it knows which of its methods is meant."""
    return next(iter(route.values())).dialect if route else None


@lru_cache(maxsize=1024)
def is_api_path(path: str) -> bool:
    """Whether `path` (slashes collapsed) belongs to the API. Below the reference, /docs, stand pages to be read."""
    if path.startswith("/docs/"):
        return False
    return any(path == prefix or path.startswith(prefix + "/") for prefix in API_PREFIXES)


def is_management_path(path: str) -> bool:
    """Whether `path` (slashes collapsed) belongs to the API for management, or describes the APIs."""
    return path in ("/api", "/openapi.json", "/docs") or path.startswith("/api/")


def check_head(scope: Scope) -> None:
    """Refuses heads that two parsers could read differently, or that are too large; notes in the scope what later hops
    would else look through all of it for (`HINTS`, `CREDENTIALS`, `LENGTH`).

    Raises:
        HeadersTooLarge: over 16 KiB or 64 headers, or a query over 4 KiB.
        InvalidRequest: no or several hosts, a host that is none, or a body whose length is said twice; the connection
            is closed then, since what follows may not be what its sender meant.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = len(b"".join(chain.from_iterable(headers)))
    found = dict(headers)
    credentials: list[tuple[bytes, bytes]] = []
    scope[CREDENTIALS] = credentials
    if len(found) == len(headers):
        for name in CREDENTIAL_HEADERS.intersection(found):
            credentials.append((name, found[name]))
    else:
        _check_repeated(headers)
        credentials.extend(header for header in headers if header[0] in CREDENTIAL_HEADERS)
    if not _HINTS.isdisjoint(found):
        scope[HINTS] = True
    host, length, coding = found.get(b"host"), found.get(b"content-length"), found.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise _ambiguous(_CODING)
    if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS or len(scope["query_string"]) > MAX_QUERY_BYTES:
        raise HeadersTooLarge("The request's headers are over 16 KiB, or more than 64, or its query is over 4 KiB.")
    if host is None and scope.get("http_version") in ("2", "2.0"):
        host = b"h2"
    if host is None or not _is_host(host):
        raise _ambiguous("The request's Host header is missing or is not a host.")
    if length is not None and coding is not None:
        raise _ambiguous("The request says its length in two ways.")
    scope[LENGTH] = int(length) if length is not None and length.isdigit() else -1


def _check_repeated(headers: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in headers]
    for name, words in _SINGLE.items():
        if names.count(name) > 1:
            raise _ambiguous(words)


@lru_cache(maxsize=1_024)
def _is_host(text: bytes) -> bool:
    return _HOST.fullmatch(text) is not None


def _ambiguous(words: str) -> InvalidRequest:
    error = InvalidRequest(words)
    error.headers = ((b"connection", b"close"),)
    return error


def check_query(scope: Scope) -> None:
    """Refuses credentials and addresses in the query, and addresses in headers.

    Raises:
        InvalidRequest: what was refused is named; its value is not.
    """
    for name, _ in scope["headers"] if HINTS in scope else ():
        if name in _OVERRIDE_HEADERS:
            raise InvalidRequest(f"The header '{name.decode()}' cannot be set by a request.", code="override_refused")
    query: bytes = scope["query_string"]
    if not query:
        return
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        lowered = name.lower().replace("-", "_")
        if lowered in ("key", "api_key", "token", "access_token", "authorization", "x_api_key"):
            raise InvalidRequest(
                "Credentials belong in a header, never in the address: addresses end up in logs.",
                code="credential_in_query",
            )
        if lowered in OVERRIDE_NAMES:
            raise InvalidRequest(f"'{lowered}' cannot be set by a request.", code="override_refused", param=lowered)
