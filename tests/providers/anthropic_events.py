"""Streams of Anthropic's, written by hand, and what is read of them."""

from typing import Any

import orjson

from aiservice.providers._base import StreamReader
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask, HttpCall, StreamEvent

BODY: dict[str, Any] = {"messages": []}
CALL = HttpCall("/v1/messages", b"{}")
START = {
    "type": "message_start",
    "message": {"id": "m", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def frame(event: Any, padding: int = 0) -> bytes:
    name = event["type"].encode() if isinstance(event, dict) and isinstance(event.get("type"), str) else b"x"
    data = orjson.dumps(event)
    return b"event: " + name + b"\ndata: " + data[:-1] + b" " * padding + data[-1:] + b"\n\n"


def begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def text(text: str, index: int = 0) -> dict[str, Any]:
    return delta(index, type="text_delta", text=text)


def end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def finish(reason: str | None, output: int = 5, **fields: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": {"output_tokens": output}}


def reader_of(*, is_native: bool = False, **body: Any) -> StreamReader:
    ask = Ask("chat", "chat", {**BODY, **body}, is_stream=True)
    if is_native:
        ask.wire, ask.native = MESSAGES_WIRE, {}
    return PROVIDER.reader(ask, CALL)


def read_all(*events: Any, is_native: bool = False, **body: Any) -> tuple[list[StreamEvent], bool]:
    reader = reader_of(is_native=is_native, **body)
    found = [event for given in events for event in reader.feed(given if isinstance(given, bytes) else frame(given))]
    return found + reader.end(), reader.is_finished


def kinds(events: list[StreamEvent]) -> list[str]:
    return [event.kind.value for event in events]


HELLO = (
    START,
    begin(0, type="text", text=""),
    PING,
    text("Hel"),
    text("lo"),
    end(0),
    finish("end_turn"),
    STOP,
)
