"""Chat completions: frames of the same wire pass unchanged, others are built, and endings are true."""

from typing import Any

import orjson
import pytest

from aiservice.dialects._base import Outcome
from aiservice.dialects.openai_chat import DIALECT
from aiservice.dialects.openai_embeddings import DIALECT as EMBEDDINGS
from aiservice.errors import InvalidRequest, ProviderFailed
from aiservice.providers.openai_compatible import OpenAiCompatible
from aiservice.wire import Answer, Ask, EventKind, HttpCall, StreamEvent, ToolCallDelta, Usage

_OUTCOME = Outcome("req_1", 5, "chat", "a", "m", "stop", Usage(3, 4))


def _body(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "x"}], **fields}


def _chunks(raw: bytes) -> list[Any]:
    return [
        orjson.loads(line[6:]) if line != "data: [DONE]" else "[DONE]"
        for line in raw.decode().split("\n\n")
        if line.startswith("data: ")
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages"),
        (_body(stream=1), "stream"),
        (_body(stream_options=1), "stream_options"),
        (_body(model=7), "model"),
        (_body(api_base="http://evil"), "api_base"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DIALECT.read(body)
    assert refusal.value.param == param


def test_a_whole_answer_of_the_same_wire_is_passed_on_byte_for_byte() -> None:
    assert DIALECT.answer(Answer({}, "m", raw=b'{"x": 1}'), _OUTCOME) == b'{"x": 1}'


def test_frames_pass_unchanged_and_usage_only_to_who_asked() -> None:
    events = [
        StreamEvent(EventKind.TEXT, "a", frame=b'data: {"id":"c","created":1,"model":"mm"}\n\n'),
        StreamEvent(EventKind.USAGE, usage=Usage(1, 1), frame=b'data: {"usage":1}\n\n'),
    ]
    silent = DIALECT.writer(DIALECT.read(_body(stream=True)))
    silent.start(_OUTCOME)
    assert silent.events(events) == events[0].frame
    assert silent.done(_OUTCOME) == b"data: [DONE]\n\n"
    asking = DIALECT.writer(DIALECT.read(_body(stream=True, stream_options={"include_usage": True})))
    asking.start(_OUTCOME)
    assert asking.events(events) == b"".join(event.frame or b"" for event in events)
    assert asking.done(_OUTCOME) == b"data: [DONE]\n\n"


def test_usage_that_came_elsewhere_becomes_a_chunk_with_the_streams_own_id() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True, stream_options={"include_usage": True})))
    writer.start(_OUTCOME)
    writer.events([StreamEvent(EventKind.TEXT, "a", frame=b'data: {"id":"c","created":1,"model":"mm"}\n\n')])
    chunk, done = _chunks(writer.done(_OUTCOME))
    assert isinstance(chunk, dict)
    assert (chunk["id"], chunk["choices"], chunk["usage"]["total_tokens"], done) == ("c", [], 7, "[DONE]")


def test_events_of_another_wire_become_chunks_with_one_role() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True)))
    writer.start(_OUTCOME)
    detail = {"type": "reasoning.text", "text": "", "signature": "s", "format": "anthropic-claude-v1"}
    chunks = _chunks(
        writer.events(
            [
                StreamEvent(EventKind.REASONING, "think"),
                StreamEvent(EventKind.REASONING, details=detail),
                StreamEvent(EventKind.TEXT, "a"),
                StreamEvent(EventKind.REFUSAL, "no"),
                StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0, "c", "f", "{}", {"google": 1})),
                StreamEvent(EventKind.TEXT, details={"google": 2}),
                StreamEvent(EventKind.USAGE, usage=Usage(1, 1)),
                StreamEvent(
                    EventKind.FINISH, "###", finish_reason="stop", details={"native_finish_reason": "pause_turn"}
                ),
            ]
        )
    )
    choices = [chunk["choices"][0] for chunk in chunks if isinstance(chunk, dict)]
    call = {"index": 0, "id": "c", "type": "function", "function": {"arguments": "{}", "name": "f"}}
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": "", "reasoning_content": "think"},
        {"reasoning_details": [detail]},
        {"content": "a"},
        {"refusal": "no"},
        {"tool_calls": [{**call, "extra_content": {"google": 1}}]},
        {"extra_content": {"google": 2}},
        {},
    ]
    assert (choices[-1]["finish_reason"], choices[-1]["stop_reason"]) == ("stop", "###")
    assert choices[-1]["native_finish_reason"] == "pause_turn"


