"""Gemini's Interactions, both ways: what a chat becomes there, and what comes back, whole, in events and cut off."""

import contextlib
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini_interactions import PROVIDER
from aiservice.wire import Ask, EventKind, HttpCall, HttpReply, StreamEvent

_CALL = HttpCall("/v1beta/interactions", b'{"model": "gemini-2.5-flash"}')
_USAGE = {
    "total_input_tokens": 53, "total_output_tokens": 15, "total_thought_tokens": 65, "total_cached_tokens": 8,
    "total_tool_use_tokens": 2, "total_tokens": 135,
}  # fmt: skip
_BEGUN = {"type": "function_call", "id": "x1", "name": "f", "arguments": {}}
_END = {"id": "v1_a", "status": "requires_action", "usage": _USAGE}
_EVENTS: tuple[dict[str, Any], ...] = (
    {"event_type": "interaction.created", "interaction": {"id": "v1_a", "status": "in_progress"}},
    {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_summary", "content": {"text": "Hm. "}}},
    {"event_type": "step.delta", "index": 0, "delta": {"type": "thought_signature", "signature": "c2ln"}},
    {"event_type": "step.stop", "index": 0},
    {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
    {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "Let me "}},
    {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": "look."}},
    {"event_type": "step.stop", "index": 1},
    {
        "event_type": "step.start",
        "index": 2,
        "step": {"type": "function_call", "id": "x1", "name": "f", "arguments": {}},
    },
    {"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": '{"city": '}},
    {"event_type": "step.delta", "index": 2, "delta": {"type": "arguments_delta", "arguments": '"Rome"}'}},
    {"event_type": "step.stop", "index": 2},
    {
        "event_type": "interaction.completed",
        "interaction": {"id": "v1_a", "status": "requires_action", "usage": _USAGE},
    },
)
_STREAM = b"".join(b"event: x\ndata: " + orjson.dumps(event) + b"\n\n" for event in _EVENTS) + b"data: [DONE]\n\n"
_WHOLE = {
    "id": "v1_a", "status": "requires_action", "usage": _USAGE, "model": "gemini-2.5-flash",
    "steps": [
        {"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": "Hm. "}]},
        {"type": "model_output", "content": [{"type": "text", "text": "Let me look."}]},
        {"type": "function_call", "id": "x1", "name": "f", "arguments": {"city": "Rome"}},
    ],
}  # fmt: skip


def _sent(messages: list[Any], **fields: Any) -> Any:
    ask = Ask("chat", "chat", {"messages": messages, **fields})
    return orjson.loads(PROVIDER.build(ask, "gemini-2.5-flash").body)


def _streamed(*chunks: bytes) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(Ask("chat", "chat", {"messages": []}, is_stream=True), _CALL)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    events += reader.end()
    return events, reader.is_finished


def _folded(events: list[StreamEvent]) -> dict[str, Any]:
    usage = [event.usage for event in events if event.usage is not None]
    calls = [event.tool_call for event in events if event.tool_call is not None]
    return {
        "text": "".join(event.text for event in events if event.kind is EventKind.TEXT),
        "thinking": "".join(event.text for event in events if event.kind is EventKind.REASONING),
        "calls": [(call.call_id, call.name, orjson.loads(call.arguments)) for call in calls if call.name],
        "finish": [event.finish_reason for event in events if event.finish_reason],
        "usage": usage[-1] if usage else None,
    }


def test_a_conversation_is_told_in_steps() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    body = _sent(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, _image()]},
            {"role": "assistant", "content": "Looking.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "15"},
        ],
        tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        tool_choice="required",
        temperature=0.5,
        max_tokens=9,
    )
    assert [step["type"] for step in body["input"]] == [
        "user_input",
        "model_output",
        "function_call",
        "function_result",
    ]
    assert body["input"][0]["content"][1] == {"type": "image", "data": "aGk=", "mime_type": "image/png"}
    assert body["input"][2] | {"arguments": {"a": 1}} == body["input"][2]
    assert body["input"][3]["call_id"] == body["input"][2]["id"] == "c1"
    assert body["system_instruction"] == "Be brief."
    assert body["tools"] == [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
    assert body["generation_config"] == {"temperature": 0.5, "max_output_tokens": 9, "tool_choice": "any"}
    assert (body["store"], body["model"]) == (False, "gemini-2.5-flash")


def _image() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def test_a_schema_and_an_effort_have_words_of_their_own_there() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    body = _sent([{"role": "user", "content": "Hi"}], response_format=shape, reasoning_effort="low")
    assert body["response_format"] == {"type": "text", "mime_type": "application/json", "schema": schema}
    assert body["generation_config"]["thinking_level"] == "low"


@pytest.mark.parametrize(("field", "value"), [("top_k", 5), ("n", 2), ("logprobs", True), ("presence_penalty", 1)])
def test_what_has_no_word_there_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(AttemptFailed) as refused:
        _sent([{"role": "user", "content": "Hi"}], **{field: value})
    assert refused.value.failure.param == field


def test_a_stream_says_what_the_whole_answer_says() -> None:
    answer = PROVIDER.read(Ask("chat", "chat", {"messages": []}), _CALL, HttpReply(200, {}, orjson.dumps(_WHOLE)))
    message = answer.body["choices"][0]["message"]
    events, is_whole = _streamed(_STREAM)
    told = _folded(events)
    assert is_whole
    assert told["text"] == message["content"] == "Let me look."
    assert told["thinking"] == message["reasoning_content"] == "Hm. "
    assert told["calls"] == [("x1", "f", {"city": "Rome"})]
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"city":"Rome"}'}
    assert told["finish"] == [answer.finish_reason] == ["tool_calls"]
    assert told["usage"] == answer.usage
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.reasoning_tokens) == (55, 80, 65)


def test_cut_anywhere_before_its_end_a_stream_is_never_whole() -> None:
    end = _STREAM.index(b"\n\n", _STREAM.index(b"interaction.completed")) + 1
    assert not any(_streamed(_STREAM[:size])[1] for size in range(end - 1))


@given(st.lists(st.integers(0, len(_STREAM)), max_size=12))
def test_a_stream_says_the_same_however_it_is_cut(places: list[int]) -> None:
    edges = [0, *sorted(places), len(_STREAM)]
    pieces = [_STREAM[start:end] for start, end in pairwise(edges)]
    assert _folded(_streamed(*pieces)[0]) == _folded(_streamed(_STREAM)[0])


@pytest.mark.parametrize("status", ["in_progress", "failed", "cancelled", None])
def test_an_answer_that_is_not_at_its_end_is_a_failure(status: str | None) -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.read(
            Ask("chat", "chat", {"messages": []}), _CALL, HttpReply(200, {}, orjson.dumps({**_WHOLE, "status": status}))
        )


_NAMES = ("event_type", "step", "delta", "interaction", "index", "type", "usage", "status", "content", "error", "steps")
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.sampled_from(["step.delta", "completed"]),
    lambda held: st.lists(held) | st.dictionaries(st.sampled_from(_NAMES), held),
)


@given(_ANY)
def test_whatever_comes_is_an_answer_or_a_failure(said: Any) -> None:
    events, _ = _streamed(b"data: " + orjson.dumps(said) + b"\n\n")
    assert all(isinstance(event, StreamEvent) for event in events)
    with contextlib.suppress(AttemptFailed):
        PROVIDER.read(Ask("chat", "chat", {"messages": []}), _CALL, HttpReply(200, {}, orjson.dumps(said)))
