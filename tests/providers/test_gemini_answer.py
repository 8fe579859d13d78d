"""Gemini's whole answers: text, thoughts, calls, endings, usage, embeddings, token counts, failures."""

import base64
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.providers._base import AttemptFailed
from aiservice.providers.gemini import PROVIDER
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, Blame, HttpCall, HttpReply, Json, Usage
from tests.providers.gemini_samples import NEW, ask, folded, frames, response, told, usage, whole

_EMBED = HttpCall("/models/gemini-embedding-001:embedContent", b"")


def test_text_and_thoughts_are_told_apart() -> None:
    thought = {"text": "Hm. ", "thought": True}
    answer = whole(response(thought, {"text": "Two", "thoughtSignature": "s"}, {"text": " apples"}, **usage()))
    assert told(answer) == {
        "text": "Two apples",
        "thoughts": "Hm. ",
        "signatures": [],
        "extra": {"google": {"thought_signature": "s"}},
        "calls": [],
        "finish": "stop",
    }
    assert answer.body["choices"][0]["message"]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hm. ", "format": "google-gemini-v1"}
    ]
    assert (answer.model, answer.body["object"], answer.raw) == ("gemini-x", "chat.completion", None)


def test_calls_are_numbered_signed_and_end_as_calls_though_google_says_stop() -> None:
    first = {"functionCall": {"name": "look", "args": {"at": 1}, "id": "own"}, "thoughtSignature": "s"}
    answer = whole(response({"text": "Wait"}, first, {"functionCall": {"name": "feel"}}))
    said = told(answer)
    assert said["calls"][0] == ["own", "look", '{"at":1}', {"google": {"thought_signature": "s"}}]
    assert said["calls"][1][1:] == ["feel", "{}", None]
    assert said["calls"][1][0].startswith("call_")
    assert (said["text"], said["finish"], answer.finish_reason) == ("Wait", "tool_calls", "tool_calls")


def test_ids_that_google_left_out_are_the_same_for_the_same_answer_only() -> None:
    def ids(response_id: str) -> list[str]:
        part = {"functionCall": {"name": "look"}}
        return [one[0] for one in told(whole({**response(part, part), "responseId": response_id}))["calls"]]

    assert ids("r1") == ids("r1")
    assert len({*ids("r1"), *ids("r2")}) == 4


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("STOP", "stop"), (1, "stop"), ("MAX_TOKENS", "length"), (2, "length"), ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"), (3, "content_filter"), ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"), ("SPII", "content_filter"),
        ("LANGUAGE", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("MODEL_ARMOR", "content_filter"),
        ("ESCALATION", "content_filter"), ("FINISH_REASON_UNSPECIFIED", None), (None, None),
    ],
)  # fmt: skip
def test_why_it_ended(said: object, expected: str | None) -> None:
    assert whole(response({"text": "x"}, finish=said)).finish_reason == expected


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("MALFORMED_FUNCTION_CALL", "provider_invalid_answer"), ("UNEXPECTED_TOOL_CALL", "provider_invalid_answer"),
        ("TOO_MANY_TOOL_CALLS", "provider_invalid_answer"), ("MISSING_THOUGHT_SIGNATURE", "provider_invalid_answer"),
        ("MALFORMED_RESPONSE", "provider_invalid_answer"), ("OTHER", "upstream_truncated"), (5, "upstream_truncated"),
        ("SOMETHING_NEW", "upstream_truncated"), (["STOP"], "upstream_truncated"),
    ],
)  # fmt: skip
def test_an_ending_that_is_a_failure_is_no_clean_stop(said: object, code: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        whole(response({"text": "x"}, finish=said))
    assert (caught.value.failure.code, caught.value.failure.status) == (code, 502)


def test_content_may_be_missing_in_every_way() -> None:
    contents: list[Json] = [{}, {"content": None}, {"content": {"role": "model"}}, {"content": {"parts": 3}}]
    for content in contents:
        answer = whole({"candidates": [{**content, "finishReason": "MAX_TOKENS"}], **usage(15, thoughtsTokenCount=2)})
        assert (told(answer)["text"], answer.finish_reason) == ("", "length")


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    answer = whole({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 8}})
    assert (answer.finish_reason, told(answer)["text"], answer.usage) == ("content_filter", "", Usage(8))


def test_an_answer_without_candidates_is_none() -> None:
    bodies: list[Json] = [{}, {"candidates": []}, {"candidates": "x"}, {"promptFeedback": {}}]
    for body in bodies:
        with pytest.raises(AttemptFailed, match="provider_invalid_answer"):
            whole(body)


