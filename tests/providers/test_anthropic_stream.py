"""Anthropic's streams: every event, every cut, and the same answer as whole (the samples are written by hand)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import StreamReader
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask, EventKind, HttpCall, HttpReply, StreamEvent, Usage

_BODY: dict[str, Any] = {"messages": []}
_CALL = HttpCall("/v1/messages", b"{}")
_START = {
    "type": "message_start",
    "message": {"id": "m", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}},
}
_STOP = {"type": "message_stop"}
_PING = {"type": "ping"}


def _frame(event: Any, padding: int = 0) -> bytes:
    name = event["type"].encode() if isinstance(event, dict) and isinstance(event.get("type"), str) else b"x"
    data = orjson.dumps(event)
    return b"event: " + name + b"\ndata: " + data[:-1] + b" " * padding + data[-1:] + b"\n\n"


def _begin(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _text(text: str, index: int = 0) -> dict[str, Any]:
    return _delta(index, type="text_delta", text=text)


def _end(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def _finish(reason: str | None, output: int = 5, **fields: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": {"output_tokens": output}}


def _reader(*, is_native: bool = False, **body: Any) -> StreamReader:
    ask = Ask("chat", "chat", {**_BODY, **body}, is_stream=True)
    if is_native:
        ask.wire, ask.native = MESSAGES_WIRE, {}
    return PROVIDER.reader(ask, _CALL)


def _read(*events: Any, is_native: bool = False, **body: Any) -> tuple[list[StreamEvent], bool]:
    reader = _reader(is_native=is_native, **body)
    found = [event for given in events for event in reader.feed(given if isinstance(given, bytes) else _frame(given))]
    return found + reader.end(), reader.is_finished


def _kinds(events: list[StreamEvent]) -> list[str]:
    return [event.kind.value for event in events]


_HELLO = (
    _START,
    _begin(0, type="text", text=""),
    _PING,
    _text("Hel"),
    _text("lo"),
    _end(0),
    _finish("end_turn"),
    _STOP,
)


def test_a_stream_gives_text_finish_and_usage() -> None:
    events, is_finished = _read(*_HELLO)
    assert _kinds(events) == ["usage", "text", "text", "finish", "usage", "end"]
    assert (events[1].text + events[2].text, events[3].finish_reason, is_finished) == ("Hello", "stop", True)
    assert (events[0].usage, events[4].usage) == (Usage(9, 1), Usage(9, 5))
    assert all(event.frame is None for event in events)


def test_padding_inside_the_line_is_nothing() -> None:
    assert _read(*(_frame(event, padding=9) for event in _HELLO)) == _read(*_HELLO)


def test_a_client_of_this_wire_gets_every_byte() -> None:
    strange = {"type": "message_thought", "x": 1}
    sent = [_frame(event, padding=3) for event in (*_HELLO[:4], strange, *_HELLO[4:])]
    events, _ = _read(*sent, is_native=True)
    assert b"".join(event.frame for event in events if event.frame) == b"".join(sent)
    assert events[-1].kind is EventKind.END


def test_without_its_last_event_no_stream_is_whole() -> None:
    for length in range(len(_HELLO)):
        assert not _read(*_HELLO[:length])[1]


def test_every_cut_of_a_stream_is_seen_as_a_cut() -> None:
    stream = b"".join(map(_frame, _HELLO))
    for cut in range(len(stream) - 2):
        assert not _read(stream[:cut])[1], cut
    assert _read(stream)[1]


def test_nothing_is_given_out_before_something_is_said() -> None:
    reader = _reader()
    assert [reader.feed(_frame(event)) for event in _HELLO[:3]] == [[], [], []]
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    (event,) = reader.feed(_frame(overloaded))
    assert event.failure is not None
    assert (event.kind, event.failure.code, event.failure.upstream_status) == (
        EventKind.ERROR,
        "provider_overloaded",
        529,
    )


def test_a_model_that_thinks_in_silence_is_at_work() -> None:
    reader = _reader()
    begun = [reader.feed(_frame(event)) for event in (_START, _PING, _begin(0, type="thinking", thinking=""))]
    assert [_kinds(events) for events in begun] == [[], [], ["usage", "reasoning"]]
    assert _kinds(reader.feed(_frame(_PING))) == ["reasoning"]
    reader.feed(_frame(_delta(0, type="signature_delta", signature="sig")) + _frame(_end(0)))
    assert reader.feed(_frame(_PING)) == []


def test_an_error_in_the_middle_ends_the_stream() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    events, is_finished = _read(*_HELLO[:5], error, *_HELLO[5:])
    assert _kinds(events) == ["usage", "text", "text", "error"]
    assert not is_finished


@pytest.mark.parametrize(
    "frame",
    [b"data: nothing\n\n", b"data: [1]\n\n", b'event: error\ndata: {"message": "x"}\n\n', b'data: {"error": "x"}\n\n'],
)
def test_what_is_no_event_ends_the_stream_as_an_error(frame: bytes) -> None:
    events, is_finished = _read(*_HELLO[:4], frame, _STOP)
    assert (events[-1].kind, is_finished) == (EventKind.ERROR, False)


def test_a_plain_error_instead_of_a_stream_is_that_error() -> None:
    events, _ = _read(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}')
    assert events[0].failure is not None
    assert events[0].failure.code == "provider_quota_exhausted"
    events, _ = _read(b"<html></html>")
    assert events[0].failure is not None
    assert events[0].failure.code == "provider_invalid_answer"


def test_calls_are_numbered_from_zero_whatever_blocks_stand_before_them() -> None:
    events, _ = _read(
        _START,
        _begin(0, type="text", text=""),
        _text("Let me see."),
        _end(0),
        _begin(1, type="server_tool_use", id="s", name="web_search", input={}),
        _delta(1, type="input_json_delta", partial_json='{"q":1}'),
        _end(1),
        _begin(2, type="tool_use", id="toolu_1", name="f", input={}),
        _delta(2, type="input_json_delta", partial_json=""),
        _delta(2, type="input_json_delta", partial_json='{"a":'),
        _delta(2, type="input_json_delta", partial_json="1}"),
        _end(2),
        _begin(3, type="tool_use", id="toolu_2", name="g", input={}),
        _delta(3, type="input_json_delta", partial_json=""),
        _end(3),
        _finish("tool_use"),
        _STOP,
    )
    calls = [event.tool_call for event in events if event.tool_call]
    assert [(call.index, call.call_id, call.name, call.arguments) for call in calls] == [
        (0, "toolu_1", "f", ""),
        (0, None, None, '{"a":'),
        (0, None, None, "1}"),
        (1, "toolu_2", "g", ""),
        (1, None, None, "{}"),
    ]
    assert next(event for event in events if event.finish_reason).finish_reason == "tool_calls"


def test_arguments_that_come_whole_at_the_start_are_taken() -> None:
    events, _ = _read(
        _START, _begin(0, type="tool_use", id="t", name="f", input={"a": 1}), _end(0), _finish("tool_use"), _STOP
    )
    assert "".join(event.tool_call.arguments for event in events if event.tool_call) == '{"a":1}'


def test_thinking_comes_with_its_state() -> None:
    events, _ = _read(
        _START,
        _begin(0, type="thinking", thinking="", signature=""),
        _delta(0, type="thinking_delta", thinking="hm"),
        _delta(0, type="signature_delta", signature="sig"),
        _end(0),
        _begin(1, type="redacted_thinking", data="abc"),
        _end(1),
        *_HELLO[1:],
    )
    thoughts = [(event.text, event.details) for event in events if event.details]
    form = "anthropic-claude-v1"
    assert thoughts == [
        ("hm", {"type": "reasoning.text", "text": "hm", "format": form, "index": 0}),
        ("", {"type": "reasoning.text", "text": "", "format": form, "index": 0, "signature": "sig"}),
        ("", {"type": "reasoning.encrypted", "data": "abc", "format": form, "index": 1}),
    ]


def test_citations_and_unknown_events_break_nothing() -> None:
    events, is_finished = _read(
        _START,
        _begin(0, type="text", text="", citations=[]),
        _delta(0, type="citations_delta", citation={"cited_text": "x"}),
        _text("A."),
        _delta(0, type="delta_of_tomorrow", x=1),
        {"type": "event_of_tomorrow"},
        {"no": "type"},
        _end(0),
        _end(7),
        _delta(9, type="input_json_delta", partial_json="x"),
        _finish("end_turn"),
        _STOP,
    )
    assert ([event.text for event in events if event.kind is EventKind.TEXT], is_finished) == (["A."], True)


def test_usage_is_what_was_said_last_of_each_count() -> None:
    start = {**_START, "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1}}}
    last = {"input_tokens": 61, "cache_read_input_tokens": None, "output_tokens": 8}
    last["output_tokens_details"] = {"thinking_tokens": 2}  # type: ignore[assignment]
    events, _ = _read(start, _text("x"), {"type": "message_delta", "delta": {}, "usage": last}, _STOP)
    assert [event.usage for event in events if event.usage][-1] == Usage(161, 8, 100, 0, 2)
    assert EventKind.FINISH not in [event.kind for event in events]


def test_numbers_that_cannot_be_are_said_to_be_such() -> None:
    events, _ = _read(_START, _text("x"), _finish("end_turn", output=-5), _STOP)
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [Usage(9, 1), None]


def test_the_ending_says_what_matched_and_why_it_refused() -> None:
    events, _ = _read(_START, _finish("stop_sequence", stop_sequence="END"), _STOP)
    assert next(event.text for event in events if event.kind is EventKind.FINISH) == "END"
    events, _ = _read(_START, _finish("refusal", stop_details={"explanation": "Not that."}), _STOP)
    assert [(event.kind.value, event.text) for event in events if event.text] == [("refusal", "Not that.")]


def test_json_without_a_schema_streams_as_text() -> None:
    events, _ = _read(
        _START,
        _begin(0, type="tool_use", id="t", name="json_answer", input={}),
        _delta(0, type="input_json_delta", partial_json='{"a"'),
        _delta(0, type="input_json_delta", partial_json=":1}"),
        _end(0),
        _finish("tool_use"),
        _STOP,
        response_format={"type": "json_object"},
    )
    assert "".join(event.text for event in events) == '{"a":1}'
    assert next(event for event in events if event.kind is EventKind.FINISH).finish_reason == "stop"


def test_an_end_of_nothing_is_no_answer() -> None:
    events, is_finished = _read(_STOP)
    assert (_kinds(events), is_finished) == (["error"], False)


def test_what_comes_behind_the_end_is_not_read() -> None:
    events, is_finished = _read(*_HELLO, b"data: [DONE]\n\n", _text("more"), {"type": "error", "error": {}})
    assert (events[-1].kind, is_finished) == (EventKind.END, True)


@given(st.lists(st.integers(1, 600), max_size=12), st.booleans())
def test_any_split_gives_the_same_events(cuts: list[int], is_native: bool) -> None:
    stream = b"".join(map(_frame, _HELLO)).replace(b"\n", b"\r\n")
    places = sorted({cut for cut in cuts if cut < len(stream)})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    assert _read(*pieces, is_native=is_native) == _read(stream, is_native=is_native)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    _read(*chunks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_KINDS = st.sampled_from(
    ["message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
     "content_block_stop", "text", "tool_use", "thinking", "text_delta", "input_json_delta", "signature_delta"]
)  # fmt: skip
_FIELDS = st.sampled_from(["index", "text", "input", "usage", "thinking", "signature", "partial_json", "stop_reason"])
_INNER = st.builds(lambda kind, rest: {**rest, "type": kind}, _KINDS, st.dictionaries(_FIELDS, _JSON, max_size=4))
_EVENTS = st.builds(
    lambda event, inner, where: {**event, where: inner},
    _INNER,
    _INNER | _JSON,
    st.sampled_from(["delta", "content_block", "message", "usage"]),
)


@given(st.lists(_EVENTS, max_size=8), st.booleans())
def test_any_json_gives_events_and_never_an_exception(events: list[Any], is_native: bool) -> None:
    _read(*events, is_native=is_native)


_SCALARS = st.text(max_size=8) | st.integers(0, 9) | st.none()
_BLOCKS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, st.text(max_size=12))
    | st.builds(
        lambda text, seal: {"type": "thinking", "thinking": text, "signature": seal},
        st.text(max_size=12),
        st.text(min_size=1, max_size=5),
    )
    | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, st.text(min_size=1, max_size=5))
    | st.builds(
        lambda name, given_input: {"type": "tool_use", "id": "toolu_" + name, "name": name, "input": given_input},
        st.sampled_from(["f", "g", "json_answer"]),
        st.dictionaries(st.text(max_size=5), _SCALARS, max_size=3),
    )
    | st.just({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}),
    max_size=5,
)


def _pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def _streamed(blocks: list[dict[str, Any]], stop: str, size: int) -> list[dict[str, Any]]:
    """What the vendor would stream for a message."""
    events: list[dict[str, Any]] = [_START]
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text":
            events += [
                _begin(index, type=kind, text=""),
                *(_text(piece, index) for piece in _pieces(block["text"], size)),
            ]
        elif kind == "thinking":
            thoughts = _pieces(block["thinking"], size)
            events += [_begin(index, type=kind, thinking="", signature="")]
            events += [_delta(index, type="thinking_delta", thinking=piece) for piece in thoughts]
            events += [_delta(index, type="signature_delta", signature=block["signature"])]
        elif kind == "redacted_thinking":
            events.append(_begin(index, **block))
        else:
            text = orjson.dumps(block["input"]).decode() if block["input"] else ""
            events.append(_begin(index, **{**block, "input": {}}))
            events += [_delta(index, type="input_json_delta", partial_json=piece) for piece in _pieces(text, size)]
        events.append(_end(index))
    return [*events, _finish(stop), _STOP]


def _folded(events: list[StreamEvent]) -> dict[str, Any]:
    """A message put together from events, as a client does it."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "details": {}, "calls": {}}
    for event in events:
        if event.kind is EventKind.TEXT:
            message["content"] += event.text
        elif event.kind is EventKind.REASONING:
            message["reasoning_content"] += event.text
            if event.details is None:  # it thinks, and does not say what
                continue
            known = message["details"].setdefault(event.details["index"], {**event.details, "text": ""})
            known.update({**event.details, "text": known["text"] + event.details.get("text", "")})
        elif event.tool_call is not None:
            call = message["calls"].setdefault(event.tool_call.index, ["", "", ""])
            call[0] = call[0] or event.tool_call.call_id
            call[1] = call[1] or event.tool_call.name
            call[2] += event.tool_call.arguments
    return message


