"""The task of a body that names none: what means it, when it is asked back, and that any body can be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.dialects.ai_service import DIALECT
from aiservice.errors import InvalidRequest
from aiservice.tasks import inference, registry
from tests.tasks.labelled import UNCLEAR, Labelled
from tests.tasks.labelled.tuning import TUNING
from tests.tasks.labelled.written import written

JPEG = "data:image/jpeg;base64,/9j/4AAQ"


def meant(body: dict[str, Any]) -> str:
    """What the body is taken to mean; `unclear` where it is asked back."""
    try:
        return inference().infer(body).task
    except InvalidRequest as asked:
        assert asked.code == "task_unclear"
        return UNCLEAR


@pytest.mark.parametrize("task", TUNING)
def test_a_wording_is_understood(task: str) -> None:
    assert {text: meant({"input": text}) for text in TUNING[task]} == dict.fromkeys(TUNING[task], task)


def test_a_part_of_what_was_written_is_told_right() -> None:
    """All of it, and what was recorded, in the long test."""
    tried = [each for each in written() if not each.is_held_out][::5]
    assert len(tried) > 100
    assert [each for each in tried if meant(each.body) != each.task] == []


def test_every_task_of_the_contract_is_told_apart() -> None:
    assert {each.task for each in written()} == {*registry(), UNCLEAR}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"input": "x", "parameters": {"target_language": "de"}},
         "`input` is text and `parameters.target_language` is set"),
        ({"input": {"text": "x", "labels": ["a", "b"]}}, "`input.labels` is set"),
        ({"input": ["a", "b"]}, "`input` is a list of texts"),
        ({"input": "x", "model": "bge-m3"}, "`model` is a model for embedding"),
        ({"input": {"image": JPEG}}, "`input` has an image"),
        ({"input": [{"role": "user", "content": "x"}]}, "`input` is a list of messages"),
        ({"input": "Why?"}, "`input` is a question"),
        ({"input": "A haiku on keys"}, "`input` is a text that asks for no other kind of work"),
    ],
)  # fmt: skip
def test_the_reason_is_told(body: dict[str, Any], reason: str) -> None:
    assert inference().infer(body).reason == reason


def test_the_reason_goes_along_with_the_request() -> None:
    assert DIALECT.read({"input": "Why?"}).task_reason == "`input` is a question"
    assert DIALECT.read({"input": "Why?", "task": "chat"}).task_reason == "`task` names it"


def test_what_is_not_clear_is_asked_back_with_the_two_likeliest() -> None:
    with pytest.raises(InvalidRequest) as asked:
        DIALECT.read({"input": "Summarize this and translate it to French: Hello"})
    assert (asked.value.code, asked.value.param, asked.value.status) == ("task_unclear", "task", 400)
    assert '"task": "summarization" or "task": "translation"' in str(asked.value)


def test_a_text_that_only_speaks_of_a_task_is_no_order() -> None:
    assert meant({"input": "Write an essay on why poems are hard to translate."}) == "text-generation"


def test_whatever_is_inferred_can_be_read() -> None:
    """What means a task is also a form in which that task takes its input, but for prose where it needs an object."""
    for each in written():
        if each.task == "rerank" and isinstance(each.body["input"], str):
            with pytest.raises(InvalidRequest, match="'input' must say what is ranked"):
                DIALECT.read(each.body)
        elif each.task in registry() and meant(each.body) == each.task:
            assert DIALECT.read(each.body).ask.task == each.task


@pytest.mark.parametrize("text", ["a" * 10_000, "please " * 1_500, "漢字" * 5_000, '"' * 10_000, "and, " * 2_000])
def test_odd_texts_are_read(text: str) -> None:
    assert meant({"input": text}) == "text-generation"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.sampled_from(
    ["text", "image", "audio", "file", "messages", "prompt", "question", "labels", "schema", "query", "documents",
     "type", "role", "content", "voice", "size", "tools"]
)  # fmt: skip
OBJECTS = st.dictionaries(KNOWN, JSON | st.dictionaries(KNOWN, JSON, max_size=2), max_size=3)


@given(JSON | OBJECTS | st.lists(OBJECTS, max_size=3), JSON | OBJECTS, st.none() | st.text(max_size=20))
def test_any_body_means_something_or_is_asked_back(given_input: Any, parameters: Any, model: str | None) -> None:
    body = {"input": given_input, "parameters": parameters, "model": model}
    try:
        found = inference().infer(body)
    except InvalidRequest as asked:
        no_form = asked.param == "input" and not isinstance(given_input, (str, list, dict))
        assert asked.code == "task_unclear" or no_form
    else:
        assert found.task in registry()


def test_the_set_is_what_it_was() -> None:
    """The halves were fixed before there was a classifier."""
    halves = [each.is_held_out for each in written()]
    assert Labelled({}, "chat", "a").is_held_out is False
    assert (len(halves), sum(halves)) == (1188, 591)
