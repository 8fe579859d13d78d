"""What stands between the network and Reflex: caching, the browser's policy, closed doors, plain JSON 404s.

Reflex's own server answers with redirects, no cache headers and no policy, and opens routes that we do not use. This
callable corrects all of it without touching Reflex, and passes on only pages, assets and the event socket.
"""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from aiservice.errors import BrokerError, MethodNotAllowed, NotFound
from aiservice.kit.addresses import client_address, is_https, site_of
from aiservice.kit.ids import new_id
from aiservice.portal.bundle import BACKEND_SEGMENTS
from aiservice.portal.policy import BrowserPolicy
from aiservice.portal.session.cookie import read_session_cookie
from aiservice.portal.session.same_origin import is_same_origin
from aiservice.portal.session.socket_pace import SocketPace
from aiservice.settings import Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

SOCKET_PATH = "/_event"
_FOREVER = b"public, max-age=31536000, immutable"
_BRIEFLY = b"public, max-age=3600"
_REVALIDATED = b"no-cache"
_FORWARDED = (b"x-forwarded-proto", b"x-forwarded-host")
_NEVER = b"no-store"

_SERVER = (b"server", b"aiservice")  # else the HTTP server names itself


class Front:
    """ASGI in front of Reflex.

    `settings` is asked for when a request comes, since the services open after this object is made. `docs` answers for
    the documentation, which stands beside the pages.
    """

    def __init__(
        self, reflex: Asgi, *, policy: BrowserPolicy, settings: Callable[[], Settings], docs: Asgi | None = None
    ) -> None:
        self._reflex = reflex
        self._docs = docs
        self._policy = policy
        self._settings = settings
        self._pace = SocketPace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._reflex(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _collapsed(scope["path"])
        if self._docs is not None and _is_docs(path):
            await self._docs({**scope, "path": path}, receive, send)
        elif _is_backend(path):
            await _refuse(scope, send, NotFound())
        elif scope["method"] not in ("GET", "HEAD"):
            await _refuse(scope, send, MethodNotAllowed(f"Pages take GET and HEAD, not {scope['method']}."))
        else:
            served = _page_path(path)
            inside = self._settings().public_path + served  # what Reflex serves a page under
            inner = {**scope, "path": inside, "raw_path": inside.encode()}
            await self._reflex(inner, receive, self._with_headers(scope, served, send))

    def _with_headers(self, scope: Scope, path: str, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", ()) if not _is_replaced(name)]
                content_type = next((value for name, value in kept if name == b"content-type"), b"")
                is_page = content_type.startswith(b"text/html") or (message["status"] == 304 and path.endswith("/"))
                route = path if message["status"] != 404 else None
                extra = self._policy.headers(
                    route, host=_header(scope, b"host") or "", is_https=self._is_https(scope), is_page=is_page
                )
                caching = _NEVER if is_page else _cache_control(path, message["status"])
                message = {**message, "headers": [*kept, (b"cache-control", caching), _SERVER, *extra]}
            await send(message)

        return send_with_headers

    def _is_https(self, scope: Scope) -> bool:
        return is_https(scope, self._settings().trusted_proxies)

    def _is_same_origin(self, scope: Scope) -> bool:
        public_url = self._settings().public_url
        return is_same_origin(scope["headers"], is_https=self._is_https(scope), public_url=public_url)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _header(scope, b"origin")
        if scope["path"].rstrip("/") != SOCKET_PATH or not self._is_same_origin(scope):
            await _refuse_socket(receive, send)
            return
        session = read_session_cookie(scope["headers"])
        query = _query_bound_to_session(scope["query_string"], session)
        headers = [(name, value) for name, value in scope["headers"] if name not in _FORWARDED]
        if origin is not None:
            # The socket library compares the Origin again, with what it takes from these two headers.
            scheme, _, host = origin.partition("://")
            headers += [(b"x-forwarded-proto", scheme.encode()), (b"x-forwarded-host", host.encode())]
        address = site_of(client_address(scope, self._settings().trusted_proxies))
        with self._pace.opened(receive, session=session or "", address=address) as paced:
            if paced is None:
                log.warning("a page's socket is refused: %s, or its session, has too many open", address)
                await _refuse_socket(receive, send)
            else:
                await self._reflex({**scope, "query_string": query, "headers": headers}, paced, send)


def _query_bound_to_session(query_string: bytes, cookie: str | None) -> bytes:
    """The socket's query with Reflex's client token replaced by a hash of it and the session cookie.

    Reflex finds a browser tab's state by a token that the tab chooses itself and that travels in URLs. Bound to the
    cookie, someone else's token leads to an empty state of one's own.
    """
    pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    bound = [(name, _bound_token(value, cookie) if name == "token" else value) for name, value in pairs]
    return urlencode(bound).encode()


def _bound_token(token: str, cookie: str | None) -> str:
    return hashlib.sha256(f"{cookie or ''}\0{token}".encode()).hexdigest()


def _collapsed(path: str) -> str:
    return re.sub(r"/{2,}", "/", path)


def _is_backend(path: str) -> bool:
    return path.split("/", 2)[1] in BACKEND_SEGMENTS if path.startswith("/") else True


def _is_docs(path: str) -> bool:
    return path.startswith("/docs/") or path in ("/llms.txt", "/llms-full.txt")


def _page_path(path: str) -> str:
    """A page's path with a slash at its end, so that the static files answer it instead of redirecting to it."""
    last = path.rsplit("/", 1)[-1]
    return path + "/" if last and "." not in last else path


def _cache_control(path: str, status: int) -> bytes:
    if status not in (200, 304):
        return _NEVER
    if path.startswith("/assets/"):
        return _FOREVER
    return _BRIEFLY if path in ("/favicon.ico", "/favicon.svg") else _REVALIDATED


def _is_replaced(name: bytes) -> bool:
    """Headers of Reflex's that do not leave: its caching, and what its CORS middleware says to every origin."""
    return name == b"cache-control" or name.startswith(b"access-control-")


def _header(scope: Scope, wanted: bytes) -> str | None:
    """A header's value; None when it is absent, or given more than once (which no browser does)."""
    found = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
    return found[0] if len(found) == 1 else None


async def _refuse_socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})  # before the handshake is accepted: 403


async def _refuse(scope: Scope, send: Send, error: BrokerError) -> None:
    request_id = new_id("req")
    body = orjson.dumps(error.body(request_id))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", _NEVER),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
