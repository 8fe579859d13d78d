"""R-13 and its neighbours: a provider that is down is found out, left alone, tried now and then, and taken back."""

import asyncio
import time
from pathlib import Path

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.server import MockProvider


class _Clock:
    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


@pytest.fixture
def clock(gateway: Gateway) -> _Clock:
    clock = _Clock()
    gateway.core.health._clock = clock
    return clock


async def _stop(gateway: Gateway) -> None:
    assert gateway.mock is not None
    await gateway.mock.__aexit__()
    gateway.core.upstream.forget(gateway.core.connections.snapshot()[0].id)


async def test_r13_a_provider_that_is_down_is_left_alone_after_five_failures(gateway: Gateway, clock: _Clock) -> None:
    await _stop(gateway)
    first = [await gateway.chat("hi") for _ in range(5)]
    assert [(reply.status, reply.code) for reply in first] == [(502, "upstream_connect_failed")] * 5
    began = time.perf_counter()
    rest = [await gateway.chat("hi", stream=number % 2 == 0) for number in range(40)]
    assert {(reply.status, reply.code) for reply in rest} == {(503, "provider_down")}
    assert {reply.headers["x-aiservice-attempts"] for reply in rest if "x-aiservice-attempts" in reply.headers} <= {"0"}
    assert all(1 <= int(reply.headers["retry-after"]) <= 6 for reply in rest)
    assert (time.perf_counter() - began) / 40 < 0.05


async def test_r13_it_is_tried_once_in_five_seconds_and_taken_back(gateway: Gateway, clock: _Clock) -> None:
    mock = gateway.mock
    assert mock is not None
    for _ in range(5):
        await gateway.chat("(status-503)")
    served = mock.record.calls
    clock.skipped += 5
    assert [(await gateway.chat("(status-503)")).status for _ in range(6)].count(503) == 5
    assert mock.record.calls == served + 1
    clock.skipped += 5
    assert [(await gateway.chat("(words-2)")).status for _ in range(6)] == [200] * 6


async def test_r13_the_next_in_the_chain_serves_while_the_first_is_down(
    gateway: Gateway, clock: _Clock, tmp_path: Path
) -> None:
    async with MockProvider(record=tmp_path / "second.jsonl", keys=(PROVIDER_KEY,)) as second:
        await gateway.core.connections.add(
            OPERATOR,
            "openai-compatible",
            "second",
            second.base_url,
            Secret(PROVIDER_KEY),
            is_private_allowed=True,
            models=["gpt-mock"],
        )
        await _stop(gateway)
        replies = [await gateway.chat("(words-2)") for _ in range(8)]
        assert [reply.status for reply in replies] == [200] * 8
        assert [reply.headers["x-aiservice-attempts"] for reply in replies] == ["2"] * 5 + ["1"] * 3
        row = (await gateway.rows())[0]
        assert row.provider == "second"


async def test_r13_a_bad_request_or_a_limit_opens_no_breaker(gateway: Gateway, clock: _Clock) -> None:
    for script in ("(status-400)", "(status-429)", "(status-401)", "(status-500)"):
        for _ in range(6):
            await gateway.chat(script)
    assert (await gateway.chat("(words-2)")).status == 200


async def test_a_client_that_leaves_before_the_provider_was_asked_pays_nothing(gateway: Gateway) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # a TLS handshake that is never answered
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"https://127.0.0.1:{port}/v1"
    options = {"is_private_allowed": True, "models": ["slow"]}
    await gateway.core.connections.add(OPERATOR, "openai-compatible", "slow", address, Secret("sk-x-1234"), **options)  # type: ignore[arg-type]
    body = {"model": "slow/slow", "messages": [{"role": "user", "content": "a prompt of some words"}], "stream": True}
    await gateway.post("/v1/chat/completions", body, leave_after_seconds=0.2)
    row = (await gateway.rows())[0]
    assert (row.outcome, row.input_tokens, row.output_tokens) == ("client_left", 0, 0)
    body = {**body, "model": "gpt-mock", "messages": [{"role": "user", "content": "(hang) a prompt of some words"}]}
    await gateway.post("/v1/chat/completions", body, leave_after_seconds=0.2)
    row = (await gateway.rows())[0]
    assert row.outcome == "client_left"
    assert row.input_tokens > 0, "the provider may have read it"
    server.close()
