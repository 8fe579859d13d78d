"""What is sent to Gemini: a chat in Google's words, or a refusal that names the field."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini import PROVIDER
from aiservice.upstream.outgoing import checked_path
from aiservice.wire import Ask, Blame, Json
from tests.providers.gemini_samples import NEW, OLD, PNG, ask, built, call, refused, user

_TOOL: Json = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def test_a_chat_is_asked_of_the_model_in_the_path() -> None:
    whole = PROVIDER.build(ask(), NEW)
    stream = PROVIDER.build(ask(is_stream=True, stream=True, stream_options={"include_usage": True}), f"models/{NEW}")
    assert (whole.path, whole.is_stream) == (f"/v1beta/models/{NEW}:generateContent", False)
    assert (stream.path, stream.is_stream) == (f"/v1beta/models/{NEW}:streamGenerateContent?alt=sse", True)
    assert orjson.loads(stream.body) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    assert checked_path(stream.path) == stream.path


@pytest.mark.parametrize("name", ["../files", "a/b", "a?key=1", "a%2fb", "", "a..b", "models/", "a b", "é", "x" * 300])
def test_a_name_that_is_no_model_never_becomes_a_path(name: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(ask(), name)
    assert (caught.value.failure.status, caught.value.failure.code) == (404, "model_not_found")


def test_the_key_is_in_a_header_and_never_in_the_path() -> None:
    assert PROVIDER.auth_headers(Secret("AIza-1")) == (("x-goog-api-key", "AIza-1"),)
    assert "key" not in PROVIDER.build(ask(is_stream=True), NEW).path + PROVIDER.probe().path


def test_settings_have_googles_names() -> None:
    body = built(
        temperature=0.5, top_p=0.9, top_k=40, seed=7, presence_penalty=0.1, frequency_penalty=0.2, stop="END", n=2,
        max_tokens=9, max_completion_tokens=10, logprobs=True, top_logprobs=3,
    )  # fmt: skip
    assert body["generationConfig"] == {
        "temperature": 0.5, "topP": 0.9, "topK": 40, "seed": 7, "presencePenalty": 0.1, "frequencyPenalty": 0.2,
        "maxOutputTokens": 10, "candidateCount": 2, "stopSequences": ["END"], "responseLogprobs": True, "logprobs": 3,
    }  # fmt: skip


def test_what_happens_anyway_and_labels_need_no_word() -> None:
    body = built(
        n=1, logit_bias={}, parallel_tool_calls=True, store=False, service_tier="auto", modalities=["text"], user="u",
        metadata={"a": "b"}, response_format={"type": "text"}, stop=None, tools=[], tool_choice="auto", logprobs=False,
    )  # fmt: skip
    assert list(body) == ["contents"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("logit_bias", {"1": 5}), ("parallel_tool_calls", 1), ("store", True), ("service_tier", "flex"),
        ("modalities", ["text", "audio"]), ("audio", {"voice": "alloy"}), ("prediction", {"type": "content"}),
        ("web_search_options", {}), ("verbosity", "low"), ("functions", [{"name": "x"}]), ("min_p", 0.1),
        ("stop", list("abcdef")), ("reasoning_effort", "enormous"), ("response_format", {"type": "grammar"}),
        ("tool_choice", {"type": "custom", "custom": {"name": "x"}}),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_by_name(name: str, value: Any) -> None:
    assert refused(NEW, tools=[_TOOL], **{name: value}) == (name, Blame.FAILOVER)


def test_more_that_cannot_be_carried() -> None:
    assert refused(NEW, {"role": "user", "name": "ada", "content": "x"}) == ("messages[0].name", Blame.FAILOVER)
    assert refused(NEW, tools=[{"type": "custom", "custom": {"name": "x"}}]) == ("tools[0]", Blame.FAILOVER)
    part = {"type": "file", "file": {"file_id": "file-1"}}
    assert refused(NEW, user(part)) == ("messages[0].content[0].file.file_id", Blame.FAILOVER)
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(ask(is_stream=True, logprobs=True), NEW)
    assert caught.value.failure.param == "logprobs"
    foreign = Ask("chat", "chat", {"messages": [{"role": "user", "content": "x"}]}, uncarried=("container",))
    with pytest.raises(AttemptFailed, match="unsupported_parameter"):
        PROVIDER.build(foreign, NEW)


def test_tools_go_by_their_json_schema_whatever_it_holds() -> None:
    schema = {"type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "additionalProperties": False}
    tools = [{"type": "function", "function": {"name": "a", "description": "A", "parameters": schema, "strict": True}}]
    declared = built(tools=[*tools, {"type": "function", "function": {"name": "b"}}])["tools"]
    assert declared == [
        {"functionDeclarations": [{"name": "a", "description": "A", "parametersJsonSchema": schema}, {"name": "b"}]}
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ({"type": "function", "function": {"name": "look"}}, {"mode": "ANY", "allowedFunctionNames": ["look"]}),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "look"}}]}},
            {"mode": "VALIDATED", "allowedFunctionNames": ["look"]},
        ),
    ],
)
def test_the_choice_of_tools(choice: Any, expected: Json | None) -> None:
    config = built(tools=[_TOOL], tool_choice=choice).get("toolConfig")
    assert config == (None if expected is None else {"functionCallingConfig": expected})


def test_structured_output_is_asked_for_by_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    config = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    assert built(response_format=wanted, tools=[_TOOL])["generationConfig"] == config
    assert built(response_format={"type": "json_object"})["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    assert refused(OLD, response_format=wanted, tools=[_TOOL]) == ("response_format", Blame.FAILOVER)


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash-lite", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("gemini-2.5-pro", "max", {"thinkingBudget": 32768, "includeThoughts": True}),
        ("gemini-2.5-pro", "none", None),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "minimal", "includeThoughts": True}),
        ("gemini-3.8-flash", "minimal", {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3.1-pro-preview", "none", None),
        ("gemini-9-ultra", "xhigh", {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-2.0-flash", "none", {}),
        ("gemini-2.0-flash", "low", None),
    ],
)
def test_thinking_by_family(model: str, effort: str, expected: Json | None) -> None:
    if expected is None:
        assert refused(model, reasoning_effort=effort) == ("reasoning_effort", Blame.FAILOVER)
    else:
        config = built(model=model, reasoning_effort=effort).get("generationConfig", {})
        assert config.get("thinkingConfig", {}) == expected


def test_thinking_by_budget_and_hidden() -> None:
    def thinking(model: str = OLD, **reasoning: Any) -> Any:
        return built(model=model, reasoning=reasoning).get("generationConfig", {}).get("thinkingConfig")

    assert thinking(max_tokens=2000) == {"thinkingBudget": 2000, "includeThoughts": True}
    assert thinking(effort="low", exclude=True) == {"thinkingBudget": 1024}
    assert thinking(enabled=True) == {"includeThoughts": True}
    assert thinking(enabled=False) == {"thinkingBudget": 0}
    assert refused("gemini-2.0-flash", reasoning={"max_tokens": 9}) == ("reasoning.max_tokens", Blame.FAILOVER)


def test_tokens_are_counted_over_the_whole_request() -> None:
    counted = Ask("chat", "token-count", {"messages": [{"role": "user", "content": "x"}], "tools": [_TOOL]})
    sent = PROVIDER.build(counted, OLD)
    assert PROVIDER.counts_tokens
    assert sent.path == f"/v1beta/models/{OLD}:countTokens"
    body = orjson.loads(sent.body)["generateContentRequest"]
    assert (body["model"], list(body)) == (f"models/{OLD}", ["model", "contents", "tools"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_WORDS = st.sampled_from(
    ["text", "image_url", "file", "input_audio", "refusal", "url", "file_data", "file_url", "data", "format", "type"]
)
_PART = st.dictionaries(_WORDS, st.sampled_from(["text", "file", "image_url", "input_audio", PNG]) | _JSON, max_size=4)
_MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool"]) | _JSON},
    optional={
        "content": _JSON | st.lists(_PART, max_size=3),
        "tool_calls": _JSON | st.lists(st.just(call("a")) | _JSON, max_size=2),
        "tool_call_id": st.just("a") | _JSON,
        "reasoning_details": _JSON,
        "extra_content": _JSON,
    },
)
_FIELDS = ("tools", "tool_choice", "response_format", "stop", "n", "reasoning", "reasoning_effort", "seed", "anything")


@given(st.lists(_MESSAGE | _JSON, max_size=4), st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3))
def test_any_request_is_carried_or_refused_by_name(messages: list[Any], fields: Json) -> None:
    for model in (NEW, "gemini-2.0-flash"):
        try:
            body = orjson.loads(PROVIDER.build(Ask("chat", "chat", {"messages": messages, **fields}), model).body)
        except AttemptFailed as exc:
            assert exc.failure.status == 400
            assert exc.failure.param
        else:
            assert body["contents"]
            assert "anything" not in fields or fields["anything"] is None


def test_a_strict_tool_keeps_calls_to_their_schema() -> None:
    strict: Json = {"type": "function", "function": {**_TOOL["function"], "strict": True}}

    def mode(**fields: Any) -> Any:
        return built(tools=[_TOOL, strict], **fields)["toolConfig"]["functionCallingConfig"]["mode"]

    assert [mode(), mode(tool_choice="auto"), mode(tool_choice="none"), mode(tool_choice="required")] == [
        "VALIDATED", "VALIDATED", "NONE", "ANY",
    ]  # fmt: skip
    assert "toolConfig" not in built(tools=[_TOOL])


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "look"}}])
def test_a_call_that_is_demanded_of_no_tool_is_refused(choice: Any) -> None:
    assert refused(tool_choice=choice) == ("tool_choice", Blame.CALLER)
    assert "toolConfig" not in built(tool_choice="none")


def test_more_texts_than_one_request_takes_are_refused_with_what_to_do() -> None:
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(Ask("embedding", "embedding", {"input": ["a"] * 101}), "gemini-embedding-001")
    failure = caught.value.failure
    assert (failure.param, failure.message) == (
        "input",
        "Gemini embeds at most 100 texts in one request: send several.",
    )
