"""How answers end when something happens at a bad moment: once, truthfully, and in the ledger."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import orjson
import pytest

from aiservice.gateway import respond
from aiservice.gateway.dispatch import Dispatcher
from aiservice.gateway.exchange import Exchange, ProviderGaveUp
from aiservice.providers._openai_stream import ChatStreamReader
from aiservice.services.candidates import Candidate
from aiservice.wire import AttemptFailure, Blame, EventKind, StreamEvent, Usage
from tests.gateway.conftest import Gateway

Message = MutableMapping[str, Any]


class Caller:
    """One request whose body comes after `body_after` seconds, from a client that leaves after `leaves_after`."""

    def __init__(self, gateway: Gateway, body: object, *, body_after: float = 0, leaves_after: float = 60) -> None:
        self.sent: list[Message] = []
        self._gateway = gateway
        self._pauses = [leaves_after, body_after]
        self._body = orjson.dumps(body)

    async def run(self) -> None:
        key = b"Bearer " + self._gateway.key.encode()
        scope: Message = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/chat/completions",
            "query_string": b"",
            "client": ("127.0.0.1", 5000),
            "headers": [(b"host", b"localhost"), (b"authorization", key)],
        }
        await self._gateway.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        is_body = len(self._pauses) == 2
        await asyncio.sleep(self._pauses.pop())
        return {"type": "http.request", "body": self._body} if is_body else {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.sent.append(message)


def _asked(text: str, **more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **more}


async def test_a_failure_in_the_moment_the_keep_alive_speaks_gives_one_answer(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking: list[respond.KeepAlive] = []
    start = respond.KeepAlive.start

    def noted(self: respond.KeepAlive) -> None:
        start(self)
        speaking.append(self)

    async def fails(self: Dispatcher, exchange: Exchange, candidates: tuple[Candidate, ...]) -> None:
        await asyncio.sleep(0)
        speaking[-1]._tick()
        for _ in range(turns):
            await asyncio.sleep(0)
        raise ProviderGaveUp(AttemptFailure(502, "upstream_reset", "lost", Blame.FAILOVER), "mock")

    monkeypatch.setattr(respond.KeepAlive, "start", noted)
    monkeypatch.setattr(Dispatcher, "open_stream", fails)
    for turns in range(6):
        caller = Caller(gateway, _asked("x", stream=True))
        await caller.run()
        await asyncio.sleep(0.01)
        starts = [message["status"] for message in caller.sent if message["type"] == "http.response.start"]
        assert starts in ([502], [200]), turns
        assert caller.sent[0]["type"] == "http.response.start"
        assert b"upstream_reset" in caller.sent[-1]["body"]
        assert [message.get("more_body", False) for message in caller.sent[1:]].count(False) == 1
        assert (await gateway.rows())[0].status == 502


async def test_a_fault_of_ours_in_a_stream_ends_it_with_an_error_event(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = ChatStreamReader.feed
    calls = 0

    def faulty(self: ChatStreamReader, chunk: bytes) -> list[StreamEvent]:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise TypeError("a fault")
        return feed(self, chunk)

    monkeypatch.setattr(ChatStreamReader, "feed", faulty)
    reply = await gateway.chat("(words-20) (wait-5)", stream=True)
    assert reply.status == 200
    assert reply.body.rpartition(b"data: ")[2].startswith(b'{"error":{"type":"internal_error"')
    row = (await gateway.rows())[0]
    assert (row.outcome, row.error_code) == ("failed", "internal_error")
    assert row.output_tokens > 0
    assert gateway.core.upstream.in_flight == 0


async def test_a_client_that_leaves_before_the_first_byte_pays_for_the_prompt_it_sent(gateway: Gateway) -> None:
    """T-79: else a prompt of any length is free for whoever hangs up in time."""
    caller = Caller(gateway, _asked("(hang) " + "prompt " * 1000, stream=True), leaves_after=0.2)
    await caller.run()
    row = (await gateway.rows())[0]
    assert (row.status, row.outcome, row.usage_source, row.output_tokens) == (499, "client_left", "estimated", 0)
    assert row.input_tokens > 1000
    assert [(attempt["provider"], attempt["code"]) for attempt in row.attempts] == [("mock", "abandoned")]
    assert caller.sent == []


async def test_a_body_that_comes_after_the_drain_began_is_not_served(gateway: Gateway) -> None:
    caller = Caller(gateway, _asked("(words-2)"), body_after=0.1)
    running = asyncio.create_task(caller.run())
    await asyncio.sleep(0.03)
    gateway.in_flight.is_draining = True
    gateway.in_flight.stop_all()
    await running
    assert caller.sent[0]["status"] == 503
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_what_came_after_the_last_report_is_paid_for_too(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-79: a provider that reports in its first chunk would make the rest free for whoever leaves."""
    feed = ChatStreamReader.feed
    has_reported = False

    def reporting(self: ChatStreamReader, chunk: bytes) -> list[StreamEvent]:
        nonlocal has_reported
        events = feed(self, chunk)
        if events and not has_reported:
            has_reported = True
            events.append(StreamEvent(EventKind.USAGE, usage=Usage(11, 0)))
        return events

    monkeypatch.setattr(ChatStreamReader, "feed", reporting)
    await Caller(gateway, _asked("(words-200) (wait-10)", stream=True), leaves_after=0.5).run()
    row = (await gateway.rows())[0]
    assert (row.outcome, row.input_tokens, row.usage_source) == ("client_left", 11, "counted")
    assert row.output_tokens > 5


async def test_tool_calls_without_a_report_are_counted(gateway: Gateway) -> None:
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    reply = await gateway.chat('(no-usage) (tool find {"what": "a long enough text"})', tools=tools)
    assert reply.json()["choices"][0]["message"]["tool_calls"]
    row = (await gateway.rows())[0]
    assert (row.usage_source, row.output_tokens > 5) == ("counted", True)


class SlowCaller(Caller):
    """A client that takes each message 10 ms after it was offered."""

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0.01)
        self.sent.append(message)


async def test_a_client_slower_than_the_provider_is_waited_for_and_misses_nothing(gateway: Gateway) -> None:
    asked = _asked("(words-30) (wait-1) same", stream=True)
    received = []
    for kind in (Caller, SlowCaller):
        caller = kind(gateway, asked)
        await caller.run()
        frames = b"".join(message["body"] for message in caller.sent[1:]).split(b"\n\n")
        assert frames[-2:] == [b"data: [DONE]", b""]
        received.append([orjson.loads(frame[6:])["choices"] for frame in frames[:-2]])
    assert len(received[0]) > 30
    assert received[0] == received[1]
