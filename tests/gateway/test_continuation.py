"""A stream that breaks off is gone on with by another provider, where the client asked for it and that is honest."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiservice.gateway.continuation import Continuation
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.wire import Ask, EventKind, StreamEvent, ToolCallDelta
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import read_record
from tests.mock.server import MockProvider

_CUT = "(words-6)(reset-after-3)"
_YES = {"x-aiservice-continue": "true"}


@pytest.fixture
async def second(gateway: Gateway, tmp_path: Path) -> AsyncIterator[MockProvider]:
    """Another provider, whose answers to what it is to go on with are whole: the script is in the prompt before."""
    async with MockProvider(record=tmp_path / "second.jsonl", keys=(PROVIDER_KEY,)) as second:
        options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-mock"]}
        await gateway.core.connections.add(
            OPERATOR, "openai-compatible", "second", second.base_url, Secret(PROVIDER_KEY), **options
        )
        await gateway.core.changes.poll_once()
        yield second


async def _ask(gateway: Gateway, surface: str, text: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    messages = [{"role": "user", "content": text}]
    if surface == "/ai-service":
        body = {"task": "chat", "input": messages, "stream": True, **more}
    else:
        body = {"model": "gpt-mock", "messages": messages, "max_tokens": 50, "stream": True, **more}
    return await gateway.post(surface, body, headers=headers)


def _text(reply: Reply) -> str:
    """All text of a stream, whatever its wire."""
    found = []
    for line in reply.body.decode().splitlines():
        if line.startswith("data: {"):
            said = orjson.loads(line[6:])
            delta = (said.get("choices") or [{}])[0].get("delta") or said.get("delta") or said
            found.append(delta.get("content") or delta.get("text") or "")
    return "".join(text for text in found if isinstance(text, str))


@pytest.mark.parametrize("surface", ["/v1/chat/completions", "/v1/messages", "/ai-service"])
async def test_another_provider_goes_on_from_the_text_that_was_given(
    gateway: Gateway, second: MockProvider, surface: str, tmp_path: Path
) -> None:
    reply = await _ask(gateway, surface, _CUT, _YES)
    assert reply.status == 200
    assert b"boundary" in reply.body
    assert b"error" not in reply.body
    text = _text(reply)
    assert text.startswith("the gate keepsthe gate keeps every"), "three words of the first, then those of the second"
    assert len(text.split()) == 3 + 20 - 1
    asked = read_record(tmp_path / "second.jsonl")[-1].body["messages"]
    assert [message["role"] for message in asked] == ["user", "assistant", "user"]
    assert asked[1]["content"] == "the gate keeps"


async def test_it_is_one_request_whose_attempts_have_their_own_cost_and_whose_client_pays_what_it_was_given(
    gateway: Gateway, second: MockProvider
) -> None:
    reply = await _ask(gateway, "/ai-service", _CUT, continue_on_failure=True)
    (row,) = await gateway.rows()
    assert [attempt["provider"] for attempt in row.attempts] == ["mock", "second"]
    assert row.attempts[0]["code"] == "upstream_reset"
    assert (row.outcome, row.provider, row.output_tokens) == ("finished", "second", 24), (
        "four by their characters, and twenty"
    )
    assert row.usage_source == "counted"
    done = orjson.loads(reply.body.split(b"event: done\ndata: ")[1].split(b"\n")[0])
    assert done["usage"]["output_tokens"] == 24
    assert done["provider"] == "second"


@pytest.mark.parametrize("surface", ["/v1/chat/completions", "/v1/messages", "/ai-service"])
async def test_who_did_not_ask_for_it_is_told_the_truth(gateway: Gateway, second: MockProvider, surface: str) -> None:
    reply = await _ask(gateway, surface, _CUT)
    assert b"boundary" not in reply.body
    assert b"upstream_reset" in reply.body
    assert second.record.calls == 0


async def test_where_nobody_can_go_on_the_first_failure_is_told(gateway: Gateway, second: MockProvider) -> None:
    second._keys = ("another key",)
    reply = await _ask(gateway, "/v1/chat/completions", _CUT, _YES)
    assert b"boundary" not in reply.body
    assert b"upstream_reset" in reply.body
    (row,) = await gateway.rows()
    assert (row.outcome, row.provider, row.output_tokens) == ("upstream_truncated", "mock", 4)


async def test_an_answer_that_has_called_a_tool_is_not_gone_on_with(gateway: Gateway, second: MockProvider) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    reply = await _ask(gateway, "/v1/chat/completions", "(tool look {})(reset-after-0)", _YES, tools=[tool])
    assert b"boundary" not in reply.body
    assert second.record.calls == 0


async def test_the_header_is_yes_or_no(gateway: Gateway) -> None:
    reply = await _ask(gateway, "/v1/chat/completions", "hi", {"x-aiservice-continue": "maybe"})
    assert (reply.status, reply.json()["error"]["param"]) == (400, "x-aiservice-continue")


@pytest.mark.parametrize(
    "body",
    [
        {"n": 2},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_object"}},
        {"max_tokens": 5},
        {"logprobs": True},
    ],
)
def test_what_cannot_be_whole_in_two_parts_is_not_tried(body: dict[str, Any]) -> None:
    ask = Ask("chat", "chat", {"messages": [], **body})
    assert Continuation().next_ask(ask, 5) is None
    assert Continuation().next_ask(Ask("chat", "chat", {"messages": []}), 5) is not None


def test_thoughts_and_calls_are_not_carried_over() -> None:
    continuation = Continuation()
    continuation.note([StreamEvent(EventKind.REASONING, "hm"), StreamEvent(EventKind.TEXT, "So")])
    ask = continuation.next_ask(Ask("chat", "chat", {"messages": [], "max_tokens": 9}), 4)
    assert ask is not None
    assert (ask.body["messages"][0], ask.body["max_tokens"]) == ({"role": "assistant", "content": "So"}, 5)
    continuation.note([StreamEvent(EventKind.TOOL_CALL, tool_call=ToolCallDelta(0, "c", "look"))])
    assert continuation.next_ask(Ask("chat", "chat", {"messages": []}), 4) is None
