"""A server on the loopback that gives recorded answers: their status, their headers, their bytes."""

import asyncio
from http import HTTPStatus
from typing import Self

from tests.mock.connection import Request, read_request
from tests.replay.traffic import Recording, is_event_stream

_PIECE_BYTES = 700  # cuts a stream at places that no event has anything to do with
# What frames a message is this server's own; the bodies are stored decoded, whatever these headers say.
_NOT_REPLAYED = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection", "keep-alive"})


class ReplayServer:
    """Answers every POST with `current`, and notes what it was asked."""

    def __init__(self) -> None:
        self.current: Recording | None = None
        self.token: Recording | None = None  # what who asks for an access token is given
        self.asked: list[Request] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                self.asked.append(request)
                answer = self.token if request.path == "/token" else self.current
                assert answer is not None
                writer.write(_answer(answer))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def _answer(recording: Recording) -> bytes:
    headers = {name: value for name, value in recording.headers.items() if _is_replayed(name, value)}
    body = recording.body
    if recording.is_stream or is_event_stream(body):
        framing = "transfer-encoding: chunked"
        pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        framing = f"content-length: {len(body)}"
    lines = [f"HTTP/1.1 {recording.status} {_phrase(recording.status)}", framing]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace") + body


def _is_replayed(name: str, value: str) -> bool:
    return name not in _NOT_REPLAYED and "\n" not in value and "\r" not in value


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
