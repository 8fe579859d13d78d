"""Calls an ASGI app as a server would: one request, its messages, and a client that may leave."""

import asyncio
import contextlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from aiservice.gateway.exchange import AsgiApp


@dataclass
class Reply:
    """What the app sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    is_complete: bool = False

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error in the contract's shape."""
        return str(self.json()["error"]["code"])


async def call(
    app: AsgiApp,
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: object = None,
    headers: Mapping[str, str] | list[tuple[bytes, bytes]] | None = None,
    query: bytes = b"",
    client: tuple[str, int] = ("127.0.0.1", 5000),
    leave_after: bytes | None = None,
    leave_after_seconds: float | None = None,
    reply: Reply | None = None,
) -> Reply:
    """The app's answer. With `leave_after` the client hangs up once those bytes were in what it got, with
    `leave_after_seconds` when that time is over, whatever it got. A `reply` of the caller's is filled as it comes."""
    raw = body if isinstance(body, bytes) else (b"" if body is None else orjson.dumps(body))
    listed = (
        list(headers)
        if isinstance(headers, list)
        else [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    )
    if not any(name == b"host" for name, _ in listed):
        listed.append((b"host", b"127.0.0.1:8000"))
    if key is not None:
        listed.append((b"authorization", f"Bearer {key}".encode()))
    if raw and not any(name in (b"content-length", b"transfer-encoding") for name, _ in listed):
        listed.append((b"content-length", str(len(raw)).encode()))
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": listed,
        "client": client,
        "server": ("127.0.0.1", 8000),
    }
    reply = Reply() if reply is None else reply
    has_left = asyncio.Event()
    to_send = [{"type": "http.request", "body": raw, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if to_send:
            return to_send.pop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(has_left.wait(), leave_after_seconds)
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        reply.body += message.get("body", b"")
        reply.is_complete = not message.get("more_body", False)
        if leave_after is not None and leave_after in reply.body:
            has_left.set()
            await asyncio.sleep(0.01)

    await app(scope, receive, send)
    return reply
