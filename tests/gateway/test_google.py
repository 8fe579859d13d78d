"""Google's own surface: to Google's wire as it was written, to every other translated; errors, models, routes."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.mock.record import Served, read_record
from tests.mock.server import MockProvider
from tests.mock.shapes.gemini import SIGNATURE

_GEMINI, _GPT, _CLAUDE = "gemini-2.5-flash", "gpt-mock", "claude-mock"
_WEATHER = {
    "functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    ]
}
_ASKED = '(tool weather {"city": "Bern"})'


@pytest.fixture
async def google(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation with a connection of each wire."""
    places = {
        "gemini": ("/v1beta", [_GEMINI, "gemini-embedding-001"]),
        "openai-compatible": ("/v1", [_GPT, "embed-mock"]),
        "anthropic": ("", [_CLAUDE]),
    }
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        for kind, (path, models) in places.items():
            await core.connections.add(
                OPERATOR, kind, kind, mock.root_url + path, Secret(PROVIDER_KEY), is_private_allowed=True, models=models
            )
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)


async def _ask(
    gateway: Gateway, model: str, text: str | list[Any], method: str = "generateContent", **fields: Any
) -> Reply:
    contents = [{"role": "user", "parts": [{"text": text}]}] if isinstance(text, str) else text
    query = fields.pop("query", b"alt=sse" if method == "streamGenerateContent" else b"")
    headers = {"x-goog-api-key": gateway.key, **fields.pop("headers", {})}
    path = f"/v1beta/models/{model}:{method}"
    return await call(gateway.app, "POST", path, headers=headers, body={"contents": contents, **fields}, query=query)


def _served(gateway: Gateway) -> Served:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1]


def _chunks(reply: Reply) -> list[Any]:
    plain = reply.body.replace(b"\r\n", b"\n")
    return [orjson.loads(block.removeprefix(b"data: ")) for block in plain.split(b"\n\n") if block.strip()]


def _text(chunks: list[Any]) -> str:
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


async def test_what_google_is_sent_is_what_the_client_wrote(google: Gateway) -> None:
    fields: dict[str, Any] = {
        "tools": [{"googleSearch": {}}],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "something_new": {"a_b": 1}},
        "anotherNew": [1],
    }
    reply = await _ask(google, _GEMINI, "(words-3) hi", **fields)
    assert reply.status == 200, reply.body
    served = _served(google)
    fields["generationConfig"]["somethingNew"] = fields["generationConfig"].pop("something_new")
    assert served.body == {"contents": [{"role": "user", "parts": [{"text": "(words-3) hi"}]}], **fields}
    assert reply.json()["responseId"].startswith("g"), "the provider's own answer"
    row = (await google.rows())[0]
    assert (row.surface, row.provider, row.usage_source) == ("google.generateContent", "gemini", "reported")
    assert row.output_tokens == 3