@given(_BLOCKS, st.sampled_from(["end_turn", "max_tokens", "tool_use"]), st.integers(1, 5), st.booleans())
def test_a_stream_folded_is_the_whole_answer(blocks: list[dict[str, Any]], stop: str, size: int, is_json: bool) -> None:
    body: dict[str, Any] = {"response_format": {"type": "json_object"}} if is_json else {}
    whole_body = {"content": blocks, "stop_reason": stop, "usage": {"input_tokens": 9, "output_tokens": 5}}
    ask = Ask("chat", "chat", {**_BODY, **body})
    whole = PROVIDER.read(ask, _CALL, HttpReply(200, {}, orjson.dumps(whole_body)))
    events, is_finished = _read(*_streamed(blocks, stop, size), **body)
    message, folded = whole.body["choices"][0]["message"], _folded(events)
    assert is_finished
    assert folded["content"] == (message["content"] or "")
    assert folded["reasoning_content"] == message.get("reasoning_content", "")
    details = [{"text": "", **item} for item in message.get("reasoning_details", [])]
    assert [folded["details"][index] for index in sorted(folded["details"])] == details
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])
    ]
    assert [tuple(folded["calls"][index]) for index in sorted(folded["calls"])] == calls
    assert [event.finish_reason for event in events if event.finish_reason] == [whole.finish_reason]
    assert [event.usage for event in events if event.usage][-1] == whole.usage
