"""`/v1/messages` through the whole path: asked in Anthropic's words, answered by a provider of OpenAI's."""

from typing import Any

import orjson
import pytest

from aiservice.gateway import respond
from tests.dialects.messages_stream import Message, read_stream
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import PROVIDER_KEY, Gateway

_TOOLS = [{"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]


async def _send(gateway: Gateway, text: str, **fields: Any) -> Reply:
    body = {"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": text}], **fields}
    return await call(
        gateway.app,
        "POST",
        "/v1/messages",
        body=body,
        headers={"x-api-key": gateway.key, "anthropic-version": "2023-06-01"},
    )


async def _stream(gateway: Gateway, text: str, **fields: Any) -> Message:
    reply = await _send(gateway, text, stream=True, **fields)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.is_complete
    return read_stream(reply.body)


async def test_a_message_is_answered_and_counted(gateway: Gateway) -> None:
    reply = await _send(gateway, "(words-3) hi", system="be brief")
    assert reply.status == 200
    said = reply.json()
    assert (said["type"], said["role"], said["model"], said["stop_reason"]) == (
        "message",
        "assistant",
        "gpt-mock",
        "end_turn",
    )
    assert said["content"] == [{"type": "text", "text": "the gate keeps"}]
    assert said["usage"]["output_tokens"] == 3
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
    assert reply.headers["x-aiservice-provider"] == "mock"
    row = (await gateway.rows())[0]
    assert (row.surface, row.task, row.output_tokens, row.usage_source) == ("messages", "chat", 3, "reported")
    assert row.input_tokens == said["usage"]["input_tokens"] == 4


async def test_a_stream_is_the_same_message(gateway: Gateway) -> None:
    message = await _stream(gateway, "(words-5) hi")
    assert message.is_stopped
    assert message.content == [{"type": "text", "text": "the gate keeps every key"}]
    assert message.delta["stop_reason"] == "end_turn"
    assert (message.usage["input_tokens"], message.usage["output_tokens"]) == (2, 5)
    row = (await gateway.rows())[0]
    assert (row.surface, row.output_tokens, row.outcome, row.is_stream) == ("messages", 5, "finished", True)


async def test_the_limit_is_honoured_and_said(gateway: Gateway) -> None:
    assert (await _send(gateway, "(words-9) hi", max_tokens=4)).json()["stop_reason"] == "max_tokens"
    assert (await _stream(gateway, "(words-9) hi", max_tokens=4)).delta["stop_reason"] == "max_tokens"


async def test_tools_are_called_whole_and_streamed_and_their_results_come_back(gateway: Gateway) -> None:
    asked = '(tool weather {"city": "Bern"}) (tool weather {"city": "Basel"})'
    said = (await _send(gateway, asked, tools=_TOOLS)).json()
    assert [(b["name"], b["input"]) for b in said["content"]] == [
        ("weather", {"city": "Bern"}),
        ("weather", {"city": "Basel"}),
    ]
    assert said["stop_reason"] == "tool_use"
    message = await _stream(gateway, asked, tools=_TOOLS)
    assert [orjson.loads(block["input"]) for block in message.content] == [{"city": "Bern"}, {"city": "Basel"}]
    results = [{"type": "tool_result", "tool_use_id": b["id"], "content": "snow"} for b in said["content"]]
    turns = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": said["content"]},
        {"role": "user", "content": results},
    ]
    final = (await _send(gateway, "", messages=turns, tools=_TOOLS)).json()
    assert final["content"][0]["text"] == "The tool said: snow"


async def test_the_sandbox_speaks_this_wire_too(sandboxed: Gateway) -> None:
    reply = await _send(sandboxed, "hello")
    assert "[sandbox]" in reply.json()["content"][0]["text"]
    assert "[sandbox]" in (await _stream(sandboxed, "hello")).content[0]["text"]
    forced = await _send(sandboxed, "hello", tools=_TOOLS, tool_choice={"type": "any"})
    assert forced.json()["content"][0]["type"] == "tool_use"


@pytest.mark.parametrize(
    "text", ["(cut-after-3)", "(break-after-3)", "(reset-after-3)", "(hang-after-3)", "(heartbeats)", "(garble)"]
)
async def test_a_stream_without_its_end_never_stops_cleanly(gateway: Gateway, text: str) -> None:
    message = await _stream(gateway, text)
    assert not message.is_stopped
    assert message.error is not None
    assert message.error["type"] == "error"
    assert message.error["error"]["type"] in ("api_error", "timeout_error")
    row = (await gateway.rows())[0]
    assert (row.outcome, row.output_tokens > 0) == ("upstream_truncated", True)


