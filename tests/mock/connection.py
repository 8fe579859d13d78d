"""HTTP/1.1 as bytes: what a test of broken answers needs and a framework would not let through."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tests.mock.script import Json

_LIMIT = 64 * 1024 * 1024


@dataclass(slots=True, frozen=True)
class Request:
    """One request; header names are lower case, `body` is the parsed JSON (None where there is none), `query` what
    stands behind the path."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    query: str = ""

    @property
    def key(self) -> str:
        """The credential, in whichever header a wire puts it."""
        headers = self.headers
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return headers.get("x-api-key") or headers.get("x-goog-api-key") or bearer


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a kept connection; None where the peer closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _version = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = await _read_chunked(reader)
    else:
        content = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = path.partition("?")
    return Request(method, path, headers, _parsed(content), query)


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return {"unreadable": content.decode("latin-1")}


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        content += await reader.readexactly(size)
        await reader.readline()
        if len(content) > _LIMIT:
            raise ConnectionError("request body over the mock's limit")
    await reader.readline()
    return content


class Reply:
    """Writes one answer, whole or in chunks, honestly or not. `cut_at` ends the connection before that byte of it
    (head included). `extra` are headers of every answer."""

    def __init__(self, writer: asyncio.StreamWriter, *, seconds_per_byte: float = 0, cut_at: int | None = None) -> None:
        self._writer = writer
        self._seconds_per_byte = seconds_per_byte
        self._bytes_left = cut_at
        self.extra: dict[str, str] = {}
        self._is_chunked = True
        self.is_kept_alive = True

    async def whole(self, status: int, body: Json | bytes, *, kind: str = "application/json", **extra: str) -> None:
        """Status, headers and body in one write. Underscores in the names of `extra` become hyphens."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self._send(_head(status, kind, self.extra | extra, f"content-length: {len(content)}") + content)

    async def cut(self, body: Json, share: float = 0.5) -> None:
        """A 200 that promises more bytes than it gives, then the end of the connection."""
        content = json.dumps(body).encode()
        head = _head(200, "application/json", {}, f"content-length: {len(content)}")
        await self._send(head + content[: int(len(content) * share)])
        self.is_kept_alive = False

    async def start(self, *, is_chunked: bool = True, **extra: str) -> None:
        """Headers of an event stream; not chunked means that only the connection's end marks the answer's."""
        self._is_chunked = is_chunked
        framing = "transfer-encoding: chunked" if is_chunked else "connection: close"
        self.is_kept_alive = is_chunked
        await self._send(_head(200, "text/event-stream", self.extra | extra, framing))

    async def raw(self, content: bytes) -> None:
        """Some bytes of the body; nothing where there are none (an empty chunk would end it)."""
        if content:
            await self._send(b"%x\r\n%b\r\n" % (len(content), content) if self._is_chunked else content)

    async def half_chunk(self) -> None:
        """The beginning of a chunk whose rest never comes."""
        await self._send(b'40\r\ndata: {"id"')
        self.is_kept_alive = False

    async def finish(self) -> None:
        if self._is_chunked:
            await self._send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self.is_kept_alive = False

    async def _send(self, content: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client left")
        if self._bytes_left is not None:
            content = content[: self._bytes_left]
            self._bytes_left -= len(content)
            if self._bytes_left == 0:
                self.is_kept_alive = False
                self._writer.write(content)
                self._writer.close()
                raise ConnectionResetError("cut here")
        if not self._seconds_per_byte:
            self._writer.write(content)
            await self._writer.drain()
            return
        for byte in content:
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(self._seconds_per_byte)
            if self._writer.is_closing():
                raise ConnectionResetError("the client left")


def _head(status: int, kind: str, extra: dict[str, str], framing: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}", f"content-type: {kind}", framing]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in extra.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _phrase(status: int) -> str:
    """A status's words; Anthropic's 529 has none of its own."""
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
