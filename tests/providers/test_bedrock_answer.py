"""What Bedrock answers: usage, endings, embeddings, counts, models, and its errors in our words."""

import base64
import struct

import orjson
import pytest

from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers.bedrock import PROVIDER
from aiservice.wire import RERANK_WIRE, Ask, Blame, HttpReply, Json, Usage
from tests.providers.bedrock_samples import (
    CLAUDE,
    KIMI,
    NOVA,
    WEATHER,
    answer,
    ask,
    begun,
    ended,
    failure,
    start,
    stop,
    streamed,
)

TITAN, COHERE = "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"


def test_cached_tokens_come_on_top_and_are_never_added_twice() -> None:
    counts = {
        "inputTokens": 10, "outputTokens": 4, "totalTokens": 7365, "cacheReadInputTokens": 7000,
        "cacheWriteInputTokens": 351, "cacheReadInputTokenCount": 7000, "cacheWriteInputTokenCount": 351,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 351}],
    }  # fmt: skip
    usage = answer({"text": "a"}, usage=counts).usage
    assert usage == Usage(7361, 4, cached_input_tokens=7000, cache_write_tokens=351)
    assert usage is not None
    assert usage.total_tokens == 7365


@pytest.mark.parametrize(
    "counts", [{"inputTokens": -1, "outputTokens": 1}, {"outputTokens": 1}, {"inputTokens": "1"}, []]
)
def test_counts_that_cannot_be_are_said_to_be_none(counts: Json) -> None:
    found = answer({"text": "a"}, usage=counts)
    assert (found.usage, found.is_usage_valid) == (None, False)


@pytest.mark.parametrize(
    ("said", "ours"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
     ("model_context_window_exceeded", "length"), ("guardrail_intervened", "content_filter"),
     ("content_filtered", "content_filter")],
)  # fmt: skip
def test_a_stop_reason_in_our_word(said: str, ours: str) -> None:
    found = answer({"text": "a"}, reason=said)
    assert (found.finish_reason, found.body["choices"][0]["native_finish_reason"]) == (ours, said)


@pytest.mark.parametrize("said", ["malformed_model_output", "malformed_tool_use", "unheard_of", ""])
def test_an_answer_that_is_none_is_a_failure(said: str) -> None:
    with pytest.raises(AttemptFailed):
        answer({"text": "a"}, reason=said)


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"[]", b'{"output": {}}', b'{"output": {"message": {"content": "x"}}}']
)
def test_what_is_no_answer_is_a_failure(raw: bytes) -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.read(ask(), PROVIDER.build(ask(), CLAUDE), HttpReply(200, {}, raw))


def test_thoughts_without_a_seal_are_told_and_a_servers_own_calls_are_not_the_clients() -> None:
    found = answer(
        {"reasoningContent": {"reasoningText": {"text": "Hm"}}},
        {"toolUse": {"toolUseId": "s", "name": "search", "input": {}, "type": "server_tool_use"}},
        {"text": "Hi"},
        model=KIMI,
    )
    message = found.body["choices"][0]["message"]
    assert (message["reasoning_content"], message["content"], "tool_calls" in message) == ("Hm", "Hi", False)
    assert message["reasoning_details"][0]["format"] == "amazon-bedrock-v1"


@pytest.mark.parametrize("asked", [{}, {"tools": [WEATHER], "tool_choice": "none"}])
def test_a_call_where_none_was_to_be_made_is_a_failure(asked: Json) -> None:
    call: Json = {"id": "t0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    talk: list[Json] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t0", "content": "snow"},
    ]
    asked = {**asked, "messages": talk}
    with pytest.raises(AttemptFailed) as caught:
        answer({"toolUse": {"toolUseId": "t", "name": "look", "input": {}}}, reason="tool_use", model=NOVA, **asked)
    events, is_whole = streamed(begun(), start(0, "t", "look"), stop(0), ended("tool_use"), model=NOVA, **asked)
    assert events[-1].failure == caught.value.failure
    assert not is_whole