def test_what_the_server_ran_itself_is_passed_over() -> None:
    ran = {"executableCode": {"language": "PYTHON", "code": "1+1"}}
    seen = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}
    answer = whole(response(ran, seen, {"inlineData": {"mimeType": "image/png", "data": ""}}, {"text": "2"}))
    assert told(answer)["text"] == "2"


def test_several_candidates_are_several_choices() -> None:
    pieces = [
        {"content": {"parts": [{"text": "b"}]}, "index": 1, "finishReason": "MAX_TOKENS"},
        {"content": {"parts": [{"text": "a"}]}, "index": 0, "finishReason": "STOP"},
    ]
    answer = whole({"candidates": pieces})
    choices = answer.body["choices"]
    assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in choices] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]


def test_log_probabilities_have_openais_shape() -> None:
    chosen = [{"token": "Hé", "tokenId": 1, "logProbability": -0.5}]
    candidate = {
        "content": {"parts": [{"text": "Hé"}]},
        "finishReason": "STOP",
        "logprobsResult": {"chosenCandidates": chosen, "topCandidates": [{"candidates": chosen}]},
    }
    found = whole({"candidates": [candidate]}).body["choices"][0]["logprobs"]["content"][0]
    top = {"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169]}
    assert found == {**top, "top_logprobs": [top]}


def test_usage_is_added_up_as_google_bills_it() -> None:
    counts = usage(75, 414, thoughtsTokenCount=573, toolUsePromptTokenCount=117, cachedContentTokenCount=60)
    answer = whole(response({"text": "x"}, **counts))
    assert answer.usage == Usage(192, 987, cached_input_tokens=60, reasoning_tokens=573)
    assert answer.body["usage"] == {
        "prompt_tokens": 192,
        "completion_tokens": 987,
        "total_tokens": 1179,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 573},
    }


@pytest.mark.parametrize("said", [{"promptTokenCount": -1}, {"promptTokenCount": "5"}, {"thoughtsTokenCount": 0.5}, []])
def test_numbers_that_cannot_be_are_no_usage(said: Any) -> None:
    answer = whole(response({"text": "x"}, usageMetadata=said))
    assert (answer.usage, answer.is_usage_valid) == (None, False)


def test_usage_without_counts_is_not_there_yet() -> None:
    answer = whole(response({"text": "x"}, usageMetadata={"trafficType": "ON_DEMAND"}))
    assert (answer.usage, answer.is_usage_valid) == (None, True)


def _embedded(given: Any, said: Json, **fields: Any) -> Answer:
    asked = Ask("embedding", "embedding", {"input": given, **fields})
    return PROVIDER.read(asked, _EMBED, HttpReply(200, {}, orjson.dumps(said)))


def test_one_text_and_many_are_asked_for_differently() -> None:
    def sent(given: Any, **fields: Any) -> tuple[str, Json]:
        asked = Ask("embedding", "embedding", {"input": given, **fields})
        built = PROVIDER.build(asked, "gemini-embedding-001")
        return built.path.rpartition(":")[2], orjson.loads(built.body)

    one = {"model": "models/gemini-embedding-001", "content": {"parts": [{"text": "a"}]}}
    assert sent("a", encoding_format="float", user="u") == ("embedContent", one)
    assert sent(["a"], dimensions=8) == ("batchEmbedContents", {"requests": [{**one, "outputDimensionality": 8}]})


@pytest.mark.parametrize("given", [[1, 2], [[1, 2]], ["a"] * 101, ["a", 1]])
def test_what_is_not_a_hundred_texts_is_refused_by_name(given: Any) -> None:
    with pytest.raises(AttemptFailed) as caught:
        PROVIDER.build(Ask("embedding", "embedding", {"input": given}), "gemini-embedding-001")
    assert (caught.value.failure.param, caught.value.failure.blame) == ("input", Blame.FAILOVER)


def test_embeddings_come_in_order_with_their_usage() -> None:
    answer = _embedded(["a", "b"], {"embeddings": [{"values": [0.5]}, {"values": [1.0]}], **usage(7)})
    assert [item["embedding"] for item in answer.body["data"]] == [[0.5], [1.0]]
    assert (answer.usage, answer.raw_wire, answer.model) == (Usage(7, 2), EMBEDDINGS_WIRE, "gemini-embedding-001")
    assert _embedded("a", {"embedding": {"values": [0.5]}}).usage is None


def test_vectors_are_packed_for_who_asks_for_it() -> None:
    answer = _embedded("a", {"embedding": {"values": [0.5, -2]}}, encoding_format="base64")
    assert struct.unpack("<2f", base64.b64decode(answer.body["data"][0]["embedding"])) == (0.5, -2.0)


@pytest.mark.parametrize("said", [{}, {"embeddings": {}}, {"embedding": {}}, {"embedding": {"values": ["x"]}}])
def test_embeddings_that_are_none(said: Json) -> None:
    with pytest.raises(AttemptFailed, match="provider_invalid_answer"):
        _embedded("a", said, encoding_format="base64")


