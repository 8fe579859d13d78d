"""R-13 and its neighbours: a provider that is down is found out, left alone, tried now and then, and taken back."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.health_views import seen
from aiservice.services.retry_budget import LEAST
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
    gateway.core.health.clock = clock
    return clock


async def _stop(gateway: Gateway) -> None:
    assert gateway.mock is not None
    await gateway.mock.__aexit__()
    gateway.core.upstream.forget(gateway.core.connections.snapshot()[0].id)


@pytest.fixture
async def second(gateway: Gateway, tmp_path: Path) -> AsyncIterator[MockProvider]:
    """Another provider, next in the default order."""
    async with MockProvider(record=tmp_path / "second.jsonl", keys=(PROVIDER_KEY,)) as second:
        options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-mock"]}
        key = Secret(PROVIDER_KEY)
        await gateway.core.connections.add(OPERATOR, "openai-compatible", "second", second.base_url, key, **options)
        await gateway.core.changes.poll_once()  # a change forgets what was seen of a connection
        yield second


async def test_r13_where_every_provider_is_down_requests_go_through_all_the_same(
    gateway: Gateway, clock: _Clock
) -> None:
    await _stop(gateway)
    replies = [await gateway.chat("hi", stream=number % 2 == 0) for number in range(40)]
    assert {(reply.status, reply.code) for reply in replies} == {(502, "upstream_connect_failed")}
    assert {reply.headers["x-should-retry"] for reply in replies} == {"false"}
    attempts = sum(len(row.attempts) for row in await gateway.rows())
    assert attempts == 40 + LEAST, "one each, and what the budget allows beside"


async def test_r13_it_is_tried_once_in_five_seconds_and_taken_back(
    gateway: Gateway, second: MockProvider, clock: _Clock
) -> None:
    mock = gateway.mock
    assert mock is not None
    for _ in range(5):
        assert (await gateway.chat("(status-503)")).status == 502
    served = mock.record.calls
    gateway.core.health.forget(gateway.core.connections.snapshot()[2].id)
    assert [(await gateway.chat("(words-2)")).headers["x-aiservice-provider"] for _ in range(6)] == ["second"] * 6
    assert mock.record.calls == served
    clock.skipped += 5
    assert [(await gateway.chat("(words-2)")).headers["x-aiservice-provider"] for _ in range(6)] == ["mock"] * 6


async def test_r13_the_next_in_the_chain_serves_while_the_first_is_down(
    gateway: Gateway, second: MockProvider, clock: _Clock
) -> None:
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
    assert gateway.core.health.open_connections() == {}
    gateway.core.quotas.forget()  # what six refusals in a row say of the quota is another matter
    assert (await gateway.chat("(words-2)")).status == 200


async def test_a_refused_key_is_out_for_the_request_told_and_soon_left_alone(
    gateway: Gateway, second: MockProvider
) -> None:
    assert gateway.mock is not None
    gateway.mock._keys = ("another key",)
    replies = [await gateway.chat("(words-2)") for _ in range(5)]
    assert [reply.headers["x-aiservice-provider"] for reply in replies] == ["second"] * 5
    assert [reply.headers["x-aiservice-attempts"] for reply in replies] == ["2"] * 3 + ["1"] * 2
    await gateway.core.alerts.flush()
    told = await gateway.core.alerts.list(OPERATOR)
    assert [(alert.kind, alert.subject) for alert in told] == [("provider_key_refused", "mock")]


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


async def test_metrics_and_the_list_of_providers_tell_how_each_does(gateway: Gateway) -> None:
    for _ in range(3):
        await gateway.chat("(words-2)")
    await gateway.chat("(status-500)")
    page = (await gateway.get("/metrics")).body.decode()
    assert 'aiservice_provider_success_ratio{provider="mock"} 0.75' in page
    assert 'aiservice_provider_circuit_open{provider="mock"} 0.0' in page
    assert 'aiservice_provider_first_byte_seconds{provider="mock",quantile="0.95"}' in page
    known = seen(OPERATOR, gateway.core.board)[gateway.core.connections.snapshot()[1].id]
    assert (known["attempts"], known["last_error"]["code"]) == (4, "provider_failed")
