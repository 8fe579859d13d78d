"""What vendors of OpenAI's wire do otherwise than OpenAI, each by its row."""

import base64
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers.capabilities import capabilities_of
from aiservice.wire import (
    AI_SERVICE_WIRE,
    CHAT_WIRE,
    EMBEDDINGS_WIRE,
    MESSAGES_WIRE,
    Answer,
    Ask,
    Blame,
    HttpCall,
    HttpReply,
)

_HELLO = [{"role": "user", "content": "hi"}]
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_TURN = {
    "role": "assistant",
    "content": None,
    "reasoning_content": "hm",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
_RESULT = {"role": "tool", "tool_call_id": "c", "content": "1"}


def sent(kind: str, model: str = "m", *, wire: str = CHAT_WIRE, is_stream: bool = False, **fields: Any) -> Any:
    """What a vendor is sent for a chat."""
    ask = Ask("chat", "chat", {"messages": _HELLO, **fields}, is_stream=is_stream, wire=wire)
    return orjson.loads(registry()[kind].build(ask, model).body)


def refused(kind: str, model: str = "m", **fields: Any) -> str | None:
    """The field that a vendor has no word for."""
    with pytest.raises(AttemptFailed) as failed:
        sent(kind, model, **fields)
    assert (failed.value.failure.status, failed.value.failure.blame) == (400, Blame.FAILOVER)
    return failed.value.failure.param


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("groq", "n", 2),
        ("groq", "logprobs", True),
        ("groq", "logit_bias", {"1": 2}),
        ("deepseek", "n", 2),
        ("cerebras", "presence_penalty", 0.5),
        ("perplexity", "tools", [_TOOL]),
        ("heroku", "response_format", {"type": "json_object"}),
        ("ollama-openai", "n", 2),
        ("zai", "seed", 1),
    ],
)
def test_what_a_vendor_refuses_or_ignores_is_refused_by_name(kind: str, field: str, value: Any) -> None:
    assert refused(kind, **{field: value}) == field


def test_what_asks_for_nothing_special_is_sent_as_it_is() -> None:
    assert sent("groq", n=1, logprobs=False)["n"] == 1
    assert sent("perplexity", tools=None)["tools"] is None


@pytest.mark.parametrize(
    ("model", "is_taken"),
    [("grok-4.3", False), ("grok-3-mini", False), ("grok-3", True), ("grok-4-1-fast-non-reasoning", True)],
)
def test_xais_reasoning_models_take_no_stop_and_no_penalties(model: str, is_taken: bool) -> None:
    fields: dict[str, Any] = {"stop": ["a"], "presence_penalty": 0.5}
    for field, value in fields.items():
        if is_taken:
            assert sent("xai", model, **{field: value})[field] == value
        else:
            assert refused("xai", model, **{field: value}) == field


def test_limits_have_the_vendors_own_name() -> None:
    assert sent("together", max_completion_tokens=7)["max_tokens"] == 7
    assert "max_completion_tokens" not in sent("perplexity", max_completion_tokens=7)
    assert sent("cerebras", max_tokens=7)["max_completion_tokens"] == 7


def test_labels_that_a_vendor_refuses_are_left_out() -> None:
    assert {"user", "store", "metadata"}.isdisjoint(sent("deepseek", user="u", store=True, metadata={"a": "b"}))
    assert sent("openrouter", user="u")["user"] == "u"


def test_a_developers_message_is_the_systems_where_only_that_is_known() -> None:
    messages = [{"role": "developer", "content": "be brief"}, *_HELLO]
    assert sent("groq", messages=messages)["messages"][0]["role"] == "system"
    assert sent("openrouter", messages=messages)["messages"][0]["role"] == "developer"
    assert messages[0]["role"] == "developer"


@pytest.mark.parametrize(
    ("kind", "field"), [("cerebras", "reasoning"), ("groq", "reasoning"), ("openrouter", "reasoning")]
)
def test_thinking_goes_back_under_the_vendors_own_name(kind: str, field: str) -> None:
    turn = {"role": "assistant", "content": "4", "reasoning_content": "hm"}
    message = sent(kind, messages=[*_HELLO, turn, *_HELLO])["messages"][1]
    assert message["reasoning"] == "hm"
    assert "reasoning_content" not in message


def test_deepseek_is_given_its_thinking_back_where_tools_were_called_and_nowhere_else() -> None:
    plain = {"role": "assistant", "content": "4", "reasoning_content": "hm"}
    messages = sent("deepseek", wire=MESSAGES_WIRE, messages=[*_HELLO, plain, *_HELLO, _TURN, _RESULT])["messages"]
    assert "reasoning_content" not in messages[1]
    assert messages[3]["reasoning_content"] == "hm"


