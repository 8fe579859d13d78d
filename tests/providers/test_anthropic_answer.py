"""Anthropic's whole answers in our form (the samples are written by hand)."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.secret import Secret
from aiservice.providers._anthropic_answer import read_usage
from aiservice.providers._base import AttemptFailed
from aiservice.providers.anthropic import PROVIDER
from aiservice.services.connection_rules import clean_address
from aiservice.services.prices import Prices
from aiservice.wire import MESSAGES_WIRE, Answer, Ask, HttpCall, HttpReply, Usage

_ASK = Ask("chat", "chat", {"messages": []})
_CALL = HttpCall("/v1/messages", b"{}")
_USAGE = {"input_tokens": 10, "output_tokens": 5}


def _answer(*content: dict[str, Any], stop: str | None = "end_turn", ask: Ask = _ASK, **fields: Any) -> Answer:
    body = {"id": "msg_1", "model": "claude-x", "content": content, "stop_reason": stop, "usage": _USAGE, **fields}
    return PROVIDER.read(ask, _CALL, HttpReply(200, {}, orjson.dumps(body)))


def _said(answer: Answer) -> dict[str, Any]:
    return dict(answer.body["choices"][0]["message"])


def test_text_of_all_blocks_is_one_text() -> None:
    answer = _answer({"type": "text", "text": "Hel"}, {"type": "text", "text": "lo", "citations": None})
    assert _said(answer) == {"role": "assistant", "content": "Hello"}
    assert (answer.model, answer.finish_reason, answer.body["object"]) == ("claude-x", "stop", "chat.completion")
    assert (answer.raw_wire, orjson.loads(answer.raw or b"")["id"]) == (MESSAGES_WIRE, "msg_1")


def test_calls_have_their_arguments_as_json_text() -> None:
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}, "caller": {"type": "direct"}}
    answer = _answer(use, {**use, "id": "toolu_2", "input": {}}, stop="tool_use")
    said = _said(answer)
    assert (said["content"], answer.finish_reason) == (None, "tool_calls")
    assert [call["function"]["arguments"] for call in said["tool_calls"]] == ['{"a":1}', "{}"]
    assert said["tool_calls"][0]["id"] == "toolu_1"


def test_thinking_is_text_and_state() -> None:
    answer = _answer(
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "4"},
    )
    said = _said(answer)
    form = "anthropic-claude-v1"
    assert said["reasoning_content"] == "hm"
    assert said["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "format": form, "index": 0, "signature": "sig"},
        {"type": "reasoning.encrypted", "data": "abc", "format": form, "index": 1},
    ]


def test_state_that_was_given_out_comes_back_as_it_was() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "one"},
        {"type": "thinking", "thinking": "again", "signature": "gis"},
        {"type": "text", "text": "two"},
        {"type": "redacted_thinking", "data": "cba"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, None]}},
    ]
    said = _said(_answer(*blocks, stop="tool_use"))
    result = {"role": "tool", "tool_call_id": "toolu_1", "content": "x"}
    ask = Ask("chat", "chat", {"messages": [{"role": "user", "content": "q"}, said, result]})
    assert orjson.loads(PROVIDER.build(ask, "claude-opus-5").body)["messages"][1]["content"] == blocks


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
        (None, None),
    ],
)
def test_every_ending_has_its_word_and_keeps_the_vendors(said: str | None, ours: str | None) -> None:
    answer = _answer(stop=said)
    assert (answer.finish_reason, answer.body["choices"][0]["native_finish_reason"]) == (ours, said)


def test_the_stop_sequence_that_matched_is_told() -> None:
    answer = _answer(stop="stop_sequence", stop_sequence="END")
    assert answer.body["choices"][0]["stop_reason"] == "END"
    assert "stop_reason" not in _answer().body["choices"][0]


def test_a_refusal_says_why() -> None:
    why = {"type": "refusal", "category": "cyber", "explanation": "Not that."}
    assert _said(_answer(stop="refusal", stop_details=why))["refusal"] == "Not that."


def test_json_without_a_schema_comes_as_text() -> None:
    ask = Ask("chat", "chat", {"messages": [], "response_format": {"type": "json_object"}})
    use = {"type": "tool_use", "id": "t", "name": "json_answer", "input": {"a": 1}}
    answer = _answer(use, stop="tool_use", ask=ask)
    assert (_said(answer), answer.finish_reason) == ({"role": "assistant", "content": '{"a":1}'}, "stop")
    assert _answer(use, stop="tool_use").finish_reason == "tool_calls"


def test_the_prompt_is_what_was_fresh_read_and_written() -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1_000,
        "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 3},
    }
    answer = _answer(usage=usage)
    assert answer.usage == Usage(1_110, 7, 1_000, 100, 3)
    told = answer.body["usage"]
    assert (told["prompt_tokens"], told["total_tokens"], told["prompt_tokens_details"]["cached_tokens"]) == (
        1_110,
        1_117,
        1_000,
    )


def test_every_pass_of_the_model_is_billed() -> None:
    passes = [{**_USAGE, "type": "compaction"}, {**_USAGE, "cache_read_input_tokens": 4, "type": "message"}]
    assert read_usage({**_USAGE, "iterations": passes}) == (Usage(24, 10, 4), True)


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": -1, "output_tokens": 5},
        {"input_tokens": 1, "output_tokens": "5"},
        {"input_tokens": 1},
        {"output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": -3},
        {"input_tokens": True, "output_tokens": 1},
        {"input_tokens": 1, "output_tokens": 1, "iterations": ["x"]},
        [],
        "many",
    ],
)
def test_numbers_that_cannot_be_are_not_taken(usage: Any) -> None:
    answer = _answer(usage=usage)
    assert (answer.usage, answer.is_usage_valid) == (None, False)


def test_no_usage_is_no_fault() -> None:
    answer = _answer(usage=None)
    assert (answer.usage, answer.is_usage_valid) == (None, True)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"content": "x"}', b'{"content": ["x"]}', b"null"])
def test_what_is_no_message_is_no_answer(body: bytes) -> None:
    with pytest.raises(AttemptFailed, match="provider_invalid_answer"):
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, body))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_KINDS = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "new"])
_NAMES = st.sampled_from(["text", "thinking", "signature", "data", "id", "name", "input"])
_BLOCKS = st.builds(lambda kind, rest: {**rest, "type": kind}, _KINDS, st.dictionaries(_NAMES, _JSON))


@given(st.lists(_BLOCKS, max_size=4) | _JSON, _JSON, _JSON, _JSON)
def test_garbage_gives_an_answer_or_a_failed_attempt(content: Any, stop: Any, usage: Any, sequence: Any) -> None:
    body = {"content": content, "stop_reason": stop, "usage": usage, "stop_sequence": sequence, "stop_details": stop}
    reply = HttpReply(200, {}, orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS))
    try:
        answer = PROVIDER.read(_ASK, _CALL, reply)
    except AttemptFailed:
        return
    orjson.dumps(answer.body)


@given(st.binary(max_size=300), st.integers(200, 599))
def test_any_bytes_are_a_failed_attempt(body: bytes, status: int) -> None:
    assert PROVIDER.failure(HttpReply(status, {}, body)).message
    try:
        PROVIDER.read(_ASK, _CALL, HttpReply(200, {}, body))
    except AttemptFailed as failed:
        assert failed.failure.code


def test_a_count_of_tokens_is_read_and_costs_nothing() -> None:
    ask = Ask("chat", "token-count", {})
    answer = PROVIDER.read(ask, _CALL, HttpReply(200, {}, b'{"input_tokens": 43}'))
    assert (answer.body, answer.usage) == ({"input_tokens": 43}, Usage())
    for body in (b"{}", b'{"input_tokens": -1}'):
        with pytest.raises(AttemptFailed):
            PROVIDER.read(ask, _CALL, HttpReply(200, {}, body))


def test_the_probe_lists_models() -> None:
    call = PROVIDER.probe()
    assert (call.method, call.path.partition("?")[0]) == ("GET", "/v1/models")
    assert ("anthropic-version", "2023-06-01") in call.headers
    body = b'{"data": [{"id": "claude-a", "type": "model"}, {"id": 5}, "x"], "has_more": false}'
    assert PROVIDER.models_in(HttpReply(200, {}, body)) == ["claude-a"]
    for garbage in (b"", b"[]", b'{"data": 5}'):
        assert PROVIDER.models_in(HttpReply(200, {}, garbage)) == []


def test_it_chats_and_does_not_embed() -> None:
    assert PROVIDER.serves("claude-opus-5", "chat")
    assert not PROVIDER.serves("claude-opus-5", "embedding")


def test_the_key_has_a_header_of_its_own() -> None:
    assert PROVIDER.auth_headers(Secret("sk-ant-1")) == (("x-api-key", "sk-ant-1"),)


@pytest.mark.parametrize("given_address", [None, "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"])
def test_an_address_is_right_with_and_without_its_version(given_address: str | None) -> None:
    assert clean_address(PROVIDER, given_address, is_private_allowed=False) == "https://api.anthropic.com"
    assert clean_address(PROVIDER, "https://e.org/anthropic", is_private_allowed=False) == "https://e.org/anthropic"


def test_its_models_have_prices_wherever_they_are_asked() -> None:
    usage = Usage(1_000_000)
    for address in ("https://api.anthropic.com", "http://127.0.0.1:9"):
        cost = Prices().cost_nano_usd("anthropic", address, "claude-haiku-4-5-20251001", usage, 1_780_000_000_000_000)
        assert cost == 1_000_000_000
