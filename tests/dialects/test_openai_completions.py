"""`/v1/completions`: read, and written for providers that have no such wire."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import Outcome
from aiservice.dialects.openai_completions import DIALECT
from aiservice.errors import BrokerError, InvalidRequest
from aiservice.wire import COMPLETIONS_WIRE, Answer, EventKind, StreamEvent, ToolCallDelta, Usage

_OUTCOME = Outcome("req_1", 1_790_000_000, "text-generation", "p", "m", usage=Usage(3, 2))


def test_a_prompt_is_one_message_where_only_a_chat_is_known() -> None:
    ask = DIALECT.read({"prompt": "Say", "max_tokens": 7, "stop": ["a"], "n": 2, "top_k": 3, "user": "u"}).ask
    assert ask.body == {
        "messages": [{"role": "user", "content": "Say"}],
        "max_tokens": 7,
        "stop": ["a"],
        "n": 2,
        "top_k": 3,
        "user": "u",
    }
    assert (ask.wire, ask.kind, ask.task, ask.uncarried) == (COMPLETIONS_WIRE, "chat", "text-generation", ())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"suffix": "end"}, ("suffix",)),
        ({"echo": True}, ("echo",)),
        ({"logprobs": 0}, ("logprobs",)),
        ({"best_of": 3}, ("best_of",)),
        ({"best_of": 1, "echo": False, "suffix": None, "logprobs": None}, ()),
        ({"prompt": ["a", "b"]}, ("prompt",)),
        ({"prompt": [1, 2]}, ("prompt",)),
        ({"prompt": ["a"]}, ()),
        ({"guided_json": {"type": "object"}}, ("guided_json",)),
    ],
)
def test_what_a_chat_has_no_word_for_is_named(fields: dict[str, Any], named: tuple[str, ...]) -> None:
    assert DIALECT.read({"prompt": "a", **fields}).ask.uncarried == named


def test_every_answer_that_is_generated_is_paid_for() -> None:
    body = DIALECT.read({"prompt": ["a", "b", "c"], "n": 2, "best_of": 4}).ask.body
    assert (body["n"], body["best_of"]) == (6, 12)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a"] * 2_049}, "prompt"),
        ({"n": 0}, "n"),
        ({"best_of": "2"}, "best_of"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"base_url": "https://x"}, "base_url"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_by_its_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.read({"prompt": "a", **fields})
    assert refused.value.param == named


def test_a_chats_answer_is_told_as_text() -> None:
    choices = [
        {"index": 0, "message": {"content": "hi", "reasoning_content": "hm"}, "finish_reason": "length"},
        {"index": 1, "message": {"content": None, "refusal": "no"}, "finish_reason": "tool_calls"},
    ]
    told = orjson.loads(DIALECT.answer(Answer({"choices": choices}, "m-1"), _OUTCOME))
    assert (told["object"], told["id"], told["model"], told["created"]) == (
        "text_completion",
        "cmpl-req_1",
        "m-1",
        1_790_000_000,
    )
    assert told["choices"] == [
        {"index": 0, "text": "hi", "logprobs": None, "finish_reason": "length"},
        {"index": 1, "text": "no", "logprobs": None, "finish_reason": "stop"},
    ]
    assert told["usage"]["total_tokens"] == 5


def test_a_providers_own_bytes_are_passed_on() -> None:
    answer = Answer({}, "m", raw=b'{"choices":[]}', raw_wire=COMPLETIONS_WIRE)
    assert DIALECT.answer(answer, _OUTCOME) == b'{"choices":[]}'


def test_a_chats_stream_is_told_as_pieces_of_text() -> None:
    writer = DIALECT.writer(DIALECT.read({"prompt": "a", "stream": True, "stream_options": {"include_usage": True}}))
    assert writer.start(_OUTCOME) == b""
    out = writer.events(
        [
            StreamEvent(EventKind.REASONING, "hm"),
            StreamEvent(EventKind.TEXT, "Hel"),
            StreamEvent(EventKind.TEXT, "lo"),
            StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0)),
            StreamEvent(EventKind.FINISH, finish_reason="stop"),
            StreamEvent(EventKind.USAGE, usage=Usage(3, 2)),
        ]
    ) + writer.done(_OUTCOME)
    *chunks, last = [line[6:] for line in out.decode().split("\n\n") if line]
    parsed = [orjson.loads(chunk) for chunk in chunks]
    assert last == "[DONE]"
    assert "".join(chunk["choices"][0]["text"] for chunk in parsed if chunk["choices"]) == "Hello"
    assert [chunk["choices"][0]["finish_reason"] for chunk in parsed if chunk["choices"]] == [None, None, "stop"]
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"]["total_tokens"] == 5
    assert {chunk["object"] for chunk in parsed} == {"text_completion"}
    assert len({chunk["id"] for chunk in parsed}) == 1


def test_what_a_vendors_own_tools_did_stands_in_the_choice() -> None:
    extra = {"google": {"groundingMetadata": {"webSearchQueries": ["x"]}}}
    message = {"content": "hi", "extra_content": extra}
    told = orjson.loads(DIALECT.answer(Answer({"choices": [{"index": 0, "message": message}]}, "m"), _OUTCOME))
    assert told["choices"][0]["extra_content"] == extra
    writer = DIALECT.writer(DIALECT.read({"prompt": "a", "stream": True}))
    writer.start(_OUTCOME)
    out = writer.events([StreamEvent(EventKind.TEXT, "hi"), StreamEvent(EventKind.TEXT, details=extra)])
    chunks = [orjson.loads(line[6:])["choices"][0] for line in out.decode().split("\n\n") if line]
    assert [(chunk["text"], chunk.get("extra_content")) for chunk in chunks] == [("hi", None), ("", extra)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "n", "best_of", "stream", "stop", "suffix", "echo", "model", "logprobs", "x"]), _JSON
    )
)
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        ask = DIALECT.read(body).ask
    except BrokerError as refused:
        assert refused.status == 400
    else:
        assert ask.body["messages"]
