"""Serves an app below a path of its own, whether the proxy in front has taken that path off or passed it on."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class UnderPath:
    """Takes `prefix` ("/ai", no slash at its end) off every request, and puts it before what answers point to.

    A request for the prefix alone is sent on to its root: links that are relative would else leave it.
    """

    def __init__(self, prefix: str, app: Asgi) -> None:
        self._prefix = prefix
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path == self._prefix and scope["type"] == "http":
            await _go_to(send, f"{self._prefix}/")
            return
        if path.startswith(f"{self._prefix}/"):
            inner = path[len(self._prefix) :]
            scope = {**scope, "path": inner, "raw_path": inner.encode()}
        await self._app(scope, receive, self._pointing(send))

    def _pointing(self, send: Send) -> Send:
        def pointed(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [self._placed(*header) for header in message.get("headers", ())]}
            return send(message)

        return pointed

    def _placed(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        start = {b"location": b"/", b"link": b"</"}.get(name)
        own = self._prefix.encode()
        if start is None or not value.startswith(start) or value.startswith((b"//", start[:-1] + own + b"/")):
            return name, value
        return name, start[:-1] + own + value[len(start) - 1 :]


async def _go_to(send: Send, where: str) -> None:
    headers = [(b"location", where.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
