"""A chat request in Anthropic's words: carried, refused by name, or saying nothing; never dropped."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._anthropic_models import claude_model
from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER
from aiservice.wire import MESSAGES_WIRE, Ask
from tests.providers.anthropic_samples import (
    CALL,
    HI,
    NEWEST,
    THOUGHT,
    WEATHER,
    any_json,
    built_body,
    refused,
    text,
    user,
)


def test_the_call_names_model_version_and_path() -> None:
    call = PROVIDER.build(Ask("chat", "chat", {"messages": [HI]}, is_stream=True), NEWEST)
    body = orjson.loads(call.body)
    assert (call.path, call.is_stream, body["model"], body["stream"]) == ("/v1/messages", True, NEWEST, True)
    assert ("anthropic-version", "2023-06-01") in call.headers
    assert body["messages"] == [user(text("hi"))]


def test_a_limit_is_always_sent_the_models_own_where_the_client_has_none() -> None:
    assert built_body()["max_tokens"] == 128_000
    assert built_body("claude-haiku-4-5-20251001")["max_tokens"] == 64_000
    assert built_body("claude-3-haiku-20240307")["max_tokens"] == 4_096
    assert built_body(max_tokens=7)["max_tokens"] == 7
    assert built_body(max_tokens=7, max_completion_tokens=9)["max_tokens"] == 9


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
    body = built_body(model, reasoning_effort=effort)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort")) == (thinking, sent_effort)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}),
        ("claude-3-5-haiku-latest", {"reasoning_effort": "low"}),
        ("claude-opus-5-5", {"reasoning_effort": "none"}),
        ("claude-sonnet-5-5", {"reasoning_effort": "none", "tools": [WEATHER]}),
        ("claude-haiku-4-5", {"reasoning_effort": "low", "max_tokens": 1_024}),
        ("claude-haiku-4-5", {"reasoning_effort": "low", "tools": [WEATHER], "tool_choice": "required"}),
        ("claude-opus-5", {"reasoning_effort": "enormous"}),
    ],
)
def test_effort_that_a_model_has_not_is_refused(model: str, fields: dict[str, Any]) -> None:
    assert refused(model, **fields) == "reasoning_effort"


def test_a_budget_leaves_room_for_the_answer() -> None:
    for limit in (1_025, 1_100, 2_000, 20_000):
        budget = built_body("claude-haiku-4-5", reasoning_effort="max", max_tokens=limit)["thinking"]["budget_tokens"]
        assert 1_024 <= budget < limit


def test_effort_holds_where_a_forced_call_leaves_no_thinking() -> None:
    body = built_body(reasoning_effort="low", tools=[WEATHER], tool_choice="required")
    assert ("thinking" in body, body["output_config"]) == (False, {"effort": "low"})


def test_a_budget_is_not_set_on_calls_that_were_made_without_signed_thinking() -> None:
    calls = {"role": "assistant", "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"}
    unsigned = built_body("claude-haiku-4-5", reasoning_effort="low", messages=[HI, calls, result])
    signed = [HI, {**calls, "reasoning_details": [THOUGHT]}, result]
    assert "thinking" not in unsigned
    assert "thinking" in built_body("claude-haiku-4-5", reasoning_effort="low", messages=signed)


def test_temperature_follows_each_models_rules() -> None:
    assert built_body("claude-haiku-4-5", temperature=0.2)["temperature"] == 0.2
    assert "temperature" not in built_body("claude-opus-5", temperature=1)
    assert refused("claude-opus-5", temperature=0.2) == "temperature"
    assert refused("claude-haiku-4-5", temperature=1.5) == "temperature"
    assert refused("claude-haiku-4-5", temperature=0.5, reasoning_effort="low") == "temperature"
    assert refused("claude-haiku-4-5", temperature=0.5, top_p=0.9) == "top_p"
    assert refused("claude-opus-5", top_p=0.9) == "top_p"
    assert "top_p" not in built_body("claude-opus-5", top_p=1.0)
    assert built_body("claude-3-haiku-20240307", temperature=0.5, top_p=0.9)["top_p"] == 0.9
    body = built_body("claude-haiku-4-5", temperature=1, top_p=0.9)
    assert ("temperature" in body, body["top_p"]) == (False, 0.9)


def test_stop_user_and_tier_have_their_words() -> None:
    assert built_body(stop="END")["stop_sequences"] == ["END"]
    assert built_body(stop=["a", "b"])["stop_sequences"] == ["a", "b"]
    assert refused(stop=["\n"]) == "stop"
    assert built_body(user="u-1")["metadata"] == {"user_id": "u-1"}
    assert built_body(user="u-1", safety_identifier="s")["metadata"] == {"user_id": "s"}
    assert refused(metadata={"team": "x"}) == "metadata"
    assert built_body(service_tier="auto")["service_tier"] == "auto"
    assert built_body(service_tier="default")["service_tier"] == "standard_only"
    assert refused(service_tier="flex") == "service_tier"


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
    assert refused(**fields) == next(iter(fields))


def test_values_that_ask_for_nothing_pass() -> None:
    plain = built_body()
    nothing: dict[str, Any] = {
        "n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "presence_penalty": 0, "frequency_penalty": 0.0,
        "seed": None, "store": False, "verbosity": "medium", "modalities": ["text"], "functions": [], "stop": None,
        "tools": [], "tool_choice": "auto", "metadata": {}, "user": None, "prompt_cache_key": "k",
    }  # fmt: skip
    assert built_body(**nothing) == plain


def test_an_empty_object_may_ask_for_something() -> None:
    assert refused(web_search_options={}) == "web_search_options"


_FIELDS = st.sampled_from(
    ["n", "seed", "stop", "tools", "tool_choice", "temperature", "top_p", "response_format", "reasoning_effort", "user",
     "logprobs", "metadata", "service_tier", "parallel_tool_calls", "max_tokens", "thinking", "messages", "unheard_of"]
)  # fmt: skip


@given(st.dictionaries(_FIELDS, any_json, max_size=5), st.sampled_from(["claude-opus-5", "claude-haiku-4-5", "other"]))
def test_whatever_is_asked_is_built_or_refused_by_name(fields: dict[str, Any], model: str) -> None:
    try:
        body = built_body(model, **fields)
    except AttemptFailed as refused:
        assert refused.failure.param
    else:
        assert body["model"] == model
        assert "unheard_of" not in fields or fields["unheard_of"] in (None, False, "", [], {})


def test_a_client_of_the_same_wire_has_its_own_body_sent_with_nothing_lost() -> None:
    native = {"model": "auto", "max_tokens": 5, "messages": [HI], "context_management": {"edits": []}, "stream": True}
    headers = (("anthropic-beta", "a-2025-01-01,b"), ("anthropic-version", "2024-01-01"), ("cookie", "x"))
    ask = Ask(
        "chat", "chat", {"messages": []}, is_stream=True, wire=MESSAGES_WIRE, native=native, native_headers=headers
    )
    ask.uncarried = ("context_management",)
    call = PROVIDER.build(ask, NEWEST)
    assert orjson.loads(call.body) == {**native, "model": NEWEST}
    assert call.headers == (("content-type", "application/json"), *headers[:2])


def test_a_long_list_of_betas_goes_out_in_several_lines() -> None:
    names = [f"some-feature-with-a-name-2025-01-{day:02}" for day in range(1, 30)]
    ask = Ask("chat", "chat", {}, wire=MESSAGES_WIRE, native={"messages": []})
    ask.native_headers = (("anthropic-beta", ",".join(names)),)
    lines = [value for name, value in PROVIDER.build(ask, NEWEST).headers if name == "anthropic-beta"]
    assert max(map(len, lines)) <= 256
    assert ",".join(lines).split(",") == names


def test_what_only_another_wire_has_words_for_is_refused() -> None:
    ask = Ask("chat", "chat", {"messages": [HI]}, wire="other-wire", native={}, uncarried=("magic",))
    with pytest.raises(AttemptFailed) as raised:
        PROVIDER.build(ask, NEWEST)
    assert raised.value.failure.param == "magic"


def test_tokens_are_counted_at_their_own_path() -> None:
    native = {"model": "x", "messages": [HI], "system": "s"}
    call = PROVIDER.build(Ask("chat", "token-count", {}, wire=MESSAGES_WIRE, native=native), NEWEST)
    assert (call.path, orjson.loads(call.body)) == ("/v1/messages/count_tokens", {**native, "model": NEWEST})
    call = PROVIDER.build(Ask("chat", "token-count", {"messages": [HI], "stop": "x", "user": "u"}), NEWEST)
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
