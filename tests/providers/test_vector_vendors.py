"""Voyage, Jina and Text Embeddings Inference: vectors by OpenAI's words and by their own."""

from typing import Any

import orjson
import pytest

from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.wire import AI_SERVICE_WIRE, EMBEDDINGS_WIRE, Answer, Ask, HttpCall, HttpReply, Usage

_MODELS = {"voyage": "voyage-3.5", "jina": "jina-embeddings-v3", "tei": "BAAI/bge-m3"}
_OTHERS = {"gemini": "gemini-embedding-001", "ollama": "all-minilm"}


def _ask(**body: Any) -> Ask:
    return Ask("embedding", "embedding", {"input": "a", "user": "u", **body}, wire=EMBEDDINGS_WIRE)


def _sent(kind: str, model: str = "", **body: Any) -> Any:
    return orjson.loads(registry()[kind].build(_ask(**body), model or {**_MODELS, **_OTHERS}[kind]).body)


def _refused(kind: str, **body: Any) -> str | None:
    with pytest.raises(AttemptFailed) as failed:
        _sent(kind, **body)
    return failed.value.failure.param


def _read(kind: str, said: Any, **body: Any) -> Answer:
    call = HttpCall("/embeddings", b'{"model":"m"}')
    return registry()[kind].read(_ask(**body), call, HttpReply(200, {}, orjson.dumps(said)))


def _answer(*vectors: Any) -> Any:
    data = [{"object": "embedding", "embedding": vector, "index": n} for n, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": "m", "usage": {"total_tokens": 3}}


def test_voyage_is_asked_in_its_words_and_cuts_nothing_off_in_silence() -> None:
    assert _sent("voyage") == {"model": "voyage-3.5", "input": ["a"], "truncation": False}
    asked: Any = {"dimensions": 256, "encoding_format": "base64", "input_type": "query", "truncation": True}
    assert _sent("voyage", input=["a", "b"], **asked) == {
        "model": "voyage-3.5",
        "input": ["a", "b"],
        "input_type": "query",
        "output_dimension": 256,
        "encoding_format": "base64",
        "truncation": True,
    }
    assert "encoding_format" not in _sent("voyage", encoding_format="float")
    assert _sent("voyage", output_dtype="int8", output_dimension=512)["output_dtype"] == "int8"


@pytest.mark.parametrize(
    ("said", "word"), [("search_query", "query"), ("retrieval.passage", "document"), ("SEARCH_DOCUMENT", "document")]
)
def test_voyage_understands_what_vectors_are_for_in_others_words(said: str, word: str) -> None:
    assert _sent("voyage", input_type=said)["input_type"] == word


def test_voyages_base64_is_passed_on_as_it_came() -> None:
    said = _answer("AACAPwAAAEA=")
    answer = _read("voyage", said, encoding_format="base64")
    assert answer.raw == orjson.dumps(said)
    assert answer.usage == Usage(3)


def test_an_unknown_model_of_voyages_is_one() -> None:
    body = b'{"detail": "Model nonexistent is not supported. Supported models are [\'voyage-02\']."}'
    failure = registry()["voyage"].failure(HttpReply(400, {}, body))
    assert (failure.status, failure.code) == (404, "model_not_found")
    other = registry()["voyage"].failure(HttpReply(400, {}, b'{"detail": "Truncation is off and the input is long."}'))
    assert other.code == "provider_rejected_request"


@pytest.mark.parametrize(
    ("model", "said", "word"),
    [
        ("jina-embeddings-v3", "search_query", "retrieval.query"),
        ("jina-embeddings-v3", "clustering", "separation"),
        ("jina-embeddings-v4", "similarity", "text-matching"),
        ("jina-embeddings-v4", "code.query", "code.query"),
        ("jina-code-embeddings-1.5b", "document", "nl2code.passage"),
    ],
)
def test_jina_has_a_word_for_a_purpose_by_its_model(model: str, said: str, word: str) -> None:
    assert _sent("jina", model, task=said)["task"] == word


def test_jina_takes_its_own_words_and_pictures() -> None:
    own: Any = {"late_chunking": True, "dimensions": 64, "normalized": True, "embedding_type": "binary"}
    given = ["a", {"image": "https://x/a.png"}]
    assert _sent("jina", input=given, **own) == {
        "model": "jina-embeddings-v3",
        "input": given,
        **own,
    }


def test_jinas_numbers_are_packed_where_base64_was_asked_for() -> None:
    answer = _read("jina", _answer([1.0, 2.0], [0.0]), encoding_format="base64")
    assert [item["embedding"] for item in answer.body["data"]] == ["AACAPwAAAEA=", "AAAAAA=="]
    assert answer.raw is None
    plain = _read("jina", _answer([1.0, 2.0]))
    assert plain.raw is not None
    binary = _read("jina", _answer([12, -3]), encoding_format="base64", embedding_type="binary")
    assert binary.body["data"][0]["embedding"] == [12, -3]


def test_tei_is_asked_by_openais_wire_and_its_server_names_its_model() -> None:
    asked: Any = {"input": [[1, 2]], "dimensions": 8, "encoding_format": "base64"}
    assert _sent("tei", **asked) == {"model": "BAAI/bge-m3", **asked}
    tei = registry()["tei"]
    assert tei.models_in(HttpReply(200, {}, b'{"model_id": "BAAI/bge-m3", "max_batch_tokens": 1}')) == ["BAAI/bge-m3"]
    assert tei.models_in(HttpReply(200, {}, b"[]")) == []
    assert tei.address("http://127.0.0.1:8080/v1/") == "http://127.0.0.1:8080"


def test_a_full_queue_of_tei_is_no_quota() -> None:
    failure = registry()["tei"].failure(
        HttpReply(429, {}, b'{"error":"Model is overloaded","error_type":"overloaded"}')
    )
    assert (failure.status, failure.code) == (503, "provider_overloaded")
    failure = registry()["tei"].failure(HttpReply(422, {}, b'{"error":"Tokenization error","error_type":"tokenizer"}'))
    assert (failure.status, failure.message) == (400, "Tokenization error")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("voyage", {"input": [[1, 2]]}),
        ("voyage", {"input": ["a"] * 1001}),
        ("voyage", {"late_chunking": True}),
        ("voyage", {"encoding_format": "hex"}),
        ("jina", {"input": [1, 2]}),
        ("jina", {"output_dtype": "int8"}),
        ("jina", {"task_type": "FACT_CHECKING"}),
        ("tei", {"input_type": "query"}),
        ("tei", {"truncate": True}),
    ],
)
def test_what_a_vendor_does_not_take_is_refused_by_name(kind: str, body: Any) -> None:
    assert _refused(kind, **body) == next(iter(body))


