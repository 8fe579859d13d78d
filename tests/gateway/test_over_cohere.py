"""The whole path to a provider of Cohere's wire: asked in chat's words, in Anthropic's, in ours; vectors, rankings."""

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
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.mock.record import read_record
from tests.mock.server import MockProvider
from tests.mock.shapes.cohere import PLAN, PREAMBLE

pytestmark = pytest.mark.sqlite_only("what is tried is the gateway's own")

_CHAT, _EMBED, _RERANK = "command-a-03-2025", "embed-v4.0", "rerank-v3.5"
_WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
_WEATHER_OF_CLAUDE = {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
_ASKED = '(tool weather {"city": "Bern"}) (tool weather {})'


@pytest.fixture
async def cohere(installed: Settings, mock: MockProvider) -> AsyncIterator[Gateway]:
    """An installation whose only provider speaks Cohere's wire."""
    async with open_core(installed, is_serving=True) as core:
        await core.clients.create(OPERATOR, "app")
        await core.connections.add(
            OPERATOR, "cohere", "north", f"{mock.root_url}/v2", Secret(PROVIDER_KEY), is_private_allowed=True,
            models=[_CHAT, _EMBED, _RERANK],
        )  # fmt: skip
        made = await core.keys.create(OPERATOR, "app", "first")
        app = build_gateway(core, InFlight(), portal, portal)
        yield Gateway(app, core, InFlight(), made.key.reveal_text(), mock)


def _sent(gateway: Gateway) -> Any:
    """The body of the last request that reached the provider."""
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1].body


async def test_what_was_read_is_counted_and_what_is_billed_is_paid(cohere: Gateway) -> None:
    reply = await cohere.chat("(words-3) (think) hi there")
    message = reply.json()["choices"][0]["message"]
    assert (message["content"], bool(message["reasoning_content"])) == ("the gate keeps", True)
    row = (await cohere.rows())[0]
    assert (row.provider, row.input_tokens, row.output_tokens) == ("north", 4 + PREAMBLE, 8)
    assert row.cost_nano_usd == 4 * 2_500 + 8 * 10_000


async def test_a_streamed_chat_is_paid_as_a_whole_one(cohere: Gateway) -> None:
    reply = await cohere.chat("(words-3) (think) hi there", stream=True, stream_options={"include_usage": True})
    assert reply.body.endswith(b"data: [DONE]\n\n")
    row = (await cohere.rows())[0]
    assert (row.outcome, row.input_tokens, row.cost_nano_usd) == ("finished", 4 + PREAMBLE, 4 * 2_500 + 8 * 10_000)


async def test_a_plan_comes_with_the_calls_and_goes_back_with_their_results(cohere: Gateway) -> None:
    message = (await cohere.chat(_ASKED, tools=[_WEATHER])).json()["choices"][0]["message"]
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"city": "Bern"}', "{}"]
    assert message["extra_content"] == {"cohere": {"tool_plan": PLAN}}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "snow"} for call in message["tool_calls"]]
    talk = [{"role": "user", "content": _ASKED}, message, *results]
    reply = await cohere.chat("", messages=talk, tools=[_WEATHER])
    assert reply.json()["choices"][0]["message"]["content"].startswith("The tool said: snow")
    assert _sent(cohere)["messages"][1]["tool_plan"] == PLAN


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_of_anthropics_wire_keeps_the_plan(cohere: Gateway, stream: bool) -> None:
    asked: dict[str, Any] = {"model": "auto", "max_tokens": 100, "tools": [_WEATHER_OF_CLAUDE]}
    first = [{"role": "user", "content": _ASKED}]
    reply = await cohere.post("/v1/messages", {**asked, "messages": first, "stream": stream})
    blocks = read_stream(reply.body).content if stream else reply.json()["content"]
    calls = [block for block in blocks if block["type"] == "tool_use"]
    for call in calls if stream else ():
        call["input"] = orjson.loads(call["input"])
    assert [call["input"] for call in calls] == [{"city": "Bern"}, {}]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "snow"} for call in calls]
    talk = [*first, {"role": "assistant", "content": blocks}, {"role": "user", "content": results}]
    answer = (await cohere.post("/v1/messages", {**asked, "messages": talk})).json()
    assert answer["content"][0]["text"].startswith("The tool said: snow")
    assert _sent(cohere)["messages"][1]["tool_plan"] == PLAN


async def test_vectors_and_rankings(cohere: Gateway) -> None:
    vectors = await cohere.post("/v1/embeddings", {"model": _EMBED, "input": ["a", "b c"], "dimensions": 4})
    assert [len(item["embedding"]) for item in vectors.json()["data"]] == [4, 4]
    ranking = await cohere.post("/v1/rerank", {"model": _RERANK, "query": "b", "documents": ["a", "b"]})
    assert [each["index"] for each in ranking.json()["results"]] == [1, 0]
    assert ranking.json()["meta"]["billed_units"] == {"search_units": 1}
    assert {row.usage_source for row in await cohere.rows()} == {"reported"}
    task = await cohere.post("/ai-service", {"task": "rerank", "input": {"query": "b", "documents": ["a", "b"]}})
    assert (task.json()["model"], task.json()["cost"]) == (_RERANK, None)  # sold by search units: no price is known


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("(status-429) (retry-after-7)", 429, "provider_quota_exhausted"),
        ("(status-404)", 404, "model_not_found"),
        ("(status-498)", 502, "upstream_auth_failed"),
        ("(html)", 502, "provider_invalid_answer"),
    ],
)
async def test_failures_are_told_in_our_words(cohere: Gateway, words: str, status: int, code: str) -> None:
    reply = await cohere.chat(words)
    assert (reply.status, reply.code) == (status, code)
    assert PROVIDER_KEY.encode() not in reply.body


@pytest.mark.parametrize("words", ["(cut-after-3)", "(break-after-3)", "(error-event)", "(reset-after-3)", "(garble)"])
async def test_a_stream_that_breaks_is_never_a_clean_end(cohere: Gateway, words: str) -> None:
    reply = await cohere.chat(f"{words} hi", stream=True)
    assert b'"error"' in reply.body
    assert b"[DONE]" not in reply.body
    assert (await cohere.rows())[0].output_tokens > 0


async def test_what_cannot_be_carried_is_named_and_never_sent(cohere: Gateway) -> None:
    assert cohere.mock is not None
    reply = await cohere.chat("hi", logit_bias={"50256": -100})
    error = orjson.loads(reply.body)["error"]
    assert (reply.status, error["param"], error["code"]) == (400, "logit_bias", "unsupported_parameter")
    assert cohere.mock.record.calls == 0


async def test_a_ranking_from_the_cache_says_that_it_cost_nothing(cohere: Gateway) -> None:
    body, headers = {"model": _RERANK, "query": "b", "documents": ["a", "b"]}, {"x-aiservice-cache-ttl": "60"}
    first, again = [await cohere.post("/v1/rerank", body, headers=headers) for _ in range(2)]
    assert (first.headers["x-aiservice-cache"], again.headers["x-aiservice-cache"]) == ("miss", "hit")
    assert first.json()["meta"]["billed_units"] == {"search_units": 1}
    assert again.json()["meta"]["billed_units"] == {"search_units": 0}
    assert again.json()["results"] == first.json()["results"]
