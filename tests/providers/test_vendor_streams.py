"""Streams as each vendor sends them (wire.md's table, recorded traffic): where usage is, what is between, how they end.

Each says "Hello world" and 3 and 2 tokens. Whatever the habits, the text, one finish reason and the last usage come
out, and no stream that was cut before its finish reason is taken for whole.
"""

from typing import Any

import orjson
import pytest

from aiservice.providers import registry
from aiservice.wire import Ask, EventKind, HttpCall, HttpReply, StreamEvent, Usage

_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_DONE = b"data: [DONE]\n\n"
_BUSY = b": OPENROUTER PROCESSING\n\n"


def _chunk(delta: Any = None, finish: str | None = None, *, choice: Any = None, **more: Any) -> bytes:
    said = {"index": 0, "delta": delta or {}, "finish_reason": finish, **(choice or {})}
    return b"data: " + orjson.dumps({"id": "c", "choices": [said], **more}) + b"\n\n"


def _text(text: str, **more: Any) -> bytes:
    return _chunk({"content": text}, **more)


_ROLE = _chunk({"role": "assistant", "content": ""})
_USAGE_ALONE = b"data: " + orjson.dumps({"id": "c", "choices": [], "usage": _USAGE}) + b"\n\n"
_HALF = {**_USAGE, "completion_tokens": 1, "total_tokens": 4}
# What comes before the finish reason, and from it on.
STREAMS: dict[str, tuple[bytes, bytes]] = {
    "groq": (_ROLE + _text("Hello") + _text(" world"), _chunk({}, "stop", x_groq={"id": "r", "usage": _USAGE}) + _DONE),
    "deepseek": (
        b": keep-alive\n\n" + _ROLE + _text("Hello", usage=None) + b": keep-alive\n\n" + _text(" world", usage=None),
        _chunk({"content": ""}, "stop", usage=_USAGE) + _DONE,
    ),
    "xai": (
        _chunk({"role": "assistant", "reasoning_content": "hm"}) + _text("Hello world"),
        _chunk({}, "stop") + _USAGE_ALONE + _DONE,
    ),
    "openrouter": (
        _BUSY * 3 + _text("Hello", provider="X") + _BUSY + _text(" world"),
        _chunk({"content": ""}, "stop", choice={"native_finish_reason": "end_turn"})
        + _chunk({"content": ""}, "stop", usage={**_USAGE, "cost": 0.00001})
        + _DONE,
    ),
    "perplexity": (
        _text("Hello", usage=_HALF, choice={"message": {"role": "assistant", "content": "Hello"}}),
        _chunk({"content": " world"}, "stop", usage=_USAGE, object="chat.completion.done", citations=["https://x"]),
    ),
    "together": (
        _text("Hello", choice={"text": "Hello", "seed": None}) + _text(" world", choice={"text": " world"}),
        _chunk({"content": "", "token_id": 2}, "eos", choice={"seed": 1395002666759424000}, usage=_USAGE) + _DONE,
    ),
    "mistral": (
        _chunk({"role": "assistant", "content": ""}, p="abc") + _text("Hello", p="abcdef"),
        _chunk({"content": " world"}, "stop", usage=_USAGE, p="a") + _DONE,
    ),
    "ollama-openai": (
        _chunk({"role": "assistant", "content": "", "reasoning": "hm"})
        + _chunk({"role": "assistant", "content": "Hello"}),
        _chunk({"role": "assistant", "content": " world"}, "stop") + _USAGE_ALONE + _DONE,
    ),
    "vllm": (_ROLE + _text("Hello world", choice={"stop_reason": None}), _chunk({}, "stop") + _USAGE_ALONE + _DONE),
    "gpustack": (_text("Hello", usage=None) + _text(" world", usage=None), _chunk({}, "stop", usage=_USAGE)),
    "snowflake": (_text("Hello world"), _USAGE_ALONE + _DONE),
}


def _read(kind: str, *chunks: bytes) -> tuple[list[StreamEvent], bool]:
    ask = Ask("chat", "chat", {"messages": []}, is_stream=True)
    reader = registry()[kind].reader(ask, HttpCall("/chat/completions", b"{}"))
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return events, reader.is_finished


def _told(events: list[StreamEvent]) -> tuple[str, list[Any], Usage | None]:
    text = "".join(event.text for event in events if event.kind is EventKind.TEXT)
    usages = [event.usage for event in events if event.usage]
    return text, [event.finish_reason for event in events if event.finish_reason], usages[-1] if usages else None


@pytest.mark.parametrize("kind", sorted(STREAMS))
@pytest.mark.parametrize("is_crlf", [False, True])
def test_a_vendors_stream_is_its_text_one_finish_reason_and_its_last_usage(kind: str, is_crlf: bool) -> None:
    stream = b"".join(STREAMS[kind])
    stream = stream.replace(b"\n", b"\r\n") if is_crlf else stream
    for size in (len(stream), 7):
        events, is_finished = _read(kind, *(stream[at : at + size] for at in range(0, len(stream), size)))
        assert _told(events) == ("Hello world", ["stop"], Usage(3, 2))
        assert is_finished
        assert [event for event in events if event.kind is EventKind.ERROR] == []


@pytest.mark.parametrize("kind", sorted(STREAMS))
def test_a_vendors_stream_that_is_cut_before_its_end_is_never_whole(kind: str) -> None:
    before, end = STREAMS[kind]
    for cut in range(len(before) + 1):
        assert not _read(kind, before[:cut])[1], cut
    assert _read(kind, before + end)[1]


@pytest.mark.parametrize("kind", sorted(STREAMS))
def test_an_error_in_a_vendors_stream_ends_it_as_one(kind: str) -> None:
    errors = (
        b'data: {"error": {"message": "overloaded", "code": 503}}\n\n',
        b'data: {"object": "error", "message": "boom", "type": "InternalServerError", "code": 500}\n\n',
        b'event: error\ndata: {"error": {"message": "x", "status_code": 400, "code": "tool_use_failed"}}\n\n',
        _chunk({}, None, error={"code": 400, "message": "Token limit reached"}),
        _chunk({}, "error"),
    )
    for error in errors:
        events, is_finished = _read(kind, STREAMS[kind][0], error, _DONE)
        assert events[-1].kind is EventKind.ERROR
        assert not is_finished


def test_a_body_may_begin_with_the_empty_lines_that_kept_its_connection() -> None:
    said = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}], "usage": _USAGE}
    reply = HttpReply(200, {}, b"\n\n\n" + orjson.dumps(said))
    answer = registry()["deepseek"].read(Ask("chat", "chat", {}), HttpCall("/chat/completions", b"{}"), reply)
    assert answer.usage == Usage(3, 2)