@pytest.mark.parametrize("model", [_GPT, _CLAUDE, _GEMINI])
async def test_a_stream_says_what_the_whole_answer_says(google: Gateway, model: str) -> None:
    whole = (await _ask(google, model, "(words-5) hi")).json()
    chunks = _chunks(await _ask(google, model, "(words-5) hi", "streamGenerateContent"))
    assert _text([whole]) == _text(chunks) == "the gate keeps every key"
    assert chunks[-1]["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == whole["usageMetadata"]["candidatesTokenCount"] == 5
    assert (await google.rows())[0].outcome == "finished"


@pytest.mark.parametrize("model", [_GPT, _CLAUDE, _GEMINI])
async def test_without_alt_sse_the_same_comes_as_one_json_array(google: Gateway, model: str) -> None:
    reply = await _ask(google, model, "(words-5) hi", "streamGenerateContent", query=b"")
    assert reply.headers["content-type"] == "application/json"
    assert _text(reply.json()) == "the gate keeps every key"
    assert reply.json()[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("model", [_GPT, _CLAUDE, _GEMINI])
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
async def test_a_tool_is_called_and_its_result_comes_back(google: Gateway, model: str, method: str) -> None:
    reply = await _ask(google, model, _ASKED, method, tools=[_WEATHER])
    said = _chunks(reply) if method == "streamGenerateContent" else [reply.json()]
    parts = [part for chunk in said for part in chunk["candidates"][0]["content"]["parts"]]
    (called,) = [part for part in parts if "functionCall" in part]
    assert called["functionCall"]["args"] == {"city": "Bern"}
    assert (called["thoughtSignature"] == SIGNATURE) is (model == _GEMINI)
    result = {"functionResponse": {"name": "weather", "response": {"output": "snow"}}}
    talk = [
        {"role": "user", "parts": [{"text": _ASKED}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": [result]},
    ]
    for other in (_GPT, _CLAUDE, _GEMINI):  # whoever goes on with it
        answer = await _ask(google, other, talk, tools=[_WEATHER])
        assert answer.status == 200, answer.body
        assert _text([answer.json()]).startswith("The tool said: snow")


async def test_google_is_never_shown_state_of_ours(google: Gateway) -> None:
    parts = (await _ask(google, _CLAUDE, f"{_ASKED} (think)", tools=[_WEATHER])).json()["candidates"][0]["content"]
    assert any(part.get("thoughtSignature") for part in parts["parts"])
    result = {"functionResponse": {"name": "weather", "response": {"output": "snow"}}}
    talk = [{"parts": [{"text": _ASKED}]}, parts, {"parts": [result]}]
    assert (await _ask(google, _GEMINI, talk, tools=[_WEATHER])).status == 200
    assert "YWlzZXJ2aWNl" not in orjson.dumps(_served(google).body).decode()
    await _ask(google, _CLAUDE, talk, tools=[_WEATHER])
    sent = _served(google).body["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["thinking", "tool_use"], "its own state is given back"
    assert sent[0]["signature"]


async def test_thoughts_are_shown_to_who_asks_for_them(google: Gateway) -> None:
    for model in (_CLAUDE, _GPT):
        hidden = (await _ask(google, model, "(think) (words-2) hi")).json()["candidates"][0]["content"]["parts"]
        assert not any(part.get("thought") for part in hidden)
        config = {"thinkingConfig": {"includeThoughts": True}}
        shown = await _ask(google, model, "(think) (words-2) hi", generationConfig=config)
        assert shown.json()["candidates"][0]["content"]["parts"][0]["thought"] is True
        streamed = await _ask(google, model, "(think) (words-2) hi", "streamGenerateContent", generationConfig=config)
        assert _chunks(streamed)[0]["candidates"][0]["content"]["parts"][0]["thought"] is True


async def test_what_others_cannot_be_given_is_refused_by_name(google: Gateway) -> None:
    reply = await _ask(google, _GPT, "hi", tools=[{"googleSearch": {}}])
    error = reply.json()["error"]
    assert (reply.status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][1]["fieldViolations"][0]["field"] == "tools[0].googleSearch"
    config = {"speechConfig": {"voice": 1}}
    refused = (await _ask(google, _CLAUDE, "hi", generationConfig=config)).json()["error"]
    assert "generationConfig.speechConfig" in refused["message"]


@pytest.mark.parametrize(("model", "dimensions"), [("gemini-embedding-001", 4), ("embed-mock", None)])
async def test_contents_are_embedded(google: Gateway, model: str, dimensions: int | None) -> None:
    content = {"parts": [{"text": "one"}]}
    one = {"content": content, **({"outputDimensionality": dimensions} if dimensions else {})}
    headers = {"x-goog-api-key": google.key}
    path = f"/v1beta/models/{model}"
    reply = await call(google.app, "POST", f"{path}:embedContent", headers=headers, body=one)
    assert reply.status == 200, reply.body
    values = reply.json()["embedding"]["values"]
    body = {"requests": [{"model": f"models/{model}", **one}, {**one, "content": {"parts": [{"text": "two"}]}}]}
    batch = await call(google.app, "POST", f"{path}:batchEmbedContents", headers=headers, body=body)
    vectors = batch.json()["embeddings"]
    assert len(vectors) == 2
    assert vectors[0]["values"] == values
    assert vectors[0] != vectors[1]
    assert len(values) == dimensions or dimensions is None


async def test_tokens_are_counted_by_who_can(google: Gateway) -> None:
    counted = await _ask(google, _GEMINI, "one two three", "countTokens")
    assert counted.json()["totalTokens"] > 0
    assert "x-aiservice-usage" not in counted.headers
    estimated = await _ask(google, _GPT, "one two three", "countTokens")
    assert estimated.json()["totalTokens"] > 0
    assert estimated.headers["x-aiservice-usage"] == "estimated"
    whole = {"contents": [], "generateContentRequest": {"contents": [{"parts": [{"text": "hi"}]}]}}
    path = f"/v1beta/models/{_GEMINI}:countTokens"
    assert (await google.post(path, whole)).json()["totalTokens"] > 0


async def test_models_are_listed_in_googles_form(google: Gateway) -> None:
    listed = (await google.get("/v1beta/models")).json()["models"]
    methods = {model["name"]: model["supportedGenerationMethods"] for model in listed}
    assert "generateContent" in methods[f"models/{_GEMINI}"]
    assert methods["models/gemini-embedding-001"] == ["embedContent", "batchEmbedContents"]
    first = (await google.get("/v1beta/models", query=b"pageSize=2")).json()
    rest = (
        await google.get("/v1beta/models", query=f"pageSize=100&pageToken={first['nextPageToken']}".encode())
    ).json()
    assert first["models"] + rest["models"] == listed
    assert "nextPageToken" not in rest
    one = (await google.get(f"/v1beta/models/{_GPT}")).json()
    assert one["name"] == f"models/{_GPT}"
    missing = await google.get("/v1beta/models/none")
    assert (missing.status, missing.json()["error"]["status"]) == (404, "NOT_FOUND")


async def test_the_same_paths_under_v1_are_googles_for_who_sends_its_header(google: Gateway) -> None:
    headers = {"x-goog-api-key": google.key}
    body = {"contents": [{"parts": [{"text": "(words-2) hi"}]}]}
    reply = await call(google.app, "POST", f"/v1/models/{_GPT}:generateContent", headers=headers, body=body)
    assert _text([reply.json()]) == "the gate"
    theirs = await call(google.app, "GET", "/v1/models", headers=headers)
    assert theirs.json()["models"]
    one = await call(google.app, "GET", f"/v1/models/{_GPT}", headers=headers)
    assert one.json()["name"] == f"models/{_GPT}"
    assert (await google.get("/v1/models")).json()["object"] == "list"
    assert (await google.get(f"/v1/models/{_GPT}")).json()["object"] == "model"


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        ("(status-400)", 400, "INVALID_ARGUMENT"),
        ("(status-500)", 502, "UNAVAILABLE"),
        ("(status-401)", 502, "UNAVAILABLE"),
    ],
)
async def test_errors_come_in_googles_envelope(google: Gateway, text: str, status: int, word: str) -> None:
    for model in (_GEMINI, _GPT, _CLAUDE):
        reply = await _ask(google, model, text)
        error = reply.json()["error"]
        assert (reply.status, error["code"], error["status"]) == (status, status, word)
        assert error["details"][0]["metadata"]["request_id"] == reply.headers["x-request-id"]


async def test_a_path_that_is_none_says_what_there_is(google: Gateway) -> None:
    for path in ("/v1beta/files", f"/v1beta/models/{_GEMINI}:batchGenerateContent", "/v1beta/openai/chat/completions"):
        reply = await google.post(path, {})
        assert (reply.status, reply.json()["error"]["status"]) == (404, "NOT_FOUND")
        assert ":generateContent" in reply.json()["error"]["message"]
    wrong = await google.get(f"/v1beta/models/{_GEMINI}:generateContent")
    assert (wrong.status, wrong.json()["error"]["status"]) == (405, "UNIMPLEMENTED")


async def test_a_key_in_the_address_is_refused_and_told_nobody(
    google: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    for query in (f"key={google.key}", f"alt=sse&key={google.key}", f"%6bey={google.key}"):
        reply = await call(
            google.app, "POST", f"/v1beta/models/{_GEMINI}:generateContent", body={}, query=query.encode()
        )
        assert (reply.status, reply.json()["error"]["details"][0]["reason"]) == (400, "CREDENTIAL_IN_QUERY")
        assert google.key not in reply.body.decode()
    assert google.key not in caplog.text
    assert not await google.rows()


@pytest.mark.parametrize("query", [b"$alt=json;enum-encoding=int", b"fields=candidates", b"alt=proto"])
async def test_what_the_query_asks_for_and_is_not_done_is_refused_by_name(google: Gateway, query: bytes) -> None:
    reply = await _ask(google, _GEMINI, "hi", query=query)
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
    reply = await _ask(google, _GEMINI, "hi", **fields)
    assert (reply.status, reply.json()["error"]["details"][0]["reason"]) == (404, "OBJECT_NOT_FOUND")


async def test_an_idempotency_key_gives_the_same_answer_again(google: Gateway) -> None:
    for method in ("generateContent", "streamGenerateContent"):
        headers = {"idempotency-key": f"once-{method}"}
        first = await _ask(google, _GPT, "(words-4) hi", method, headers=headers)
        again = await _ask(google, _GPT, "(words-4) hi", method, headers=headers)
        assert first.status == 200
        assert again.body == first.body
    array = {"idempotency-key": "once-array"}
    kept = [await _ask(google, _GPT, "(words-4) hi", "streamGenerateContent", query=b"", headers=array) for _ in "ab"]
    assert kept[0].json() == kept[1].json()
    assert len(await google.rows()) == 3