def test_gemini_is_told_what_vectors_are_for_and_other_wires_only_by_their_own_clients() -> None:
    body = orjson.loads(registry()["gemini"].build(_ask(input_type="search_query"), "gemini-embedding-001").body)
    assert body["taskType"] == "RETRIEVAL_QUERY"
    assert _refused("gemini", input_type="image") == "input_type"
    assert _refused("ollama", input_type="query") == "input_type"
    own = _ask(input_type="query")
    assert orjson.loads(registry()["vllm"].build(own, "bge-m3").body)["input_type"] == "query"
    ours = Ask("embedding", "embedding", {"input": ["a"], "input_type": "query"}, wire=AI_SERVICE_WIRE)
    with pytest.raises(AttemptFailed) as failed:
        registry()["openai"].build(ours, "text-embedding-3-small")
    assert failed.value.failure.param == "input_type"


def test_a_picture_is_no_text() -> None:
    assert _refused("voyage", input=["a", {"image": "x"}]) == "input[1]"


@pytest.mark.parametrize("kind", _MODELS)
@pytest.mark.parametrize("said", [{}, [], {"data": [1]}, {"data": [{}]}, None])
def test_an_answer_without_vectors_is_none(kind: str, said: Any) -> None:
    with pytest.raises(AttemptFailed):
        _read(kind, said)


@pytest.mark.parametrize("kind", _MODELS)
def test_it_shows_whether_its_key_works(kind: str) -> None:
    provider = registry()[kind]
    assert provider.probe().path in ("/embeddings", "/info")
    assert provider.models_in(HttpReply(200, {}, orjson.dumps({"model_id": "m"})))
    assert not provider.serves("x", "chat")
