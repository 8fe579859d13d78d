"""Rankings by every vendor that has them: its request, its answer, and what it has not."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers._lossy import built_with_less
from aiservice.wire import RERANK_WIRE, Answer, Ask, HttpCall, HttpReply, Usage

_DOCUMENTS = ["Ruby is a programming language", "Paris is in France", "Rails is a Ruby framework"]
_COHERE = {"results": [{"index": 0, "relevance_score": 0.75}, {"index": 2, "relevance_score": 0.5}]}
_RECORDED_COHERE = {**_COHERE, "id": "9c", "meta": {"billed_units": {"search_units": 1}}}
_VOYAGE = {"object": "list", "data": _COHERE["results"], "model": "m", "usage": {"total_tokens": 26}}
_JINA = {**_COHERE, "model": "m", "usage": {"total_tokens": 26, "prompt_tokens": 26}}
_OPENROUTER = {
    "model": "rerank-2.5-lite",
    "results": [
        {"index": 0, "relevance_score": 0.75, "document": {"text": "Ruby"}},
        {"index": 2, "relevance_score": 0.5, "document": {"text": "Rails"}},
    ],
    "usage": {"total_tokens": 26, "cost": 3.4e-7},
    "provider": "VoyageAI by MongoDB",
}
_TOGETHER = {**_OPENROUTER, "object": "rerank", "usage": {"prompt_tokens": 20, "total_tokens": 26}}
_TEI = [{"index": 0, "score": 0.75}, {"index": 2, "score": 0.5}]
_ANSWERS: dict[str, Any] = {
    "cohere": _RECORDED_COHERE,
    "jina": _JINA,
    "openai-compatible": _JINA,
    "openrouter": _OPENROUTER,
    "tei": _TEI,
    "together": _TOGETHER,
    "vllm": _JINA,
    "voyage": _VOYAGE,
}


def _ask(**more: Any) -> Ask:
    body = {"query": "ruby", "documents": _DOCUMENTS, **more}
    return Ask("rerank", "rerank", body, wire=RERANK_WIRE, requested_model="rerank-m")


def _sent(kind: str, **more: Any) -> tuple[str, Any]:
    call = registry()[kind].build(_ask(**more), "rerank-m")
    return call.path, orjson.loads(call.body)


def _refused(kind: str, **more: Any) -> str | None:
    with pytest.raises(AttemptFailed) as failed:
        _sent(kind, **more)
    return failed.value.failure.param


def _read(kind: str, said: Any, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    call = HttpCall("/rerank", b'{"model":"rerank-m"}')
    return registry()[kind].read(_ask(**more), call, HttpReply(200, headers or {}, orjson.dumps(said)))


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("cohere", "/v2/rerank", {"model": "rerank-m", "query": "ruby", "documents": _DOCUMENTS, "top_n": 2}),
        ("together", "/rerank", {"model": "rerank-m", "query": "ruby", "documents": _DOCUMENTS, "top_n": 2}),
        ("tei", "/rerank", {"query": "ruby", "texts": _DOCUMENTS}),
        (
            "voyage",
            "/rerank",
            {"model": "rerank-m", "query": "ruby", "documents": _DOCUMENTS, "top_k": 2, "truncation": False},
        ),
        (
            "jina",
            "/rerank",
            {"model": "rerank-m", "query": "ruby", "documents": _DOCUMENTS, "top_n": 2, "return_documents": False},
        ),
    ],
)
def test_a_ranking_is_asked_in_each_vendors_words(kind: str, path: str, body: Any) -> None:
    assert _sent(kind, top_n=2, return_documents=True) == (path, body)


@pytest.mark.parametrize("kind", _ANSWERS)
def test_every_answer_is_one_form_in_the_vendors_order(kind: str) -> None:
    answer = _read(kind, _ANSWERS[kind])
    assert answer.body["results"] == [
        {"index": 0, "relevance_score": 0.75},
        {"index": 2, "relevance_score": 0.5},
    ]
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize("kind", _ANSWERS)
def test_the_best_and_the_documents_are_there_where_the_vendor_gives_neither(kind: str) -> None:
    answer = _read(kind, _ANSWERS[kind], top_n=1, return_documents=True)
    assert answer.body["results"] == [{"index": 0, "relevance_score": 0.75, "document": {"text": _DOCUMENTS[0]}}]


def test_usage_is_what_each_vendor_counts() -> None:
    cohere = _read("cohere", _RECORDED_COHERE)
    assert (cohere.usage, cohere.body["search_units"]) == (Usage(billed=(0, 0), units=1, unit="search"), 1)
    assert {kind: _read(kind, _ANSWERS[kind]).usage for kind in ("voyage", "jina", "together", "openrouter")} == (
        dict.fromkeys(("voyage", "jina", "together", "openrouter"), Usage(26))
    )
    assert _read("tei", _TEI, {"x-compute-tokens": "31"}).usage == Usage(31)
    assert _read("tei", _TEI).usage is None
    odd = _read("jina", {**_JINA, "usage": {"total_tokens": -4}})
    assert (odd.usage, odd.is_usage_valid) == (None, False)


def test_a_document_with_only_its_text_is_that_text_and_others_are_named() -> None:
    assert _sent("cohere", documents=[{"text": "a"}])[1]["documents"] == ["a"]
    assert _refused("cohere", documents=["a", {"title": "b", "text": "c"}]) == "documents[1]"
    picture = [{"image": "https://x/a.png"}]
    assert _sent("jina", documents=picture)[1]["documents"] == picture
    assert _refused("voyage", documents=picture) == "documents[0]"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("cohere", {"rank_fields": ["a"]}),
        ("voyage", {"max_tokens_per_doc": 9}),
        ("voyage", {"documents": ["a"] * 1001}),
        ("jina", {"relevant_spans": {"mode": "enabled"}}),
        ("tei", {"max_tokens_per_doc": 9}),
    ],
)
def test_what_a_vendor_has_no_word_for_is_refused_by_name(kind: str, more: Any) -> None:
    assert _refused(kind, **more) == next(iter(more))


def test_a_document_is_never_dropped_since_the_others_are_counted_by_their_places() -> None:
    ask = _ask(documents=[{"image": "x"}, "a"], rank_fields=["a"])
    ask.may_drop = frozenset({"*"})
    with pytest.raises(AttemptFailed) as failed:
        built_with_less(registry()["cohere"], ask, "rerank-m")
    assert failed.value.failure.param == "documents[0]"
    ask.body["documents"] = ["a"]
    assert built_with_less(registry()["cohere"], ask, "rerank-m")[2] == ("rank_fields",)


def test_words_of_a_vendors_own_are_passed_on() -> None:
    spans = {"mode": "enabled", "threshold": 0.2}
    assert _sent("cohere", relevant_spans=spans, max_tokens_per_doc=9)[1].items() >= {"max_tokens_per_doc": 9}.items()
    found = [{"index": 1, "relevance_score": 1, "relevant_spans": [{"text": "Paris"}]}]
    assert _read("cohere", {"results": found}).body["results"] == found
    assert _sent("vllm", truncate_prompt_tokens=8)[1]["truncate_prompt_tokens"] == 8


def test_an_error_after_200_is_one() -> None:
    with pytest.raises(AttemptFailed) as failed:
        _read("vllm", {"object": "error", "message": "too long", "code": 400})
    assert failed.value.failure.status == 400


@pytest.mark.parametrize("kind", ["cohere", "tei", "voyage", "vllm"])
@settings(max_examples=50)
@given(
    found=st.none()
    | st.lists(
        st.dictionaries(
            st.sampled_from(["index", "relevance_score", "score"]), st.integers(-2, 4) | st.floats() | st.text()
        ),
        max_size=3,
    )
)
def test_any_ranking_is_of_documents_that_were_sent_or_a_failed_attempt(kind: str, found: Any) -> None:
    said = found if kind == "tei" else {"results": found, "data": found}
    try:
        results = _read(kind, said).body["results"]
    except AttemptFailed:
        return
    assert all(0 <= each["index"] < len(_DOCUMENTS) for each in results)


@pytest.mark.parametrize(
    ("kind", "model", "serves"),
    [
        ("cohere", "rerank-v3.5", True),
        ("voyage", "rerank-2.5", True),
        ("jina", "jina-reranker-v2-base-multilingual", True),
        ("jina", "jina-colbert-v2", True),
        ("together", "Salesforce/Llama-Rank-V1", True),
        ("together", "mixedbread-ai/Mxbai-Rerank-Large-V2", True),
        ("openrouter", "voyageai/rerank-2.5-lite", True),
        ("vllm", "BAAI/bge-reranker-v2-m3", True),
        ("openai-compatible", "cross-encoder/ms-marco-MiniLM-L-6-v2", True),
        ("sandbox", "sandbox-reranker", True),
        ("openai", "rerank-x", False),
        ("groq", "rerank-x", False),
        ("gemini", "gemini-2.5-flash", False),
        ("vertex", "gemini-2.5-flash", False),
        ("anthropic", "claude-sonnet-4-5", False),
        ("bedrock", "amazon.rerank-v1:0", True),
        ("ollama", "llama3", False),
        ("openai-compatible", "gpt-4o", False),
    ],
)
def test_who_ranks_is_told_by_the_models_name(kind: str, model: str, serves: bool) -> None:
    provider = registry()[kind]
    assert provider.serves(model, "rerank") is serves
    if serves:
        assert not provider.serves(model, "chat")
        assert not provider.serves(model, "embedding")
