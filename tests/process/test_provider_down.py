"""R-13: of three providers the one that all requests go to first fails for a minute, and clients hardly notice."""

import asyncio
import ssl
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.process.conftest import PROVIDER_KEY
from tests.process.switched import SwitchedProvider

pytestmark = [pytest.mark.process, pytest.mark.long]

_PER_SECOND = 200
_WELL_SECONDS, _DOWN_SECONDS, _AFTER_SECONDS = 12.0, 60.0, 12.0
_FIRST_BYTE_SECONDS = 10.0
_BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@dataclass(slots=True, frozen=True)
class _Asked:
    """One request: when it was sent and how long it took in seconds, its status, who answered, after how many tries."""

    at: float
    took: float
    status: int
    provider: str
    attempts: int


@pytest.mark.parametrize("fault", ["refusal", "503", "hang"])
async def test_one_of_three_providers_fails_for_a_minute_at_200_requests_a_second(
    fault: str, tmp_path: Path, evidence: Evidence
) -> None:
    async with _three(tmp_path) as (server, key, first):
        times: list[float] = []

        async def trouble() -> None:
            await asyncio.sleep(_WELL_SECONDS)
            times.append(time.monotonic())
            if fault == "refusal":
                await first.stop()
            else:
                first.mode = "hang" if fault == "hang" else "503"
            await asyncio.sleep(_DOWN_SECONDS)
            if fault == "refusal":
                await first.start()
            first.mode = "well"
            times.append(time.monotonic())
            await asyncio.sleep(_AFTER_SECONDS)

        asked = await _ask_steadily(server, key, asyncio.create_task(trouble()))
    figures = _figures(asked, down_at=times[0], up_at=times[1])
    evidence.note(fault=fault, per_second=_PER_SECOND, **figures)
    assert figures["errors"] <= 0.001 * figures["asked_while_down"], figures
    assert figures["opened_seconds"] <= 2, figures
    assert figures["least_between_probes"] >= 4.9, figures
    assert figures["closed_seconds"] <= 10, figures
    if fault == "hang":
        assert figures["waited_out"] <= 5, figures
        assert figures["p99_ratio_after_two_seconds"] <= 1.5, figures
    else:
        assert figures["p99_ratio"] <= 1.5, figures


@pytest.mark.parametrize("fault", ["dns", "tls"])
async def test_r13_a_provider_without_an_address_or_with_a_wrong_certificate_is_left_alone(
    fault: str, tmp_path: Path, evidence: Evidence
) -> None:
    async with AsyncExitStack() as stack:
        address = "http://nowhere.invalid/v1" if fault == "dns" else await _unsigned(tmp_path, stack)
        well = SwitchedProvider()
        await well.start()
        stack.push_async_callback(well.stop)
        server, key = await _serving(tmp_path, stack, {"first": address, "second": well.base_url})
        until = asyncio.create_task(asyncio.sleep(17.0))
        asked = sorted(await _ask_steadily(server, key, until, per_second=60), key=lambda one: one.at)
    tried = [one.at for one in asked if one.attempts > 1]
    probes = tried[5:]
    evidence.note(fault=fault, asked=len(asked), failures_before_it_opened=len(tried) - len(probes), probes=len(probes))
    assert {one.status for one in asked} == {200}
    assert probes
    assert all(later - earlier >= 4.9 for earlier, later in pairwise(probes))


