"""Messages, streamed: whatever a provider's events are, what goes out obeys Anthropic's grammar and loses nothing."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome, StreamWriter
from aiservice.dialects.anthropic_messages import COUNT_DIALECT, DIALECT
from aiservice.errors import ProviderFailed
from aiservice.wire import Answer, EventKind, FinishReason, StreamEvent, ToolCallDelta, Usage
from tests.dialects.messages_stream import Message, read_stream

_OUTCOME = Outcome("req_1", 5, "chat", "a", "the-model", None, Usage(30, 9, 10, 4, 2))
_TOOL = EventKind.TOOL_CALL
_SIGNED = {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1"}


def _text(text: str, choice: int = 0) -> StreamEvent:
    return StreamEvent(EventKind.TEXT, text, choice)


def _think(text: str = "", details: dict[str, Any] | None = None) -> StreamEvent:
    return StreamEvent(EventKind.REASONING, text, details=details)


def _call(index: int, arguments: str = "", call_id: str | None = None, name: str | None = None) -> StreamEvent:
    return StreamEvent(_TOOL, tool_call=ToolCallDelta(index, call_id, name, arguments))


def _end(reason: FinishReason, sequence: str = "") -> StreamEvent:
    return StreamEvent(EventKind.FINISH, sequence, finish_reason=reason)


def _writer() -> StreamWriter:
    writer = DIALECT.writer(DIALECT.read({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}))
    assert writer.start(_OUTCOME) == b""
    return writer


def _written(events: Iterable[StreamEvent], *, at_once: bool = False) -> bytes:
    writer, listed = _writer(), list(events)
    batches = [listed] if at_once else [[event] for event in listed]
    return b"".join(map(writer.events, batches)) + writer.done(_OUTCOME)


def _message(*events: StreamEvent) -> Message:
    message = read_stream(_written(events))
    assert message.is_stopped
    return message


def test_a_text_is_streamed_piece_by_piece() -> None:
    writer = _writer()
    first = writer.events([StreamEvent(EventKind.OTHER)])
    assert b"message_start" in first
    assert b'"text":"Hel"' in writer.events([_text("Hel")])
    assert b'"text":"lo \\n\xc3\xa9"' in writer.events([_text("lo \né")])
    assert writer.events([_end("stop")]) == b""


def test_the_whole_order_is_anthropics() -> None:
    raw = _written([_think("hm"), _think(details=_SIGNED), _text("a"), _call(0, "{}", "c", "f"), _end("tool_calls")])
    names = [frame.split(b"\n")[0].removeprefix(b"event: ").decode() for frame in raw.split(b"\n\n")[:-1]]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    thought = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    assert names == ["message_start", *thought, *block, *block, "message_delta", "message_stop"]
    message = read_stream(raw)
    assert message.start["model"] == "the-model"
    assert message.content == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c", "name": "f", "input": "{}"},
    ]
    assert message.delta == {"stop_reason": "tool_use", "stop_sequence": None}
    assert message.usage["input_tokens"] == 16
    assert (message.usage["cache_read_input_tokens"], message.usage["output_tokens"]) == (10, 9)


def test_an_answer_without_words_is_still_a_whole_message() -> None:
    message = _message()
    assert (message.content, message.delta["stop_reason"]) == ([], "end_turn")


def test_parallel_calls_in_turns_become_blocks_one_after_the_other() -> None:
    message = _message(
        _call(0, "", "a", "f"),
        _call(1, "", "b", "g"),
        _call(0, '{"x"'),
        _call(1, '{"y"'),
        _text("meanwhile"),
        _call(0, ":1}"),
        _call(1, ":2}"),
        _end("tool_calls"),
    )
    assert message.content == [
        {"type": "tool_use", "id": "a", "name": "f", "input": '{"x":1}'},
        {"type": "tool_use", "id": "b", "name": "g", "input": '{"y":2}'},
        {"type": "text", "text": "meanwhile"},
    ]


def test_a_second_call_is_streamed_as_soon_as_the_first_is_whole() -> None:
    writer = _writer()
    writer.events([_call(0, '{"x":1}', "a", "f")])
    piece = writer.events([_call(1, '{"y"', "b", "g")])
    assert b"content_block_stop" in piece
    assert b'"partial_json":"{\\"y\\""' in piece


def test_calls_that_all_have_the_same_number_are_told_apart_by_their_ids() -> None:
    message = _message(_call(0, "{}", "a", "f"), _call(0, '{"x":1}', "b", "g"), _end("stop"))
    assert [(block["id"], block["input"]) for block in message.content] == [("a", "{}"), ("b", '{"x":1}')]
    assert message.delta["stop_reason"] == "tool_use"


def test_a_name_may_come_after_the_arguments_began() -> None:
    message = _message(_call(0, '{"x"', "a"), _call(0, ":1}", name="f"))
    assert message.content == [{"type": "tool_use", "id": "a", "name": "f", "input": '{"x":1}'}]


def test_a_call_without_arguments_has_none() -> None:
    for arguments in ("", "null"):
        assert _message(_call(0, arguments, "a", "f")).content[0]["input"] == ""


def test_other_vendors_state_comes_back_as_it_was() -> None:
    extra = {"google": {"thought_signature": "s"}}
    encrypted = {"type": "reasoning.encrypted", "data": "e", "format": "openai-responses-v1", "id": "rs_1"}
    signed = {"type": "reasoning.text", "signature": "g", "format": "google-gemini-v1"}
    late = StreamEvent(_TOOL, tool_call=ToolCallDelta(1, arguments="{}", extra_content={"google": 2}))
    message = _message(
        _think("hm"),
        _think(details=signed),
        _think(details=encrypted),
        StreamEvent(EventKind.TEXT, "a", details=extra),
        StreamEvent(_TOOL, tool_call=ToolCallDelta(0, "a.b", "f", "{}", extra)),
        _call(1, "", "c", "g"),
        late,
    )
    content = [
        {**block, "input": orjson.loads(block["input"])} if "input" in block else block for block in message.content
    ]
    ask = DIALECT.read({"max_tokens": 1, "messages": [{"role": "assistant", "content": content}]}).ask
    (read,) = ask.body["messages"]
    assert read["reasoning_details"] == [{**signed, "text": "hm"}, encrypted]
    assert read["extra_content"] == extra
    assert [call["extra_content"] for call in read["tool_calls"]] == [extra, {"google": 2}]
    assert ask.native is not None
    assert [block["type"] for block in ask.native["messages"][0]["content"]] == ["text", "tool_use", "tool_use"]


@pytest.mark.parametrize(
    ("events", "reason", "sequence"),
    [
        ([_end("stop")], "end_turn", None),
        ([_end("stop", "END")], "stop_sequence", "END"),
        ([_end("length")], "max_tokens", None),
        ([_end("content_filter")], "refusal", None),
        ([StreamEvent(EventKind.REFUSAL, "No."), _end("stop")], "refusal", None),
        ([_call(0, "{}", "a", "f"), _end("stop")], "tool_use", None),
    ],
)
def test_every_ending_has_its_reason(events: list[StreamEvent], reason: str, sequence: str | None) -> None:
    delta = _message(*events).delta
    assert (delta["stop_reason"], delta["stop_sequence"]) == (reason, sequence)


def test_frames_of_the_same_wire_pass_unchanged_and_the_last_waits_for_the_settlement() -> None:
    writer = _writer()
    frames = [b'event: message_start\ndata: {"type":"message_start"}  \n\n', b"event: ping\ndata: {}\n\n"]
    last = b'event: message_stop\ndata: {"type":"message_stop" }\n\n'
    out = writer.events(
        [
            StreamEvent(EventKind.USAGE, usage=Usage(1, 1), frame=frames[0]),
            StreamEvent(EventKind.OTHER, frame=frames[1]),
            StreamEvent(EventKind.TEXT, "of the frame before"),
            StreamEvent(EventKind.END, frame=last),
        ]
    )
    assert out == b"".join(frames)
    assert writer.done(_OUTCOME) == last


def test_an_answer_that_is_not_whole_ends_in_an_error_and_never_in_a_stop() -> None:
    writer = _writer()
    raw = writer.events([_text("a")]) + writer.failed(ProviderFailed("cut", code="upstream_truncated"), _OUTCOME)
    message = read_stream(raw)
    assert not message.is_stopped
    assert message.error is not None
    assert (message.error["error"]["type"], message.error["error"]["code"]) == ("api_error", "upstream_truncated")
    assert message.error["request_id"] == "req_1"


def test_what_keeps_a_stream_alive_is_a_ping() -> None:
    assert read_stream(_writer().keep_alive()).pings == 1


def test_counts_are_never_streamed() -> None:
    with pytest.raises(NotImplementedError):
        COUNT_DIALECT.writer(COUNT_DIALECT.read({"messages": [{"role": "user", "content": "x"}]}))


_PIECES = st.text(max_size=8)
_EVENTS = st.lists(
    st.one_of(
        st.builds(_text, _PIECES, st.integers(0, 1)),
        st.builds(_think, _PIECES, st.none() | st.sampled_from([_SIGNED, {**_SIGNED, "data": "d"}, {"type": "x"}])),
        st.builds(_call, st.integers(0, 2), _PIECES, st.none() | st.sampled_from("ab"), st.none() | st.just("f")),
        st.builds(StreamEvent, st.sampled_from([EventKind.OTHER, EventKind.USAGE, EventKind.END, EventKind.REFUSAL])),
        st.builds(_end, st.sampled_from(["stop", "length", "tool_calls", "content_filter"]), _PIECES),
    ),
    max_size=25,
)


@given(_EVENTS, st.booleans())
def test_any_events_make_a_stream_that_obeys_the_grammar_and_keeps_every_word(
    events: list[StreamEvent], at_once: bool
) -> None:
    message = read_stream(_written(events, at_once=at_once))
    assert message.is_stopped
    for kind, name in ((EventKind.TEXT, "text"), (EventKind.REASONING, "thinking")):
        said = "".join(event.text for event in events if event.kind is kind and event.choice == 0)
        assert "".join(block[name] for block in message.content if block["type"] == name) == said


@given(
    st.lists(st.tuples(st.dictionaries(st.text(max_size=3), st.integers(0, 99), max_size=3)), max_size=4),
    st.text(max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_stream_folded_is_the_answer_that_was_not_streamed(
    inputs: list[tuple[dict[str, int]]], text: str, random: Any
) -> None:
    arguments = [orjson.dumps(given).decode() for (given,) in inputs]
    pieces = {
        place: [_call(place, "", f"c{place}", "f"), *(_call(place, letter) for letter in whole)]
        for place, whole in enumerate(arguments)
    }
    queues = [queue for queue in ([_text(letter) for letter in text], *pieces.values()) if queue]
    mixed = []
    while queues:
        queue = random.choice(queues)
        mixed.append(queue.pop(0))
        queues = [left for left in queues if left]
    calls = [
        {"id": f"c{place}", "type": "function", "function": {"name": "f", "arguments": whole}}
        for place, whole in enumerate(arguments)
    ]
    body = {"choices": [{"message": {"role": "assistant", "content": text, "tool_calls": calls}}]}
    whole = orjson.loads(DIALECT.answer(Answer(body, "", "stop"), _OUTCOME))
    streamed = read_stream(_written([*mixed, _end("stop")]))
    folded = [
        {**block, "input": orjson.loads(block["input"])} for block in streamed.content if block["type"] == "tool_use"
    ]
    assert sorted(folded, key=lambda block: str(block["id"])) == [
        b for b in whole["content"] if b["type"] == "tool_use"
    ]
    assert "".join(b["text"] for b in streamed.content if b["type"] == "text") == text
    assert streamed.delta["stop_reason"] == whole["stop_reason"]
    assert streamed.usage == whole["usage"]
