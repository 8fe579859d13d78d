"""A chat request in Anthropic's words: carried, refused by name, or saying nothing; never dropped."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._anthropic_models import claude_model
from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask, Blame

_HI = {"role": "user", "content": "hi"}
_PDF = "data:application/pdf;base64,JVBERi0="
_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
_CALL = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
_THOUGHT = {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0}
_NEWEST = "claude-opus-5"


def _built(model: str = _NEWEST, **fields: Any) -> dict[str, Any]:
    ask = Ask("chat", "chat", {"messages": [_HI], **fields})
    return dict(orjson.loads(PROVIDER.build(ask, model).body))


def _turns(*messages: dict[str, Any], model: str = _NEWEST) -> Any:
    return _built(model, messages=list(messages))["messages"]


def _refused(model: str = _NEWEST, **fields: Any) -> str:
    with pytest.raises(AttemptFailed) as raised:
        _built(model, **fields)
    failure = raised.value.failure
    assert (failure.status, failure.code, failure.blame) == (400, "unsupported_parameter", Blame.FAILOVER)
    assert failure.param is not None
    return failure.param


def _user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_the_call_names_model_version_and_path() -> None:
    call = PROVIDER.build(Ask("chat", "chat", {"messages": [_HI]}, is_stream=True), _NEWEST)
    body = orjson.loads(call.body)
    assert (call.path, call.is_stream, body["model"], body["stream"]) == ("/v1/messages", True, _NEWEST, True)
    assert ("anthropic-version", "2023-06-01") in call.headers
    assert body["messages"] == [_user(_text("hi"))]


def test_a_limit_is_always_sent_the_models_own_where_the_client_has_none() -> None:
    assert _built()["max_tokens"] == 128_000
    assert _built("claude-haiku-4-5-20251001")["max_tokens"] == 64_000
    assert _built("claude-3-haiku-20240307")["max_tokens"] == 4_096
    assert _built(max_tokens=7)["max_tokens"] == 7
    assert _built(max_tokens=7, max_completion_tokens=9)["max_tokens"] == 9


def test_first_instructions_are_the_system_prompt() -> None:
    body = _built(messages=[{"role": "system", "content": "Be brief."}, _HI])
    assert (body["system"], body["messages"]) == ("Be brief.", [_user(_text("hi"))])
    marked = {"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral"}}
    body = _built(messages=[{"role": "developer", "content": [marked]}, {"role": "system", "content": "B"}, _HI])
    assert body["system"] == [marked, _text("B")]


def test_later_instructions_keep_their_place_where_the_model_has_one_for_them() -> None:
    talk = [_HI, {"role": "system", "content": "Now French."}, {"role": "user", "content": "again"}]
    assert _turns(*talk) == [
        _user(_text("hi"), _text("again")),
        {"role": "system", "content": [_text("Now French.")]},
    ]
    older = _built("claude-sonnet-4-5", messages=talk)
    assert (older["system"], [turn["role"] for turn in older["messages"]]) == ("Now French.", ["user"])


def test_instructions_behind_the_last_answer_are_refused() -> None:
    talk = [_HI, {"role": "assistant", "content": "Hello"}, {"role": "system", "content": "Sum up."}]
    assert _refused(messages=talk) == "messages[2]"
    assert _refused("claude-sonnet-4-5", messages=talk) == "messages[2]"


def test_turns_of_one_role_become_one_and_empty_ones_none() -> None:
    turns = _turns(_HI, {"role": "user", "content": "you"}, {"role": "assistant", "content": ""}, _HI)
    assert turns == [_user(_text("hi"), _text("you"), _text("hi"))]


def test_results_of_tools_come_first_in_the_turn_behind_their_calls() -> None:
    turns = _turns(
        _HI,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [_CALL, {**_CALL, "id": "toolu_2"}]},
        {"role": "user", "content": "hurry"},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": [_text("no such city")], "is_error": True},
    )
    assert turns[1]["content"] == [_text("Let me see."), _USE, {**_USE, "id": "toolu_2"}]
    first = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
    second = {"type": "tool_result", "tool_use_id": "toolu_2", "content": [_text("no such city")], "is_error": True}
    assert turns[2] == _user(first, second, _text("hurry"))


def test_ids_that_this_wire_does_not_allow_are_replaced_on_both_sides_alike() -> None:
    call = {**_CALL, "id": "functions.weather:0"}
    turns = _turns(
        _HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.weather:0", "content": "rain"},
    )
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"]
    assert turns[1]["content"][0]["id"].startswith("toolu_")


@pytest.mark.parametrize("arguments", ["{", "[1]", '"x"', "7"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    call = {**_CALL, "function": {"name": "f", "arguments": arguments}}
    talk = [_HI, {"role": "assistant", "tool_calls": [call]}]
    assert _refused(messages=talk) == "messages[1].tool_calls[0].function.arguments"


def test_no_arguments_are_an_empty_object() -> None:
    call = {**_CALL, "function": {"name": "f", "arguments": ""}}
    assert _turns(_HI, {"role": "assistant", "tool_calls": [call]})[1]["content"][0]["input"] == {}


def test_images_and_documents_go_as_data_or_as_an_address() -> None:
    def block(part: dict[str, Any]) -> Any:
        return _turns(_user(part))[0]["content"][0]

    def image(url: str) -> dict[str, Any]:
        return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}

    def file(**fields: str) -> dict[str, Any]:
        return {"type": "file", "file": {"filename": "a.b", **fields}}

    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert block(image("data:image/png;base64,AAAA")) == {"type": "image", "source": source}
    assert block(image("https://e.org/a.png"))["source"] == {"type": "url", "url": "https://e.org/a.png"}
    assert block(file(file_data=_PDF)) == {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        "title": "a.b",
    }
    csv = "data:text/csv;charset=utf-8;base64," + base64.b64encode("a,ü".encode()).decode()
    assert block(file(file_data=csv))["source"] == {"type": "text", "media_type": "text/plain", "data": "a,ü"}
    assert block(file(file_url="https://e.org/a.pdf"))["source"]["type"] == "url"
    assert block({**file(file_data=_PDF), "cache_control": {"type": "ephemeral"}})["cache_control"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "file", "file": {"file_data": "data:application/zip;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,****"}},
        {"type": "file"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"text": "no type"},
        "text",
        None,
    ],
)
def test_parts_without_a_word_here_are_refused_by_their_place(part: Any) -> None:
    assert _refused(messages=[{"role": "user", "content": [part]}]).startswith("messages[0].content[0]")


def test_thinking_comes_back_signed_or_not_at_all() -> None:
    foreign = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}
    redacted = {"type": "reasoning.encrypted", "data": "abc", "format": "anthropic-claude-v1"}
    unsigned = {"type": "reasoning.text", "text": "psst", "format": "anthropic-claude-v1"}
    said = {"role": "assistant", "content": "4", "reasoning_content": "hm", "tool_calls": [_CALL]}
    turns = _turns(_HI, {**said, "reasoning_details": [_THOUGHT, foreign, redacted, unsigned, "junk"]})
    assert turns[1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "abc"},
        _text("4"),
        _USE,
    ]


def test_tools_lose_their_nesting_and_keep_everything_else() -> None:
    mark = {"type": "ephemeral"}
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    function = {"name": "f", "description": "does f", "parameters": schema, "strict": True}
    tools = [
        {"type": "function", "function": function, "cache_control": mark},
        {"type": "function", "function": {"name": "g"}},
    ]
    assert _built(tools=tools)["tools"] == [
        {"name": "f", "description": "does f", "input_schema": schema, "strict": True, "cache_control": mark},
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    own = {"type": "web_search_20250305", "name": "web_search"}
    assert _built(tools=[own])["tools"] == [own]
    assert _refused(tools=[{"type": "custom", "custom": {"name": "x"}}]) == "tools[0]"
    assert _refused("claude-3-5-haiku-20241022", tools=tools) == "tools[0].function.strict"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [_WEATHER]}}, {"type": "any"}),
    ],
)
def test_every_tool_choice_has_its_word(asked: Any, sent: dict[str, Any]) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    body = _built(tools=[_WEATHER, other], tool_choice=asked)
    assert body["tool_choice"] == sent
    is_limited = isinstance(asked, dict) and asked["type"] == "allowed_tools"
    assert [tool["name"] for tool in body["tools"]] == (["weather"] if is_limited else ["weather", "other"])


def test_one_call_at_a_time_is_part_of_the_choice() -> None:
    one = {"disable_parallel_tool_use": True}
    assert _built(tools=[_WEATHER], parallel_tool_calls=False)["tool_choice"] == {"type": "auto", **one}
    built = _built(tools=[_WEATHER], parallel_tool_calls=False, tool_choice="required")
    assert built["tool_choice"] == {"type": "any", **one}
    assert "tool_choice" not in _built(tools=[_WEATHER], parallel_tool_calls=True)
    assert "tool_choice" not in _built(parallel_tool_calls=False)
    assert _built(tools=[_WEATHER], parallel_tool_calls=False, tool_choice="none")["tool_choice"] == {"type": "none"}


def test_a_call_that_cannot_be_forced_is_refused() -> None:
    assert _refused(tool_choice="required") == "tool_choice"
    assert _refused("claude-opus-5-5", tools=[_WEATHER], tool_choice="required") == "tool_choice"
    assert _refused(tools=[_WEATHER], tool_choice={"type": "custom", "custom": {"name": "x"}}) == "tool_choice"


def test_a_schema_is_sent_closed() -> None:
    inner = {"type": "object", "properties": {"type": {"type": "string"}}}
    schema = {"type": "object", "properties": {"a": inner}, "additionalProperties": True}
    body = _built(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
    sent = body["output_config"]["format"]
    assert sent["schema"]["properties"]["a"]["additionalProperties"] is False
    assert (sent["type"], sent["schema"]["additionalProperties"]) == ("json_schema", True)
    assert "additionalProperties" not in inner
    assert "output_config" not in _built(response_format={"type": "text"})
    asked = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert _refused("claude-3-opus-20240229", response_format=asked) == "response_format"
    assert _refused(response_format={"type": "json_schema"}) == "response_format"


def test_json_without_a_schema_is_a_tool_that_must_be_called() -> None:
    wanted = {"type": "json_object"}
    body = _built(response_format=wanted)
    assert body["tool_choice"] == {"type": "tool", "name": "json_answer", "disable_parallel_tool_use": True}
    assert [tool["name"] for tool in body["tools"]] == ["json_answer"]
    assert _refused(response_format=wanted, tools=[_WEATHER]) == "response_format"
    assert _refused("claude-opus-5-5", response_format=wanted) == "response_format"


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "sent_effort"),
    [
        ("claude-opus-5", "minimal", {"type": "adaptive", "display": "summarized"}, "low"),
        ("claude-opus-4-7", "xhigh", {"type": "adaptive", "display": "summarized"}, "xhigh"),
        ("claude-sonnet-4-6", "max", {"type": "adaptive", "display": "summarized"}, "max"),
        ("claude-haiku-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, None),
        ("claude-haiku-4-5", "none", None, None),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
    ],
)
def test_effort_is_asked_for_as_each_model_knows_it(
    model: str, effort: str, thinking: Any, sent_effort: str | None
) -> None:
    body = _built(model, reasoning_effort=effort)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, sent_effort)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}),
        ("claude-3-5-haiku-latest", {"reasoning_effort": "low"}),
        ("claude-opus-5-5", {"reasoning_effort": "none"}),
        ("claude-sonnet-5-5", {"reasoning_effort": "none", "tools": [_WEATHER]}),
        ("claude-haiku-4-5", {"reasoning_effort": "low", "max_tokens": 1_024}),
        ("claude-haiku-4-5", {"reasoning_effort": "low", "tools": [_WEATHER], "tool_choice": "required"}),
        ("claude-opus-5", {"reasoning_effort": "enormous"}),
    ],
)
def test_effort_that_a_model_has_not_is_refused(model: str, fields: dict[str, Any]) -> None:
    assert _refused(model, **fields) == "reasoning_effort"


def test_a_budget_leaves_room_for_the_answer() -> None:
    for limit in (1_025, 1_100, 2_000, 20_000):
        budget = _built("claude-haiku-4-5", reasoning_effort="max", max_tokens=limit)["thinking"]["budget_tokens"]
        assert 1_024 <= budget < limit


def test_effort_holds_where_a_forced_call_leaves_no_thinking() -> None:
    body = _built(reasoning_effort="low", tools=[_WEATHER], tool_choice="required")
    assert ("thinking" in body, body["output_config"]) == (False, {"effort": "low"})


def test_a_budget_is_not_set_on_calls_that_were_made_without_signed_thinking() -> None:
    calls = {"role": "assistant", "tool_calls": [_CALL]}
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"}
    unsigned = _built("claude-haiku-4-5", reasoning_effort="low", messages=[_HI, calls, result])
    signed = [_HI, {**calls, "reasoning_details": [_THOUGHT]}, result]
    assert "thinking" not in unsigned
    assert "thinking" in _built("claude-haiku-4-5", reasoning_effort="low", messages=signed)


def test_temperature_follows_each_models_rules() -> None:
    assert _built("claude-haiku-4-5", temperature=0.2)["temperature"] == 0.2
    assert "temperature" not in _built("claude-opus-5", temperature=1)
    assert _refused("claude-opus-5", temperature=0.2) == "temperature"
    assert _refused("claude-haiku-4-5", temperature=1.5) == "temperature"
    assert _refused("claude-haiku-4-5", temperature=0.5, reasoning_effort="low") == "temperature"
    assert _refused("claude-haiku-4-5", temperature=0.5, top_p=0.9) == "top_p"
    assert _refused("claude-opus-5", top_p=0.9) == "top_p"
    assert "top_p" not in _built("claude-opus-5", top_p=1.0)
    assert _built("claude-3-haiku-20240307", temperature=0.5, top_p=0.9)["top_p"] == 0.9
    body = _built("claude-haiku-4-5", temperature=1, top_p=0.9)
    assert ("temperature" in body, body["top_p"]) == (False, 0.9)


def test_stop_user_and_tier_have_their_words() -> None:
    assert _built(stop="END")["stop_sequences"] == ["END"]
    assert _built(stop=["a", "b"])["stop_sequences"] == ["a", "b"]
    assert _refused(stop=["\n"]) == "stop"
    assert _built(user="u-1")["metadata"] == {"user_id": "u-1"}
    assert _built(user="u-1", safety_identifier="s")["metadata"] == {"user_id": "s"}
    assert _refused(metadata={"team": "x"}) == "metadata"
    assert _built(service_tier="auto")["service_tier"] == "auto"
    assert _built(service_tier="default")["service_tier"] == "standard_only"
    assert _refused(service_tier="flex") == "service_tier"


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logprobs": True},
        {"top_logprobs": 3},
        {"logit_bias": {"5": 1}},
        {"presence_penalty": 0.5},
        {"frequency_penalty": -1},
        {"seed": 0},
        {"store": True},
        {"verbosity": "low"},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "x"}},
        {"prediction": {"type": "content", "content": "x"}},
        {"web_search_options": {"search_context_size": "low"}},
        {"functions": [{"name": "f"}]},
        {"something_new": 1},
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(fields: dict[str, Any]) -> None:
    assert _refused(**fields) == next(iter(fields))


def test_values_that_ask_for_nothing_pass() -> None:
    plain = _built()
    nothing: dict[str, Any] = {
        "n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0.0,
        "seed": None, "store": False, "verbosity": "medium", "modalities": ["text"], "functions": [], "stop": None,
        "tools": [], "tool_choice": "auto", "metadata": {}, "user": None, "prompt_cache_key": "k",
    }  # fmt: skip
    assert _built(**nothing) == plain


def test_names_in_messages_are_refused_and_other_roles_too() -> None:
    assert _refused(messages=[{**_HI, "name": "bob"}]) == "messages[0].name"
    assert _refused(messages=[{"role": "function", "content": "x"}]) == "messages[0].role"
    assert _refused(messages=["hi"]) == "messages[0]"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["n", "seed", "stop", "tools", "tool_choice", "temperature", "top_p", "response_format", "reasoning_effort", "user",
     "logprobs", "metadata", "service_tier", "parallel_tool_calls", "max_tokens", "thinking", "messages", "unheard_of"]
)  # fmt: skip


@given(st.dictionaries(_FIELDS, _JSON, max_size=5), st.sampled_from(["claude-opus-5", "claude-haiku-4-5", "other"]))
def test_whatever_is_asked_is_built_or_refused_by_name(fields: dict[str, Any], model: str) -> None:
    try:
        body = _built(model, **fields)
    except AttemptFailed as refused:
        assert refused.failure.param
    else:
        assert body["model"] == model
        assert "unheard_of" not in fields or fields["unheard_of"] in (None, False, "", [], {})


@pytest.mark.parametrize("calls", [5, True, "abc", {"a": 1}, [None], [{"function": {"name": 3}}]])
def test_calls_of_any_shape_are_refused_by_their_place(calls: Any) -> None:
    assert _refused(messages=[{"role": "assistant", "tool_calls": calls}, _HI]).startswith("messages[0].tool_calls")


@given(st.lists(_JSON, max_size=4), st.sampled_from(["user", "assistant", "tool", "system"]))
def test_messages_of_any_shape_are_built_or_refused(contents: list[Any], role: str) -> None:
    messages = [{"role": role, "content": content, "tool_calls": content} for content in contents]
    try:
        _built(messages=messages)
    except AttemptFailed as refused:
        assert refused.failure.code == "unsupported_parameter"


def test_a_client_of_the_same_wire_has_its_own_body_sent_with_nothing_lost() -> None:
    native = {"model": "auto", "max_tokens": 5, "messages": [_HI], "context_management": {"edits": []}, "stream": True}
    headers = (("anthropic-beta", "a-2025-01-01,b"), ("anthropic-version", "2024-01-01"), ("cookie", "x"))
    ask = Ask(
        "chat", "chat", {"messages": []}, is_stream=True, wire=MESSAGES_WIRE, native=native, native_headers=headers
    )
    ask.uncarried = ("context_management",)
    call = PROVIDER.build(ask, _NEWEST)
    assert orjson.loads(call.body) == {**native, "model": _NEWEST}
    assert call.headers == (("content-type", "application/json"), *headers[:2])


def test_a_long_list_of_betas_goes_out_in_several_lines() -> None:
    names = [f"some-feature-with-a-name-2025-01-{day:02}" for day in range(1, 30)]
    ask = Ask("chat", "chat", {}, wire=MESSAGES_WIRE, native={"messages": []})
    ask.native_headers = (("anthropic-beta", ",".join(names)),)
    lines = [value for name, value in PROVIDER.build(ask, _NEWEST).headers if name == "anthropic-beta"]
    assert max(map(len, lines)) <= 256
    assert ",".join(lines).split(",") == names


def test_what_only_another_wire_has_words_for_is_refused() -> None:
    ask = Ask("chat", "chat", {"messages": [_HI]}, wire="other-wire", native={}, uncarried=("magic",))
    with pytest.raises(AttemptFailed) as raised:
        PROVIDER.build(ask, _NEWEST)
    assert raised.value.failure.param == "magic"


def test_tokens_are_counted_at_their_own_path() -> None:
    native = {"model": "x", "messages": [_HI], "system": "s"}
    call = PROVIDER.build(Ask("chat", "token-count", {}, wire=MESSAGES_WIRE, native=native), _NEWEST)
    assert (call.path, orjson.loads(call.body)) == ("/v1/messages/count_tokens", {**native, "model": _NEWEST})
    call = PROVIDER.build(Ask("chat", "token-count", {"messages": [_HI], "stop": "x", "user": "u"}), _NEWEST)
    assert orjson.loads(call.body).keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("name", "limit", "thinking", "sampling"),
    [
        ("claude-2.1", 4_096, "never", "both"),
        ("claude-3-5-sonnet-20241022", 8_192, "never", "both"),
        ("claude-3-7-sonnet-latest", 8_192, "budget", "both"),
        ("claude-opus-4-20250514", 8_192, "budget", "both"),
        ("claude-sonnet-4-0", 8_192, "budget", "both"),
        ("claude-sonnet-4@20250514", 8_192, "budget", "both"),
        ("claude-opus-4-1-20250805", 8_192, "budget", "one"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 64_000, "budget", "one"),
        ("anthropic/claude-haiku-4.5", 64_000, "budget", "one"),
        ("claude-opus-4-5-20251101", 64_000, "budget", "one"),
        ("claude-opus-4-6", 128_000, "adaptive", "one"),
        ("claude-opus-4-8", 128_000, "adaptive", "none"),
        ("claude-sonnet-5", 128_000, "adaptive", "none"),
        ("claude-fable-5-1", 128_000, "adaptive", "none"),
        ("claude-something-9", 128_000, "adaptive", "none"),
        ("deepseek-chat", 8_192, "budget", "both"),
    ],
)
def test_a_models_rules_are_found_by_its_name(name: str, limit: int, thinking: str, sampling: str) -> None:
    rules = claude_model(name)
    assert (rules.max_tokens, rules.thinking, rules.sampling) == (limit, thinking, sampling)


def test_generations_are_told_apart() -> None:
    assert not claude_model("claude-opus-5-5").has_forced_tools
    assert claude_model("claude-opus-5").has_forced_tools
    assert claude_model("claude-opus-4-8").has_later_system
    assert not claude_model("claude-sonnet-5").has_later_system
    assert claude_model("claude-opus-4-80") == claude_model("claude-something-9")
