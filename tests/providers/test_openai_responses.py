"""OpenAI's Responses API: our form in, our form out, whole and streamed (the samples are written by hand)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers._openai_responses_answer import read_usage
from aiservice.providers.openai import PROVIDER
from aiservice.wire import (
    CHAT_WIRE,
    MESSAGES_WIRE,
    RESPONSES_WIRE,
    Ask,
    EventKind,
    HttpCall,
    HttpReply,
    StreamEvent,
    Usage,
)

_MODEL = "o1-pro"
_CALL = HttpCall("/responses", b"{}")
_ASK = Ask("chat", "chat", {"messages": []}, is_stream=True)
_USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 16,
}


def _body(wire: str = CHAT_WIRE, model: str = _MODEL, *, is_stream: bool = False, **fields: Any) -> dict[str, Any]:
    given = {"messages": [{"role": "user", "content": "hi"}], **fields}
    body: dict[str, Any] = orjson.loads(PROVIDER.build(Ask("chat", "chat", given, is_stream, wire=wire), model).body)
    return body


def _answer(*output: dict[str, Any], status: str = "completed", **extra: Any) -> bytes:
    said = {"id": "resp_1", "created_at": 1, "model": "o1-pro-1", "status": status, "output": output, "usage": _USAGE}
    return orjson.dumps({**said, **extra})


def _text(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def _read(body: bytes) -> Any:
    return PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, body))


def _stream(*events: dict[str, Any] | bytes) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(_ASK, _CALL)
    raw = b"".join(each if isinstance(each, bytes) else b"data: " + orjson.dumps(each) + b"\n\n" for each in events)
    found = [event for at in range(0, len(raw), 50) for event in reader.feed(raw[at : at + 50])]
    return [*found, *reader.end()], reader.is_finished


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


_COMPLETED = _event("completed", response={"status": "completed", "usage": _USAGE})


def test_a_conversation_becomes_items() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    state = {"type": "reasoning.encrypted", "id": "rs_1", "data": "gAAA", "format": "openai-responses-v1"}
    summary = {"type": "reasoning.summary", "id": "rs_1", "summary": "so", "format": "openai-responses-v1"}
    foreign = {"type": "reasoning.text", "text": "x", "signature": "s", "format": "anthropic-claude-v1"}
    body = _body(
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {
                "role": "assistant",
                "content": "I call.",
                "tool_calls": calls,
                "reasoning_details": [summary, state, foreign],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ]
    )
    assert body["input"] == [
        {"type": "message", "role": "system", "content": "Be brief."},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": "u"}],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "so"}],
            "encrypted_content": "gAAA",
        },
        {"type": "message", "role": "assistant", "content": "I call."},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
    ]


def test_nothing_is_kept_at_openai_and_so_reasoning_travels_encrypted() -> None:
    body = _body()
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    assert "include" not in _body(store=True)
    assert "include" not in _body(model="gpt-4.1", tools=[{"type": "web_search"}])


def test_fields_have_the_names_of_this_api() -> None:
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    body = _body(
        model="gpt-5-pro",
        is_stream=True,
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=50,
        reasoning_effort="high",
        verbosity="low",
        response_format={"type": "json_schema", "json_schema": schema},
        temperature=0.5,
        n=1,
        truncation="auto",
    )
    assert body["max_output_tokens"] == 50
    assert body["reasoning"] == {"effort": "high"}
    assert body["text"] == {"format": {"type": "json_schema", **schema}, "verbosity": "low"}
    assert (body["temperature"], body["stream"], body["truncation"]) == (0.5, True, "auto")
    assert not body.keys() & {"messages", "n", "stream_options", "max_completion_tokens", "response_format"}


def test_log_probabilities_are_asked_for_and_told_or_refused() -> None:
    asked = _body(model="gpt-5-pro", logprobs=True, top_logprobs=2)
    assert (asked["top_logprobs"], "logprobs" in asked) == (2, False)
    assert asked["include"] == ["message.output_text.logprobs", "reasoning.encrypted_content"]
    token = {"token": "hi", "logprob": -0.1, "bytes": [104, 105], "top_logprobs": []}
    text = {"type": "output_text", "text": "hi", "logprobs": [token]}
    said = _read(_answer({"type": "message", "content": [text]})).body["choices"][0]
    assert said["logprobs"] == {"content": [token], "refusal": None}
    with pytest.raises(AttemptFailed) as caught:
        _body(model="gpt-5-pro", logprobs=True, is_stream=True)
    assert caught.value.failure.param == "logprobs"


def test_tools_are_flat_and_not_stricter_than_in_chat() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}}
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "description": None}},
        {"type": "function", "function": {"name": "g", "strict": True}},
        {"type": "custom", "custom": {"name": "c", "format": grammar}},
    ]
    body = _body(tools=tools, tool_choice={"type": "function", "function": {"name": "f"}})
    assert body["tools"] == [
        {"type": "function", "strict": False, "parameters": {"type": "object"}, "name": "f"},
        {"type": "function", "strict": True, "parameters": None, "name": "g"},
        {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}},
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "g"}}]}}  # fmt: skip # noqa: E501
    wanted = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}
    assert _body(tools=tools, tool_choice=allowed)["tool_choice"] == wanted


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("stop", {"stop": ["x"]}),
        ("n", {"n": 2}),
        ("seed", {"seed": 7}),
        ("tools[0]", {"tools": [{"type": "local_shell"}]}),
        ("messages[0].content[0]", {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
        ("messages[0]", {"messages": [{"role": "function", "name": "f", "content": "x"}]}),
    ],
)
def test_what_this_api_has_no_word_for_is_refused_by_name(param: str, fields: dict[str, Any]) -> None:
    with pytest.raises(AttemptFailed) as refused:
        _body(**fields)
    assert refused.value.failure.param == param


def test_words_of_a_client_that_speaks_another_wire_are_not_passed_on() -> None:
    assert "truncation" not in _body(MESSAGES_WIRE, truncation="auto")


def test_an_answer_of_items_is_one_message() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "so"}]}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    answer = _read(_answer({**thought, "encrypted_content": "gAAA"}, _text("Hello"), call))
    message = answer.body["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("Hello", "so")
    assert message["tool_calls"] == [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    assert [(item["type"], item["id"]) for item in message["reasoning_details"]] == [
        ("reasoning.summary", "rs_1"),
        ("reasoning.encrypted", "rs_1"),
    ]
    assert (answer.finish_reason, answer.model) == ("tool_calls", "o1-pro-1")
    assert answer.usage == Usage(10, 6, cached_input_tokens=4, reasoning_tokens=5)
    assert answer.body["usage"]["total_tokens"] == 16


def test_reasoning_goes_back_as_it_came() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "so"}]}
    message = _read(_answer({**item, "encrypted_content": "gAAA"}, _text("x"))).body["choices"][0]["message"]
    assert _body(messages=[message])["input"][0] == {**item, "encrypted_content": "gAAA"}


@pytest.mark.parametrize(
    ("reason", "expected"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), (None, "length")]
)
def test_an_incomplete_answer_says_why(reason: str | None, expected: str) -> None:
    assert (
        _read(_answer(_text("x"), status="incomplete", incomplete_details={"reason": reason})).finish_reason == expected
    )


def test_a_refusal_is_kept_apart_from_text() -> None:
    part = {"type": "refusal", "refusal": "No."}
    message = _read(_answer({"type": "message", "content": [part]})).body["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "No.")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "provider_invalid_answer"),
        (b"[]", "provider_invalid_answer"),
        (b"{}", "provider_invalid_answer"),
        (_answer(status="in_progress"), "provider_invalid_answer"),
        (_answer(status="cancelled"), "upstream_truncated"),
        (
            _answer(status="failed", error={"code": "rate_limit_exceeded", "message": "slow"}),
            "provider_quota_exhausted",
        ),
    ],
)
def test_what_is_no_answer_is_a_failed_attempt(body: bytes, code: str) -> None:
    with pytest.raises(AttemptFailed, match=code):
        _read(body)


def test_a_stream_gives_thinking_text_calls_finish_and_usage() -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": ""}
    thought = {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA"}
    events, is_finished = _stream(
        _event("created", response={}),
        _event("reasoning_summary_part.added", output_index=0, summary_index=0),
        _event("reasoning_summary_text.delta", output_index=0, delta="so"),
        _event("output_item.done", output_index=0, item=thought),
        _event("output_text.delta", output_index=1, content_index=0, delta="He"),
        _event("output_text.delta", output_index=1, content_index=0, delta="llo"),
        _event("content_part.done", output_index=1, content_index=0, part={"type": "output_text", "text": "Hello"}),
        _event("output_item.added", output_index=2, item=item),
        _event("function_call_arguments.delta", output_index=2, delta='{"a":'),
        _event("function_call_arguments.delta", output_index=2, delta="1}"),
        _event("function_call_arguments.done", output_index=2, arguments='{"a":1}'),
        _event("output_item.done", output_index=2, item={**item, "arguments": '{"a":1}'}),
        _COMPLETED,
        b"data: [DONE]\n\n",
    )
    kinds = ["reasoning", "reasoning", "text", "text", *["tool_call"] * 3, "finish", "usage", "end"]
    assert [event.kind.value for event in events] == kinds
    assert events[1].details == {
        "type": "reasoning.encrypted", "id": "rs_1", "data": "gAAA", "format": "openai-responses-v1", "index": 0,
    }  # fmt: skip
    calls = [event.tool_call for event in events if event.tool_call]
    assert (calls[0].index, calls[0].call_id, calls[0].name) == (0, "call_1", "f")
    assert "".join(call.arguments for call in calls) == '{"a":1}'
    assert (events[-3].finish_reason, events[-2].usage) == ("tool_calls", Usage(10, 6, 4, 0, 5))
    assert is_finished


def test_parallel_calls_are_numbered_from_zero_and_what_comes_only_at_their_end_is_not_lost() -> None:
    def item(number: int) -> dict[str, Any]:
        return {"type": "function_call", "call_id": f"c{number}", "name": "f", "arguments": f"[{number}]"}

    events, _ = _stream(
        _event("output_item.added", output_index=3, item=item(3)),
        _event("output_item.added", output_index=5, item=item(5)),
        _event("function_call_arguments.done", output_index=5, arguments="[5]"),
        _event("output_item.done", output_index=3, item=item(3)),
        _event("output_item.done", output_index=5, item=item(5)),
        _event("output_item.done", output_index=7, item=item(7)),
        _COMPLETED,
    )
    calls = [event.tool_call for event in events if event.tool_call]
    whole = {index: "".join(call.arguments for call in calls if call.index == index) for index in (0, 1, 2)}
    assert whole == {0: "[3]", 1: "[5]", 2: "[7]"}


def test_text_that_comes_only_with_the_end_of_its_part_is_not_lost() -> None:
    events, _ = _stream(
        _event("content_part.done", output_index=0, content_index=0, part={"type": "output_text", "text": "Hello"}),
        _COMPLETED,
    )
    assert [event.text for event in events if event.kind is EventKind.TEXT] == ["Hello"]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow"}},
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None},
        {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}},
    ],
)
def test_an_error_after_200_is_read_nested_flat_and_repeated(error: dict[str, Any]) -> None:
    events, is_finished = _stream(_event("created", response={}), error, error)
    assert [event.kind for event in events] == [EventKind.ERROR]
    assert events[0].failure is not None
    assert events[0].failure.status == 429
    assert not is_finished


def test_a_stream_that_breaks_off_anywhere_is_not_whole() -> None:
    events = [_event("output_text.delta", output_index=0, delta="Hello"), _event("output_text.delta", delta=" world")]
    raw = b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)
    for cut in range(len(raw) + 1):
        assert not _stream(raw[:cut], b"data: [DONE]\n\n")[1], cut
    assert _stream(raw, _COMPLETED)[1]


def test_an_error_in_plain_json_instead_of_a_stream_is_that_error() -> None:
    events, _ = _stream(b'{"error": {"message": "no", "code": "insufficient_quota"}}')
    assert events[0].failure is not None
    assert events[0].failure.code == "upstream_quota_exhausted"


def test_counts_that_cannot_be_are_said_to_be_invalid() -> None:
    assert read_usage({"input_tokens": -1, "output_tokens": 2}) == (None, False)
    assert read_usage(None) == (None, True)
    ended = _event("completed", response={"status": "completed", "usage": {"input_tokens": -1}})
    events, _ = _stream(_event("output_text.delta", delta="x"), ended)
    assert [event.usage for event in events if event.kind is EventKind.USAGE] == [None]


_NAMES = [
    "type", "item", "output_index", "content_index", "delta", "part", "text", "response", "usage", "error", "output",
    "content", "summary", "arguments", "call_id", "status", "input_tokens",
]  # fmt: skip
_WORDS = [
    "error", "message", "function_call", "reasoning", "completed", "response.completed", "response.failed",
    "response.output_item.added", "response.output_item.done", "response.output_text.delta", "output_text",
    "response.content_part.done", "response.function_call_arguments.delta", "response.function_call_arguments.done",
]  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from(_WORDS) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(_JSON, max_size=4))
def test_any_events_are_read_and_never_an_exception(values: list[object]) -> None:
    _stream(*(b"data: " + orjson.dumps(value) + b"\n\n" for value in values))


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_are_read_and_never_an_exception(chunks: list[bytes]) -> None:
    _stream(*chunks)


@given(_JSON)
def test_any_json_as_a_whole_answer_is_an_answer_or_a_failed_attempt(value: object) -> None:
    try:
        answer = _read(orjson.dumps(value))
    except AttemptFailed as exc:
        assert exc.failure.status >= 400
    else:
        assert answer.finish_reason is not None


_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "function"])},
    optional={
        "content": _JSON,
        "refusal": _JSON,
        "tool_call_id": _JSON,
        "tool_calls": _JSON | st.lists(st.fixed_dictionaries({"id": _JSON, "type": _JSON, "custom": _JSON})),
        "reasoning_details": _JSON | st.lists(st.fixed_dictionaries({"format": st.just("openai-responses-v1")})),
    },
)


@given(st.lists(_MESSAGE, max_size=3))
def test_any_messages_are_built_or_refused(messages: list[Any]) -> None:
    try:
        _body(messages=messages)
    except AttemptFailed as exc:
        assert exc.failure.status == 400


@given(st.dictionaries(st.sampled_from(["tools", "tool_choice", "response_format", "stop", "reasoning"]), _JSON))
def test_any_fields_are_built_or_refused(fields: dict[str, Any]) -> None:
    try:
        _body(**fields)
    except AttemptFailed as exc:
        assert exc.failure.status == 400


def test_what_passes_as_it_is_holds_no_reasoning_that_openai_was_told_to_forget() -> None:
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "opaque"}
    bare = {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "hm"}]}
    told = {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    native: dict[str, Any] = {"input": [bare, sealed, told, {"role": "user", "content": "hi"}], "store": False}
    ask = Ask("chat", "chat", {"messages": []}, wire=RESPONSES_WIRE, native=native)
    assert orjson.loads(PROVIDER.build(ask, _MODEL).body)["input"] == native["input"], "the client's own words"
    ask.answer_fields = {"store": True}
    assert orjson.loads(PROVIDER.build(ask, _MODEL).body)["input"] == native["input"][1:]
