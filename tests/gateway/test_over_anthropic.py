"""The whole path to a provider of Anthropic's wire: asked in chat's words, in Anthropic's own, and in ours."""

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
from tests.mock.server import MockProvider

_MODEL = "claude-haiku-4-5"
_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
_ASKED = '(tool weather {"city": "Bern"}) (tool weather {"city": "Basel"})'


@pytest.fixture
async def claude(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation whose only provider speaks Anthropic's wire; its address was given with the version in it."""
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        key = Secret(PROVIDER_KEY)
        await core.connections.add(
            OPERATOR, "anthropic", "claude", mock.base_url, key, is_private_allowed=True, models=[_MODEL]
        )
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)


async def _messages(gateway: Gateway, text: str, **fields: Any) -> Reply:
    body = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    return await gateway.post("/v1/messages", body)


def _chunks(reply: Reply) -> list[Any]:
    assert reply.body.endswith(b"data: [DONE]\n\n"), reply.body
    return [orjson.loads(frame.removeprefix("data: ")) for frame in reply.body.decode().split("\n\n")[:-2]]


async def test_chat_is_answered_and_counted(claude: Gateway) -> None:
    reply = await claude.chat("(words-3) (cache-1) hi there")
    said = reply.json()
    assert (reply.status, said["choices"][0]["message"]["content"]) == (200, "the gate keeps")
    assert said["choices"][0]["finish_reason"] == "stop"
    row = (await claude.rows())[0]
    assert (row.provider, row.model, row.usage_source, row.output_tokens) == ("claude", _MODEL, "reported", 3)
    assert (row.cached_input_tokens, row.input_tokens) == (1, said["usage"]["prompt_tokens"])
    assert row.cost_nano_usd


async def test_a_streamed_chat_is_the_same(claude: Gateway) -> None:
    reply = await claude.chat("(words-5) hi", stream=True, stream_options={"include_usage": True})
    chunks = _chunks(reply)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert text == "the gate keeps every key"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == 5


async def test_tools_are_called_and_their_results_come_back(claude: Gateway) -> None:
    message = (await claude.chat(_ASKED, tools=[_WEATHER])).json()["choices"][0]["message"]
    arguments = [orjson.loads(call["function"]["arguments"]) for call in message["tool_calls"]]
    assert arguments == [{"city": "Bern"}, {"city": "Basel"}]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "snow"} for call in message["tool_calls"]]
    talk = [{"role": "user", "content": _ASKED}, message, *results]
    reply = await claude.chat("", messages=talk, tools=[_WEATHER])
    assert reply.json()["choices"][0]["message"]["content"].startswith("The tool said: snow")
    streamed: dict[int, str] = {}
    for chunk in _chunks(await claude.chat(_ASKED, tools=[_WEATHER], stream=True)):
        for call in chunk["choices"][0]["delta"].get("tool_calls") or []:
            streamed[call["index"]] = streamed.get(call["index"], "") + call["function"]["arguments"]
    assert [orjson.loads(each) for each in streamed.values()] == arguments


async def test_thinking_and_its_signature_go_both_ways(claude: Gateway) -> None:
    assert claude.mock is not None
    message = (await claude.chat("(think) hi")).json()["choices"][0]["message"]
    assert message["reasoning_content"]
    assert message["reasoning_details"][0]["signature"]
    talk = [{"role": "user", "content": "hi"}, message, {"role": "user", "content": "go on"}]
    assert (await claude.chat("", messages=talk)).status == 200


async def test_json_without_a_schema_is_an_object(claude: Gateway) -> None:
    asked = '(tool json_answer {"city": "Bern"}) as json'
    wanted = {"type": "json_object"}
    choice = (await claude.chat(asked, response_format=wanted)).json()["choices"][0]
    assert (orjson.loads(choice["message"]["content"]), choice["finish_reason"]) == ({"city": "Bern"}, "stop")
    chunks = _chunks(await claude.chat(asked, response_format=wanted, stream=True))
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert orjson.loads(text) == {"city": "Bern"}


async def test_what_cannot_be_carried_is_named_and_never_sent(claude: Gateway) -> None:
    reply = await claude.chat("hi", seed=7)
    error = reply.json()["error"]
    assert (reply.status, error["param"], error["code"]) == (400, "seed", "unsupported_parameter")
    assert (await claude.rows())[0].input_tokens == 0


async def test_its_own_clients_get_its_own_bytes(claude: Gateway) -> None:
    said = (await _messages(claude, "(words-3) (think) hi")).json()
    assert [block["type"] for block in said["content"]] == ["thinking", "text"]
    assert said["content"][1]["text"] == "the gate keeps"
    message = read_stream((await _messages(claude, "(words-5) (think) hi", stream=True)).body)
    assert message.is_stopped
    assert message.content[1]["text"] == "the gate keeps every key"
    rows = await claude.rows()
    assert [(row.surface, row.usage_source) for row in rows] == [("messages", "reported")] * 2


async def test_tokens_are_counted_by_the_provider(claude: Gateway) -> None:
    body = {"model": _MODEL, "messages": [{"role": "user", "content": "one two three"}]}
    reply = await claude.post("/v1/messages/count_tokens", body)
    assert (reply.status, reply.json()) == (200, {"input_tokens": 3})


async def test_the_unified_surface_is_answered_too(claude: Gateway) -> None:
    reply = await claude.post("/ai-service", {"task": "chat", "input": "(words-3) hi"})
    assert reply.json()["output"]["text"] == "the gate keeps"


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        ("(status-529)", 503, "provider_overloaded"),
        ("(status-503)", 502, "provider_failed"),
        ("(status-401)", 502, "upstream_auth_failed"),
        ("(retry-after-7)", 429, "provider_quota_exhausted"),
        ("(html)", 502, "provider_invalid_answer"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_failures_are_told_in_our_words(
    claude: Gateway, script: str, status: int, code: str, *, stream: bool
) -> None:
    reply = await claude.chat(script, stream=stream)
    assert (reply.status, reply.json()["error"]["code"]) == (status, code), reply.body
    assert PROVIDER_KEY.encode() not in reply.body


@pytest.mark.parametrize("script", ["(error-event)", "(garble)", "(cut-after-3)", "(break-after-3)", "(reset-after-3)"])
@pytest.mark.parametrize("is_native", [False, True])
async def test_a_stream_that_breaks_off_ends_in_an_error(claude: Gateway, script: str, *, is_native: bool) -> None:
    if is_native:
        message = read_stream((await _messages(claude, script, stream=True)).body)
        assert (message.is_stopped, message.error is not None) == (False, True)
    else:
        reply = await claude.chat(script, stream=True)
        last = orjson.loads(reply.body.decode().split("\n\n")[-2].removeprefix("data: "))
        assert (reply.status, "error" in last) == (200, True)
    row = (await claude.rows())[0]
    assert row.outcome == "upstream_truncated"
    assert row.output_tokens >= 2


async def test_numbers_that_cannot_be_are_counted_instead(claude: Gateway) -> None:
    for stream in (False, True):
        assert (await claude.chat("(bad-usage) (words-4) hi", stream=stream)).status == 200
        row = (await claude.rows())[0]
        assert (row.is_usage_invalid, row.usage_source) == (True, "counted"), stream
        assert row.output_tokens >= 4
