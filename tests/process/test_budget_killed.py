"""A server killed while its streams hold slices of a budget: what it held comes back, and nothing is overspent."""

import asyncio
import contextlib
import time
from pathlib import Path

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.harness.process import wait_until
from tests.process.nodes import Nodes, nodes, query

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis, pytest.mark.long]

_CAP = 4_000
_STREAMS = 10
_LEASE_SECONDS = 45.0  # services/slices.py


async def test_what_a_killed_server_held_comes_back_by_the_end_of_its_lease_and_nothing_is_overspent(
    tmp_path: Path, evidence: Evidence
) -> None:
    with nodes(tmp_path, workers=1) as running:
        made = running.operator.command("key", "create", "--client", "test-client")
        running.operator.command("key", "budget", "set", made["id"], "--tokens", str(_CAP), "--period", "month")
        doomed, other = running.servers
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(90)) as session:
            body = chat("(words-400) (wait-100)", is_stream=True)
            streams = [
                asyncio.create_task(ask(session, doomed.url, made["key"], Told(str(number)), body))
                for number in range(_STREAMS)
            ]
            await asyncio.sleep(4)
            doomed.kill()
            killed_at = time.monotonic()
            with contextlib.suppress(aiohttp.ClientError):
                await asyncio.gather(*streams)
        held = await asyncio.to_thread(_reserved, running)
        assert held > 0, "it died with slices in its hands"
        await asyncio.to_thread(wait_until, lambda: _reserved(running) == 0, seconds=_LEASE_SECONDS + 15)
        back_seconds = time.monotonic() - killed_at
        with running.installations[0].server():  # its journal is settled, as interrupted
            await asyncio.to_thread(wait_until, lambda: _settled(running) == _STREAMS, seconds=30)
        after_crash = await asyncio.to_thread(_spent, running)
        served = await _until_spent(other.url, made["key"])
        await asyncio.to_thread(wait_until, lambda: _settled(running) == _STREAMS + served, seconds=20)
        spent = await asyncio.to_thread(_spent, running)
    evidence.note(cap=_CAP, held=held, back_seconds=round(back_seconds, 1), after_crash=after_crash, spent=spent)
    assert back_seconds <= _LEASE_SECONDS + 10
    assert 0 < after_crash < _CAP
    assert 0.9 * _CAP <= spent <= _CAP


async def _until_spent(url: str, key: str) -> int:
    """Asks on the living server until the budget is refused; how many requests were served."""
    served = 0
    async with aiohttp.ClientSession() as session:
        while True:
            body = {**chat("(words-20)"), "max_tokens": 60}
            told = await ask(session, url, key, Told("after"), body)
            if told.status == 402:
                return served
            assert told.status == 200, told
            served += 1


def _reserved(running: Nodes) -> int:
    rows = query(running.postgres, "SELECT COALESCE(SUM(reserved), 0) AS amount FROM budget_window")
    return int(rows[0]["amount"])


def _spent(running: Nodes) -> int:
    return int(query(running.postgres, "SELECT COALESCE(SUM(spent), 0) AS amount FROM budget_window")[0]["amount"])


def _settled(running: Nodes) -> int:
    return len(query(running.postgres, "SELECT 1 FROM ledger_entry"))