def test_json_mode_is_read_out_of_its_tool() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "json_answer", "input": {"a": 1}}}
    found = answer(use, reason="tool_use", response_format={"type": "json_object"})
    assert (found.body["choices"][0]["message"]["content"], found.finish_reason) == ('{"a":1}', "stop")


@pytest.mark.parametrize(
    ("status", "kind", "words", "ours"),
    [
        (
            400,
            "ValidationException",
            "The provided model identifier is invalid.",
            (404, "model_not_found", Blame.FAILOVER),
        ),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn’t supported.",
            (404, "model_not_found", Blame.FAILOVER),
        ),
        (
            400,
            "ValidationException",
            "Input is too long for requested model.",
            (400, "context_length_exceeded", Blame.CALLER),
        ),
        (
            400,
            None,
            "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
            (400, "context_length_exceeded", Blame.CALLER),
        ),
        (
            400,
            "ValidationException",
            "This model doesn't support tool use.",
            (400, "unsupported_parameter", Blame.FAILOVER),
        ),
        (
            400,
            "ValidationException",
            "Malformed input request: #/x: expected string",
            (400, "provider_rejected_request", Blame.CALLER),
        ),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            (404, "model_not_found", Blame.FAILOVER),
        ),
        (
            403,
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/x is not authorized",
            (502, "upstream_auth_failed", Blame.FAILOVER),
        ),
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            (502, "upstream_auth_failed", Blame.FAILOVER),
        ),
        (
            403,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            (502, "upstream_auth_failed", Blame.FAILOVER),
        ),
        (403, "InvalidSignatureException", "Signature expired", (502, "upstream_auth_failed", Blame.FAILOVER)),
        (404, "ResourceNotFoundException", "Model not found.", (404, "model_not_found", Blame.FAILOVER)),
        (408, "ModelTimeoutException", "", (504, "provider_timeout", Blame.FAILOVER)),
        (424, "ModelErrorException", "It broke.", (502, "provider_failed", Blame.FAILOVER)),
        (429, "ThrottlingException", "Too many requests, please wait.", (429, "provider_quota_exhausted", Blame.RETRY)),
        (
            429,
            "ThrottlingException",
            "Too many tokens per day, please wait.",
            (429, "provider_quota_exhausted", Blame.FAILOVER),
        ),
        (429, "ModelNotReadyException", "", (503, "provider_overloaded", Blame.RETRY)),
        (400, "ServiceQuotaExceededException", "", (429, "provider_quota_exhausted", Blame.FAILOVER)),
        (500, "InternalServerException", "", (502, "provider_failed", Blame.FAILOVER)),
        (503, "ServiceUnavailableException", "Too many connections", (503, "provider_overloaded", Blame.RETRY)),
        (413, None, "", (413, "request_too_large", Blame.CALLER)),
    ],
)
def test_an_error_in_our_words(status: int, kind: str | None, words: str, ours: tuple[int, str, Blame]) -> None:
    found = failure(status, kind, words)
    assert ((found.status, found.code, found.blame), found.upstream_status) == (ours, status)
    assert "123456789012" not in found.message


def test_an_error_may_be_written_in_other_ways() -> None:
    body = orjson.dumps({"Message": "Slow down.", "__type": "com.amazon.coral.service#ThrottlingException"})
    found = PROVIDER.failure(HttpReply(400, {"retry-after": "3"}, body))
    assert (found.code, found.message, found.retry_after_seconds) == ("provider_quota_exhausted", "Slow down.", 3.0)
    assert PROVIDER.failure(HttpReply(502, {}, b"<html>")).code == "provider_failed"
    named = failure(400, "ValidationException", "Profile arn:aws:bedrock:us-east-1:123456789012:x/y of 123456789012")
    assert "123456789012" not in named.message


def test_a_key_that_may_not_list_models_is_no_bad_key() -> None:
    words = "User: arn:aws:iam::123456789012:user/x is not authorized to perform: bedrock:ListFoundationModels on *"
    assert failure(403, "AccessDeniedException", words).code == "models_not_listed"


