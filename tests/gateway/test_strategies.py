"""What a strategy is worth: the same load by turns and by what is known of the providers."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.harness.evidence import Evidence
from tests.mock.connection import Request
from tests.mock.limits import Limits
from tests.mock.server import MockProvider

AT_ONCE = 8


class Slow(MockProvider):
    """A provider that thinks for `seconds` before it answers anything."""

    seconds = 0.0

    async def _serve(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(self.seconds)
        return await super()._serve(request, reader, writer)


@asynccontextmanager
async def providers(gateway: Gateway, seconds: list[float], limits: list[Limits]) -> AsyncIterator[list[Slow]]:
    """As many providers as there are limits, each behind a connection of its own, and no others."""
    async with AsyncExitStack() as stack:
        await gateway.core.connections.remove(OPERATOR, "mock")
        found = []
        for place, (each, limit) in enumerate(zip(seconds, limits, strict=True)):
            made = await stack.enter_async_context(Slow(keys=(PROVIDER_KEY,), limits=limit))
            made.seconds = each
            found.append(made)
            await gateway.core.connections.add(
                OPERATOR,
                "openai-compatible",
                f"p{place}",
                made.base_url,
                Secret(PROVIDER_KEY),
                is_private_allowed=True,
                models=["gpt-mock"],
            )
        yield found
        for place in range(len(found)):
            await gateway.core.connections.remove(OPERATOR, f"p{place}")
        await gateway.core.connections.add(
            OPERATOR, "openai-compatible", "mock", found[0].base_url, Secret(PROVIDER_KEY), is_private_allowed=True
        )


async def load(gateway: Gateway, strategy: str, requests: int) -> tuple[list[float], int]:
    """(seconds of each answer, requests that had none)."""
    body = {"input": "(words-5) hi", "task": "chat", "model": "gpt-mock", "preferences": {"strategy": strategy}}
    took, failed, left = list[float](), 0, iter(range(requests))

    async def worker() -> None:
        nonlocal failed
        for _ in left:
            began = time.perf_counter()
            reply = await gateway.post("/ai-service", body)
            took.append(time.perf_counter() - began)
            failed += reply.status != 200

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return took, failed


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


async def _slow_one(gateway: Gateway, strategy: str, requests: int) -> float:
    async with providers(gateway, [0.02, 0.02, 0.4], [Limits(), Limits(), Limits()]):
        took, failed = await load(gateway, strategy, requests)
    assert failed == 0
    return p95(took)


async def _refusals(gateway: Gateway, strategy: str, requests: int) -> float:
    """Refusals by the providers per request; one of three gives a tenth of what the others give, and tells nobody."""
    limits = [Limits(rpm=rpm, is_hidden=True) for rpm in (400, 400, 40)]
    gateway.core.quotas.forget()
    async with providers(gateway, [0.005] * 3, limits) as made:
        _, failed = await load(gateway, strategy, requests)
        assert failed == 0
        return sum(each.limits.refused for each in made) / requests


@pytest.mark.sqlite_only("routing reads memory")
async def test_who_goes_by_latency_is_not_held_up_by_one_slow_provider(gateway: Gateway) -> None:
    assert await _slow_one(gateway, "latency", 120) < 0.3


@pytest.mark.long
@pytest.mark.sqlite_only("routing reads memory")
async def test_latency_aware_against_round_robin_and_quota_aware_against_weighted(
    gateway: Gateway, evidence: Evidence
) -> None:
    by_turns, by_latency = [await _slow_one(gateway, name, 600) for name in ("weighted", "latency")]
    refused_by_turns, refused_by_quota = [await _refusals(gateway, name, 500) for name in ("weighted", "quota")]
    evidence.note(
        p95_ms_weighted=round(by_turns * 1000),
        p95_ms_latency=round(by_latency * 1000),
        p95_ratio=round(by_latency / by_turns, 3),
        upstream_429_per_request_weighted=round(refused_by_turns, 4),
        upstream_429_per_request_quota=round(refused_by_quota, 4),
    )
    assert by_latency < by_turns / 2
    assert refused_by_quota <= refused_by_turns
