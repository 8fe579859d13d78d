"""A provider that fails in every way that providers fail, before its first byte or after three words.

It speaks OpenAI's wire, and Google's where the way it says when to come again is Google's.
"""

import asyncio
import contextlib
import email.utils
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Place = Literal["before", "after"]
FAULTS = (
    "refuse",
    "hang",
    "reset",
    "stall",
    "401",
    "402",
    "403",
    "429-seconds",
    "429-ms",
    "429-date",
    "429-retry-info",
    "500",
    "503",
    "529",
    "html",
    "bad-json",
    "cut",
    "drip",
)
CRAWLS = "crawl"  # no failure but for who asks for more: the words of a whole answer, ten a second
WAIT_SECONDS = 7
_FOREVER_SECONDS = 60.0
_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
_WORDS = ("the", " gate", " keeps")
_CRAWLED = 12


@dataclass
class FaultyProvider:
    """One provider on loopback. `fault` and `place` say how the next request fails."""

    fault: str = "hang"
    place: Place = "before"
    calls: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
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
                body = await _body_of(reader)
                self.calls += 1
                if self.place == "before":
                    await self._fail_before(writer)
                else:
                    await self._fail_after(writer, body)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _fail_before(self, writer: asyncio.StreamWriter) -> None:
        fault = self.fault
        if fault == "hang":
            await asyncio.sleep(_FOREVER_SECONDS)
        elif fault == "reset":
            _reset(writer)
        elif fault == "stall":
            writer.write(_HEAD.format(kind="text/event-stream").encode())
            await asyncio.sleep(_FOREVER_SECONDS)
        elif fault == "html":
            writer.write((_HEAD.format(kind="text/html") + "<!doctype html><title>Sign in</title>").encode())
        elif fault == "bad-json":
            writer.write((_HEAD.format(kind="application/json") + '{"choices": [{"mess').encode())
        elif fault == "cut":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 900\r\n\r\n")
        elif fault == "drip":
            writer.write(_HEAD.format(kind="text/event-stream").encode())
            await _drip(writer)
        elif fault == CRAWLS:
            writer.write(_HEAD.format(kind="text/event-stream").encode())
            await _crawl(writer)
        else:
            writer.write(_refusal(fault))
        await writer.drain()

    async def _fail_after(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        assert body.get("stream"), "after the first byte there are only streams"
        writer.write(_HEAD.format(kind="text/event-stream").encode())
        for word in _WORDS * (5 if self.fault == CRAWLS else 1):
            writer.write(_chunk(word))
        await writer.drain()
        await asyncio.sleep(0.02)
        fault = self.fault
        if fault in ("refuse", "reset"):
            _reset(writer)
        elif fault in ("hang", "stall"):
            await asyncio.sleep(_FOREVER_SECONDS)
        elif fault == "html":
            writer.write(b"<!doctype html><title>Sign in</title>")
        elif fault == "bad-json":
            writer.write(b'data: {"choices": [{"del\n\n')
        elif fault == "drip":
            await _drip(writer)
        elif fault == CRAWLS:
            await _crawl(writer)
        elif fault != "cut":
            status = int(fault.partition("-")[0])
            said = {"error": {"message": f"scripted {status}", "code": status}}
            writer.write(b"data: " + json.dumps(said).encode() + b"\n\n")
        await writer.drain()


async def _body_of(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
    said: dict[str, Any] = json.loads(await reader.readexactly(length))
    return said


def _chunk(word: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": finish_reason}
    said = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


async def _drip(writer: asyncio.StreamWriter) -> None:
    """Bytes that say nothing, so slowly that no read ever waits long."""
    for byte in b": still here, and here, and here\n\n" * 40:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def _crawl(writer: asyncio.StreamWriter) -> None:
    for _ in range(_CRAWLED):
        writer.write(_chunk(" so"))
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(_chunk("", "stop") + b"data: [DONE]\n\n")


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _refusal(fault: str) -> bytes:
    status, _, how = fault.partition("-")
    said: dict[str, Any] = {"error": {"message": f"scripted {status}", "type": "scripted"}}
    headers = {
        "seconds": f"retry-after: {WAIT_SECONDS}\r\n",
        "ms": f"retry-after-ms: {WAIT_SECONDS * 1000}\r\nretry-after: 1\r\n",
        "date": f"retry-after: {email.utils.formatdate(time.time() + WAIT_SECONDS, usegmt=True)}\r\n",
    }.get(how, "")
    if how == "retry-info":
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{WAIT_SECONDS}.4s"}
        said["error"] |= {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [detail]}
    body = json.dumps(said)
    return (
        f"HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\n{headers}"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
    ).encode()
