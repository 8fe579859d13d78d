"""The yardstick: the least a gateway on Granian and pyreqwest can do. No ledger, no limits, no error handling."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
from pyreqwest.client import Client, ClientBuilder

from tests.bench.fixtures import CLIENT_KEY, UPSTREAM_KEY

Message = MutableMapping[str, Any]
_KEYS = {f"Bearer sk-other-{number}".encode(): number for number in range(10_000)} | {
    f"Bearer {CLIENT_KEY}".encode(): 0
}
_AUTHORIZATION = f"Bearer {UPSTREAM_KEY}"


class Forwarder:
    """Plain ASGI. The client opens with the first request: a pyreqwest client built before Granian forks would hang."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._whole_url = os.environ.get("BENCH_WHOLE_URL", "")
        self._stream_url = os.environ.get("BENCH_STREAM_URL", "")

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/readyz":
            await _whole(send, 200, b"ok")
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        if dict(scope["headers"]).get(b"authorization") not in _KEYS:
            await _whole(send, 401, b"{}")
            return
        if self._client is None:
            self._client = ClientBuilder().no_proxy().follow_redirects(False).http1_only().build()
        if orjson.loads(body).get("stream"):
            await self._stream(self._client, body, send)
        else:
            request = self._client.post(self._whole_url).header("authorization", _AUTHORIZATION)
            reply = await request.header("content-type", "application/json").body_bytes(body).build().send()
            await _whole(send, reply.status, bytes(await reply.bytes()))

    async def _stream(self, client: Client, body: bytes, send: Callable[[Message], Awaitable[None]]) -> None:
        request = client.post(self._stream_url).header("authorization", _AUTHORIZATION).body_bytes(body)
        request = request.header("content-type", "application/json").streamed_read_buffer_limit(0)
        async with request.build_streamed() as reply:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            while (chunk := await reply.body_reader.read_chunk()) is not None:
                await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
            await send({"type": "http.response.body", "body": b""})


async def _whole(send: Callable[[Message], Awaitable[None]], status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Forwarder()
