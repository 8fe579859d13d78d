"""Cohere's stream, held against its whole answers, cut at every byte, and in the forms that were recorded."""

from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers.cohere import PROVIDER
from aiservice.wire import Ask, EventKind, HttpCall, HttpReply, StreamEvent

_CALL = HttpCall("/v2/chat", b'{"model":"m"}')
_USAGE = {
    "billed_units": {"input_tokens": 65, "output_tokens": 63},
    "tokens": {"input_tokens": 508, "output_tokens": 86},
}
_CITATION = {"start": 0, "end": 2, "text": "It", "sources": [], "type": "TEXT_CONTENT", "content_index": 1}


def _event(kind: str, message: Any = None, index: int | None = None, **delta: Any) -> bytes:
    said: Any = {"type": kind}
    if index is not None:
        said["index"] = index
    if message is not None:
        delta["message"] = message
    if delta:
        said["delta"] = delta
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(said) + b"\n\n"


def _tool(index: int, name: str, *arguments: str) -> bytes:
    call = {"id": f"{name}_1", "type": "function", "function": {"name": name, "arguments": ""}}
    pieces = [
        _event("tool-call-delta", {"tool_calls": {"function": {"arguments": piece}}}, index) for piece in arguments
    ]
    return (
        _event("tool-call-start", {"tool_calls": call}, index) + b"".join(pieces) + _event("tool-call-end", index=index)
    )


_START = _event(
    "message-start", {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
)
_SAID = (
    _event("content-start", {"content": {"type": "thinking", "thinking": ""}}, 0)
    + _event("content-delta", {"content": {"thinking": "h"}}, 0)
    + _event("content-delta", {"content": {"thinking": "m"}}, 0)
    + _event("content-end", index=0)
    + _event("content-start", {"content": {"type": "text", "text": ""}}, 1)
    + _event("content-delta", {"content": {"text": "It is "}}, 1)
    + _event("citation-start", {"citations": _CITATION}, 0)
    + _event("citation-end", index=0)
    + _event("content-delta", {"content": {"text": "cold ☃."}}, 1)
    + _event("content-end", index=1)
)
_PLANNED = _event("tool-plan-delta", {"tool_plan": "I "}) + _event("tool-plan-delta", {"tool_plan": "will."})
_CALLS = _tool(0, "f", '{\n    "', 'a": 1}') + _tool(1, "g") + _tool(2, "h", "nu", "ll")
_END = _event("message-end", finish_reason="COMPLETE", usage=_USAGE)
_TEXT_STREAM = _START + _SAID + _END + b"data: [DONE]\n\n"
_TOOL_STREAM = _START + _PLANNED + _CALLS + _event("message-end", finish_reason="TOOL_CALL", usage=_USAGE)


def _read(*chunks: bytes, **asked: Any) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(Ask("chat", "chat", asked, is_stream=True), _CALL)
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return events, reader.is_finished


def _folded(events: list[StreamEvent]) -> Any:
    """The message that the events make, as a client would."""
    message: Any = {"role": "assistant", "content": None}
    calls: list[Any] = []
    for event in events:
        if event.kind is EventKind.TEXT:
            message["content"] = (message["content"] or "") + event.text if event.text else message["content"]
            if event.details:
                message["extra_content"] = event.details
        elif event.kind is EventKind.REASONING:
            message["reasoning_content"] = message.get("reasoning_content", "") + event.text
        elif event.tool_call is not None:
            call = event.tool_call
            if call.index == len(calls):
                calls.append({"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": ""}})
            calls[call.index]["function"]["arguments"] += call.arguments
    return {**message, "tool_calls": calls} if calls else message


def _whole(message: Any, reason: str) -> Any:
    body = {"id": "x", "message": message, "finish_reason": reason, "usage": _USAGE}
    return PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, orjson.dumps(body)))