def embedded(model: str, body: Json, headers: dict[str, str] | None = None, **asked: object) -> Json:
    asking = Ask("embedding", "embedding", {"input": "a", **asked})
    reply = HttpReply(200, headers or {}, orjson.dumps(body))
    return PROVIDER.read(asking, PROVIDER.build(asking, model), reply).body


def test_titan_embeds_one_text_and_cohere_many() -> None:
    call = PROVIDER.build(Ask("embedding", "embedding", {"input": ["a"], "dimensions": 256}), TITAN)
    assert (call.path, orjson.loads(call.body)) == (
        "/model/amazon.titan-embed-text-v2%3A0/invoke", {"inputText": "a", "dimensions": 256},
    )  # fmt: skip
    many = PROVIDER.build(Ask("embedding", "embedding", {"input": ["a", "b"], "input_type": "retrieval.query"}), COHERE)
    assert orjson.loads(many.body) == {
        "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"], "truncate": "NONE",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (TITAN, {"input": ["a", "b"]}),
        (TITAN, {"input": [[1]]}),
        (TITAN, {"input": "a", "unknown": 1}),
        (TITAN, {"input": "a", "input_type": "query"}),
        ("amazon.nova-2-multimodal-embeddings-v1:0", {"input": ["a", "b"]}),
        ("someone.embed-thing", {"input": "a"}),
        (COHERE, {"input": ["a"] * 97}),
        ("cohere.embed-english-v3", {"input": "a", "dimensions": 4}),
    ],
)
def test_what_a_model_cannot_embed_is_refused(model: str, asked: Json) -> None:
    with pytest.raises(AttemptFailed):
        PROVIDER.build(Ask("embedding", "embedding", asked), model)


def test_nova_is_told_what_its_one_vector_is_for() -> None:
    model = "amazon.nova-2-multimodal-embeddings-v1:0"
    call = PROVIDER.build(Ask("embedding", "embedding", {"input": "a", "task": "query", "dimensions": 256}), model)
    text = {"truncationMode": "NONE", "value": "a"}
    params = {"embeddingPurpose": "TEXT_RETRIEVAL", "embeddingDimension": 256, "text": text}
    assert orjson.loads(call.body) == {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}
    found = embedded(model, {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, 1]}]})
    assert found["data"][0]["embedding"] == [0.5, 1]


