"""Messages, answered: our answers as Anthropic's message, and back again with nothing lost."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome
from aiservice.dialects.anthropic_messages import COUNT_DIALECT, DIALECT
from aiservice.errors import (
    BrokerError,
    BudgetExceeded,
    InternalFault,
    InvalidRequest,
    NoProvider,
    Overloaded,
    ProviderFailed,
    ProviderTimedOut,
    RateLimited,
    Unauthenticated,
)
from aiservice.wire import MESSAGES_WIRE, Answer, FinishReason, Usage

_OUTCOME = Outcome("req_1", 5, "chat", "a", "the-model", "stop", Usage(30, 9, 10, 4, 2))


def _said(message: dict[str, Any], finish: FinishReason | None = "stop", **choice: Any) -> dict[str, Any]:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **choice}]}
    answer: dict[str, Any] = orjson.loads(DIALECT.answer(Answer(body, "", finish), _OUTCOME))
    return answer


def _call(arguments: str, **more: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}, **more}


def test_a_text_is_a_message_with_usage_that_leaves_the_cache_out_of_its_input() -> None:
    assert _said({"content": "hello"}) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "the-model",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 16,
            "cache_creation_input_tokens": 4,
            "cache_read_input_tokens": 10,
            "output_tokens": 9,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_an_answer_of_the_same_wire_is_passed_on_byte_for_byte() -> None:
    answer = Answer({"input_tokens": 3}, "m", raw=b'{"x": 1}', raw_wire=MESSAGES_WIRE)
    assert DIALECT.answer(answer, _OUTCOME) == COUNT_DIALECT.answer(answer, _OUTCOME) == b'{"x": 1}'


def test_a_count_is_a_number() -> None:
    assert COUNT_DIALECT.answer(Answer({"input_tokens": 3}, ""), _OUTCOME) == b'{"input_tokens":3}'


@pytest.mark.parametrize(
    ("finish", "message", "choice", "reason", "sequence"),
    [
        ("stop", {"content": "x"}, {}, "end_turn", None),
        (None, {"content": "x"}, {}, "end_turn", None),
        ("stop", {"content": "x"}, {"stop_reason": "END"}, "stop_sequence", "END"),
        ("stop", {"content": "x"}, {"stop_reason": 7}, "end_turn", None),
        ("length", {"content": "x"}, {}, "max_tokens", None),
        ("budget_exhausted", {"content": "x"}, {}, "max_tokens", None),
        ("tool_calls", {"content": None, "tool_calls": [_call("{}")]}, {}, "tool_use", None),
        ("stop", {"content": "x", "tool_calls": [_call("{}")]}, {}, "tool_use", None),
        ("length", {"content": "x", "tool_calls": [_call("{}")]}, {}, "max_tokens", None),
        ("content_filter", {"content": ""}, {}, "refusal", None),
        ("stop", {"content": None, "refusal": "I will not."}, {}, "refusal", None),
    ],
)
def test_every_ending_has_its_reason(
    finish: FinishReason | None, message: dict[str, Any], choice: dict[str, Any], reason: str, sequence: str | None
) -> None:
    said = _said(message, finish, **choice)
    assert (said["stop_reason"], said["stop_sequence"]) == (reason, sequence)
    assert ("stop_details" in said) == (reason == "refusal" or finish == "budget_exhausted")


def test_a_refusals_words_are_text() -> None:
    assert _said({"content": None, "refusal": "No."})["content"] == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("null", {}),
        ("[1]", {"invalid_arguments": "[1]"}),
        ('{"a":', {"invalid_arguments": '{"a":'}),
    ],
)
def test_a_calls_input_is_an_object(arguments: str, given: dict[str, Any]) -> None:
    (block,) = _said({"content": None, "tool_calls": [_call(arguments)]}, "tool_calls")["content"]
    assert block == {"type": "tool_use", "id": "call_1", "name": "f", "input": given}


def test_a_calls_id_is_one_that_anthropic_would_take() -> None:
    calls = [_call("{}", id="functions.f:0"), _call("{}", id=None), _call("{}", id="")]
    content = _said({"content": None, "tool_calls": calls}, "tool_calls")["content"]
    ids = [block["id"] for block in content]
    assert ids[0].startswith("toolu_")
    assert ids[1:] == ["toolu_1_1", "toolu_1_2"]


def test_thinking_comes_first_and_keeps_its_signature() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "anthropic-claude-v1", "index": 0},
        {"type": "reasoning.encrypted", "data": "opaque", "format": "anthropic-claude-v1", "index": 1},
    ]
    assert _said({"content": "x", "reasoning_content": "hm", "reasoning_details": details})["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "x"},
    ]
    for name in ("reasoning_content", "reasoning"):
        thought = _said({"content": "x", name: "hm"})["content"][0]
        assert thought == {"type": "thinking", "thinking": "hm", "signature": ""}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("x", param="messages"), "invalid_request_error"),
        (Unauthenticated(), "authentication_error"),
        (BudgetExceeded(), "billing_error"),
        (RateLimited(retry_after=3), "rate_limit_error"),
        (InternalFault(), "api_error"),
        (ProviderFailed(provider="p"), "api_error"),
        (Overloaded(), "overloaded_error"),
        (NoProvider(), "api_error"),
        (ProviderTimedOut(), "timeout_error"),
    ],
)
def test_an_error_is_in_anthropics_envelope_with_our_code(error: BrokerError, kind: str) -> None:
    assert orjson.loads(DIALECT.error(error, "req_1")) == {
        "type": "error",
        "error": {
            "type": kind,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "provider": error.provider,
            "retryable": error.is_retryable,
            "retry_after": error.retry_after,
        },
        "request_id": "req_1",
    }


_WORDS = st.text(min_size=1, max_size=20)
_DETAIL = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("reasoning.text"),
            "text": _WORDS,
            "signature": _WORDS,
            "format": st.sampled_from(["anthropic-claude-v1", "google-gemini-v1", "unknown"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("reasoning.encrypted"),
            "data": _WORDS,
            "format": st.sampled_from(["anthropic-claude-v1", "openai-responses-v1"]),
        }
    ),
    st.fixed_dictionaries(
        {"type": st.just("reasoning.summary"), "summary": _WORDS, "signature": _WORDS, "format": st.just("x")}
    ),
)
_CALLS = st.lists(
    st.tuples(_WORDS, st.dictionaries(_WORDS, st.integers(0, 99) | _WORDS, max_size=3), st.booleans()), max_size=3
)


@given(st.lists(_DETAIL, max_size=3), st.text(max_size=20), _CALLS, st.booleans())
def test_an_answer_sent_back_as_it_came_is_the_answer_that_was_given(
    details: list[dict[str, Any]], text: str, calls: list[tuple[str, dict[str, Any], bool]], has_extra: bool
) -> None:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if details:
        message["reasoning_details"] = details
        words = "".join(item.get("text") or item.get("summary") or "" for item in details)
        if words:
            message["reasoning_content"] = words
    if calls:
        message["tool_calls"] = [
            _call(orjson.dumps(given).decode(), id=f"call_{place}", **({"extra_content": {"g": "s"}} if extra else {}))
            | {"function": {"name": name, "arguments": orjson.dumps(given).decode()}}
            for place, (name, given, extra) in enumerate(calls)
        ]
    if has_extra:
        message["extra_content"] = {"google": {"thought_signature": "s"}}
    given_back = {"role": "assistant", "content": _said(message)["content"]}
    ask = DIALECT.read({"max_tokens": 1, "messages": [given_back]}).ask
    (read,) = ask.body["messages"]
    if not text and not calls:
        message["content"] = ""
    assert read == message
    assert ask.uncarried == ()
