"""Google's own surface: to Google's wire as it was written, to every other translated."""

from typing import Any

import orjson
import pytest

from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway
from tests.gateway.googling import CLAUDE, GEMINI, GPT, ask, chunks_of, served, text_of
from tests.mock.shapes.gemini import SIGNATURE

_WEATHER = {
    "functionDeclarations": [
        {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}
    ]
}
_ASKED = '(tool weather {"city": "Bern"})'


async def test_what_google_is_sent_is_what_the_client_wrote(google: Gateway) -> None:
    fields: dict[str, Any] = {
        "tools": [{"googleSearch": {}}],
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "something_new": {"a_b": 1}},
        "anotherNew": [1],
    }
    reply = await ask(google, GEMINI, "(words-3) hi", **fields)
    assert reply.status == 200, reply.body
    sent = served(google)
    fields["generationConfig"]["somethingNew"] = fields["generationConfig"].pop("something_new")
    assert sent.body == {"contents": [{"role": "user", "parts": [{"text": "(words-3) hi"}]}], **fields}
    assert reply.json()["responseId"].startswith("g"), "the provider's own answer"
    row = (await google.rows())[0]
    assert (row.surface, row.provider, row.usage_source) == ("google.generateContent", "gemini", "reported")
    assert row.output_tokens == 3


async def test_a_stream_says_what_the_whole_answer_says(google: Gateway) -> None:
    for model in (GPT, CLAUDE, GEMINI):
        await _check_stream(google, model)


async def _check_stream(google: Gateway, model: str) -> None:
    whole = (await ask(google, model, "(words-5) hi")).json()
    chunks = chunks_of(await ask(google, model, "(words-5) hi", "streamGenerateContent"))
    assert text_of([whole]) == text_of(chunks) == "the gate keeps every key"
    assert chunks[-1]["candidates"][0]["finishReason"] == whole["candidates"][0]["finishReason"] == "STOP"
    assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == whole["usageMetadata"]["candidatesTokenCount"] == 5
    assert (await google.rows())[0].outcome == "finished"


async def test_without_alt_sse_the_same_comes_as_one_json_array(google: Gateway) -> None:
    for model in (GPT, CLAUDE, GEMINI):
        reply = await ask(google, model, "(words-5) hi", "streamGenerateContent", query=b"")
        assert reply.headers["content-type"] == "application/json"
        assert text_of(reply.json()) == "the gate keeps every key"
        assert reply.json()[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
async def test_a_tool_is_called_and_its_result_comes_back(google: Gateway, method: str) -> None:
    for model in (GPT, CLAUDE, GEMINI):
        await _check_tool(google, model, method)


async def _check_tool(google: Gateway, model: str, method: str) -> None:
    reply = await ask(google, model, _ASKED, method, tools=[_WEATHER])
    said = chunks_of(reply) if method == "streamGenerateContent" else [reply.json()]
    parts = [part for chunk in said for part in chunk["candidates"][0]["content"]["parts"]]
    (called,) = [part for part in parts if "functionCall" in part]
    assert called["functionCall"]["args"] == {"city": "Bern"}
    assert (called["thoughtSignature"] == SIGNATURE) is (model == GEMINI)
    result = {"functionResponse": {"name": "weather", "response": {"output": "snow"}}}
    talk = [
        {"role": "user", "parts": [{"text": _ASKED}]},
        {"role": "model", "parts": parts},
        {"role": "user", "parts": [result]},
    ]
    for other in (GPT, CLAUDE, GEMINI):  # whoever goes on with it
        answer = await ask(google, other, talk, tools=[_WEATHER])
        assert answer.status == 200, answer.body
        assert text_of([answer.json()]).startswith("The tool said: snow")


async def test_google_is_never_shown_state_of_ours(google: Gateway) -> None:
    parts = (await ask(google, CLAUDE, f"{_ASKED} (think)", tools=[_WEATHER])).json()["candidates"][0]["content"]
    assert any(part.get("thoughtSignature") for part in parts["parts"])
    result = {"functionResponse": {"name": "weather", "response": {"output": "snow"}}}
    talk = [{"parts": [{"text": _ASKED}]}, parts, {"parts": [result]}]
    assert (await ask(google, GEMINI, talk, tools=[_WEATHER])).status == 200
    assert "YWlzZXJ2aWNl" not in orjson.dumps(served(google).body).decode()
    await ask(google, CLAUDE, talk, tools=[_WEATHER])
    sent = served(google).body["messages"][1]["content"]
    assert [block["type"] for block in sent] == ["thinking", "tool_use"], "its own state is given back"
    assert sent[0]["signature"]


async def test_thoughts_are_shown_to_who_asks_for_them(google: Gateway) -> None:
    for model in (CLAUDE, GPT):
        hidden = (await ask(google, model, "(think) (words-2) hi")).json()["candidates"][0]["content"]["parts"]
        assert not any(part.get("thought") for part in hidden)
        config = {"thinkingConfig": {"includeThoughts": True}}
        shown = await ask(google, model, "(think) (words-2) hi", generationConfig=config)
        assert shown.json()["candidates"][0]["content"]["parts"][0]["thought"] is True
        streamed = await ask(google, model, "(think) (words-2) hi", "streamGenerateContent", generationConfig=config)
        assert chunks_of(streamed)[0]["candidates"][0]["content"]["parts"][0]["thought"] is True


async def test_what_others_cannot_be_given_is_refused_by_name(google: Gateway) -> None:
    reply = await ask(google, GPT, "hi", tools=[{"googleSearch": {}}])
    error = reply.json()["error"]
    assert (reply.status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][1]["fieldViolations"][0]["field"] == "tools[0].googleSearch"
    config = {"speechConfig": {"voice": 1}}
    refused = (await ask(google, CLAUDE, "hi", generationConfig=config)).json()["error"]
    assert "generationConfig.speechConfig" in refused["message"]
    seeded = (await ask(google, CLAUDE, "hi", generationConfig={"seed": 1})).json()["error"]
    assert seeded["details"][1]["fieldViolations"][0]["field"] == "generationConfig.seed", "as the client called it"
    allowed = await ask(google, GPT, "hi", tools=[{"googleSearch": {}}], headers={"x-aiservice-lossy": "allow"})
    assert (allowed.status, allowed.headers["x-aiservice-lossy"]) == (200, "tools[0].googleSearch")


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
    counted = await ask(google, GEMINI, "one two three", "countTokens")
    assert counted.json()["totalTokens"] > 0
    assert "x-aiservice-usage" not in counted.headers
    estimated = await ask(google, GPT, "one two three", "countTokens")
    assert estimated.json()["totalTokens"] > 0
    assert estimated.headers["x-aiservice-usage"] == "estimated"
    whole = {"contents": [], "generateContentRequest": {"contents": [{"parts": [{"text": "hi"}]}]}}
    path = f"/v1beta/models/{GEMINI}:countTokens"
    assert (await google.post(path, whole)).json()["totalTokens"] > 0
