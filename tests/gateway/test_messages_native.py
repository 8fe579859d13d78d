"""`/v1/messages` to a provider of the same wire: nothing is translated, so nothing is lost. And the other way."""

import asyncio
from typing import Any

import orjson
import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.dialects.messages_stream import read_stream
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import Served, read_record


@pytest.fixture
async def claude(gateway: Gateway) -> Gateway:
    """A gateway with a second connection, `claude`, that speaks Anthropic's wire."""
    assert gateway.mock is not None
    await gateway.core.connections.add(
        OPERATOR,
        "anthropic",
        "claude",
        gateway.mock.base_url.removesuffix("/v1"),
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        models=["claude-mock"],
    )
    return gateway


async def _send(gateway: Gateway, text: str, path: str = "/v1/messages", **fields: Any) -> Reply:
    body = {"model": "claude-mock", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"x-api-key": gateway.key, "anthropic-version": "2023-06-01", "anthropic-beta": "one-2026-01-01,two"}
    return await call(gateway.app, "POST", path, body=body, headers=headers)


def _served(gateway: Gateway) -> Served:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1]


async def test_body_and_headers_reach_the_provider_as_the_client_wrote_them(claude: Gateway) -> None:
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "something_new": {"a": [1]},
    }
    reply = await _send(claude, "(words-3) hi", **fields)
    assert reply.status == 200, reply.body
    served = _served(claude)
    sent = {"model": "claude-mock", "max_tokens": 100, "messages": [{"role": "user", "content": "(words-3) hi"}]}
    assert served.body == {**sent, **fields}
    assert served.headers["anthropic-beta"] == "one-2026-01-01,two"
    assert served.headers["anthropic-version"] == "2023-06-01"
    assert served.headers["x-api-key"] == PROVIDER_KEY
    assert "citations" in reply.json()["content"][0], "the provider's own answer"
    row = (await claude.rows())[0]
    assert (row.provider, row.output_tokens, row.usage_source) == ("claude", 3, "reported")


async def test_a_streams_frames_are_the_providers_own_to_the_last_byte(claude: Gateway) -> None:
    reply = await _send(claude, "(think) (words-5)", stream=True)
    assert reply.body.count(b"   \n\n") == reply.body.count(b"data: "), "padded, as the provider pads them"
    message = read_stream(reply.body.replace(b"   \n\n", b"\n\n"))
    assert message.is_stopped
    assert [block["type"] for block in message.content] == ["thinking", "text"]
    assert message.content[0]["signature"]
    row = (await claude.rows())[0]
    assert (row.output_tokens, row.outcome) == (message.usage["output_tokens"], "finished")


