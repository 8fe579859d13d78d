"""Google's routes: what they list, refuse and keep, and how they say so."""

from typing import Any

import pytest

from aiservice.principal import OPERATOR
from aiservice.services.budget_terms import Terms
from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway
from tests.gateway.googling import CLAUDE, GEMINI, GPT, ask, chunks_of, served, text_of


async def test_models_are_listed_in_googles_form(google: Gateway) -> None:
    listed = (await google.get("/v1beta/models")).json()["models"]
    methods = {model["name"]: model["supportedGenerationMethods"] for model in listed}
    assert "generateContent" in methods[f"models/{GEMINI}"]
    assert methods["models/gemini-embedding-001"] == ["embedContent", "batchEmbedContents"]
    first = (await google.get("/v1beta/models", query=b"pageSize=2")).json()
    rest = (
        await google.get("/v1beta/models", query=f"pageSize=100&pageToken={first['nextPageToken']}".encode())
    ).json()
    assert first["models"] + rest["models"] == listed
    assert "nextPageToken" not in rest
    one = (await google.get(f"/v1beta/models/{GPT}")).json()
    assert one["name"] == f"models/{GPT}"
    missing = await google.get("/v1beta/models/none")
    assert (missing.status, missing.json()["error"]["status"]) == (404, "NOT_FOUND")


async def test_the_same_paths_under_v1_are_googles_for_who_sends_its_header(google: Gateway) -> None:
    headers = {"x-goog-api-key": google.key}
    body = {"contents": [{"parts": [{"text": "(words-2) hi"}]}]}
    reply = await call(google.app, "POST", f"/v1/models/{GPT}:generateContent", headers=headers, body=body)
    assert text_of([reply.json()]) == "the gate"
    theirs = await call(google.app, "GET", "/v1/models", headers=headers)
    assert theirs.json()["models"]
    one = await call(google.app, "GET", f"/v1/models/{GPT}", headers=headers)
    assert one.json()["name"] == f"models/{GPT}"
    assert (await google.get("/v1/models")).json()["object"] == "list"
    assert (await google.get(f"/v1/models/{GPT}")).json()["object"] == "model"


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        ("(status-400)", 400, "INVALID_ARGUMENT"),
        ("(status-500)", 502, "UNAVAILABLE"),
        ("(status-401)", 502, "UNAVAILABLE"),
    ],
)
async def test_errors_come_in_googles_envelope(google: Gateway, text: str, status: int, word: str) -> None:
    for model in (GEMINI, GPT, CLAUDE):
        reply = await ask(google, model, text)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["status"]) == (status, status, word)
        assert error["details"][0]["metadata"]["request_id"] == reply.headers["x-request-id"]


async def test_a_path_that_is_none_says_what_there_is(google: Gateway) -> None:
    for path in ("/v1beta/files", f"/v1beta/models/{GEMINI}:batchGenerateContent", "/v1beta/openai/chat/completions"):
        reply = await google.post(path, {})
        assert (reply.status, reply.json()["error"]["status"]) == (404, "NOT_FOUND")
        assert ":generateContent" in reply.json()["error"]["message"]
    wrong = await google.get(f"/v1beta/models/{GEMINI}:generateContent")
    assert (wrong.status, wrong.json()["error"]["status"]) == (405, "UNIMPLEMENTED")


async def test_a_key_in_the_address_is_refused_and_told_nobody(
    google: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    for query in (f"key={google.key}", f"alt=sse&key={google.key}", f"%6bey={google.key}"):
        reply = await call(
            google.app, "POST", f"/v1beta/models/{GEMINI}:generateContent", body={}, query=query.encode()
        )
        assert (reply.status, reply.json()["error"]["details"][0]["reason"]) == (400, "CREDENTIAL_IN_QUERY")
        assert google.key not in reply.body.decode()
    assert google.key not in caplog.text
    assert not await google.rows()


@pytest.mark.parametrize("query", [b"$alt=json;enum-encoding=int", b"fields=candidates", b"alt=proto"])
async def test_what_the_query_asks_for_and_is_not_done_is_refused_by_name(google: Gateway, query: bytes) -> None:
    reply = await ask(google, GEMINI, "hi", query=query)
    assert reply.status == 400
    assert "not taken" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"cachedContent": "cachedContents/of-somebody"},
        {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/secret.pdf"}}]}]},
        {
            "contents": [
                {"parts": [{"file_data": {"file_uri": "https://generativelanguage.googleapis.com/v1/files/x"}}]}
            ]
        },
        {"tools": [{"fileSearch": {"fileSearchStoreNames": ["a"]}}]},
    ],
)
async def test_what_google_keeps_for_an_account_is_not_found_through_a_shared_one(
    google: Gateway, fields: dict[str, Any]
) -> None:
    reply = await ask(google, GEMINI, "hi", **fields)
    assert (reply.status, reply.json()["error"]["details"][0]["reason"]) == (404, "OBJECT_NOT_FOUND")


