"""The whole path to a provider of Google's wire: asked in chat's words, in Anthropic's, in ours; embeddings, counts."""

import base64
import struct
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
from tests.dialects.messages_stream import read_stream
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.mock.record import read_record
from tests.mock.server import MockProvider
from tests.mock.shapes.gemini import SIGNATURE

_MODEL, _EMBEDDING = "gemini-2.5-flash", "gemini-embedding-001"
_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
_WEATHER_OF_CLAUDE = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
_ASKED = '(tool weather {"city": "Bern"}) (tool weather {"city": "Basel"})'


@pytest.fixture
async def gemini(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation whose only provider speaks Google's wire."""
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        await core.connections.add(
            OPERATOR, "gemini", "google", f"{mock.root_url}/v1beta", Secret(PROVIDER_KEY), is_private_allowed=True,
            models=[_MODEL, _EMBEDDING],
        )  # fmt: skip
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)


async def _messages(gateway: Gateway, messages: str | list[Any], **fields: Any) -> Reply:
    said = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    return await gateway.post("/v1/messages", {"model": "auto", "max_tokens": 100, "messages": said, **fields})


def _signatures_sent(gateway: Gateway) -> list[Any]:
    """Those on the calls of the last request's second turn."""
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    parts = read_record(gateway.mock.record.path)[-1].body["contents"][1]["parts"]
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def _chunks(reply: Reply) -> list[Any]:
    assert reply.body.endswith(b"data: [DONE]\n\n"), reply.body
    return [orjson.loads(frame.removeprefix("data: ")) for frame in reply.body.decode().split("\n\n")[:-2]]


async def test_chat_is_answered_counted_and_priced(gemini: Gateway) -> None:
    reply = await gemini.chat("(words-3) (cache-1) (think) hi there")
    said = reply.json()
    assert (reply.status, said["choices"][0]["message"]["content"]) == (200, "the gate keeps")
    assert said["choices"][0]["message"]["reasoning_content"]
    row = (await gemini.rows())[0]
    assert (row.provider, row.model, row.usage_source) == ("google", _MODEL, "reported")
    assert (row.cached_input_tokens, row.output_tokens) == (1, said["usage"]["completion_tokens"])
    assert row.reasoning_tokens > 0
    assert row.cost_nano_usd


async def test_a_streamed_chat_is_the_same(gemini: Gateway) -> None:
    chunks = _chunks(await gemini.chat("(words-5) hi", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert text == "the gate keeps every key"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == 5
    assert (await gemini.rows())[0].outcome == "finished"


async def test_tools_are_called_and_their_results_come_back(gemini: Gateway) -> None:
    message = (await gemini.chat(_ASKED, tools=[_WEATHER])).json()["choices"][0]["message"]
    arguments = [orjson.loads(call["function"]["arguments"]) for call in message["tool_calls"]]
    assert arguments == [{"city": "Bern"}, {"city": "Basel"}]
    assert message["tool_calls"][0]["extra_content"]["google"]["thought_signature"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "snow"} for call in message["tool_calls"]]
    talk = [{"role": "user", "content": _ASKED}, message, *results]
    reply = await gemini.chat("", messages=talk, tools=[_WEATHER])
    assert reply.json()["choices"][0]["message"]["content"].startswith("The tool said: snow")
    assert _signatures_sent(gemini) == [SIGNATURE, SIGNATURE]
    chunks = _chunks(await gemini.chat(_ASKED, tools=[_WEATHER], stream=True))
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls") or []]
    assert [orjson.loads(call["function"]["arguments"]) for call in calls] == arguments
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_client_of_anthropics_wire_keeps_googles_signatures(gemini: Gateway) -> None:
    said = (await _messages(gemini, _ASKED, tools=[_WEATHER_OF_CLAUDE])).json()
    assert said["stop_reason"] == "tool_use"
    streamed = read_stream((await _messages(gemini, _ASKED, tools=[_WEATHER_OF_CLAUDE], stream=True)).body)
    for blocks in (said["content"], streamed.content):
        calls = [block for block in blocks if block["type"] == "tool_use"]
        assert len(calls) == 2
        assert any(block["type"] == "redacted_thinking" for block in blocks)
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "snow"}
        for block in said["content"]
        if block["type"] == "tool_use"
    ]
    talk = [
        {"role": "user", "content": _ASKED},
        {"role": "assistant", "content": said["content"]},
        {"role": "user", "content": results},
    ]
    answer = (await _messages(gemini, talk, tools=[_WEATHER_OF_CLAUDE])).json()
    assert answer["content"][0]["text"].startswith("The tool said: snow")
    assert _signatures_sent(gemini) == [SIGNATURE, SIGNATURE]


async def test_tokens_are_counted_by_google_itself(gemini: Gateway) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "one two three"}]}
    reply = await gemini.post("/v1/messages/count_tokens", body)
    assert (reply.status, reply.json()) == (200, {"input_tokens": 3})
    assert "x-aiservice-usage" not in reply.headers


async def test_embeddings_come_as_they_were_asked_for(gemini: Gateway) -> None:
    async def vectors(**fields: Any) -> list[Any]:
        reply = await gemini.post("/v1/embeddings", {"model": _EMBEDDING, **fields})
        assert reply.status == 200, reply.body
        return [item["embedding"] for item in reply.json()["data"]]

    plain = await vectors(input=["one", "two"], dimensions=4)
    packed = await vectors(input=["one", "two"], dimensions=4, encoding_format="base64")
    assert [len(vector) for vector in plain] == [4, 4]
    for vector, text in zip(plain, packed, strict=True):
        assert struct.unpack("<4f", base64.b64decode(text)) == pytest.approx(vector, rel=1e-6)
    assert len(await vectors(input="one")) == 1
    assert {row.usage_source for row in await gemini.rows()} == {"reported"}


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("(status-429) (retry-after-7)", 429, "provider_quota_exhausted"),
        ("(status-404)", 404, "model_not_found"),
        ("(status-503)", 502, "provider_failed"),
        ("(html)", 502, "provider_invalid_answer"),
    ],
)
async def test_failures_are_told_in_our_words(gemini: Gateway, words: str, status: int, code: str) -> None:
    for is_stream in (False, True):
        reply = await gemini.chat(words, stream=is_stream)
        assert (reply.status, reply.json()["error"]["code"]) == (status, code)
        assert PROVIDER_KEY.encode() not in reply.body
    assert (await gemini.rows())[0].input_tokens == 0


@pytest.mark.parametrize("words", ["(cut-after-3)", "(break-after-3)", "(error-event)", "(reset-after-3)", "(garble)"])
async def test_a_stream_that_breaks_is_never_a_clean_end(gemini: Gateway, words: str) -> None:
    reply = await gemini.chat(f"{words} hi", stream=True)
    assert b'"error"' in reply.body
    assert b"[DONE]" not in reply.body
    row = (await gemini.rows())[0]
    assert (row.outcome, row.output_tokens > 0) == ("upstream_truncated", True)


async def test_what_cannot_be_carried_is_named_and_never_sent(gemini: Gateway) -> None:
    assert gemini.mock is not None
    reply = await gemini.chat("hi", logit_bias={"50256": -100})
    error = reply.json()["error"]
    assert (reply.status, error["param"], error["code"]) == (400, "logit_bias", "unsupported_parameter")
    assert gemini.mock.record.calls == 0