def test_each_choice_has_its_own_role_and_no_content_where_it_calls_tools() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True, n=2)))
    writer.start(_OUTCOME)
    events = [
        StreamEvent(EventKind.TEXT, "a", 1),
        StreamEvent(EventKind.TOOL_CALL, choice=0, tool_call=ToolCallDelta(0, "c", "f")),
    ]
    deltas = [chunk["choices"][0]["delta"] for chunk in _chunks(writer.events(events)) if isinstance(chunk, dict)]
    assert deltas[0] == {"role": "assistant", "content": "a"}
    assert (deltas[1]["role"], deltas[1]["content"]) == ("assistant", None)


def test_who_asks_for_usage_is_told_null_until_the_last_chunk() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True, stream_options={"include_usage": True})))
    writer.start(_OUTCOME)
    raw = writer.events([StreamEvent(EventKind.TEXT, "a"), StreamEvent(EventKind.FINISH, finish_reason="stop")])
    *chunks, last, done = _chunks(raw + writer.done(_OUTCOME))
    assert [chunk["usage"] for chunk in chunks if isinstance(chunk, dict)] == [None, None]
    assert isinstance(last, dict)
    assert (last["choices"], last["usage"]["prompt_tokens"], done) == ([], 3, "[DONE]")
    assert {chunk["id"] for chunk in [*chunks, last] if isinstance(chunk, dict)} == {"chatcmpl-req_1"}


def test_a_whole_answer_of_another_wire_is_given_what_it_lacks() -> None:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    answer = Answer(body, "m", "stop", raw=b"{}", raw_wire="anthropic-messages")
    said = orjson.loads(DIALECT.answer(answer, _OUTCOME))
    assert (said["id"], said["object"], said["created"], said["model"]) == (
        "chatcmpl-req_1",
        "chat.completion",
        5,
        "m",
    )
    assert said["usage"]["total_tokens"] == 7


def test_an_answer_that_is_not_whole_ends_in_an_error_and_never_in_done() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True)))
    tail = writer.failed(ProviderFailed("cut", code="upstream_truncated"), _OUTCOME)
    assert b"[DONE]" not in tail
    chunk = _chunks(tail)[0]
    assert isinstance(chunk, dict)
    assert chunk["error"]["code"] == "upstream_truncated"


@pytest.mark.parametrize("body", [{}, {"input": ""}, {"input": 3}, {"input": "x", "stream": True}])
def test_embeddings_refuse_what_they_cannot_do(body: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        EMBEDDINGS.read(body)


def test_the_usage_chunk_takes_its_id_from_a_frame_whose_data_is_not_its_last_line() -> None:
    writer = DIALECT.writer(DIALECT.read(_body(stream=True, stream_options={"include_usage": True})))
    outcome = Outcome("req_1", 1, "chat", "p", "m")
    writer.start(outcome)
    writer.events([StreamEvent(EventKind.TEXT, "x", frame=b'data: {"id":"c"}\nid: 7\n\n')])
    assert b'"id":"c"' in writer.done(outcome)


def test_a_chunk_that_was_mended_is_made_again_however_it_is_batched_with_others() -> None:
    reader = OpenAiCompatible().reader(Ask("chat", "chat", {}, is_stream=True), HttpCall("/chat/completions", b"{}"))
    first = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    parts = b'data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"1"}]},"finish_reason":null}]}\n\n'
    call = (
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},'
        b'"finish_reason":"tool_calls"}]}\n\n'
    )
    writer = DIALECT.writer(DIALECT.read(_body(stream=True)))
    writer.start(_OUTCOME)
    said = _chunks(writer.events(reader.feed(first + parts + call)))
    deltas = [chunk["choices"][0]["delta"] for chunk in said]
    assert deltas[1]["content"] == "1"
    assert deltas[2]["tool_calls"][0]["function"] == {"arguments": "{}", "name": "f"}
    assert said[-1]["choices"][0]["finish_reason"] == "tool_calls"