async def test_the_end_of_a_whole_answer_is_only_sent_when_it_is_settled(
    claude: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    settle = claude.core.ledger.settle

    def noted(settlement: Any) -> int:
        order.append("settled")
        return settle(settlement)

    monkeypatch.setattr(claude.core.ledger, "settle", noted)
    body = {"model": "claude-mock", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    scope_headers = [
        (b"host", b"x"),
        (b"x-api-key", claude.key.encode()),
        (b"content-length", str(len(orjson.dumps(body))).encode()),
    ]
    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/v1/messages", "query_string": b""}
    left = [{"type": "http.request", "body": orjson.dumps(body)}]

    async def receive() -> Any:
        return left.pop() if left else await asyncio.sleep(60)

    async def send(message: Any) -> None:
        if b"message_stop" in message.get("body", b""):
            order.append("said")

    await claude.app({**scope, "headers": scope_headers, "client": ("127.0.0.1", 1)}, receive, send)
    assert order == ["settled", "said"]


@pytest.mark.parametrize("text", ["(cut-after-3)", "(reset-after-3)", "(hang-after-3)", "(error-event)", "(garble)"])
async def test_a_stream_that_breaks_never_stops_cleanly(claude: Gateway, text: str) -> None:
    reply = await _send(claude, text, stream=True)
    message = read_stream(reply.body.replace(b"   \n\n", b"\n\n"))
    assert not message.is_stopped
    assert message.error is not None
    assert message.error["request_id"] == reply.headers["request-id"]
    assert (await claude.rows())[0].outcome == "upstream_truncated"


async def test_a_count_is_the_providers_and_costs_nothing(claude: Gateway) -> None:
    reply = await _send(claude, "one two three", "/v1/messages/count_tokens")
    assert (reply.json(), "x-aiservice-usage" in reply.headers) == ({"input_tokens": 3}, False)
    assert _served(claude).path == "/v1/messages/count_tokens"
    row = (await claude.rows())[0]
    assert (row.surface, row.provider, row.input_tokens, row.cost_nano_usd) == ("messages.count_tokens", "claude", 0, 0)


async def test_a_count_that_the_shutdown_ends_costs_nothing_either(claude: Gateway) -> None:
    counting = asyncio.create_task(_send(claude, "(hang) " + "word " * 1000, "/v1/messages/count_tokens"))
    await claude.asked()
    claude.in_flight.stop_all()
    reply = await counting
    assert (reply.status, reply.json()["error"]["type"]) == (503, "overloaded_error")
    row = (await claude.rows())[0]
    assert (row.outcome, row.input_tokens, row.cost_nano_usd) == ("broker_stopped", 0, 0)


async def test_a_fallback_to_another_wire_gives_the_same_message(claude: Gateway) -> None:
    await claude.core.preferences.set(OPERATOR, "app", "chat", ["claude:claude-mock", "sandbox"])
    for stream in (False, True):
        reply = await _send(claude, "(status-529)", model="auto", stream=stream)
        assert reply.status == 200, reply.body
        assert reply.headers["x-aiservice-provider"] == "sandbox"
        said = read_stream(reply.body).content if stream else reply.json()["content"]
        assert "[sandbox]" in said[0]["text"]


_THOUGHT = "First I count the words"


async def test_a_client_of_chat_is_given_a_claudes_thinking_with_its_state_and_may_give_it_back(
    claude: Gateway,
) -> None:
    asked = {"role": "user", "content": "(think) (words-3)"}
    fields: dict[str, Any] = {"model": "claude-mock", "max_completion_tokens": 4000, "reasoning_effort": "low"}
    whole = (await claude.post("/v1/chat/completions", {"messages": [asked], **fields})).json()
    message = whole["choices"][0]["message"]
    assert message["reasoning_content"] == _THOUGHT
    assert message["reasoning_details"][0]["signature"]
    reply = await claude.post("/v1/chat/completions", {"messages": [asked], "stream": True, **fields})
    chunks = [orjson.loads(line[6:]) for line in reply.body.split(b"\n\n") if line.startswith(b"data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas).strip() == _THOUGHT
    assert any(item.get("signature") for delta in deltas for item in delta.get("reasoning_details") or ())
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert reply.body.endswith(b"data: [DONE]\n\n")
    turns = [asked, message, {"role": "user", "content": "(words-2) on"}]
    await claude.post("/v1/chat/completions", {"messages": turns, **fields})
    block = _served(claude).body["messages"][1]["content"][0]
    assert (block["type"], block["signature"]) == ("thinking", message["reasoning_details"][0]["signature"])


async def test_the_unified_surface_shows_thinking_too(claude: Gateway) -> None:
    body = {
        "task": "chat",
        "model": "claude-mock",
        "input": [{"role": "user", "content": "(think) (words-3)"}],
        "parameters": {"reasoning_effort": "low", "max_tokens": 4000},
    }
    output = (await claude.post("/ai-service", body)).json()["output"]
    assert output["reasoning"] == _THOUGHT
    stream = (await claude.post("/ai-service", {**body, "stream": True})).body
    assert b'"reasoning":"First ' in stream
    assert b'"signature"' in stream
