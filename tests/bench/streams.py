"""The stream client: N connections that read streams event by event. A process of its own; prints one JSON line."""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field

import uvloop

from tests.bench.fixtures import (
    MESSAGES_EVENTS,
    PATHS,
    STREAM_EVENTS,
    STREAM_MODEL,
    Wire,
    messages_body,
    request_body,
)

# By wire: how many events a whole stream has, and what its last one ends in.
_WHOLE: dict[Wire, tuple[int, bytes]] = {
    "chat": (STREAM_EVENTS, b"data: [DONE]"),
    "messages": (MESSAGES_EVENTS, b'{"type":"message_stop"}'),
}


@dataclass(slots=True)
class _Seen:
    finished: int = 0
    errors: int = 0
    first_bytes: list[float] = field(default_factory=list)
    problem: str = ""


class _Client:
    """One connection; raw, so that what is timed is the target and not a client library."""

    def __init__(self, port: int, request: bytes, wire: Wire, seen: _Seen) -> None:
        self._address = ("127.0.0.1", port)
        self._events, self._end = _WHOLE[wire]
        self._request = request
        self._seen = seen
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, until: float) -> None:
        while time.monotonic() < until:
            try:
                await self._one()
            except (OSError, EOFError, ValueError) as error:
                self._seen.errors += 1
                self._seen.problem = repr(error)
                self._streams = None

    async def _one(self) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        started = time.perf_counter()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise ValueError(head[:80])
        text = await self._chunks(reader, started)
        if text.count(b"data: ") != self._events or not text.rstrip().endswith(self._end):
            raise ValueError(text[-200:])
        self._seen.finished += 1

    async def _chunks(self, reader: asyncio.StreamReader, started: float) -> bytes:
        text = b""
        while size := int(await reader.readline(), 16):
            if not text:
                self._seen.first_bytes.append((time.perf_counter() - started) * 1000)
            text += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return text


async def _run(arguments: argparse.Namespace) -> None:
    wire: Wire = arguments.wire
    made = request_body if wire == "chat" else messages_body
    body = made(model=arguments.model, is_stream=True, wait_ms=arguments.wait_ms)
    head = f"POST {PATHS[wire]} HTTP/1.1\r\nhost: 127.0.0.1:{arguments.port}\r\n"
    head += f"authorization: Bearer {arguments.key}\r\ncontent-type: application/json\r\n"
    if arguments.cache_control:
        head += f"cache-control: {arguments.cache_control}\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    seen = _Seen()
    clients = [_Client(arguments.port, head.encode() + body, wire, seen) for _ in range(arguments.connections)]
    started = time.monotonic()
    await asyncio.gather(*(client.run(started + arguments.seconds) for client in clients))
    times = sorted(seen.first_bytes) or [0.0]
    print(
        json.dumps(
            {
                "finished": seen.finished,
                "errors": seen.errors,
                "problem": seen.problem,
                "per_second": seen.finished / (time.monotonic() - started),
                "first_byte_p50_ms": times[len(times) // 2],
                "first_byte_p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)],
            }
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--model", default=STREAM_MODEL)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--wait-ms", type=int, default=0)
    parser.add_argument("--cache-control", default="")
    parser.add_argument("--wire", choices=list(PATHS), default="chat")
    uvloop.run(_run(parser.parse_args()))
