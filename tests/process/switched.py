"""A provider on loopback that is well, says 503, hangs or is not there, as a test wants it at the moment."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["well", "503", "hang"]
_SECONDS = 0.02  # what an answer takes
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}
_USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}
_ANSWER = json.dumps(
    {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_CHOICE], "usage": _USAGE}
)
_REFUSAL = json.dumps({"error": {"message": "scripted", "type": "server_error"}})


@dataclass
class SwitchedProvider:
    """Speaks OpenAI's wire, whole answers alone. `arrivals` are when requests came, by the monotonic clock."""

    mode: Mode = "well"
    port: int = 0
    arrivals: list[float] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Its port refuses from now on; what was under way is lost."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                    length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
                    await reader.readexactly(length)
                    self.arrivals.append(time.monotonic())
                    await self._answer(writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        mode = self.mode
        if mode == "hang":
            while self.mode == "hang":
                await asyncio.sleep(0.2)
            writer.transport.abort()
            return
        await asyncio.sleep(_SECONDS)
        status, body = ("200 OK", _ANSWER) if mode == "well" else ("503 Scripted", _REFUSAL)
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        await writer.drain()
