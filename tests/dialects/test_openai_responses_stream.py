"""Responses, whole and streamed: whatever a provider says, what goes out adds up, and nothing cut ends cleanly."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome, StreamWriter
from aiservice.dialects._responses_passed import items_in
from aiservice.dialects.openai_responses import DIALECT
from aiservice.errors import ProviderFailed
from aiservice.kit.sse import SseSplitter
from aiservice.providers.openai import PROVIDER
from aiservice.wire import Answer, Ask, EventKind, FinishReason, HttpCall, StreamEvent, ToolCallDelta, Usage
from tests.dialects.responses_stream import Folded, read_stream

Json = dict[str, Any]
_ASK = DIALECT.read({"model": "m", "input": "hi", "tools": [{"type": "custom", "name": "run"}], "stream": True}).ask
_OUTCOME = Outcome("req_1", 5, "chat", "a", "the-model", "stop", Usage(30, 9, 10, 4, 2), ask=_ASK)
_CLAUDE = {"type": "reasoning.text", "signature": "sig", "format": "anthropic-claude-v1"}
_TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def _text(text: str) -> StreamEvent:
    return StreamEvent(EventKind.TEXT, text)


def _think(text: str = "", details: Json | None = None) -> StreamEvent:
    return StreamEvent(EventKind.REASONING, text, details=details)


def _call(index: int, arguments: str = "", call_id: str | None = None, name: str | None = None) -> StreamEvent:
    return StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(index, call_id, name, arguments))


def _end(reason: FinishReason) -> StreamEvent:
    return StreamEvent(EventKind.FINISH, finish_reason=reason)


def _writer(ask: Ask = _ASK) -> StreamWriter:
    writer = DIALECT.writer(DIALECT.read({"input": "x"}))
    writer._ask = ask  # type: ignore[attr-defined]
    assert writer.start(_OUTCOME) == b""
    return writer


def _folded(*events: StreamEvent) -> Folded:
    writer = _writer()
    return read_stream(b"".join(writer.events([event]) for event in events) + writer.done(_OUTCOME))


def test_a_text_is_streamed_piece_by_piece_with_every_event_of_the_api() -> None:
    folded = _folded(_text("Hel"), _text("lo"), _end("stop"))
    assert folded.kinds == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert folded.final is not None
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    message = {"id": "msg_req_1_0", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    assert folded.final["output"] == folded.output == [message]
    assert folded.final["usage"] == {
        "input_tokens": 30,
        "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 39,
    }


def test_calls_in_alternating_pieces_are_items_of_their_own() -> None:
    folded = _folded(
        _call(0, '{"a"', "call_1", "one"),
        _call(1, "{", "call_2", "two"),
        _call(0, ":1}"),
        _call(1, "}"),
        _end("tool_calls"),
    )
    assert [(item["name"], item["arguments"], item["call_id"]) for item in folded.output] == [
        ("one", '{"a":1}', "call_1"),
        ("two", "{}", "call_2"),
    ]
    assert folded.final is not None
    assert folded.final["status"] == "completed"


def test_an_event_without_a_thought_begins_no_item() -> None:
    assert [item["type"] for item in _folded(_think(""), _text("a"), _think(""), _text("b"), _end("stop")).output] == [
        "message"
    ]


def test_a_custom_tool_is_given_its_text_alone() -> None:
    (item,) = _folded(_call(0, '{"input":"say', "c", "run"), _call(0, ' \\"hi\\""}'), _end("tool_calls")).output
    assert (item["type"], item["input"]) == ("custom_tool_call", 'say "hi"')


def test_an_answer_that_was_cut_short_is_incomplete() -> None:
    reasons: list[tuple[FinishReason, str]] = [("length", "max_output_tokens"), ("content_filter", "content_filter")]
    for reason, told in reasons:
        final = _folded(_text("a"), _end(reason)).final
        assert final is not None
        assert (final["status"], final["incomplete_details"]) == ("incomplete", {"reason": told})
        assert final["output"][0]["status"] == "incomplete"


def test_thinking_of_another_vendor_comes_back_to_it_as_it_was() -> None:
    folded = _folded(
        _think("First "), _think("this."), _think(details=_CLAUDE), _think("Then that."), _think(details={**_CLAUDE}),
        _think(details={"type": "reasoning.encrypted", "data": "xyz", "format": "anthropic-claude-v1"}), _text("Done."),
        _end("stop"),
    )  # fmt: skip
    assert [part["text"] for part in folded.output[0]["summary"]] == ["First this.", "Then that."]
    (message,) = DIALECT.read({"input": folded.output}).ask.body["messages"]
    assert message["reasoning_details"] == [
        {**_CLAUDE, "text": "First this."},
        {**_CLAUDE, "text": "Then that."},
        {"type": "reasoning.encrypted", "data": "xyz", "format": "anthropic-claude-v1"},
    ]
    assert (message["content"], message["reasoning_content"]) == ("Done.", "First this.\n\nThen that.")


def test_what_gemini_wants_back_with_a_call_comes_back_with_it() -> None:
    signed = ToolCallDelta(0, "call_1", "f", "{}", {"google": {"thought_signature": "s"}})
    output = _folded(StreamEvent(EventKind.TOOL_CALL, tool_call=signed), _end("tool_calls")).output
    (message,) = DIALECT.read({"input": output}).ask.body["messages"]
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "s"}}


def test_openai_is_shown_no_state_of_another_vendor_and_no_id_of_ours() -> None:
    output = _folded(
        _think("hm"), _think(details=_CLAUDE), _text("a"), _call(0, "{}", "c", "f"), _end("tool_calls")
    ).output
    native = DIALECT.read({"input": output}).ask.native
    assert native is not None
    assert [item["type"] for item in native["input"]] == ["message", "function_call"]
    assert not any("id" in item for item in native["input"])


def test_a_stream_that_fails_says_so_twice_and_never_ends_cleanly() -> None:
    writer = _writer()
    body = writer.events([_text("Hel")]) + writer.failed(ProviderFailed("gone"), _OUTCOME)
    folded = read_stream(body)
    assert folded.error is not None
    assert folded.final is not None
    assert folded.error["message"] == folded.final["error"]["message"] == "gone"
    assert folded.kinds[-2:] == ["error", "failed"]
    assert "output_item.done" not in folded.kinds, "half an item is not done"


_PIECES = st.one_of(
    st.builds(_text, st.text(max_size=5)),
    st.builds(_think, st.text(max_size=5)),
    st.just(_think(details=_CLAUDE)),
    st.just(
        _think(details={"type": "reasoning.encrypted", "data": "d", "id": "rs_9", "format": "openai-responses-v1"})
    ),
    st.builds(lambda text: StreamEvent(EventKind.REFUSAL, text), st.text(min_size=1, max_size=4)),
    st.builds(
        _call, st.integers(0, 2), st.text(max_size=4), st.sampled_from(["c1", "c2"]), st.sampled_from(["f", "run"])
    ),
    st.builds(_call, st.integers(0, 2), st.text(max_size=4)),
    st.just(StreamEvent(EventKind.TEXT, "", details={"google": {"x": 1}})),
    st.just(StreamEvent(EventKind.OTHER)),
)


@given(st.lists(_PIECES, max_size=12), st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
def test_any_stream_adds_up_to_the_response_at_its_end(events: list[StreamEvent], reason: FinishReason) -> None:
    folded = _folded(*events, _end(reason))
    assert folded.final is not None
    assert folded.output == folded.final["output"]
    said = "".join(event.text for event in events if event.kind is EventKind.TEXT)
    written = [part.get("text", "") for item in folded.output if item["type"] == "message" for part in item["content"]]
    assert "".join(written) == said
    ids = [item["id"] for item in folded.output if not item["id"].startswith("rs_9")]
    assert len(ids) == len(set(ids))


@given(st.lists(_PIECES, max_size=6))
def test_a_stream_of_ours_cut_at_any_byte_has_no_end(events: list[StreamEvent]) -> None:
    writer = _writer()
    body = writer.events(events) + writer.done(_OUTCOME)
    whole = [frame.name.decode() for frame in SseSplitter().feed(body[:-1])]  # and so in what is shorter
    assert whole
    assert not any(name in _TERMINAL for name in whole)


def _whole(message: Json, finish: FinishReason = "stop") -> Json:
    answer = Answer({"choices": [{"message": message}]}, "the-model", finish)
    made: Json = orjson.loads(DIALECT.answer(answer, _OUTCOME))
    return made


def test_a_whole_answer_is_what_its_stream_adds_up_to() -> None:
    message = {
        "content": "Hello",
        "reasoning_details": [{**_CLAUDE, "text": "hm"}],
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "run", "arguments": '{"input":"x"}'}}],
    }
    streamed = _folded(
        _think("hm"), _think(details=_CLAUDE), _text("Hello"), _call(0, '{"input":"x"}', "call_1", "run"), _end("stop")
    )
    assert _whole(message) == streamed.final


def test_sources_and_log_probabilities_stand_at_their_text() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://x", "start_index": 0}}
    answer = Answer(
        {"choices": [{"message": {"content": "a", "annotations": [cited]}, "logprobs": {"content": [{"token": "a"}]}}]},
        "m",
    )
    (part,) = orjson.loads(DIALECT.answer(answer, _OUTCOME))["output"][0]["content"]
    assert part["annotations"] == [{"type": "url_citation", "url": "https://x", "start_index": 0}]
    assert part["logprobs"] == [{"token": "a"}]


# What passes as it came.

_ITEM = {"type": "message", "id": "msg_a", "status": "in_progress", "role": "assistant", "content": []}
_PART = {"type": "output_text", "text": "", "annotations": []}
_WHERE = {"item_id": "msg_a", "output_index": 0, "content_index": 0}


def _native_events() -> list[Json]:
    text = {**_PART, "text": "Hello"}
    done = {**_ITEM, "status": "completed", "content": [text]}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    begun = {"id": "resp_theirs", "object": "response", "status": "in_progress", "store": False, "output": []}
    ended = {**begun, "status": "completed", "model": "m", "output": [done], "usage": usage}
    said: list[tuple[str, Json]] = [
        ("created", {"response": begun}),
        ("output_item.added", {"output_index": 0, "item": _ITEM}),
        ("content_part.added", {**_WHERE, "part": _PART}),
        ("output_text.delta", {**_WHERE, "delta": "Hel"}),
        ("output_text.delta", {**_WHERE, "delta": "lo", "obfuscation": "x"}),
        ("something.new", {"a": 1}),
        ("output_text.done", {**_WHERE, "text": "Hello"}),
        ("content_part.done", {**_WHERE, "part": text}),
        ("output_item.done", {"output_index": 0, "item": done}),
        ("completed", {"response": ended}),
    ]
    return [{"type": f"response.{kind}", "sequence_number": n, **more} for n, (kind, more) in enumerate(said)]


_FRAMES = [b"event: %b\ndata: %b\n\n" % (e["type"].encode(), orjson.dumps(e)) for e in _native_events()]
_NATIVE_ASK = Ask("chat", "chat", {"messages": []}, is_stream=True, wire="openai-responses", native={})


def _passed(body: bytes, ask: Ask = _NATIVE_ASK) -> tuple[StreamWriter, bytes, bool]:
    reader, writer = PROVIDER.reader(ask, HttpCall("/responses", b"")), _writer(ask)
    out = writer.events(reader.feed(body)) + writer.events(reader.end())
    return writer, out, reader.is_finished


def test_a_stream_of_openais_passes_byte_for_byte() -> None:
    writer, out, is_finished = _passed(b"".join(_FRAMES))
    assert is_finished
    assert out + writer.done(_OUTCOME) == b"".join(_FRAMES)


def test_only_the_fields_that_are_ours_differ_where_we_keep_it() -> None:
    fields = {"id": "resp_ours", "store": True, "previous_response_id": "resp_before"}
    ask = Ask(
        "chat", "chat", {"messages": []}, is_stream=True, wire="openai-responses", native={}, answer_fields=fields
    )
    writer, out, _ = _passed(b"".join(_FRAMES), ask)
    told = [orjson.loads(frame.data) for frame in SseSplitter().feed(out + writer.done(_OUTCOME))]
    expected = _native_events()
    for event in (expected[0], expected[-1]):
        event["response"] |= fields
    assert told == expected


def test_what_was_answered_is_what_its_client_was_told_at_the_end() -> None:
    """What is kept of a stream: the whole response, ours or passed on; nothing where it failed after all."""
    for frames in (b"".join(_FRAMES), b""):
        ask = Ask("chat", "chat", {"messages": []}, wire="openai-responses", native={}, answer_fields={"store": True})
        writer, _, _ = _passed(frames, ask)
        last = SseSplitter().feed(writer.done(_OUTCOME))[-1]
        assert ask.answered == orjson.loads(last.data)["response"]
        assert ask.answered is not None
        assert (ask.answered["status"], ask.answered["store"]) == ("completed", True)
        writer.failed(ProviderFailed("the broker stopped"), _OUTCOME)
        assert ask.answered is None


def test_a_stream_of_openais_cut_at_any_byte_is_never_finished() -> None:
    body = b"".join(_FRAMES)
    for size in range(len(body) - 1):
        writer, out, is_finished = _passed(body[:size])
        assert not is_finished or size >= len(body) - 2, size
        if not is_finished:
            ended = out + writer.failed(ProviderFailed("cut"), _OUTCOME)
            assert ended.count(b"event: response.failed") == 1
            assert b"event: response.completed" not in ended


@pytest.mark.parametrize("count", range(1, len(_FRAMES)))
def test_where_a_budget_or_a_failure_ends_what_passed_the_events_go_on_from_it(count: int) -> None:
    writer, out, _ = _passed(b"".join(_FRAMES[:count]))
    body = out + writer.exhausted(1, _OUTCOME)
    events = [orjson.loads(frame.data) for frame in SseSplitter().feed(body)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    final = events[-1]["response"]
    assert (events[-1]["type"], final["incomplete_details"]["type"]) == ("response.incomplete", "budget_exhausted")
    assert final["output"] == items_in(frame.frame for frame in SseSplitter().feed(body))[0]


def _pieces_of(frames: Iterable[bytes]) -> list[Json]:
    return items_in(frames)[0]


def test_passed_frames_add_up_to_the_output_they_end_with() -> None:
    assert _pieces_of(_FRAMES) == _native_events()[-1]["response"]["output"]
    assert _pieces_of([b"data: garbage\n\n", b": comment\n\n", *_FRAMES[:5]])[0]["content"][0]["text"] == "Hello"


def test_a_call_of_a_namespaces_tool_is_told_as_it_was_asked_for() -> None:
    inner = [{"type": "function", "name": "f"}, {"type": "custom", "name": "run"}]
    ask = DIALECT.read({"input": "x", "tools": [{"type": "namespace", "name": "sky", "tools": inner}]}).ask
    writer = _writer(ask)
    events = [_call(0, "{}", "c1", "sky__f"), _call(1, '{"input":"go"}', "c2", "sky__run"), _end("tool_calls")]
    output = read_stream(writer.events(events) + writer.done(_OUTCOME)).output
    assert [(item["type"], item["namespace"], item["name"]) for item in output] == [
        ("function_call", "sky", "f"),
        ("custom_tool_call", "sky", "run"),
    ]