def test_openrouter_is_given_thinking_state_and_cache_marks_back_as_they_came() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1"}]
    part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    turn = {**_TURN, "reasoning_details": details}
    messages = [{"role": "user", "content": [part]}, turn, _RESULT]
    got = sent("openrouter", wire=MESSAGES_WIRE, messages=messages)["messages"]
    assert got[0]["content"] == [part]
    assert got[1]["reasoning_details"] == details
    assert "cache_control" not in sent("groq", wire=MESSAGES_WIRE, messages=messages)["messages"][0]["content"][0]


def test_perplexity_takes_its_messages_in_turns() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://x/a.png"}}
    messages = [
        *({"role": "user", "content": text} for text in ("a", "b")),
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
        {"role": "user", "content": [picture]},
    ]
    got = sent("perplexity", messages=messages)["messages"]
    assert [message["role"] for message in got] == ["user", "assistant", "user"]
    assert got[0]["content"] == "a\n\nb"
    assert got[2]["content"] == [{"type": "text", "text": "d"}, picture]


@pytest.mark.parametrize(
    ("kind", "wanted"), [("deepseek", "json_schema"), ("zai", "json_schema"), ("perplexity", "json_object")]
)
def test_an_answers_form_that_a_vendor_does_not_hold_is_refused(kind: str, wanted: str) -> None:
    assert refused(kind, response_format={"type": wanted}) == "response_format"
    assert getattr(capabilities_of(kind, "m"), wanted) is False


def test_a_tool_that_must_be_called_is_refused_where_that_would_be_ignored() -> None:
    named = {"type": "function", "function": {"name": "f"}}
    assert refused("ollama-openai", tools=[_TOOL], tool_choice="required") == "tool_choice"
    assert refused("lmstudio", tools=[_TOOL], tool_choice=named) == "tool_choice"
    assert refused("deepseek", "deepseek-reasoner", tools=[_TOOL], tool_choice="required") == "tool_choice"
    assert capabilities_of("ollama-openai", "m").forced_tools is False
    assert sent("groq", tools=[_TOOL], tool_choice=named)["tool_choice"] == named


def test_tools_that_may_not_be_called_are_not_sent_where_they_would_be_called() -> None:
    assert {"tools", "tool_choice"}.isdisjoint(sent("ollama-openai", tools=[_TOOL], tool_choice="none"))


@pytest.mark.parametrize(
    ("kind", "model", "asked", "said"),
    [
        ("mistral", "mistral-small-latest", "low", {"reasoning_effort": "high"}),
        ("mistral", "mistral-small-latest", "none", {"reasoning_effort": "none"}),
        ("deepseek", "deepseek-chat", "medium", {"reasoning_effort": "medium"}),
        ("deepseek", "deepseek-chat", "none", {"thinking": {"type": "disabled"}}),
        ("alibaba", "qwen-plus", "high", {"enable_thinking": True}),
        ("zai", "glm-5.2", "high", {"reasoning_effort": "high"}),
        ("zai", "glm-5.2", "none", {"thinking": {"type": "disabled"}}),
        ("groq", "openai/gpt-oss-120b", "minimal", {"reasoning_effort": "low"}),
        ("xai", "grok-3-mini", "medium", {"reasoning_effort": "high"}),
        ("xai", "grok-4.3", "none", {"reasoning_effort": "none"}),
        ("together", "m", "xhigh", {"reasoning_effort": "xhigh"}),
    ],
)
def test_effort_is_said_in_the_vendors_words(kind: str, model: str, asked: str, said: dict[str, Any]) -> None:
    body = sent(kind, model, reasoning_effort=asked)
    assert {name: body[name] for name in ("reasoning_effort", "thinking", "enable_thinking") if name in body} == said


def test_a_clients_own_word_for_effort_is_left_alone() -> None:
    own: dict[str, Any] = {"thinking": {"type": "enabled", "clear_thinking": False}, "reasoning_effort": "high"}
    body = sent("zai", "glm-5.2", **own)
    assert {name: body[name] for name in own} == own


@pytest.mark.parametrize(("kind", "model"), [("xai", "grok-4"), ("xai", "grok-4-1-fast"), ("groq", "llama-3.3-70b")])
def test_models_that_take_no_effort_refuse_it_by_name(kind: str, model: str) -> None:
    assert refused(kind, model, reasoning_effort="high") == "reasoning_effort"


