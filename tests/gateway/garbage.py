"""What a hostile or broken provider may send: raw answers, and a server that sends them as they are."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

_JSON = "application/json"
_EVENTS = "text/event-stream"
_CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Garbage:
    """One answer, head and all. `is_usage_bad`: the text is fine, its numbers are not."""

    name: str
    raw: bytes
    is_usage_bad: bool = False


class GarbageServer:
    """Answers every POST with `answer`, then closes."""

    def __init__(self) -> None:
        self.answer = b""
        self._server: asyncio.Server | None = None

    @property
    def root_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, StopIteration):
            pass
        finally:
            writer.close()


def _whole(body: bytes, kind: str = _JSON, status: str = "200 OK", extra: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}connection: close\r\n\r\n"
    )
    return head.encode() + body


# Values where an object, a list, a text or a number is due.
_STRANGE = [b"null", b"true", b"-1", b"1e999", b'"text"', b"[]", b"{}", b"[null]", b'{"a": {"b": []}}', b"[[[[]]]]"]
_BODIES: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("a space", b" "),
    *((f"the value {value.decode()}", value) for value in _STRANGE),
    ("cut JSON", b'{"choices": [{"message": {"content": "caf'),
    ("bytes that are not UTF-8", b'{"choices": [{"message": {"content": "caf\xc3\x28 \xff"}}]}'),
    ("UTF-16", '{"choices": []}'.encode("utf-16")),
    ("a byte order mark", b'\xef\xbb\xbf{"choices": []}'),
    ("a web page", b"<!doctype html><title>Bad gateway</title>" + b"<p>sorry</p>" * 500),
    ("XML", b'<?xml version="1.0"?><Error><Code>Throttled</Code></Error>'),
    ("NaN", b'{"choices": NaN, "candidates": NaN, "content": NaN}'),
    ("ten thousand brackets", b"[" * 10_000 + b"]" * 10_000),
    ("a name twice", b'{"choices": [], "choices": 7, "candidates": [], "content": []}'),
    ("two objects", b'{"choices": []}{"choices": []}'),
    ("a number of a million digits", b'{"choices": ' + b"9" * 1_000_000 + b"}"),
    ("NUL bytes", b"\0" * 1000),
    ("an error after 200", b'{"error": {"message": "boom", "type": "server_error", "code": 17}}'),
    ("an error that is a text", b'{"error": "boom"}'),
    ("an error that is a list", b'[{"error": {"code": 503, "message": "boom", "status": "UNAVAILABLE"}}]'),
    ("a FastAPI error", b'{"detail": [{"loc": ["body"], "msg": "boom", "type": "x"}]}'),
]


def _shaped(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Answers of each wire with `value` in one place of it."""
    v = value
    yield "choices", b'{"choices": %b}' % v
    yield "message", b'{"choices": [{"message": %b, "finish_reason": "stop"}]}' % v
    yield "tool_calls", b'{"choices": [{"message": {"content": "a", "tool_calls": %b}, "finish_reason": "stop"}]}' % v
    yield "content", b'{"type": "message", "content": %b, "stop_reason": "end_turn"}' % v
    yield "block", b'{"type": "message", "content": [%b], "stop_reason": "end_turn", "usage": {}}' % v
    yield "candidates", b'{"candidates": %b}' % v
    yield "parts", b'{"candidates": [{"content": {"parts": %b}, "finishReason": "STOP"}]}' % v
    yield "finish", b'{"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": %b}]}' % v


def bodies() -> list[tuple[str, bytes]]:
    """(name, body) of every garbage body: of no wire at all, and of each with something strange in one place."""
    strange = [(f"{place}: {value.decode()}", body) for value in _STRANGE for place, body in _shaped(value)]
    return [*_BODIES, *strange]


def whole_answers() -> list[Garbage]:
    """Answers to a request that wants no stream."""
    found = [Garbage(name, _whole(body)) for name, body in bodies()]
    fine = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}]'
    found += [
        Garbage("an event stream", _whole(b'data: {"choices": []}\n\ndata: [DONE]\n\n', _EVENTS)),
        Garbage("no length and an early end", b"HTTP/1.1 200 OK\r\n\r\n" + fine),
        Garbage("a length that is too long", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + fine + b"}"),
        Garbage("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
        Garbage("a negative length", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        Garbage("length and chunks", _whole(fine + b"}", extra="transfer-encoding: chunked\r\n")),
        Garbage("a chunk size that is none", _CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
        Garbage("an endless chunk size", _CHUNKED + b"f" * 5000),
        Garbage("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n"),
        Garbage("status 000", b"HTTP/1.1 000 ?\r\ncontent-length: 0\r\n\r\n"),
        Garbage("status 1000", b"HTTP/1.1 1000 ?\r\ncontent-length: 0\r\n\r\n"),
        Garbage("status 204", b"HTTP/1.1 204 No Content\r\n\r\n"),
        Garbage("status 418", _whole(b"teapot", "text/plain", "418 Teapot")),
        Garbage("an endless header", b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000),
        Garbage("a header without a name", b"HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 2\r\n\r\n{}"),
        Garbage("said to be compressed", _whole(b"\x1f\x8b garbage", extra="content-encoding: gzip\r\n")),
        Garbage("a thousand interim answers", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    ]
    for number in (b"-5", b'"10"', b"1e308", b"1.5", b"true", b"[]", b"99999999999999999999"):
        usage = b'{"prompt_tokens": %b, "completion_tokens": %b}' % (number, number)
        found.append(Garbage(f"usage of {number.decode()}", _whole(fine + b', "usage": ' + usage + b"}"), True))
    return found


def streams() -> list[Garbage]:
    """Answers to a request that wants a stream."""
    text = b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    found = [Garbage(name, _whole(body, _EVENTS)) for name, body in _BODIES]
    for name, body in bodies():
        if b"\n" not in body and len(body) < 100_000:
            found.append(Garbage(f"an event with {name}", _whole(text + b"data: " + body + b"\n\n", _EVENTS)))
    found += [
        Garbage("a split character that never ends", _whole(text[:-6] + b"\xc3", _EVENTS)),
        Garbage("only comments", _whole(b": still here\n\n" * 50, _EVENTS)),
        Garbage("only a marker", _whole(b"data: [DONE]\n\n", _EVENTS)),
        Garbage("an event of nine megabytes", _whole(b"data: " + b"a" * 9_000_000 + b"\n\n", _EVENTS)),
        Garbage("a line that never ends", _whole(b"data: " + b"a" * 9_000_000, _EVENTS)),
        Garbage("a hundred thousand empty lines", _whole(b"\n" * 100_000, _EVENTS)),
        Garbage("a stream of JSON said to be JSON", _whole(b"[" + text + b"]", _JSON)),
    ]
    return found