async def test_an_idempotency_key_gives_the_same_answer_again(google: Gateway) -> None:
    for method in ("generateContent", "streamGenerateContent"):
        headers = {"idempotency-key": f"once-{method}"}
        first = await ask(google, GPT, "(words-4) hi", method, headers=headers)
        again = await ask(google, GPT, "(words-4) hi", method, headers=headers)
        assert first.status == 200
        assert again.body == first.body
    array = {"idempotency-key": "once-array"}
    kept = [await ask(google, GPT, "(words-4) hi", "streamGenerateContent", query=b"", headers=array) for _ in "ab"]
    assert kept[0].json() == kept[1].json()
    assert len(await google.rows()) == 3


@pytest.mark.parametrize("model", [GEMINI, GPT])
async def test_a_kept_answer_is_given_again_whole_in_events_and_as_an_array(google: Gateway, model: str) -> None:
    assert google.mock is not None
    ttl = {"x-aiservice-cache-ttl": "300"}
    for method, query, was in (
        ("generateContent", b"", "miss"),
        ("streamGenerateContent", b"alt=sse", "miss"),
        ("streamGenerateContent", b"", "hit"),  # of the events
    ):
        first = await ask(google, model, "(words-4) hi", method, query=query, headers=ttl)
        again = await ask(google, model, "(words-4) hi", method, query=query, headers=ttl)
        assert (first.headers["x-aiservice-cache"], again.headers["x-aiservice-cache"]) == (was, "hit")
        assert b'"totalTokenCount":0' in again.body
    assert google.mock.record.calls == 2


@pytest.mark.parametrize("model", [GEMINI, GPT])
async def test_a_stream_in_events_can_be_resumed_and_an_array_cannot(google: Gateway, model: str) -> None:
    headers = {"x-aiservice-resumable": "true"}
    reply = await ask(google, model, "(words-4) hi", "streamGenerateContent", headers=headers)
    rest = await google.get(reply.headers["x-aiservice-events"], query=b"after=2")
    assert reply.body.endswith(rest.body)
    assert rest.body.count(b"data: ") == reply.body.count(b"data: ") - 2
    array = await ask(google, model, "(words-4) hi", "streamGenerateContent", query=b"", headers=headers)
    assert "x-aiservice-events" not in array.headers
    assert text_of(array.json()) == "the gate keeps every"


async def test_another_provider_goes_on_with_a_stream_that_breaks_off(google: Gateway) -> None:
    order = {"order": ["gemini", "openai-compatible"]}
    headers = {"x-aiservice-continue": "true"}
    text = "(words-6)(reset-after-3)"
    reply = await ask(google, "auto", text, "streamGenerateContent", headers=headers, preferences=order)
    said = chunks_of(reply)
    assert text_of(said).startswith("the gate keepsthe gate keeps every key")
    assert said[-1]["candidates"][0]["finishReason"] == "STOP"


async def test_a_budget_shortens_what_google_itself_is_asked_for(google: Gateway) -> None:
    await google.core.budgets.set(OPERATOR, "client", "app", Terms("tokens", "day", 1_000))
    reply = await ask(google, GEMINI, "(words-9) hi", generationConfig={"temperature": 1})
    assert reply.status == 200, reply.body
    config = served(google).body["generationConfig"]
    assert config["temperature"] == 1
    assert 0 < config["maxOutputTokens"] < 1_000
