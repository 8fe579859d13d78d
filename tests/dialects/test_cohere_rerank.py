"""`/v1/rerank` as Cohere's and Jina's clients ask, and what they are told."""

from typing import Any

import orjson
import pytest

from aiservice.dialects._base import Outcome
from aiservice.dialects.cohere_rerank import DIALECT
from aiservice.errors import InvalidRequest
from aiservice.wire import Answer, Usage

_BODY = {"model": "rerank-v3.5", "query": "ruby", "documents": ["a", {"text": "b"}]}


def test_a_request_is_our_form_already() -> None:
    request = DIALECT.read({**_BODY, "top_n": 3, "max_tokens_per_doc": None, "stream": False})
    assert (request.ask.task, request.ask.kind, request.model) == ("rerank", "rerank", "rerank-v3.5")
    assert request.ask.body == {"query": "ruby", "documents": ["a", {"text": "b"}], "top_n": 3}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"query": None}, "query"),
        ({"query": " "}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["a", ""]}, "documents"),
        ({"documents": [3]}, "documents"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": True}, "top_n"),
        ({"return_documents": "yes"}, "return_documents"),
        ({"stream": True}, "stream"),
        ({"base_url": "https://x"}, "base_url"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        DIALECT.read({**_BODY, **change})
    assert refused.value.param == param


def test_an_answer_says_what_cohere_says_and_what_jina_says() -> None:
    results = [{"index": 1, "relevance_score": 0.5}]
    outcome = Outcome("req_1", 1, "rerank", "c", "rerank-v3.5", usage=Usage(26))
    told = orjson.loads(DIALECT.answer(Answer({"results": results, "search_units": 1}, ""), outcome))
    assert told == {
        "id": "req_1",
        "object": "list",
        "model": "rerank-v3.5",
        "results": results,
        "usage": {"prompt_tokens": 26, "total_tokens": 26},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
    }
    told = orjson.loads(DIALECT.answer(Answer({"results": results}, ""), outcome))
    assert told["meta"] == {"api_version": {"version": "2"}}
