"""Many streams on one small budget: it is spent to its end and not beyond, and every answer says so."""

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import wait_until
from tests.process.budget_baselines import Streams, bill_afterwards, reserve_the_worst_case
from tests.process.conftest import PROVIDER_KEY, Rig
from tests.process.nodes import Nodes, nodes, query

pytestmark = pytest.mark.process

MODEL = "gpt-4"  # 30 USD a million tokens in, 60 out
USD = 10**9
_PROMPT_NANO, _OUT_NANO = 30_000, 60_000
_STREAMS = 200
_WORDS = 400
_WAIT_MS = 100
_ARRIVAL_SECONDS = 3.0
_MAX_TOKENS = 100_000
_CHUNK_TOKENS = 2  # the longest of the mock's words counts as two


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.redis
async def test_two_hundred_streams_over_four_processes_spend_one_dollar_and_no_more(
    tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    with nodes(tmp_path, servers=2, workers=2) as running:
        key = _budgeted(running, "1")
        choose = random.Random(seed)
        urls = [server.url for server in running.servers]
        arrivals = [choose.uniform(0, _ARRIVAL_SECONDS) for _ in range(_STREAMS)]
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120)) as session:
            began = time.monotonic()
            told = await asyncio.gather(
                *(_stream(session, urls[n % 2], key, arrives) for n, arrives in enumerate(arrivals))
            )
            seconds = time.monotonic() - began
        late = [one for one in told if one["status"] != 200]
        rows = await asyncio.to_thread(_posted, running, _STREAMS - len(late))
        spent = (await asyncio.to_thread(query, running.postgres, "SELECT spent FROM budget_window"))[0]["spent"]
    streams = Streams(arrivals, _WORDS, _MAX_TOKENS, _WAIT_MS / 1000, 10 * _PROMPT_NANO, _OUT_NANO)
    evidence.note(
        processes=4,
        streams=_STREAMS,
        seconds=round(seconds, 1),
        spent_usd=spent / USD,
        over_usd=max(0, spent - USD) / USD,
        refused_once_all_was_promised=len(late),
        ended_by_the_budget=sum(one["finish"] == ["budget_exhausted"] for one in told),
        reserve_the_worst_case=reserve_the_worst_case(streams, USD),
        bill_afterwards=bill_afterwards(streams, USD),
    )
    assert spent == sum(row["cost_nano_usd"] for row in rows)
    served = [one for one in told if one["status"] == 200]
    assert {tuple(one["finish"]) for one in served} <= {("budget_exhausted",), ("stop",), ("length",)}
    assert all(one["is_done"] for one in served)
    # On a slow machine the last ones arrive when all that is left is promised to those under way, who do spend it.
    assert {(one["status"], one["code"]) for one in late} <= {(402, "budget_exceeded"), (402, "budget_reserved")}
    assert len(late) <= _STREAMS // 10
    assert 0.97 * USD <= spent <= USD + _STREAMS * _CHUNK_TOKENS * _OUT_NANO


@pytest.mark.long
async def test_t79_two_hundred_clients_that_leave_are_charged_exactly_what_their_rows_say(
    rig: Rig, seed: int, evidence: Evidence
) -> None:
    """Nobody dodges a budget by hanging up, and nothing stays reserved for those who did."""
    rig.installation.command(
        *("provider", "add", "openai", "--name", "priced", "--base-url", rig.mock.base_url, "--allow-private"),
        *("--models", MODEL, "--no-test"),
        stdin=PROVIDER_KEY,
    )
    rig.installation.command("key", "budget", "set", rig.key_id, "--usd", "50", "--period", "day")
    choose = random.Random(seed)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(
            *(
                _stream(session, rig.server.url, rig.key, choose.uniform(0, 8), leave_after=choose.randrange(1, 6000))
                for _ in range(_STREAMS)
            )
        )
    wait_until(lambda: len(rig.installation.ledger()) >= _STREAMS, seconds=20)
    rows = rig.installation.ledger().values()
    window = rig.installation.query("SELECT spent, reserved FROM budget_window")[0]
    evidence.note(clients=_STREAMS, rows=len(rows), spent_usd=window["spent"] / USD)
    assert len(rows) == _STREAMS
    assert window["spent"] == sum(row["cost_nano_usd"] for row in rows) > 0
    assert all(row["budgets"] and row["cost_nano_usd"] for row in rows)
    wait_until(lambda: rig.installation.query("SELECT reserved FROM budget_window")[0]["reserved"] == 0, seconds=20)


def _budgeted(running: Nodes, usd: str) -> str:
    running.operator.command(
        *("provider", "add", "openai", "--name", "priced", "--base-url", running.mock.base_url, "--allow-private"),
        *("--models", MODEL, "--no-test"),
        stdin=PROVIDER_KEY,
    )
    made = running.operator.command(
        *("key", "create", "--client", "test-client", "--budget", usd, "--budget-period", "month")
    )
    time.sleep(1.5)  # until every worker has heard of the connection
    return str(made["key"])


def _posted(running: Nodes, count: int) -> list[dict[str, Any]]:
    wait_until(lambda: len(query(running.postgres, "SELECT 1 FROM ledger_entry")) >= count, seconds=20)
    return query(running.postgres, "SELECT cost_nano_usd FROM ledger_entry")


async def _stream(
    session: aiohttp.ClientSession, url: str, key: str, arrives: float, *, leave_after: int | None = None
) -> dict[str, Any]:
    """One stream, from its arrival to its end, or until so many bytes of it were read."""
    await asyncio.sleep(arrives)
    body = {
        "model": f"priced/{MODEL}",
        "messages": [{"role": "user", "content": f"(words-{_WORDS}) (wait-{_WAIT_MS})"}],
        "max_tokens": _MAX_TOKENS,
        "stream": True,
    }
    seen, text = 0, b""
    headers = {"authorization": f"Bearer {key}"}
    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
        async for chunk in answer.content.iter_any():
            text += chunk
            seen += len(chunk)
            if leave_after is not None and seen >= leave_after:
                answer.close()
                return {}
    lines = [line[6:] for line in text.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for line in lines for choice in json.loads(line).get("choices", ())]
    return {
        "status": answer.status,
        "code": json.loads(text)["error"]["code"] if answer.status != 200 else None,
        "finish": [choice["finish_reason"] for choice in choices if choice["finish_reason"]],
        "is_done": text.endswith(b"data: [DONE]\n\n"),
    }