@pytest.mark.parametrize(
    ("text", "status", "kind"),
    [
        ("(status-500)", 502, "api_error"),
        ("(status-401)", 502, "api_error"),
        ("(status-400)", 400, "invalid_request_error"),
        ("(retry-after-7)", 429, "rate_limit_error"),
        ("(hang)", 504, "timeout_error"),
    ],
)
async def test_a_failure_before_the_first_byte_has_its_status_and_anthropics_name(
    gateway: Gateway, text: str, status: int, kind: str
) -> None:
    for stream in (False, True):
        reply = await _send(gateway, text, stream=stream)
        assert reply.status == status, (stream, reply.body)
        said = reply.json()
        assert (said["type"], said["error"]["type"], said["request_id"]) == (
            "error",
            kind,
            reply.headers["request-id"],
        )
        if status == 429:
            assert int(reply.headers["retry-after"]) >= 7
        assert PROVIDER_KEY.encode() not in reply.body


async def test_a_refusal_is_in_anthropics_envelope_wherever_it_is_decided(gateway: Gateway) -> None:
    body = {"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}
    stranger = await call(gateway.app, "POST", "/v1/messages", body=body, headers={"x-api-key": "nonsense"})
    wrong_method = await call(gateway.app, "GET", "/v1/messages")
    malformed = await call(gateway.app, "POST", "/v1/messages", body=b"{", headers={"x-api-key": gateway.key})
    incomplete = await _send(gateway, "x", max_tokens=None)
    unknown = await _send(gateway, "x", model="no-such-model")
    expected = (401, "authentication_error"), (405, "invalid_request_error"), (400, "invalid_request_error")
    assert [(r.status, r.json()["error"]["type"]) for r in (stranger, wrong_method, malformed)] == [*expected]
    assert (incomplete.status, incomplete.json()["error"]["param"]) == (400, "max_tokens")
    assert (unknown.status, unknown.json()["error"]["type"]) == (404, "not_found_error")
    for reply in (stranger, wrong_method, malformed, incomplete, unknown):
        assert reply.json()["type"] == "error"
        assert reply.json()["request_id"] == reply.headers["x-request-id"] == reply.headers["request-id"]


async def test_what_only_anthropic_has_is_refused_by_name_and_never_dropped(gateway: Gateway) -> None:
    assert gateway.mock is not None
    for fields, named in (
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0 (web_search_20250305)"),
        ({"mcp_servers": [{"url": "https://x"}]}, "mcp_servers"),
    ):
        reply = await _send(gateway, "x", **fields)
        assert (reply.status, reply.json()["error"]["param"]) == (400, named)
        assert named in reply.json()["error"]["message"]
    assert gateway.mock.record.calls == 0


async def test_headers_of_the_wire_that_are_none_are_refused(gateway: Gateway) -> None:
    reply = await call(
        gateway.app,
        "POST",
        "/v1/messages",
        body={"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]},
        headers={"x-api-key": gateway.key, "anthropic-beta": "a;b"},
    )
    assert (reply.status, reply.json()["error"]["param"]) == (400, "anthropic-beta")


async def test_a_count_that_no_provider_makes_is_estimated_said_so_and_costs_nothing(gateway: Gateway) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "word " * 100}], "system": "s" * 40}
    reply = await gateway.post("/v1/messages/count_tokens", body)
    assert reply.status == 200
    assert 100 <= reply.json()["input_tokens"] <= 200
    assert list(reply.json()) == ["input_tokens"]
    assert reply.headers["x-aiservice-usage"] == "estimated"
    row = (await gateway.rows())[0]
    assert (row.surface, row.status, row.outcome) == ("messages.count_tokens", 200, "finished")
    assert (row.input_tokens, row.output_tokens, row.cost_nano_usd) == (0, 0, 0)
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_a_count_grows_with_calls_and_tools(gateway: Gateway) -> None:
    call_block = {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "x" * 400}}
    plain: dict[str, Any] = {"messages": [{"role": "user", "content": "x"}]}
    longer = {**plain, "messages": [*plain["messages"], {"role": "assistant", "content": [call_block]}]}
    counts = [
        (await gateway.post("/v1/messages/count_tokens", body)).json()["input_tokens"]
        for body in (plain, longer, {**longer, "tools": _TOOLS})
    ]
    assert counts[0] + 100 <= counts[1] < counts[2]


async def test_a_client_that_waits_is_pinged_in_its_own_words(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(respond.KeepAlive, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(respond.KeepAlive, "EVERY_SECONDS", 0.05)
    message = await _stream(gateway, "(words-2) (wait-250)")
    assert message.pings > 1
    assert message.is_stopped


async def test_a_client_that_leaves_pays_for_what_was_produced(gateway: Gateway) -> None:
    body = {"max_tokens": 300, "stream": True, "messages": [{"role": "user", "content": "(words-200) (wait-10)"}]}
    await call(gateway.app, "POST", "/v1/messages", key=gateway.key, body=body, leave_after=b"text_delta")
    row = (await gateway.rows())[0]
    assert (row.outcome, 0 < row.output_tokens < 200) == ("client_left", True)
