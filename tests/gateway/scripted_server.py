"""A provider on loopback that answers whatever it is told to, and keeps the bytes of what it was asked."""

import asyncio
from dataclasses import dataclass, field
from typing import Self


@dataclass(slots=True)
class Asked:
    """One request as it came: `target` is its path and query, header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers every request with (`status`, `headers`, `body`); a body in pieces is sent in chunks, one by one, each
    but the first when it `may_go_on`. One that `is_cut` ends in the middle of a chunk."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | list[bytes] = b"{}"
    is_cut: bool = False
    may_go_on: asyncio.Event | None = None
    asked: list[Asked] = field(default_factory=list)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def says(self, body: bytes | list[bytes], status: int = 200, **headers: str) -> None:
        """What it answers from now on; `_` in a header's name stands for `-`."""
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")[:-2]
                headers = dict(line.split(": ", 1) for line in lines)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, target, _ = first.split(" ")
                self.asked.append(Asked(method, target, headers, body))
                await self._answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the peer left
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        is_whole = isinstance(self.body, bytes)
        framing = f"content-length: {len(self.body)}" if is_whole else "transfer-encoding: chunked"
        lines = [f"HTTP/1.1 {self.status} X", framing, *(f"{name}: {value}" for name, value in self.headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        if isinstance(self.body, bytes):
            writer.write(self.body)
        else:
            for piece in self.body:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
                if self.may_go_on is not None:
                    await self.may_go_on.wait()
            writer.write(b"9\r\ncut" if self.is_cut else b"0\r\n\r\n")
        await writer.drain()
        if self.is_cut:
            raise ConnectionError
