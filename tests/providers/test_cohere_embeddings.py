"""Cohere's embeddings, by OpenAI's words and by its own."""

from typing import Any

import orjson
import pytest

from aiservice.providers._base import AttemptFailed
from aiservice.providers.cohere import PROVIDER
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, HttpReply, Usage


def _ask(**body: Any) -> Ask:
    return Ask("embedding", "embedding", {"input": "a", **body}, wire=EMBEDDINGS_WIRE)


def _sent(model: str = "embed-v4.0", **body: Any) -> Any:
    return orjson.loads(PROVIDER.build(_ask(**body), model).body)


def _refused(model: str = "embed-v4.0", **body: Any) -> str | None:
    with pytest.raises(AttemptFailed) as failed:
        _sent(model, **body)
    return failed.value.failure.param


def _read(said: Any, **body: Any) -> Answer:
    ask = _ask(**body)
    return PROVIDER.read(ask, PROVIDER.build(ask, "embed-v4.0"), HttpReply(200, {}, orjson.dumps(said)))


def test_who_does_not_say_what_for_has_documents_and_no_text_is_cut_off_in_silence() -> None:
    assert _sent(user="u") == {
        "model": "embed-v4.0",
        "input_type": "search_document",
        "texts": ["a"],
        "embedding_types": ["float"],
        "truncate": "NONE",
    }
    assert _sent(truncate="END")["truncate"] == "END"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"input_type": "search_query"}, "search_query"),
        ({"input_type": "query"}, "search_query"),
        ({"task": "retrieval.passage"}, "search_document"),
        ({"task_type": "CLUSTERING"}, "clustering"),
        ({"task": "separation"}, "clustering"),
    ],
)
def test_what_the_vectors_are_for_is_understood_in_every_vendors_words(fields: Any, word: str) -> None:
    assert _sent(**fields)["input_type"] == word


def test_a_purpose_it_has_no_word_for_is_refused() -> None:
    assert _refused(task="text-matching") == "task"
    assert _refused(input_type=3) == "input_type"


def test_sizes_are_for_models_that_have_them() -> None:
    assert _sent(dimensions=512)["output_dimension"] == 512
    assert _refused("embed-english-v3.0", dimensions=512) == "dimensions"


def test_tokens_too_many_texts_and_other_words_are_refused_by_name() -> None:
    assert _refused(input=[[1, 2]]) == "input"
    assert _refused(input=["a"] * 97) == "input"
    assert _refused(late_chunking=True) == "late_chunking"
    assert _refused(embedding_types=["int8", "float"]) == "embedding_types"


def test_images_and_texts_together() -> None:
    body = _sent(input=["a", {"image": "data:image/png;base64,AA=="}, {"content": [{"type": "text", "text": "b"}]}])
    assert [each["content"][0] for each in body["inputs"]] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "b"},
    ]
    assert _refused(input=[{"sound": 1}]) == "input[0]"


def test_vectors_come_in_order_and_as_base64_where_it_was_asked_for() -> None:
    said = {"embeddings": {"float": [[1.0, 2.0], [3.0, 4.0]]}, "meta": {"billed_units": {"input_tokens": 2}}}
    answer = _read(said, input=["a", "b"])
    assert [(item["index"], item["embedding"]) for item in answer.body["data"]] == [(0, [1.0, 2.0]), (1, [3.0, 4.0])]
    assert answer.usage == Usage(2)
    assert answer.body["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert _read(said, input=["a", "b"], encoding_format="base64").body["data"][0]["embedding"] == "AACAPwAAAEA="


def test_another_type_of_vector_is_passed_on_as_it_is() -> None:
    said = {"embeddings": {"int8": [[-21, 18]]}, "meta": {"billed_units": {"input_tokens": 2}}}
    asked = {"embedding_types": ["int8"], "encoding_format": "base64"}
    assert _read(said, **asked).body["data"][0]["embedding"] == [-21, 18]


@pytest.mark.parametrize("said", [{}, {"embeddings": {}}, {"embeddings": [1]}, [], {"embeddings": {"float": "no"}}])
def test_an_answer_without_vectors_is_none(said: Any) -> None:
    with pytest.raises(AttemptFailed):
        _read(said)


def test_counts_that_cannot_be_are_not_believed() -> None:
    answer = _read({"embeddings": [[1.0]], "meta": {"billed_units": {"input_tokens": -2}}})
    assert (answer.usage, answer.is_usage_valid) == (None, False)