def test_a_folded_stream_is_the_whole_answer() -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is cold ☃."}]
    whole = _whole({"content": content, "citations": [_CITATION]}, "COMPLETE")
    events, is_finished = _read(_TEXT_STREAM)
    assert _folded(events) == whole.body["choices"][0]["message"]
    assert [event.usage for event in events if event.usage] == [whole.usage]
    assert [event.finish_reason for event in events if event.finish_reason] == ["stop"]
    assert is_finished


def test_a_folded_stream_of_calls_is_the_whole_answer() -> None:
    given_calls = [("f", '{\n    "a": 1}'), ("g", ""), ("h", "null")]
    calls = [{"id": f"{n}_1", "type": "function", "function": {"name": n, "arguments": a}} for n, a in given_calls]
    whole = _whole({"tool_plan": "I will.", "tool_calls": calls}, "TOOL_CALL")
    events, is_finished = _read(_TOOL_STREAM)
    assert _folded(events) == whole.body["choices"][0]["message"]
    assert [event.finish_reason for event in events if event.finish_reason] == ["tool_calls"]
    assert is_finished


def test_who_wants_one_call_at_a_time_is_given_the_first() -> None:
    events, _ = _read(_TOOL_STREAM, parallel_tool_calls=False)
    assert {event.tool_call.index for event in events if event.tool_call} == {0}


def test_a_stream_cut_at_any_byte_before_its_end_never_ends_clean() -> None:
    for stream, end in ((_TEXT_STREAM, _TEXT_STREAM.index(b"data: [DONE]")), (_TOOL_STREAM, len(_TOOL_STREAM))):
        for cut in range(end - 2):
            events, is_finished = _read(stream[:cut])
            assert not is_finished, cut
            assert not [event for event in events if event.kind is EventKind.ERROR], cut
        assert _read(stream[: end - 2])[1]  # only the line ends are missing


@given(st.lists(st.integers(0, len(_TEXT_STREAM)), max_size=6))
def test_a_stream_says_the_same_however_it_is_cut_into_pieces(cuts: list[int]) -> None:
    pieces = [_TEXT_STREAM[a:b] for a, b in pairwise([0, *sorted(cuts), len(_TEXT_STREAM)])]
    assert _read(*pieces) == _read(_TEXT_STREAM)


def test_comments_and_line_ends_of_windows_are_borne() -> None:
    assert _read(_TEXT_STREAM.replace(b"\n\n", b"\n\n: keep-alive\n\n").replace(b"\n", b"\r\n")) == _read(_TEXT_STREAM)


def test_an_end_that_says_error_is_a_failure_after_all_that_was_said() -> None:
    words = "your request resulted in an invalid tool generation."
    events, is_finished = _read(_START + _PLANNED + _event("message-end", finish_reason="ERROR", usage={}, error=words))
    assert [event.kind for event in events] == [EventKind.REASONING, EventKind.REASONING, EventKind.ERROR]
    failure = events[-1].failure
    assert failure is not None
    assert (failure.code, failure.message) == ("provider_failed", f"The provider failed: {words}")
    assert not is_finished


def test_an_error_instead_of_a_stream_is_a_failure() -> None:
    for body in (b'{"id":"a","message":"too many tokens"}', b'data: {"message":"internal server error"}\n\n'):
        events, is_finished = _read(body)
        assert [event.kind for event in events] == [EventKind.ERROR]
        assert not is_finished


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    reader = PROVIDER.reader(Ask("chat", "chat", {}), _CALL)
    events = [event for _ in range(80) for event in reader.feed(b"x" * 65_536)]
    assert [event.kind for event in events] == [EventKind.ERROR]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "text", "tool_calls", "function", "arguments", "citations"]), inner
        )
    ),
    max_leaves=10,
)
_KINDS = ["content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end", "citation-start",
          "message-end", "error", "new"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(_KINDS), _JSON), max_size=5))
def test_any_events_are_read_and_never_an_exception(said: list[Any]) -> None:
    _read(b"".join(_event(kind, message) for kind, message in said))


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    _read(*chunks)
