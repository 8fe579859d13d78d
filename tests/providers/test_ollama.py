"""Ollama's own wire, both ways."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers._ollama.stream import MAX_LINE_BYTES
from aiservice.providers.ollama import PROVIDER
from aiservice.wire import COMPLETIONS_WIRE, EMBEDDINGS_WIRE, Ask, EventKind, HttpCall, HttpReply, StreamEvent, Usage

_HELLO = [{"role": "user", "content": "hi"}]
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_CALL = HttpCall("/api/chat", b'{"model":"m"}')
_ASK = Ask("chat", "chat", {"messages": _HELLO}, is_stream=True)
_PNG = "data:image/png;base64,iVBORw0KGgo="
_DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 21, "eval_count": 9}


def _sent(model: str = "qwen3", *, is_stream: bool = False, **fields: Any) -> Any:
    ask = Ask("chat", "chat", {"messages": _HELLO, **fields}, is_stream=is_stream)
    return orjson.loads(PROVIDER.build(ask, model).body)


def _refused(**fields: Any) -> str | None:
    with pytest.raises(AttemptFailed) as failed:
        _sent(**fields)
    return failed.value.failure.param


def _lines(*objects: Any) -> bytes:
    return b"".join(orjson.dumps({"model": "m", "done": False, **said}) + b"\n" for said in objects)


def _read(*chunks: bytes) -> tuple[list[StreamEvent], bool]:
    reader = PROVIDER.reader(_ASK, _CALL)
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.end()
    return events, reader.is_finished


def _whole(message: Any, **said: Any) -> Any:
    body = {"model": "m", "message": message, **_DONE, **said}
    return PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, orjson.dumps(body)))


def test_settings_are_options_and_whether_it_streams_is_always_said() -> None:
    body = _sent(temperature=0, max_tokens=5, stop="a", seed=42, top_k=3, options={"num_ctx": 8192}, keep_alive="5m")
    assert body["options"] == {
        "temperature": 0,
        "num_predict": 5,
        "stop": ["a"],
        "seed": 42,
        "top_k": 3,
        "num_ctx": 8192,
    }
    assert (body["stream"], body["keep_alive"], body["model"]) == (False, "5m", "qwen3")
    assert _sent(is_stream=True)["stream"] is True


def test_a_prompt_that_does_not_fit_is_an_error_and_not_cut_off() -> None:
    assert _sent()["truncate"] is False
    assert _sent(truncate=True)["truncate"] is True


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}, {"type": "object"}),
        ({"type": "text"}, None),
    ],
)
def test_an_answers_form_is_format(wanted: Any, sent: Any) -> None:
    assert _sent(response_format=wanted).get("format") == sent


@pytest.mark.parametrize(
    ("model", "fields", "think"),
    [
        ("gpt-oss:20b", {"reasoning_effort": "high"}, "high"),
        ("gpt-oss:20b", {"reasoning_effort": "minimal"}, "low"),
        ("qwen3", {"reasoning_effort": "high"}, True),
        ("qwen3", {"reasoning_effort": "none"}, False),
        ("qwen3", {"reasoning": {"enabled": True}}, True),
        ("qwen3", {"reasoning": {"enabled": False}}, False),
        ("qwen3", {"think": "low"}, "low"),
        ("qwen3", {}, None),
    ],
)
def test_effort_is_think_in_levels_only_where_the_model_has_them(model: str, fields: Any, think: Any) -> None:
    assert _sent(model, **fields).get("think") == think


def test_images_are_bare_base64_beside_the_text() -> None:
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": _PNG}}]
    assert _sent(messages=[{"role": "user", "content": parts}])["messages"] == [
        {"role": "user", "content": "what?", "images": ["iVBORw0KGgo="]}
    ]
    remote = {"type": "image_url", "image_url": {"url": "https://x/a.png"}}
    assert _refused(messages=[{"role": "user", "content": [remote]}]) == "messages[0].content[0].image_url"
    sound = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    assert _refused(messages=[{"role": "user", "content": [sound]}]) == "messages[0].content[0]"


def test_a_tool_loop_has_arguments_as_objects_and_results_by_name() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city": "Oslo"}'}}
    turn = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": "c1", "content": "cold"}
    body = _sent(messages=[{"role": "developer", "content": "be brief"}, *_HELLO, turn, result], tools=[_TOOL])
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool"]
    made = body["messages"][2]
    assert made["thinking"] == "hm"
    assert made["tool_calls"] == [{"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"city": "Oslo"}}}]
    assert body["messages"][3] == {"role": "tool", "content": "cold", "tool_call_id": "c1", "tool_name": "f"}
    assert body["tools"] == [_TOOL]


def test_tools_that_may_not_be_called_are_not_sent() -> None:
    assert "tools" not in _sent(tools=[_TOOL], tool_choice="none")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 2}, "n"),
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"parallel_tool_calls": False, "tools": [_TOOL]}, None),
        ({"tools": [_TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"something_new": 1}, "something_new"),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages[0].role"),
    ],
)
def test_what_it_would_pass_over_in_silence_is_refused_by_name(fields: Any, named: str | None) -> None:
    if named is None:
        assert "parallel_tool_calls" not in _sent(**fields)
    else:
        assert _refused(**fields) == named


def test_arguments_that_are_no_object_are_refused() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "[1]"}}
    turn = {"role": "assistant", "tool_calls": [call]}
    assert _refused(messages=[turn]) == "messages[0].tool_calls[0].function.arguments"


def test_a_whole_answer_is_text_thinking_tool_calls_and_counts() -> None:
    answer = _whole({"role": "assistant", "content": "4", "thinking": "hm"})
    message = answer.body["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"], answer.finish_reason) == ("4", "hm", "stop")
    assert answer.usage == Usage(21, 9)
    called = _whole({"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"city": "Oslo"}}}]})
    (call,) = called.body["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": '{"city":"Oslo"}'}
    assert call["id"].startswith("call_")
    assert called.finish_reason == "tool_calls"
    assert _whole({"content": "a"}, done_reason="length").finish_reason == "length"
    assert _whole({"content": ""}, done_reason="load").finish_reason == "stop"


def test_a_prompt_from_its_cache_is_not_counted_by_older_servers_and_so_by_us() -> None:
    body = {"message": {"content": "a"}, "done": True, "eval_count": 9}
    answer = PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, orjson.dumps(body)))
    assert (answer.usage, answer.is_usage_valid) == (None, True)
    assert _whole({"content": "a"}, eval_count=-1).is_usage_valid is False


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"done": true}', b'{"message": {}, "done": false}'])
def test_garbage_with_200_is_a_failed_attempt(body: bytes) -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, body))


def test_an_error_with_200_is_a_failure_whole_and_streamed() -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, b'{"error": "llama runner terminated"}'))
    events, is_finished = _read(_lines({"message": {"content": "a"}}), b'{"error": "model runner has stopped"}\n')
    assert (events[-1].kind, is_finished) == (EventKind.ERROR, False)


_STREAM = _lines(
    {"message": {"content": "", "thinking": "h"}},
    {"message": {"content": "", "thinking": "m"}},
    {"message": {"content": "It is "}},
    {"message": {"content": "cold ☃."}},
    {"message": {"content": "", "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}]}},
    {"message": {"content": "", "tool_calls": [{"id": "c2", "function": {"name": "g", "arguments": {}}}]}},
    {"message": {"content": ""}, **_DONE},
)


def test_a_stream_folded_is_the_whole_answer() -> None:
    events, is_finished = _read(_STREAM)
    calls = [
        {"id": "c1", "function": {"name": "f", "arguments": {"a": 1}}},
        {"id": "c2", "function": {"name": "g", "arguments": {}}},
    ]
    whole = _whole({"content": "It is cold ☃.", "thinking": "hm", "tool_calls": calls})
    message = whole.body["choices"][0]["message"]
    assert "".join(event.text for event in events if event.kind is EventKind.TEXT) == message["content"]
    assert "".join(event.text for event in events if event.kind is EventKind.REASONING) == message["reasoning_content"]
    told = [event.tool_call for event in events if event.tool_call]
    assert [(call.index, call.call_id, call.name, call.arguments) for call in told] == [
        (place, call["id"], call["function"]["name"], call["function"]["arguments"])
        for place, call in enumerate(message["tool_calls"])
    ]
    assert [event.finish_reason for event in events if event.finish_reason] == [whole.finish_reason]
    assert [event.usage for event in events if event.usage] == [whole.usage]
    assert is_finished


def test_a_stream_cut_at_any_byte_before_its_last_never_ends_clean() -> None:
    end = len(_STREAM.rstrip())
    for cut in range(end):
        assert not _read(_STREAM[:cut])[1], cut
    assert _read(_STREAM[:end])[1]  # only the line's end is missing


@given(st.lists(st.integers(0, len(_STREAM)), max_size=6))
def test_a_stream_says_the_same_however_it_is_cut_into_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(_STREAM)]
    pieces = [_STREAM[a:b] for a, b in pairwise(places)]
    assert [(e.kind, e.text, e.usage) for e in _read(*pieces)[0]] == [
        (e.kind, e.text, e.usage) for e in _read(_STREAM)[0]
    ]


def test_line_ends_of_windows_and_empty_lines_are_borne() -> None:
    assert _read(_STREAM.replace(b"\n", b"\r\n\r\n"))[1]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    reader = PROVIDER.reader(_ASK, _CALL)
    events = [event for _ in range(MAX_LINE_BYTES // 65_536 + 1) for event in reader.feed(b"x" * 65_536)]
    assert [event.kind for event in events] == [EventKind.ERROR]
    assert reader.feed(b"x") == []


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_any_bytes_give_events_and_never_an_exception(chunks: list[bytes]) -> None:
    _read(*chunks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "content", "done", "tool_calls", "function", "name", "arguments", "error", "thinking", "id"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_an_answer_events_or_a_failed_attempt(said: Any) -> None:
    _read(orjson.dumps(said) + b"\n")
    for kind in ("chat", "embedding"):
        try:
            PROVIDER.read(Ask(kind, kind, {}), _CALL, HttpReply(200, {}, orjson.dumps(said)))
        except AttemptFailed as failed:
            assert failed.failure.status >= 400


@given(
    st.lists(st.dictionaries(st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), _JSON), max_size=3),
    st.dictionaries(
        st.sampled_from(["tools", "tool_choice", "response_format", "reasoning", "stop", "options"]), _JSON
    ),
)
def test_any_request_is_built_or_refused_by_name(messages: list[Any], fields: dict[str, Any]) -> None:
    try:
        _sent(messages=messages, **fields)
    except AttemptFailed as failed:
        assert failed.failure.param


def test_embeddings_are_texts_in_and_vectors_out_as_they_were_asked_for() -> None:
    ask = Ask("embedding", "embedding", {"input": "a", "encoding_format": "base64"}, wire=EMBEDDINGS_WIRE)
    call = PROVIDER.build(ask, "all-minilm")
    assert (call.path, orjson.loads(call.body)) == (
        "/api/embed",
        {"truncate": False, "model": "all-minilm", "input": "a"},
    )
    answer = PROVIDER.read(ask, call, HttpReply(200, {}, b'{"embeddings": [[1.0, 2.0]], "prompt_eval_count": 3}'))
    assert answer.body["data"][0]["embedding"] == "AACAPwAAAEA="
    assert answer.usage == Usage(3)
    with pytest.raises(AttemptFailed) as failed:
        PROVIDER.build(Ask("embedding", "embedding", {"input": [[1, 2]]}), "all-minilm")
    assert failed.value.failure.param == "input"


def test_an_unknown_model_is_said_so_and_the_list_is_read() -> None:
    reply = HttpReply(404, {}, b'{"error":"model \'nope\' not found"}')
    assert PROVIDER.failure(reply).code == "model_not_found"
    listed = HttpReply(200, {}, b'{"models": [{"name": "llama3:latest", "model": "llama3:latest"}, {"name": "b"}, 3]}')
    assert PROVIDER.models_in(listed) == ["llama3:latest", "b"]
    assert PROVIDER.probe().path == "/api/tags"
    assert PROVIDER.auth_headers(Secret("k")) == (("authorization", "Bearer k"),)


def test_a_prompt_that_is_gone_on_with_is_generated_from_and_may_have_a_gap() -> None:
    native = {"prompt": "def f(", "suffix": "return 1"}
    ask = Ask("text-generation", "chat", {"messages": [{"role": "user", "content": "def f("}], "max_tokens": 5})
    ask.wire, ask.native, ask.uncarried = COMPLETIONS_WIRE, native, ("suffix",)
    call = PROVIDER.build(ask, "codellama")
    sent = orjson.loads(call.body)
    assert call.path == "/api/generate"
    assert (sent["prompt"], sent["suffix"], sent["options"]) == ("def f(", "return 1", {"num_predict": 5})
    assert "messages" not in sent
    answer = PROVIDER.read(ask, call, HttpReply(200, {}, orjson.dumps({"response": "a, b):", **_DONE})))
    assert answer.body["choices"][0]["message"]["content"] == "a, b):"
    ask.uncarried = ("echo",)
    with pytest.raises(AttemptFailed) as refused:
        PROVIDER.build(ask, "codellama")
    assert refused.value.failure.param == "echo"
