"""Reads a stream of Anthropic's events as their grammar demands, and fails where it breaks it."""

from dataclasses import dataclass, field
from typing import Any

import orjson

Json = dict[str, Any]

_DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set[str](),
}


@dataclass
class Message:
    """What a client has when the stream is over."""

    start: Json = field(default_factory=dict)
    content: list[Json] = field(default_factory=list)
    delta: Json = field(default_factory=dict)
    usage: Json = field(default_factory=dict)
    is_stopped: bool = False
    pings: int = 0
    error: Json | None = None


def read_stream(raw: bytes) -> Message:
    """The message of a whole stream; every event is in its place, or an assertion fails."""
    message = Message()
    is_open = False
    assert raw == b"" or raw.endswith(b"\n\n")
    for frame in raw.decode().split("\n\n")[:-1]:
        head, data = frame.split("\n")
        event = orjson.loads(data.removeprefix("data: "))
        name = head.removeprefix("event: ")
        assert name == event["type"]
        assert not message.is_stopped
        assert message.error is None
        if name == "ping":
            message.pings += 1
        elif name == "error":
            message.error = event
        elif name == "message_start":
            assert not message.start
            message.start = event["message"]
        else:
            assert message.start
            is_open = _take(message, event, is_open=is_open)
    return message


def _take(message: Message, event: Json, *, is_open: bool) -> bool:
    """Takes one event behind message_start; whether a block is open after it."""
    kind, content = event["type"], message.content
    if kind.startswith("content_block"):
        assert not message.delta
    if kind == "content_block_start":
        assert not is_open
        assert event["index"] == len(content)
        block = event["content_block"]
        content.append({**block, "input": ""} if block["type"] == "tool_use" else dict(block))
        return True
    if kind == "content_block_delta":
        assert is_open
        assert event["index"] == len(content) - 1
        _add(content[-1], event["delta"])
        return True
    if kind == "content_block_stop":
        assert is_open
        assert event["index"] == len(content) - 1
        return False
    assert not is_open
    if kind == "message_delta":
        assert not message.delta
        message.delta, message.usage = event["delta"], event["usage"]
    else:
        assert kind == "message_stop"
        assert message.delta
        message.is_stopped = True
    return False


def _add(block: Json, delta: Json) -> None:
    assert delta["type"] in _DELTAS[block["type"]]
    if delta["type"] == "signature_delta":
        assert block["signature"] == "", "clients keep the last piece of a signature only"
        block["signature"] = delta["signature"]
    elif delta["type"] == "input_json_delta":
        block["input"] += delta["partial_json"]
    else:
        assert not block.get("signature"), "a signature closes its thought"
        block[block["type"]] += delta[block["type"]]
