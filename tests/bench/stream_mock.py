"""The stream mock: 24 prepared events over a bare asyncio protocol, each its own write. `python -m … --port N`."""

import argparse
import asyncio
import re
from typing import cast

import uvloop

from tests.bench.fixtures import stream_events

_EVENTS = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events()]
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_wait = re.compile(rb"\(wait-(\d+)\)").search
_length = re.compile(rb"content-length: *(\d+)", re.IGNORECASE).search


class _Streams(asyncio.Protocol):
    """Answers one request after another; reads no more of a request than its length and its pace."""

    def __init__(self) -> None:
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def connection_lost(self, _error: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        length = _length(head)
        if not separator or len(body) < int(length.group(1) if length else 0):
            return
        self._buffer = b""
        pace = _wait(body)
        self._task = asyncio.get_running_loop().create_task(self._play(int(pace.group(1)) / 1000 if pace else 0.0))

    async def _play(self, seconds_per_word: float) -> None:
        assert self._transport is not None
        write = self._transport.write
        write(_HEAD)
        for number, event in enumerate(_EVENTS):
            if seconds_per_word and 0 < number < len(_EVENTS) - 2:
                await asyncio.sleep(seconds_per_word)
            write(event)
        write(b"0\r\n\r\n")


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Streams, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(parser.parse_args().port))