def _figures(asked: list[_Asked], *, down_at: float, up_at: float) -> dict[str, float]:
    asked = sorted(asked, key=lambda one: one.at)
    warm_at, calm_at = asked[0].at + 2, up_at + 2
    well = [one for one in asked if warm_at < one.at < down_at - 1 or one.at > calm_at]
    down = [one for one in asked if down_at <= one.at < up_at]
    after = [one for one in asked if one.at >= up_at]
    # Those that were with it when it failed, and those that tried it since.
    tried = [one for one in asked if one.at < up_at and one.at + one.took >= down_at and one.provider == "second"]
    tried = [one for one in tried if one.attempts > 1]
    # Whoever went to the first provider before its breaker opened went in one row: the first pause ends it.
    gap = next((n for n, (one, two) in enumerate(pairwise(tried)) if two.at - one.at > 2), len(tried) - 1)
    opening, probes = tried[: gap + 1], [one.at for one in tried[gap + 1 :]]
    back = [one.at + one.took for one in after if one.provider == "first" and one.status == 200]
    healthy, later = _p99(well), [one for one in down if one.at >= down_at + 2]
    return {
        "asked_while_down": len(down),
        "errors": sum(one.status != 200 for one in down + after),
        "opened_seconds": round(max(one.at for one in opening) - down_at, 3),
        "tried_before_it_opened": len(opening),
        "probes": len(probes),
        "least_between_probes": round(min((two - one for one, two in pairwise(probes)), default=5.0), 2),
        "closed_seconds": round(min(back) - up_at, 2) if back else 999.0,
        "waited_out": sum(one.took >= 0.9 * _FIRST_BYTE_SECONDS for one in down),
        "longest_ms": round(max(one.took for one in down) * 1000, 1),
        "p50_healthy_ms": round(statistics.median(one.took for one in well) * 1000, 1),
        "p99_healthy_ms": round(healthy * 1000, 1),
        "p99_down_ms": round(_p99(down) * 1000, 1),
        "p99_ratio": round(_p99(down) / healthy, 2),
        "p99_ratio_after_two_seconds": round(_p99(later) / healthy, 2),
    }


def _p99(asked: list[_Asked]) -> float:
    return statistics.quantiles([one.took for one in asked], n=100)[98]


@asynccontextmanager
async def _three(folder: Path) -> AsyncIterator[tuple[ServerProcess, str, SwitchedProvider]]:
    async with AsyncExitStack() as stack:
        providers = [SwitchedProvider() for _ in range(3)]
        for one in providers:
            await one.start()
            stack.push_async_callback(one.stop)
        addresses = {name: one.base_url for name, one in zip(("first", "second", "third"), providers, strict=True)}
        server, key = await _serving(folder, stack, addresses)
        yield server, key, providers[0]


async def _serving(folder: Path, stack: AsyncExitStack, addresses: dict[str, str]) -> tuple[ServerProcess, str]:
    """A server whose one client would have all of them, in this order."""
    installation = Installation(folder, {"AISERVICE_FIRST_BYTE_TIMEOUT": str(_FIRST_BYTE_SECONDS)})
    made = await asyncio.to_thread(installation.add_key)
    for name, address in addresses.items():
        where = ("openai-compatible", "--name", name, "--base-url", address, "--allow-private")
        adding = ("provider", "add", *where, "--models", "m", "--no-test")
        await asyncio.to_thread(installation.command, *adding, stdin=f"{PROVIDER_KEY}\n")
    order = ("--task", "chat", "--order", ",".join(addresses))
    await asyncio.to_thread(installation.command, "preference", "set", "--client", made["client"], *order)
    server = installation.server()
    await asyncio.to_thread(server.__enter__)
    stack.callback(server.__exit__, None, None, None)
    return server, made["key"]


async def _unsigned(folder: Path, stack: AsyncExitStack) -> str:
    """The address of a server with a certificate that nobody signed."""
    cert, secret = folder / "cert.pem", folder / "cert.key"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(secret), "-out", str(cert)]
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject]
    await asyncio.to_thread(lambda: subprocess.run(making, check=True, capture_output=True))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, secret)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    stack.callback(server.close)
    return f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def _ask_steadily(
    server: ServerProcess, key: str, until: "asyncio.Task[None]", per_second: int = _PER_SECOND
) -> list[_Asked]:
    """A steady row of requests, whether or not the last has ended, until the task ends."""
    asked: list[_Asked] = []
    headers = {"authorization": f"Bearer {key}"}

    async def one(session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        async with session.post(f"{server.url}/v1/chat/completions", json=_BODY, headers=headers) as answer:
            await answer.read()
            told = answer.headers
        provider, attempts = told.get("x-aiservice-provider", ""), int(told.get("x-aiservice-attempts", 0))
        asked.append(_Asked(began, time.monotonic() - began, answer.status, provider, attempts))

    started, sent = time.monotonic(), 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        while not until.done():
            group.create_task(one(session))
            sent += 1
            await asyncio.sleep(max(0.0, started + sent / per_second - time.monotonic()))
    until.result()
    return asked
