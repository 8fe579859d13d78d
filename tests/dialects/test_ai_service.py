"""`/ai-service`: what it takes, what it refuses by name, and the shapes it answers in."""

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects._base import OVERRIDE_NAMES, Outcome
from aiservice.dialects.ai_service import DIALECT
from aiservice.errors import BrokerError, InvalidRequest, ProviderFailed
from aiservice.wire import Answer, Attempt, EventKind, StreamEvent, ToolCallDelta, Usage


def _outcome() -> Outcome:
    attempts = [Attempt("a", "m", "preference 1", 200, 12)]
    return Outcome("req_1", 5, "chat", "a", "m", "stop", Usage(12, 20), 123_000, attempts)


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({"input": "Write a haiku"}, "text-generation"),
        ({"input": [{"role": "user", "content": "x"}]}, "chat"),
        ({"input": {"text": "x", "target_language": "French"}}, "translation"),
        ({"input": "Translate this to German: hi"}, "translation"),
        ({"input": {"text": "long", "max_words": 5}}, "summarization"),
        ({"input": "Summarize: long"}, "summarization"),
        ({"input": {"question": "why?", "context": "so"}}, "question-answering"),
        ({"input": "Write a Python function that adds"}, "code-generation"),
        ({"input": ["a", "b"]}, "embedding"),
        ({"input": "x", "task": "embedding"}, "embedding"),
    ],
)
def test_the_task_is_read_or_inferred(body: dict[str, object], task: str) -> None:
    assert DIALECT.read(body).ask.task == task


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": 3}, "input"),
        ({"input": "x", "tasks": "chat"}, "tasks"),
        ({"input": "x", "task": "sumarization"}, "task"),
        ({"input": "x", "stream": "yes"}, "stream"),
        ({"input": ["a"], "stream": True}, "stream"),
        ({"input": "x", "parameters": {"max_token": 1}}, "parameters.max_token"),
        ({"input": "x", "parameters": []}, "parameters"),
        ({"input": "x", "parameters": {"logprobs": True}, "stream": True}, "parameters.logprobs"),
        ({"input": "x", "metadata": {"a": 1}}, "metadata"),
        ({"input": "x", "model": 5}, "model"),
        ({"input": {"text": "x"}, "task": "translation"}, "input.target_language"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DIALECT.read(body)
    assert refusal.value.param == param


_ANY = "'input' must be a text, a list of messages, or the task's object; this is {}. Send for example "


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": 42}, _ANY.format("a number")),
        ({"input": True}, _ANY.format("a boolean")),
        ({"input": None}, _ANY.format("null")),
        ({"input": " "}, """'input' is empty. Send {"input": "…"} or {"input": {"prompt": "…"}}."""),
        ({"input": 42, "task": "summarization"}, """'input' must be a text; this is a number. Send {"input": "…"}"""),
        ({"input": {"text": ["a"]}, "task": "summarization"}, "'input.text' must be a text; this is a list. Send "),
        ({"input": {}, "task": "translation"}, """'input.text' is missing. Send {"input": "…"} or {"input": {"text"""),
    ],
)
def test_an_input_of_another_form_is_told_which_it_takes_and_what_to_send(body: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DIALECT.read(body)
    assert str(refusal.value).startswith(words)


@pytest.mark.parametrize("name", sorted(OVERRIDE_NAMES))
def test_t20_addresses_and_keys_in_a_body_are_refused(name: str) -> None:
    for body in ({"input": "x", name: "http://evil"}, {"input": "x", "parameters": {name: "http://evil"}}):
        with pytest.raises(InvalidRequest) as refusal:
            DIALECT.read(body)
        assert refusal.value.code == "override_refused"


def test_a_near_miss_is_named() -> None:
    with pytest.raises(InvalidRequest, match="Did you mean 'summarization'"):
        DIALECT.read({"input": "x", "task": "sumarization"})


def test_the_answer_has_the_contracts_shape() -> None:
    body = {"choices": [{"message": {"content": "hi"}}]}
    said = orjson.loads(DIALECT.answer(Answer(body, "m"), _outcome()))
    assert said == {
        "id": "req_1",
        "object": "ai_service.response",
        "created": 5,
        "task": "chat",
        "provider": "a",
        "model": "m",
        "output": {"text": "hi"},
        "finish_reason": "stop",
        "usage": {
            "input_tokens": 12,
            "output_tokens": 20,
            "cached_input_tokens": 0,
            "reasoning_tokens": 0,
            "total_tokens": 32,
        },
        "cost": {"amount": "0.000123", "currency": "USD"},
        "route": {"attempts": [{"provider": "a", "model": "m", "status": 200, "ms": 12, "reason": "preference 1"}]},
        "cached": False,
    }


def test_what_was_asked_for_beside_the_text_is_told() -> None:
    message = {"content": "hi", "extra_content": {"google": {"thought_signature": "s"}}}
    choice = {"message": message, "logprobs": {"content": [{"token": "hi", "logprob": -0.1}]}}
    said = orjson.loads(DIALECT.answer(Answer({"choices": [choice]}, "m"), _outcome()))["output"]
    assert said == {"text": "hi", "extra_content": message["extra_content"], "logprobs": choice["logprobs"]}
    writer = DIALECT.writer(DIALECT.read({"input": "x", "stream": True}))
    frame = writer.events([StreamEvent(EventKind.TEXT, details={"google": 1})])
    assert orjson.loads(frame.split(b"data: ")[1]) == {"extra_content": {"google": 1}}


def test_an_unpriced_model_has_no_cost_rather_than_0() -> None:
    outcome = _outcome()
    outcome.cost_nano_usd = None
    assert orjson.loads(DIALECT.answer(Answer({"choices": []}, "m"), outcome))["cost"] is None


def test_its_stream_has_named_events_and_ends_in_done_or_error() -> None:
    writer = DIALECT.writer(DIALECT.read({"input": "x", "stream": True}))
    events = [
        StreamEvent(EventKind.TEXT, "a", frame=b"data: raw\n\n"),
        StreamEvent(EventKind.REASONING, "b"),
        StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0, "c", "f", "{}")),
        StreamEvent(EventKind.USAGE, usage=Usage(1, 1)),
    ]
    text = writer.start(_outcome()) + writer.events(events) + writer.done(_outcome())
    names = [line[7:] for line in text.decode().splitlines() if line.startswith("event: ")]
    assert names == ["start", "delta", "delta", "tool_call", "done"]
    error = writer.failed(ProviderFailed("cut", code="upstream_truncated"), _outcome())
    assert error.startswith(b"event: error\n")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.sampled_from(
    ["task", "input", "model", "stream", "parameters", "preferences", "metadata", "cache", "other"]
)


@given(st.dictionaries(_FIELDS, _VALUES, max_size=6))
def test_any_body_is_read_or_refused_in_words(body: dict[str, object]) -> None:
    try:
        DIALECT.read(body)
    except BrokerError as exc:
        assert exc.status == 400
        assert exc.message


@pytest.mark.parametrize(
    "body", [{"input": "x"}, {"input": "x", "parameters": {}}, {"task": "translation", "input": {}}]
)
def test_t47_a_name_of_megabytes_is_refused_in_a_short_time_and_in_few_words(body: dict[str, object]) -> None:
    name = "a" * (4 << 20)
    inner = next((value for value in body.values() if isinstance(value, dict)), body)
    inner[name] = 1
    began = time.perf_counter()
    with pytest.raises(InvalidRequest) as caught:
        DIALECT.read(dict(body))
    inner.pop(name)
    assert time.perf_counter() - began < 0.1
    assert len(caught.value.message) < 1000
    assert len(caught.value.param or "") < 100


def test_text_in_parts_is_the_answers_text() -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "hi"}]
    answer = Answer({"choices": [{"message": {"content": parts}}]}, "m", "stop", Usage(1, 1))
    assert orjson.loads(DIALECT.answer(answer, _outcome()))["output"] == {"text": "hi"}
