"""Cohere's v2 chat: a request in its words, its answers and failures in ours."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers.cohere import PROVIDER
from aiservice.services.prices import Prices
from aiservice.wire import Answer, Ask, AttemptFailure, Blame, HttpCall, HttpReply, QuotaNote, Usage

_HELLO = [{"role": "user", "content": "hi"}]
_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_OTHER_TOOL = {"type": "function", "function": {"name": "g"}}
_CALL = HttpCall("/v2/chat", b'{"model":"command-a-03-2025"}')
_THINKING = "command-a-reasoning-08-2025"
_USAGE = {"billed_units": {"input_tokens": 7, "output_tokens": 4}, "tokens": {"input_tokens": 502, "output_tokens": 5}}
_CITED = [
    {"start": 0, "end": 2, "text": "It", "sources": [{"type": "document", "id": "doc:0"}], "type": "TEXT_CONTENT"}
]


def _sent(model: str = "command-a-03-2025", *, is_stream: bool = False, **fields: Any) -> Any:
    ask = Ask("chat", "chat", {"messages": _HELLO, **fields}, is_stream=is_stream)
    return orjson.loads(PROVIDER.build(ask, model).body)


def _refused(model: str = "command-a-03-2025", *, is_stream: bool = False, **fields: Any) -> str | None:
    with pytest.raises(AttemptFailed) as failed:
        _sent(model, is_stream=is_stream, **fields)
    assert failed.value.failure.blame is Blame.FAILOVER
    return failed.value.failure.param


def _whole(message: Any, *, asked: Any = None, **said: Any) -> Answer:
    body = {"id": "x", "message": message, "finish_reason": "COMPLETE", "usage": _USAGE, **said}
    return PROVIDER.read(Ask("chat", "chat", asked or {}), _CALL, HttpReply(200, {}, orjson.dumps(body)))


def _failure(message: Any = None, **said: Any) -> AttemptFailure:
    with pytest.raises(AttemptFailed) as failed:
        _whole(message if message is not None else {"content": [{"type": "text", "text": "It"}]}, **said)
    return failed.value.failure


def test_settings_go_by_its_names() -> None:
    body = _sent(max_tokens=9, max_completion_tokens=5, temperature=0, top_p=0.5, top_k=3, seed=42, stop="a", n=1)
    assert body == {
        "model": "command-a-03-2025",
        "messages": _HELLO,
        "stream": False,
        "max_tokens": 5,
        "temperature": 0,
        "p": 0.5,
        "k": 3,
        "seed": 42,
        "stop_sequences": ["a"],
    }
    assert _sent(is_stream=True)["stream"] is True


def test_all_of_the_probability_is_as_much_as_it_takes() -> None:
    assert _sent(top_p=1)["p"] == 0.99


def test_words_of_its_own_are_passed_on() -> None:
    own: Any = {
        "documents": ["a"],
        "citation_options": {"mode": "FAST"},
        "safety_mode": "STRICT",
        "strict_tools": True,
        "thinking": {"type": "disabled"},
        "priority": 1,
        "k": 2,
        "p": 0.3,
        "stop_sequences": ["b"],
    }
    assert own.items() <= _sent(**own).items()


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logit_bias": {"1": 2}},
        {"top_logprobs": 3},
        {"presence_penalty": -1},
        {"frequency_penalty": 1.5},
        {"stop": list("abcdef")},
        {"web_search_options": {"a": 1}},
        {"modalities": ["text", "audio"]},
        {"reasoning_effort": "high"},
        {"response_format": {"type": "grammar"}},
    ],
)
def test_what_it_has_no_word_for_is_refused_by_name(fields: Any) -> None:
    assert _refused(**fields) == next(iter(fields))


def test_log_probabilities_are_for_whole_answers() -> None:
    assert _sent(logprobs=True)["logprobs"] is True
    assert _refused(logprobs=True, is_stream=True) == "logprobs"


def test_labels_ask_nothing_of_it() -> None:
    assert _sent(user="u", metadata={"a": "b"}, store=False, service_tier="auto", parallel_tool_calls=True) == _sent()


@pytest.mark.parametrize(
    ("choice", "word", "names"),
    [
        ("auto", None, ["f", "g"]),
        ("none", "NONE", ["f", "g"]),
        ("required", "REQUIRED", ["f", "g"]),
        ({"type": "function", "function": {"name": "g"}}, "REQUIRED", ["g"]),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [_TOOL]}}, None, ["f"]),
    ],
)
def test_a_certain_tool_is_all_it_is_given(choice: Any, word: str | None, names: list[str]) -> None:
    body = _sent(tools=[_TOOL, _OTHER_TOOL], tool_choice=choice)
    assert body.get("tool_choice") == word
    assert [tool["function"]["name"] for tool in body["tools"]] == names


def test_one_strict_tool_makes_all_strict() -> None:
    strict = {"type": "function", "function": {"name": "h", "strict": True, "parameters": {}}}
    body = _sent(tools=[_TOOL, strict])
    assert body["strict_tools"] is True
    assert "strict" not in body["tools"][1]["function"]
    assert "strict_tools" not in _sent(tools=[_TOOL])


def test_a_tool_that_is_no_function_or_not_there_is_refused() -> None:
    assert _refused(tools=[{"type": "web_search"}]) == "tools[0]"
    named = {"type": "function", "function": {"name": "nope"}}
    assert _refused(tools=[_TOOL], tool_choice=named) == "tool_choice"


def test_a_schema_stands_without_a_name_and_not_beside_tools() -> None:
    schema = {"type": "object", "properties": {}}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    assert _sent(response_format=wanted)["response_format"] == {"type": "json_object", "json_schema": schema}
    assert _sent(response_format={"type": "json_object"})["response_format"] == {"type": "json_object"}
    assert _refused(response_format=wanted, tools=[_TOOL]) == "response_format"
    assert "response_format" not in _sent(response_format={"type": "text"}, tools=[_TOOL])


@pytest.mark.parametrize(
    ("fields", "thinking"),
    [
        ({"reasoning_effort": "low"}, {"type": "enabled", "token_budget": 2048}),
        ({"reasoning_effort": "none"}, {"type": "disabled"}),
        ({"reasoning": {"max_tokens": 99}}, {"type": "enabled", "token_budget": 99}),
        ({"reasoning": {"enabled": False}}, {"type": "disabled"}),
        ({}, None),
    ],
)
def test_effort_is_a_budget_of_tokens(fields: Any, thinking: Any) -> None:
    assert _sent(_THINKING, **fields).get("thinking") == thinking


def test_a_model_that_does_not_think_may_be_told_not_to() -> None:
    assert "thinking" not in _sent(reasoning_effort="none")


def test_a_tool_loop_goes_back_with_its_plan() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    plan = {"cohere": {"tool_plan": "I will ask f.", "citations": _CITED}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call], "extra_content": plan}
    turn["reasoning_content"] = "I will ask f."
    result = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "cold"}]}
    system, _, made, told = _sent(messages=[{"role": "developer", "content": "be brief"}, *_HELLO, turn, result])[
        "messages"
    ]
    assert system == {"role": "system", "content": "be brief"}
    assert made == {
        "role": "assistant",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "tool_plan": "I will ask f.",
        "citations": _CITED,
    }
    assert told == {"role": "tool", "content": [{"type": "text", "text": "cold"}], "tool_call_id": "c1"}


def test_thinking_goes_back_to_a_model_that_thinks_and_other_vendors_stays_away() -> None:
    turn = {"role": "assistant", "content": "4", "reasoning_content": "2 and 2"}
    assert _sent(_THINKING, messages=[turn])["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "2 and 2"},
        {"type": "text", "text": "4"},
    ]
    assert _sent(messages=[turn])["messages"][0]["content"] == "4"
    foreign = {**turn, "reasoning_details": [{"type": "reasoning.text", "format": "anthropic-claude-v1"}]}
    assert _sent(_THINKING, messages=[foreign])["messages"][0]["content"] == "4"


def test_a_text_document_stands_apart_and_images_stay_where_they_are() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}}
    file = {"type": "file", "file": {"filename": "facts.txt", "file_data": "data:text/plain;base64,UnVieQ=="}}
    body = _sent(messages=[{"role": "user", "content": [{"type": "text", "text": "who?"}, image, file]}])
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "who?"}, image]}]
    assert body["documents"] == [{"id": "doc:0", "data": {"title": "facts.txt", "text": "Ruby"}}]


def test_an_image_that_a_tool_gave_follows_in_a_message_of_its_own() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    results = [{"role": "tool", "tool_call_id": each, "content": [image]} for each in ("a", "b")]
    assert _sent(messages=[*results, *_HELLO])["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "The result is attached to the next message."},
        {"role": "tool", "tool_call_id": "b", "content": "The result is attached to the next message."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Attached to the result of a:"},
                image,
                {"type": "text", "text": "Attached to the result of b:"},
                image,
            ],
        },
        *_HELLO,
    ]
    assert [each["role"] for each in _sent(messages=results)["messages"]] == ["tool", "tool", "user"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA=="}},
        {"type": "file", "file": {"file_url": "https://x/a.txt"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    ],
)
def test_what_it_cannot_be_given_is_named_where_it_stands(part: Any) -> None:
    assert _refused(messages=[{"role": "user", "content": [part]}]) == "messages[0].content[0]"


def test_an_answer_is_ours_and_nothing_of_it_is_lost() -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is cold."}]
    answer = _whole({"role": "assistant", "content": content, "citations": _CITED})
    assert answer.body["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "It is cold.",
                "reasoning_content": "hm",
                "extra_content": {"cohere": {"citations": _CITED}},
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert answer.model == "command-a-03-2025"


@pytest.mark.parametrize("arguments", ["null", "", None])
def test_a_call_without_arguments_has_an_empty_object(arguments: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    answer = _whole({"tool_plan": "I will.", "tool_calls": [call, call]}, finish_reason="TOOL_CALL")
    message = answer.body["choices"][0]["message"]
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert (message["content"], message["reasoning_content"]) == (None, "I will.")
    assert message["extra_content"] == {"cohere": {"tool_plan": "I will."}}
    assert answer.finish_reason == "tool_calls"


def test_who_wants_one_call_at_a_time_is_given_the_first() -> None:
    calls = [{"id": n, "type": "function", "function": {"name": n, "arguments": "{}"}} for n in "ab"]
    answer = _whole({"tool_calls": calls}, asked={"parallel_tool_calls": False}, finish_reason="TOOL_CALL")
    assert [call["id"] for call in answer.body["choices"][0]["message"]["tool_calls"]] == ["a"]


@pytest.mark.parametrize(
    ("reason", "finish"), [("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length")]
)
def test_why_it_ended(reason: str, finish: str) -> None:
    assert _whole({"content": []}, finish_reason=reason).finish_reason == finish


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("ERROR", 502, "upstream_truncated"),
        ("TIMEOUT", 504, "provider_timeout"),
        (None, 502, "upstream_truncated"),
        ("SOMETHING_NEW", 502, "upstream_truncated"),
    ],
)
def test_a_reason_that_is_no_clean_end_is_a_failure(reason: Any, status: int, code: str) -> None:
    failure = _failure(finish_reason=reason)
    assert (failure.status, failure.code, failure.blame) == (status, code, Blame.FAILOVER)


def test_what_is_paid_for_is_not_what_was_read() -> None:
    usage = _whole({"content": []}).usage
    assert usage == Usage(502, 5, billed=(7, 4))
    cost = Prices().cost_nano_usd("cohere", "", "command-a-03-2025", usage, 1_790_000_000_000_000)
    assert cost == 7 * 2_500 + 4 * 10_000  # 2.5 and 10 dollars a million


def test_counts_come_as_floats_and_hold_what_was_cached_and_thought() -> None:
    tokens = {"input_tokens": 499.0, "output_tokens": 59, "reasoning_tokens": 28}
    usage = _whole({"content": []}, usage={"tokens": tokens, "cached_tokens": 600.0}).usage
    assert usage == Usage(499, 59, cached_input_tokens=499, reasoning_tokens=28)


@pytest.mark.parametrize("usage", [{"tokens": {"input_tokens": -1, "output_tokens": 1}}, {"tokens": "many"}, 3])
def test_counts_that_cannot_be_are_not_believed(usage: Any) -> None:
    answer = _whole({"content": []}, usage=usage)
    assert (answer.usage, answer.is_usage_valid) == (None, False)


def test_log_probabilities_are_of_pieces() -> None:
    pieces = [{"text": "It", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}]
    told = _whole({"content": []}, logprobs=pieces).body["choices"][0]["logprobs"]
    assert told == {"content": [{"token": "It", "logprob": -0.75, "bytes": [73, 116], "top_logprobs": []}]}


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"id": "a", "message": "Incorrect API key provided: ***********."}, "upstream_auth_failed"),
        (498, {"message": "invalid token"}, "upstream_auth_failed"),
        (404, {"id": "a", "message": "model 'x' not found, make sure"}, "model_not_found"),
        (404, {"message": "model 'command' was removed on September 15"}, "model_not_found"),
        (400, {"error_type": "TOO_MANY_TOKENS", "message": "too many tokens: size limit"}, "context_length_exceeded"),
        (422, {"message": "all elements in history must have a message"}, "provider_rejected_request"),
        (429, {"message": "Please wait and try again later"}, "provider_quota_exhausted"),
        (429, {"message": "a Trial key, which is limited to 1000 API calls / month"}, "upstream_quota_exhausted"),
        (499, None, "provider_timeout"),
        (503, {"message": "upstream"}, "provider_failed"),
    ],
)
def test_a_refusal_is_told_by_its_status_and_words(status: int, body: Any, code: str) -> None:
    raw = orjson.dumps(body) if body else b""
    assert PROVIDER.failure(HttpReply(status, {}, raw)).code == code


def test_a_trial_key_has_limits_of_its_own() -> None:
    headers = {"x-trial-endpoint-call-limit": "40", "x-trial-endpoint-call-remaining": "36"}
    assert PROVIDER.quota_in(headers) == (QuotaNote("requests", 60, 40, 36),)
    assert PROVIDER.quota_in({}) == ()


def test_addresses_and_models_are_read_as_people_give_them() -> None:
    assert PROVIDER.address("https://api.cohere.com/v2/") == "https://api.cohere.com"
    listed = HttpReply(200, {}, b'{"models": [{"name": "command-a-03-2025", "endpoints": ["chat"]}, {}, 3]}')
    assert PROVIDER.models_in(listed) == ["command-a-03-2025"]
    assert PROVIDER.auth_headers(Secret("k")) == (("authorization", "Bearer k"),)
    assert PROVIDER.serves("embed-v4.0", "embedding")
    assert not PROVIDER.serves("rerank-v3.5", "chat")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "content", "type", "text", "tool_calls", "function", "name", "arguments", "tokens", "delta"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(_JSON, st.sampled_from(["COMPLETE", "TOOL_CALL", "ERROR"]))
def test_any_json_is_an_answer_or_a_failed_attempt(said: Any, reason: str) -> None:
    bodies = [said, {"message": said, "finish_reason": reason, "usage": said, "logprobs": said}]
    for body in bodies:
        try:
            PROVIDER.read(Ask("chat", "chat", {}), _CALL, HttpReply(200, {}, orjson.dumps(body)))
        except AttemptFailed as failed:
            assert failed.failure.status >= 400


@settings(max_examples=40)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["role", "content", "tool_calls", "extra_content", "reasoning_content"]), _JSON
        ),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(["tools", "tool_choice", "response_format", "reasoning", "reasoning_effort", "stop", "top_p"]),
        _JSON,
    ),
)
def test_any_request_is_built_or_refused_by_name(messages: list[Any], fields: dict[str, Any]) -> None:
    try:
        _sent(_THINKING, messages=messages, **fields)
    except AttemptFailed as failed:
        assert failed.failure.param