def _stream(kind: str, *choices: Any) -> list[Any]:
    reader = registry()[kind].reader(Ask("chat", "chat", {}, is_stream=True), HttpCall("/chat/completions", b"{}"))
    frames = [b"data: " + orjson.dumps({"id": "c", "model": "m", "choices": [choice]}) + b"\n\n" for choice in choices]
    events = reader.feed(b"".join(frames) + b"data: [DONE]\n\n") + reader.end()
    assert reader.is_finished
    return events


def test_snowflakes_answers_are_given_the_finish_reason_that_they_do_not_have() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for delta, reason in (({"content": "4", "tool_calls": None}, "stop"), ({"tool_calls": [call]}, "tool_calls")):
        (finish,) = [event for event in _stream("snowflake", {"index": 0, "delta": delta}) if event.finish_reason]
        assert finish.finish_reason == reason
        told = orjson.loads(finish.frame[6:])
        assert (told["id"], told["choices"]) == ("c", [{"index": 0, "delta": {}, "finish_reason": reason}])
    said = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": ""}]}
    ask, reply = Ask("chat", "chat", {}), HttpReply(200, {}, orjson.dumps(said))
    answer = registry()["snowflake"].read(ask, HttpCall("/chat/completions", b"{}"), reply)
    assert (answer.finish_reason, answer.body["choices"][0]["finish_reason"]) == ("tool_calls", "tool_calls")


def test_a_finish_reason_of_a_vendors_own_is_told_in_openais_word() -> None:
    first, *_ = _stream("together", {"index": 0, "delta": {"content": "a"}, "finish_reason": "eos"})
    assert b'"finish_reason":"stop"' in first.frame


def test_writers_arguments_of_nothing_are_an_empty_text() -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": None}}
    first, *_ = _stream(
        "writer",
        {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None},
        {"index": 0, "finish_reason": "tool_calls"},
    )
    assert b'"arguments":""' in first.frame


def _failure(kind: str, status: int, body: Any) -> Any:
    return registry()[kind].failure(HttpReply(status, {}, orjson.dumps(body)))


@pytest.mark.parametrize(
    ("kind", "status", "body", "code"),
    [
        ("xai", 400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, "upstream_auth_failed"),
        ("xai", 400, {"code": "invalid-argument", "error": "Argument not supported"}, "invalid-argument"),
        ("deepseek", 402, {"error": {"message": "Insufficient Balance"}}, "upstream_quota_exhausted"),
        ("deepseek", 401, {"error": {"code": "invalid_request_error", "message": "x"}}, "upstream_auth_failed"),
        ("groq", 498, {"error": {"message": "capacity exceeded"}}, "provider_failed"),
        ("groq", 400, {"error": {"code": "tool_use_failed", "message": "x"}}, "tool_use_failed"),
        ("perplexity", 400, {"error": {"type": "too_many_prompt_tokens", "code": 400}}, "context_length_exceeded"),
        ("ollama-cloud", 400, {"error": {"message": "prompt too long; exceeded max"}}, "context_length_exceeded"),
        ("llama-cpp", 500, {"error": {"type": "exceed_context_size_error"}}, "context_length_exceeded"),
        ("llama-cpp", 503, {"error": {"message": "Loading model"}}, "provider_failed"),
        ("openrouter", 402, {"error": {"code": 402, "message": "Insufficient credits"}}, "upstream_quota_exhausted"),
        ("openrouter", 403, {"error": {"code": 403, "message": "Input was flagged"}}, "content_filter"),
        (
            "openrouter",
            401,
            {"error": {"code": 401, "message": "No cookie auth"}},
            "upstream_auth_failed",
        ),
        ("alibaba", 400, {"error": {"code": "data_inspection_failed", "message": "x"}}, "content_filter"),
        ("lmstudio", 400, {"error": "Model 'x' not found"}, "model_not_found"),
    ],
)
def test_a_vendors_error_means_what_its_row_says(kind: str, status: int, body: Any, code: str) -> None:
    failure = _failure(kind, status, body)
    assert failure.code == code
    assert failure.upstream_status == status


def test_limits_come_from_the_headers_that_the_row_names() -> None:
    day = {"x-ratelimit-limit-requests-day": "14400", "x-ratelimit-remaining-requests-day": "14399"}
    (note,) = registry()["cerebras"].quota_in(day)
    assert (note.measure, note.window_seconds, note.limit, note.remaining) == ("requests", 86_400, 14_400, 14_399)
    prompt = {"x-ratelimit-limit-tokens-prompt": "60000", "x-ratelimit-remaining-tokens-prompt": "1"}
    assert [note.measure for note in registry()["fireworks"].quota_in(prompt)] == ["input_tokens"]
    xai = {"x-ratelimit-limit-requests": "480", "x-ratelimit-remaining-requests": "479"}
    (note,) = registry()["xai"].quota_in(xai)
    assert note.reset_seconds is None


