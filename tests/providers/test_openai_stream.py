"""What a chat stream says beside its text: refusals, thinking with its state, extra content, odd usage, odd ends."""

from typing import Any

import orjson

from aiservice.providers.openai_compatible import PROVIDER
from aiservice.wire import Ask, EventKind, HttpCall, StreamEvent, Usage

_ASK = Ask("chat", "chat", {"messages": []}, is_stream=True)
_DONE = b"data: [DONE]\n\n"


def _chunk(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **extra.pop("choice", {})}
    return b"data: " + orjson.dumps({"id": "c", "choices": [choice], **extra}) + b"\n\n"


def _read(*frames: bytes) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(_ASK, HttpCall("/chat/completions", b"{}"))
    events = [event for frame in frames for event in reader.feed(frame)] + reader.end()
    return events, reader.is_finished


def test_a_refusal_is_an_event_of_its_own() -> None:
    events, _ = _read(_chunk({"role": "assistant", "content": "", "refusal": None}), _chunk({"refusal": "No."}))
    assert [(event.kind, event.text) for event in events[1:]] == [(EventKind.REFUSAL, "No.")]


def test_thinking_comes_with_its_state_and_its_text_once() -> None:
    text = {"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "index": 0}
    signature = {"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1", "index": 0}
    events, _ = _read(
        _chunk({"content": "", "reasoning": "hm", "reasoning_details": [text]}),
        _chunk({"content": "", "reasoning": None, "reasoning_details": [signature]}),
        _chunk({"content": "", "reasoning": "well", "reasoning_details": [None, 7]}),
    )
    said = [(event.text, event.details) for event in events if event.kind is EventKind.REASONING]
    assert said == [("hm", text), ("", signature), ("well", None)]


def test_extra_content_of_a_call_and_of_a_message_is_kept() -> None:
    extra = {"google": {"thought_signature": "s"}}
    call = {"index": 0, "id": "c0", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}
    events, _ = _read(_chunk({"tool_calls": [call]}), _chunk({"content": "x", "extra_content": extra}))
    assert events[0].tool_call is not None
    assert events[0].tool_call.extra_content == extra
    assert [event.details for event in events if event.kind is EventKind.TEXT] == [None, extra]


def test_the_stop_sequence_that_matched_comes_with_the_finish_and_a_token_number_does_not() -> None:
    assert _read(_chunk({}, "stop", choice={"stop_reason": "END"}))[0][0].text == "END"
    assert _read(_chunk({}, "stop", choice={"stop_reason": 128001}))[0][0].text == ""


def test_an_end_mark_of_nothing_is_no_answer() -> None:
    for frames in (
        (_DONE,),
        (b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 0}}\n\n', _DONE),
    ):
        events, is_finished = _read(*frames)
        assert events[-1].kind is EventKind.ERROR
        assert not is_finished


def test_groqs_usage_is_found_where_groq_puts_it() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "queue_time": 0.01}
    events, _ = _read(
        _chunk({"content": "x"}, x_groq={"id": "r"}), _chunk({}, "stop", x_groq={"id": "r", "usage": usage})
    )
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [Usage(12, 3)]


def test_t73_counts_that_cannot_be_are_said_and_not_passed_on() -> None:
    for wrong in ({"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": "many"}, [3]):
        alone = b"data: " + orjson.dumps({"choices": [], "usage": wrong}) + b"\n\n"
        events, is_finished = _read(_chunk({"content": "x"}, "stop"), alone, _DONE)
        said = [event for event in events if event.kind is EventKind.USAGE]
        assert [(event.usage, event.frame) for event in said] == [(None, None)]
        assert is_finished


def test_groqs_error_has_its_status_beside_its_code() -> None:
    error = {"message": "Failed to call a function.", "code": "tool_use_failed", "status_code": 400}
    events, _ = _read(b"event: error\ndata: " + orjson.dumps({"error": error}) + b"\n\n")
    assert events[0].failure is not None
    assert (events[0].failure.status, events[0].failure.code) == (400, "tool_use_failed")


def test_an_end_that_is_said_twice_is_told_once() -> None:
    """OpenRouter's way: once beside the last text, and once beside the usage."""
    events, is_finished = _read(_chunk({"content": "x"}, "stop"), _chunk({"content": ""}, "stop"), _DONE)
    assert [event.finish_reason for event in events if event.kind is EventKind.FINISH] == ["stop"]
    assert is_finished
