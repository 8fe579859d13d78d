"""OpenAI itself: what each model takes, and which of its two APIs is asked."""

from typing import Any

import orjson
import pytest

from aiservice.providers._base import AttemptFailed
from aiservice.providers._openai_models import rules_for
from aiservice.providers.openai import PROVIDER
from aiservice.wire import AI_SERVICE_WIRE, CHAT_WIRE, MESSAGES_WIRE, Ask, AskKind, Blame, HttpReply

_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def _built(model: str, wire: str = CHAT_WIRE, kind: AskKind = "chat", **fields: Any) -> tuple[str, dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    call = PROVIDER.build(Ask("chat", kind, body, wire=wire), model)
    return call.path, orjson.loads(call.body)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gpt-4.1", "/chat/completions"),
        ("gpt-5-mini", "/chat/completions"),
        ("o3", "/chat/completions"),
        ("o1-pro", "/responses"),
        ("o3-pro-2025-06-10", "/responses"),
        ("gpt-5-pro", "/responses"),
        ("gpt-5.1-codex-max", "/responses"),
        ("codex-mini-latest", "/responses"),
        ("o4-mini-deep-research", "/responses"),
        ("openai/o1-pro", "/responses"),
        ("a-model-of-tomorrow", "/chat/completions"),
    ],
)
def test_models_that_chat_refuses_are_asked_over_responses(model: str, path: str) -> None:
    assert _built(model)[0] == path


def test_a_generation_whose_tools_chat_refuses_is_asked_over_responses_where_there_are_tools() -> None:
    assert _built("gpt-5.6")[0] == "/chat/completions"
    assert _built("gpt-5.6", tools=[_TOOL])[0] == "/responses"
    assert _built("gpt-5.5", tools=[_TOOL])[0] == "/chat/completions"


def test_a_tool_that_openai_runs_itself_is_asked_for_over_responses() -> None:
    path, body = _built("gpt-4.1", tools=[{"type": "web_search", "search_context_size": "low"}])
    assert (path, body["tools"]) == ("/responses", [{"type": "web_search", "search_context_size": "low"}])


def test_a_document_by_its_address_goes_to_the_api_that_fetches_it() -> None:
    part = {"type": "file", "file": {"filename": "a.pdf", "file_url": "https://example.com/a.pdf"}}
    message = {"role": "user", "content": [part]}
    path, body = _built("gpt-4.1", MESSAGES_WIRE, messages=[message])
    sent = [{"type": "input_file", "file_url": "https://example.com/a.pdf"}]
    assert (path, body["input"][0]["content"]) == ("/responses", sent)


def test_an_image_that_a_tool_gave_goes_to_the_api_that_takes_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "see"}, image]},
    ]
    path, body = _built("gpt-4.1", MESSAGES_WIRE, messages=messages)
    output = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
    ]
    assert (path, body["input"][1]["output"]) == ("/responses", output)


def test_a_limit_has_the_name_that_reasoning_models_take() -> None:
    assert _built("gpt-5-mini", max_tokens=9)[1]["max_completion_tokens"] == 9
    assert "max_tokens" not in _built("gpt-5-mini", max_tokens=9)[1]
    assert _built("gpt-5-mini", max_tokens=9, max_completion_tokens=7)[1]["max_completion_tokens"] == 7
    assert _built("gpt-4.1", max_tokens=9)[1]["max_tokens"] == 9


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 0.2), ("top_p", 0.9), ("logit_bias", {"1": 1}), ("stop", ["x"])]
)
def test_what_a_reasoning_model_refuses_is_named_and_another_target_may_take_it(name: str, value: Any) -> None:
    with pytest.raises(AttemptFailed) as refused:
        _built("o3", **{name: value})
    failure = refused.value.failure
    assert (failure.status, failure.param, failure.blame) == (400, name, Blame.FAILOVER)


def test_what_says_nothing_is_no_reason_to_refuse() -> None:
    path, body = _built("o3", temperature=1, presence_penalty=0, logprobs=False)
    assert (path, body["temperature"]) == ("/chat/completions", 1)


def test_rules_are_found_by_the_beginning_of_a_name() -> None:
    assert rules_for("o4-mini-2025-04-16").is_reasoning
    assert rules_for("ft:gpt-4.1:acme").has_chat
    assert not rules_for("gpt-5-chat-latest").is_reasoning
    assert not rules_for("gpt-4o").is_reasoning


def test_a_chat_of_its_own_wire_is_passed_on_word_by_word() -> None:
    body = {
        "messages": [{"role": "user", "content": "hi", "name": "ada"}],
        "reasoning_content": "mine",
        "top_k": 4,
        "unheard_of": {"x": 1},
    }
    call = PROVIDER.build(Ask("chat", "chat", body), "gpt-4.1")
    assert orjson.loads(call.body) == {**body, "model": "gpt-4.1"}


def test_a_word_that_openai_has_not_is_refused_where_it_was_translated() -> None:
    with pytest.raises(AttemptFailed) as refused:
        _built("gpt-4.1", AI_SERVICE_WIRE, top_k=5)
    assert refused.value.failure.param == "top_k"


def test_tokens_are_counted_without_asking_for_an_answer() -> None:
    path, body = _built("gpt-4.1", MESSAGES_WIRE, "token-count", tools=[_TOOL], max_tokens=5)
    assert path == "/responses/input_tokens"
    assert sorted(body) == ["input", "model", "tools"]
    ask = Ask("chat", "token-count", {"messages": []})
    call = PROVIDER.build(ask, "gpt-4.1")
    assert PROVIDER.read(ask, call, HttpReply(200, {}, b'{"input_tokens": 11}')).body == {"input_tokens": 11}
    for garbage in (b"", b"{}", b'{"input_tokens": -1}', b"[]"):
        with pytest.raises(AttemptFailed):
            PROVIDER.read(ask, call, HttpReply(200, {}, garbage))
