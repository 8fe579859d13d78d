"""T-11 under load: who floods with guesses from one address does not slow down whoever has a key."""

import asyncio
import statistics
import time
from collections import Counter

import aiohttp
import pytest

from aiservice.kit.keyformat import mint
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.process.conftest import Rig

pytestmark = [pytest.mark.process, pytest.mark.long]

_GUESSES = 10_000
_WINDOWS = 8
_WINDOW_SECONDS = 5.0
_VALID_PER_SECOND = 50
_FLOODER = "127.0.0.9"  # another address than the valid client's: both are the loopback's


def test_t11_valid_traffic_is_as_fast_under_a_flood_of_guesses(rig: Rig, evidence: Evidence) -> None:
    """Windows with and without the flood alternate, so that a noisy moment of the machine falls on both."""
    calm, flooded, statuses = asyncio.run(_measure(rig))
    calm_p99, flooded_p99 = _p99(calm), _p99(flooded)
    evidence.note(
        calm_p99_ms=round(calm_p99, 2),
        flooded_p99_ms=round(flooded_p99, 2),
        calm_p50_ms=round(statistics.median(calm), 2),
        flooded_p50_ms=round(statistics.median(flooded), 2),
        guesses=dict(statuses),
    )
    assert 20 <= statuses[401] <= 40, "twenty guesses a minute are answered, and this takes one to two"
    assert statuses[429] == _GUESSES - statuses[401]
    assert flooded_p99 <= 1.2 * calm_p99


async def _measure(rig: Rig) -> tuple[list[float], list[float], Counter[int]]:
    calm: list[float] = []
    flooded: list[float] = []
    statuses: Counter[int] = Counter()
    keys = [mint().text.reveal_text() for _ in range(_GUESSES)]
    per_window = _GUESSES // (_WINDOWS // 2)
    async with aiohttp.ClientSession() as session:
        await _valid(rig, session, 2.0)  # warm
        for window in range(_WINDOWS):
            if window % 2 == 0:
                calm += await _valid(rig, session, _WINDOW_SECONDS)
                continue
            batch, keys = keys[:per_window], keys[per_window:]
            flood = asyncio.create_task(_flood(rig, batch, statuses))
            flooded += await _valid(rig, session, _WINDOW_SECONDS)
            await flood
    return calm, flooded, statuses


async def _valid(rig: Rig, session: aiohttp.ClientSession, seconds: float) -> list[float]:
    """Milliseconds of each of a steady row of requests, one every 20 ms whether or not the last has ended."""
    taken: list[float] = []
    headers = {"authorization": f"Bearer {rig.key}"}

    async def one() -> None:
        began = time.perf_counter()
        async with session.post(f"{rig.server.url}/v1/chat/completions", json=chat("hello"), headers=headers) as answer:
            assert answer.status == 200
            await answer.read()
        taken.append((time.perf_counter() - began) * 1000)

    asked = []
    for _ in range(int(seconds * _VALID_PER_SECOND)):
        asked.append(asyncio.create_task(one()))
        await asyncio.sleep(1 / _VALID_PER_SECOND)
    await asyncio.gather(*asked)
    return taken


async def _flood(rig: Rig, keys: list[str], statuses: Counter[int]) -> None:
    """All of `keys`, evenly over one window, from an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(_FLOODER, 0))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def one(key: str) -> None:
            headers = {"authorization": f"Bearer {key}"}
            async with session.get(f"{rig.server.url}/v1/models", headers=headers) as answer:
                statuses[answer.status] += 1
                await answer.read()

        asked = []
        for key in keys:
            asked.append(asyncio.create_task(one(key)))
            await asyncio.sleep(_WINDOW_SECONDS / len(keys) * 0.9)
        await asyncio.gather(*asked)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