def test_embeddings_are_read_in_every_form() -> None:
    titan = embedded(TITAN, {"embedding": [0.5, 1], "inputTextTokenCount": 3})
    assert (titan["data"][0]["embedding"], titan["usage"]["prompt_tokens"]) == ([0.5, 1], 3)
    counted = {"x-amzn-bedrock-input-token-count": "4"}
    cohere = embedded(COHERE, {"embeddings": {"float": [[1], [2]]}}, counted)
    assert ([item["embedding"] for item in cohere["data"]], cohere["usage"]["total_tokens"]) == ([[1], [2]], 4)
    assert embedded(COHERE, {"embeddings": [[1]]})["data"][0]["embedding"] == [1]
    packed = embedded(TITAN, {"embedding": [0.5, 1]}, encoding_format="base64")["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(packed)) == (0.5, 1)
    with pytest.raises(AttemptFailed):
        embedded(TITAN, {"embedding": ["x"]}, encoding_format="base64")


RANKING: Json = {"query": "weather", "documents": ["sun", {"text": "moon"}], "top_n": 1}


@pytest.mark.parametrize(("model", "more"), [("cohere.rerank-v3-5:0", {"api_version": 2}), ("amazon.rerank-v1:0", {})])
def test_a_ranking_is_asked_for_and_read(model: str, more: Json) -> None:
    ranking = Ask("rerank", "rerank", {**RANKING, "return_documents": True}, wire=RERANK_WIRE)
    call = PROVIDER.build(ranking, model)
    assert call.path.endswith("/invoke")
    assert orjson.loads(call.body) == {"query": "weather", "documents": ["sun", "moon"], "top_n": 1, **more}
    for name in ("relevance_score", "relevanceScore"):
        reply = HttpReply(200, {}, orjson.dumps({"results": [{"index": 1, name: 0.5}, {"index": 0, name: 0.1}]}))
        found = PROVIDER.read(ranking, call, reply)
        assert found.body["results"] == [{"index": 1, "relevance_score": 0.5, "document": {"text": "moon"}}]


def test_what_is_no_ranking_is_a_failure() -> None:
    ranking = Ask("rerank", "rerank", RANKING, wire=RERANK_WIRE)
    call = PROVIDER.build(ranking, "amazon.rerank-v1:0")
    for raw in (b"{}", b'{"results": ["x"]}', b'{"results": [{"index": 7, "relevance_score": 1}]}'):
        with pytest.raises(AttemptFailed):
            PROVIDER.read(ranking, call, HttpReply(200, {}, raw))
    refused: Json = {**RANKING, "max_tokens_per_doc": 9}
    with pytest.raises(AttemptFailed):
        PROVIDER.build(Ask("rerank", "rerank", refused), "amazon.rerank-v1:0")


def test_a_count_is_asked_of_the_model_behind_an_inference_profile() -> None:
    counting = Ask("chat", "token-count", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9})
    call = PROVIDER.build(counting, "us.amazon.nova-pro-v1:0")
    assert call.path == "/model/amazon.nova-pro-v1%3A0/count-tokens"
    assert orjson.loads(call.body) == {
        "input": {"converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}}
    }
    assert PROVIDER.read(counting, call, HttpReply(200, {}, b'{"inputTokens": 11}')).body == {"input_tokens": 11}
    with pytest.raises(AttemptFailed):
        PROVIDER.read(counting, call, HttpReply(200, {}, b'{"inputTokens": -1}'))


def test_models_are_listed_by_the_names_that_requests_use() -> None:
    listed = [
        {"modelId": "amazon.nova-pro-v1:0", "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["TEXT"]},
        {
            "modelId": "anthropic.claude-x",
            "inferenceTypesSupported": ["INFERENCE_PROFILE"],
            "outputModalities": ["TEXT"],
        },
        {"modelId": "a.provisioned", "inferenceTypesSupported": ["PROVISIONED"], "outputModalities": ["TEXT"]},
        {"modelId": "amazon.nova-canvas", "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["IMAGE"]},
        {"modelId": "old.model", "modelLifecycle": {"status": "LEGACY"}},
        {"modelId": TITAN, "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["EMBEDDING"]},
        {"modelId": 7},
        "x",
    ]
    reply = HttpReply(200, {}, orjson.dumps({"modelSummaries": listed}))
    europe = PROVIDER.at("https://bedrock-runtime.eu-central-1.amazonaws.com")
    assert europe.models_in(reply) == ["amazon.nova-pro-v1:0", "eu.anthropic.claude-x", TITAN]
    assert PROVIDER.models_in(HttpReply(200, {}, b"<html>")) == []
    assert (PROVIDER.probe().path, PROVIDER.probe().method) == ("/foundation-models", "GET")


def test_models_are_told_apart_by_their_names() -> None:
    assert PROVIDER.serves(NOVA, "chat")
    assert not PROVIDER.serves(TITAN, "chat")
    assert PROVIDER.serves(TITAN, "embedding")
    assert not PROVIDER.serves("amazon.nova-canvas-v1:0", "chat")
    assert not PROVIDER.serves("cohere.rerank-v3-5:0", "chat")
    assert PROVIDER.serves("cohere.rerank-v3-5:0", "rerank")
    assert PROVIDER.capabilities(NOVA).video is True
    assert PROVIDER.capabilities(CLAUDE).images is True
    assert PROVIDER.capabilities("deepseek.r1-v1:0").tools is False
    assert PROVIDER.capabilities("someone.new-model").tools is None


def test_a_bedrock_key_is_sent_as_it_is() -> None:
    assert PROVIDER.auth_headers(Secret("ABSKkey")) == (("authorization", "Bearer ABSKkey"),)