def _embedded(encoding: str | None, given_vector: Any, kind: str, wire: str = EMBEDDINGS_WIRE) -> Answer:
    body = {"input": "a", **({} if encoding is None else {"encoding_format": encoding})}
    ask, provider = Ask("embedding", "embedding", body, wire=wire), registry()[kind]
    call = provider.build(ask, "embed")
    assert "encoding_format" not in orjson.loads(call.body) or encoding not in ("float", "base64")
    said = {"data": [{"embedding": given_vector, "index": 0}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    return provider.read(ask, call, HttpReply(200, {}, orjson.dumps(said)))


def test_vectors_are_packed_for_who_asks_for_base64_of_a_vendor_that_knows_only_numbers() -> None:
    answer = _embedded("base64", [1.0, -2.0], "groq")
    assert answer.body["data"][0]["embedding"] == base64.b64encode(struct.pack("<2f", 1.0, -2.0)).decode()
    assert answer.raw is None
    assert _embedded("float", [1.0], "groq").raw is not None


def test_perplexitys_signed_bytes_are_numbers_for_who_asks_for_numbers() -> None:
    packed = base64.b64encode(struct.pack("3b", -1, 0, 127)).decode()
    assert _embedded("float", packed, "perplexity").body["data"][0]["embedding"] == [-1, 0, 127]
    floats = _embedded("base64", packed, "perplexity").body["data"][0]["embedding"]
    assert struct.unpack("<3f", base64.b64decode(floats)) == (-1.0, 0.0, 127.0)
    assert _embedded(None, packed, "perplexity").raw is not None
    assert _embedded(None, packed, "perplexity", AI_SERVICE_WIRE).body["data"][0]["embedding"] == [-1, 0, 127]


def test_a_vector_that_is_none_is_a_failed_attempt() -> None:
    for wrong in ("not base64!", ["a"], [1e300]):
        with pytest.raises(AttemptFailed):
            _embedded("base64", wrong, "perplexity")


def test_the_list_of_models_is_where_the_row_says() -> None:
    assert registry()["perplexity"].probe().path == "/v1/models"
    assert registry()["writer"].build(Ask("chat", "chat", {"messages": _HELLO}), "m").path == "/chat"
    bare = HttpReply(200, {}, orjson.dumps([{"id": "a"}, {"id": "b"}]))  # Together's has no object around it
    assert registry()["together"].models_in(bare) == ["a", "b"]


def test_models_that_only_embed_are_not_asked_to_chat() -> None:
    together = registry()["together"]
    assert together.serves("BAAI/bge-large-en-v1.5", "embedding")
    assert not together.serves("BAAI/bge-large-en-v1.5", "chat")
    assert not registry()["deepseek"].serves("deepseek-embed", "embedding")


_MISSHAPEN: list[dict[str, Any]] = [
    {"tools": 5},
    {"tools": {"a": 1}},
    {"tool_choice": 5, "tools": [_TOOL]},
    {"response_format": 5},
    {"reasoning_effort": ["high"]},
    {"stop": {}},
    {"stream_options": []},
    {"n": "2"},
]


@pytest.mark.parametrize("kind", sorted(registry().keys() - {"sandbox"}))
def test_fields_of_the_wrong_shape_are_refused_or_the_vendors_to_refuse(kind: str) -> None:
    for fields in _MISSHAPEN:
        try:
            registry()[kind].build(Ask("chat", "chat", {"messages": _HELLO, **fields}), "m")
        except AttemptFailed as failed:
            assert failed.failure.status == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "type"]), inner),
    max_leaves=10,
)


@given(
    st.sampled_from(sorted(registry().keys() - {"anthropic", "gemini", "sandbox", "openai"})),
    st.lists(_JSON.map(lambda inner: inner if isinstance(inner, dict) else {"role": "user"}), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["tools", "tool_choice", "response_format", "n", "stop", "max_tokens"]), _JSON),
)
def test_any_request_is_built_or_refused_by_name(kind: str, messages: list[Any], fields: dict[str, Any]) -> None:
    before = orjson.dumps([messages, fields])
    ask = Ask("chat", "chat", {"messages": messages, **fields})
    try:
        registry()[kind].build(ask, "m")
    except AttemptFailed as failed:
        assert failed.failure.param
    assert orjson.dumps([messages, fields]) == before
