"""Anthropic's streams: every event and every cut (the samples are written by hand)."""

import pytest

from aiservice.wire import EventKind, Usage
from tests.providers.anthropic_events import (
    HELLO,
    PING,
    START,
    STOP,
    begin,
    delta,
    end,
    finish,
    frame,
    kinds,
    read_all,
    reader_of,
    text,
)


def test_a_stream_gives_text_finish_and_usage() -> None:
    events, is_finished = read_all(*HELLO)
    assert kinds(events) == ["usage", "text", "text", "finish", "usage", "end"]
    assert (events[1].text + events[2].text, events[3].finish_reason, is_finished) == ("Hello", "stop", True)
    assert (events[0].usage, events[4].usage) == (Usage(9, 1), Usage(9, 5))
    assert all(event.frame is None for event in events)


def test_padding_inside_the_line_is_nothing() -> None:
    assert read_all(*(frame(event, padding=9) for event in HELLO)) == read_all(*HELLO)


def test_a_client_of_this_wire_gets_every_byte() -> None:
    strange = {"type": "message_thought", "x": 1}
    sent = [frame(event, padding=3) for event in (*HELLO[:4], strange, *HELLO[4:])]
    events, _ = read_all(*sent, is_native=True)
    assert b"".join(event.frame for event in events if event.frame) == b"".join(sent)
    assert events[-1].kind is EventKind.END


def test_without_its_last_event_no_stream_is_whole() -> None:
    for length in range(len(HELLO)):
        assert not read_all(*HELLO[:length])[1]


def test_every_cut_of_a_stream_is_seen_as_a_cut() -> None:
    stream = b"".join(map(frame, HELLO))
    for cut in range(len(stream) - 2):
        assert not read_all(stream[:cut])[1], cut
    assert read_all(stream)[1]


def test_nothing_is_given_out_before_something_is_said() -> None:
    reader = reader_of()
    assert [reader.feed(frame(event)) for event in HELLO[:3]] == [[], [], []]
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    (event,) = reader.feed(frame(overloaded))
    assert event.failure is not None
    assert (event.kind, event.failure.code, event.failure.upstream_status) == (
        EventKind.ERROR,
        "provider_overloaded",
        529,
    )


def test_a_model_that_thinks_in_silence_is_at_work() -> None:
    reader = reader_of()
    begun = [reader.feed(frame(event)) for event in (START, PING, begin(0, type="thinking", thinking=""))]
    assert [kinds(events) for events in begun] == [[], [], ["usage", "reasoning"]]
    assert kinds(reader.feed(frame(PING))) == ["reasoning"]
    reader.feed(frame(delta(0, type="signature_delta", signature="sig")) + frame(end(0)))
    assert reader.feed(frame(PING)) == []


def test_an_error_in_the_middle_ends_the_stream() -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
    events, is_finished = read_all(*HELLO[:5], error, *HELLO[5:])
    assert kinds(events) == ["usage", "text", "text", "error"]
    assert not is_finished


@pytest.mark.parametrize(
    "frame",
    [b"data: nothing\n\n", b"data: [1]\n\n", b'event: error\ndata: {"message": "x"}\n\n', b'data: {"error": "x"}\n\n'],
)
def test_what_is_no_event_ends_the_stream_as_an_error(frame: bytes) -> None:
    events, is_finished = read_all(*HELLO[:4], frame, STOP)
    assert (events[-1].kind, is_finished) == (EventKind.ERROR, False)


def test_a_plain_error_instead_of_a_stream_is_that_error() -> None:
    events, _ = read_all(b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}')
    assert events[0].failure is not None
    assert events[0].failure.code == "provider_quota_exhausted"
    events, _ = read_all(b"<html></html>")
    assert events[0].failure is not None
    assert events[0].failure.code == "provider_invalid_answer"


