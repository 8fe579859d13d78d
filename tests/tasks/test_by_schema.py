"""Classification and extraction: what they ask for, and what their output is made of."""

from typing import Any

import orjson
import pytest

from aiservice.dialects.ai_service import DIALECT
from aiservice.errors import InvalidRequest
from aiservice.providers.sandbox import PROVIDER
from aiservice.tasks import registry
from aiservice.wire import HttpReply

TEXT = "I was billed twice in March."


def asked(task: str, given: Any, **parameters: Any) -> dict[str, Any]:
    return DIALECT.read({"task": task, "input": given, "parameters": parameters}).ask.body


def schema_of(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["response_format"]["json_schema"]["schema"]
    return found


def output(task: str, text: str) -> dict[str, Any]:
    return registry()[task].output({"choices": [{"message": {"content": text}}]})


def test_labels_allow_no_other_answer() -> None:
    body = asked("classification", {"text": TEXT, "labels": ["billing", "technical", "billing"]})
    assert schema_of(body)["properties"] == {"label": {"type": "string", "enum": ["billing", "technical"]}}
    assert body["messages"][-1] == {"role": "user", "content": TEXT}


def test_labels_may_be_parameters_and_are_not_passed_on() -> None:
    body = asked("classification", TEXT, labels=["a", "b"], multi_label=True, temperature=0)
    assert schema_of(body)["properties"]["labels"]["type"] == "array"
    assert body.keys() == {"messages", "response_format", "temperature"}


def test_a_text_that_says_itself_what_to_do_is_passed_on() -> None:
    assert asked("classification", "Positive or negative? Great!")["messages"][0]["content"].startswith("Positive")


def test_fields_are_texts_or_null() -> None:
    body = asked("extraction", {"text": TEXT, "fields": {"month": "in English", "sum": None}})
    assert schema_of(body)["properties"]["month"] == {"type": ["string", "null"], "description": "in English"}
    assert schema_of(body)["required"] == ["month", "sum"]


def test_a_schema_is_used_as_it_is() -> None:
    schema = {"type": "object", "properties": {"month": {"type": "string"}}}
    assert schema_of(asked("extraction", {"text": TEXT, "schema": schema})) == schema


def test_an_answer_format_of_the_callers_own_is_left_alone() -> None:
    body = asked("extraction", {"text": TEXT, "fields": ["month"]}, response_format={"type": "json_object"})
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("task", "given", "param"),
    [
        ("classification", {"text": TEXT}, "input.labels"),
        ("classification", {"text": TEXT, "labels": ["only one"]}, "input.labels"),
        ("classification", {"text": TEXT, "labels": ["a", "b"], "multi_label": "yes"}, "input.multi_label"),
        ("classification", {"text": "", "labels": ["a", "b"]}, "input.text"),
        ("classification", {"text": TEXT, "label": ["a", "b"]}, "input.label"),
        ("extraction", {"text": TEXT}, "input.fields"),
        ("extraction", {"text": TEXT, "fields": []}, "input.fields"),
        ("extraction", {"text": TEXT, "fields": ["a", 5]}, "input.fields"),
        ("extraction", {"text": TEXT, "schema": {"type": "array"}}, "input.schema"),
        ("image-understanding", {"image": "/etc/passwd"}, "input.image"),
        ("image-understanding", {"image": []}, "input.image"),
        ("image-understanding", {"question": "What is it?"}, "input.image"),
    ],
)
def test_what_is_wrong_is_named(task: str, given: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        asked(task, given)
    assert refusal.value.param == param


def test_the_output_holds_what_was_found() -> None:
    assert output("classification", '{"label": "billing"}') == {"label": "billing", "text": '{"label": "billing"}'}
    assert output("classification", '```json\n{"labels": ["a"]}\n```')["labels"] == ["a"]
    assert output("extraction", '{"month": null}')["data"] == {"month": None}
    assert output("extraction", "I cannot.") == {"data": {}, "text": "I cannot."}


def test_the_sandbox_answers_by_the_schema() -> None:
    ask = DIALECT.read({"input": {"text": "a technical fault", "labels": ["billing", "technical"]}}).ask
    call = PROVIDER.build(ask, "sandbox")
    answer = PROVIDER.read(ask, call, HttpReply(200, {}, PROVIDER.serve(call).body))
    assert registry()["classification"].output(answer.body)["label"] == "technical"
    text = answer.body["choices"][0]["message"]["content"]
    assert orjson.loads(text) == {"label": "technical"}


def test_images_are_asked_about() -> None:
    parts = asked("image-understanding", {"images": ["https://example.com/a.png"], "question": "Who?"})["messages"][0]
    assert parts["content"] == [
        {"type": "text", "text": "Who?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