def test_a_token_count_costs_nothing() -> None:
    asked = Ask("chat", "token-count", {"messages": []})
    counted = PROVIDER.read(
        asked, HttpCall(f"/models/{NEW}:countTokens", b""), HttpReply(200, {}, b'{"totalTokens":9}')
    )
    assert (counted.body, counted.usage) == ({"input_tokens": 9}, Usage())


def test_models_are_listed_without_their_folder_and_only_if_they_do_our_work() -> None:
    def model(name: str, *methods: str) -> Json:
        return {"name": f"models/{name}", "supportedGenerationMethods": list(methods)}

    models = [
        model("gemini-x", "generateContent", "countTokens"),
        model("gemini-embedding-001", "embedContent"),
        model("imagen-4", "predict"),
        {"name": 3},
        "x",
    ]
    reply = HttpReply(200, {}, orjson.dumps({"models": models}))
    assert PROVIDER.models_in(reply) == ["gemini-x", "gemini-embedding-001"]
    assert PROVIDER.models_in(HttpReply(200, {}, b"<html>")) == []


def test_models_serve_what_their_names_say() -> None:
    assert [PROVIDER.serves(name, "chat") for name in (NEW, "gemini-embedding-001", "imagen-4.0", "x-tts")] == [
        True,
        False,
        False,
        False,
    ]
    assert [PROVIDER.serves(name, "embedding") for name in (NEW, "text-embedding-004")] == [False, True]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_PART = st.dictionaries(
    st.sampled_from(["text", "thought", "thoughtSignature", "functionCall"]),
    _JSON | st.just({"name": "f", "args": {"a": 1}}) | st.just(True),
    max_size=3,
)
_CANDIDATE = st.fixed_dictionaries(
    {}, optional={"content": st.fixed_dictionaries({"parts": st.lists(_PART | _JSON, max_size=3) | _JSON}) | _JSON,
                  "finishReason": st.just("STOP") | _JSON, "index": _JSON, "logprobsResult": _JSON}
)  # fmt: skip
_RESPONSE = st.fixed_dictionaries(
    {}, optional={"candidates": st.lists(_CANDIDATE | _JSON, max_size=3) | _JSON, "usageMetadata": _JSON,
                  "promptFeedback": _JSON, "error": _JSON, "responseId": _JSON, "modelVersion": _JSON,
                  "embedding": _JSON, "embeddings": _JSON, "totalTokens": _JSON}
)  # fmt: skip


@given(_RESPONSE.map(orjson.dumps) | st.binary(max_size=30) | _JSON.map(orjson.dumps))
def test_any_answer_is_read_or_a_failed_attempt(body: bytes) -> None:
    reply = HttpReply(200, {}, body)
    embedding = Ask("embedding", "embedding", {"input": "x", "encoding_format": "base64"})
    for asked in (ask(), embedding, Ask("chat", "token-count", {"messages": []})):
        try:
            orjson.dumps(PROVIDER.read(asked, _EMBED, reply).body)
        except AttemptFailed as exc:
            assert exc.failure.status >= 400
    assert PROVIDER.failure(HttpReply(500, {}, body)).status >= 400
    PROVIDER.models_in(reply)


def test_one_call_at_a_time_is_the_first_one() -> None:
    said = response({"text": "ok"}, *({"functionCall": {"name": name, "args": {}}} for name in ("one", "two", "three")))
    asked = ask(parallel_tool_calls=False)
    assert [call[1] for call in told(whole(said, of=asked))["calls"]] == ["one"]
    assert [call[1] for call in told(whole(said))["calls"]] == ["one", "two", "three"]
    reader = PROVIDER.reader(asked, HttpCall("/", b"", is_stream=True))
    found = folded(reader.feed(frames(said)) + reader.end())
    assert ([call[1] for call in found["calls"]], found["finish"]) == (["one"], "tool_calls")


def test_a_second_call_in_pieces_is_left_out_whole() -> None:
    def piece(**called: Any) -> Json:
        return response({"functionCall": called}, finish=None)

    city = {"jsonPath": "$.city", "stringValue": "Bern"}
    said = (
        piece(name="one", willContinue=True), piece(partialArgs=[city]), piece(),
        piece(name="two", willContinue=True), piece(partialArgs=[city]), response({"functionCall": {}}),
    )  # fmt: skip
    reader = PROVIDER.reader(ask(parallel_tool_calls=False), HttpCall("/", b"", is_stream=True))
    calls = folded(reader.feed(frames(*said)) + reader.end())["calls"]
    assert [call[1:3] for call in calls] == [["one", '{"city":"Bern"}']]