def test_calls_are_numbered_from_zero_whatever_blocks_stand_before_them() -> None:
    events, _ = read_all(
        START,
        begin(0, type="text", text=""),
        text("Let me see."),
        end(0),
        begin(1, type="server_tool_use", id="s", name="web_search", input={}),
        delta(1, type="input_json_delta", partial_json='{"q":1}'),
        end(1),
        begin(2, type="tool_use", id="toolu_1", name="f", input={}),
        delta(2, type="input_json_delta", partial_json=""),
        delta(2, type="input_json_delta", partial_json='{"a":'),
        delta(2, type="input_json_delta", partial_json="1}"),
        end(2),
        begin(3, type="tool_use", id="toolu_2", name="g", input={}),
        delta(3, type="input_json_delta", partial_json=""),
        end(3),
        finish("tool_use"),
        STOP,
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
    events, _ = read_all(
        START, begin(0, type="tool_use", id="t", name="f", input={"a": 1}), end(0), finish("tool_use"), STOP
    )
    assert "".join(event.tool_call.arguments for event in events if event.tool_call) == '{"a":1}'


def test_thinking_comes_with_its_state() -> None:
    events, _ = read_all(
        START,
        begin(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="sig"),
        end(0),
        begin(1, type="redacted_thinking", data="abc"),
        end(1),
        *HELLO[1:],
    )
    thoughts = [(event.text, event.details) for event in events[:-3] if event.details]
    form = "anthropic-claude-v1"
    assert thoughts == [
        ("hm", {"type": "reasoning.text", "text": "hm", "format": form, "index": 0}),
        ("", {"type": "reasoning.text", "text": "", "format": form, "index": 0, "signature": "sig"}),
        ("", {"type": "reasoning.encrypted", "data": "abc", "format": form, "index": 1}),
    ]


def test_citations_and_unknown_events_break_nothing() -> None:
    events, is_finished = read_all(
        START,
        begin(0, type="text", text="", citations=[]),
        delta(0, type="citations_delta", citation={"cited_text": "x"}),
        text("A."),
        delta(0, type="delta_of_tomorrow", x=1),
        {"type": "event_of_tomorrow"},
        {"no": "type"},
        end(0),
        end(7),
        delta(9, type="input_json_delta", partial_json="x"),
        finish("end_turn"),
        STOP,
    )
    assert ([event.text for event in events if event.text], is_finished) == (["A."], True)


def test_usage_is_what_was_said_last_of_each_count() -> None:
    start = {**START, "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 1}}}
    last = {"input_tokens": 61, "cache_read_input_tokens": None, "output_tokens": 8}
    last["output_tokens_details"] = {"thinking_tokens": 2}  # type: ignore[assignment]
    events, _ = read_all(start, text("x"), {"type": "message_delta", "delta": {}, "usage": last}, STOP)
    assert [event.usage for event in events if event.usage][-1] == Usage(161, 8, 100, 0, 2)
    assert EventKind.FINISH not in [event.kind for event in events]


def test_numbers_that_cannot_be_are_said_to_be_such() -> None:
    events, _ = read_all(START, text("x"), finish("end_turn", output=-5), STOP)
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [Usage(9, 1), None]


def test_the_ending_says_what_matched_and_why_it_refused() -> None:
    events, _ = read_all(START, finish("stop_sequence", stop_sequence="END"), STOP)
    last = next(event for event in events if event.kind is EventKind.FINISH)
    assert (last.text, last.details) == ("END", {"native_finish_reason": "stop_sequence"})
    events, _ = read_all(START, finish("refusal", stop_details={"explanation": "Not that."}), STOP)
    assert [(event.kind.value, event.text) for event in events if event.text] == [("refusal", "Not that.")]


def test_json_without_a_schema_streams_as_text() -> None:
    events, _ = read_all(
        START,
        begin(0, type="tool_use", id="t", name="json_answer", input={}),
        delta(0, type="input_json_delta", partial_json='{"a"'),
        delta(0, type="input_json_delta", partial_json=":1}"),
        end(0),
        finish("tool_use"),
        STOP,
        response_format={"type": "json_object"},
    )
    assert "".join(event.text for event in events) == '{"a":1}'
    assert next(event for event in events if event.kind is EventKind.FINISH).finish_reason == "stop"


def test_an_end_of_nothing_is_no_answer() -> None:
    events, is_finished = read_all(STOP)
    assert (kinds(events), is_finished) == (["error"], False)


def test_what_comes_behind_the_end_is_not_read() -> None:
    events, is_finished = read_all(*HELLO, b"data: [DONE]\n\n", text("more"), {"type": "error", "error": {}})
    assert (events[-1].kind, is_finished) == (EventKind.END, True)
