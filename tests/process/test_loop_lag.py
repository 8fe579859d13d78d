"""R-21: under load and reports the event loop runs on time: nothing of ours holds it up."""

import asyncio
import json
import time
from collections import Counter

import aiohttp
import pytest

from tests.harness.control import ControlLoop
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.process.conftest import ON_SQLITE, ON_SQLITE_2, Rig
from tests.process.test_nodes import metric

pytestmark = [pytest.mark.process, pytest.mark.long]

_SECONDS = 65.0  # the product's own p99 is that of the last minute
_PER_SECOND = 150
_LAG_P99_MS, _LAG_MAX_MS = 20, 100


@pytest.mark.parametrize("rig", [ON_SQLITE, ON_SQLITE_2], indirect=True)
async def test_r21_under_load_and_reports_the_loop_runs_on_time(rig: Rig, evidence: Evidence) -> None:
    reader = rig.installation.add_key("test-client", "--scope", "read", is_new_client=False)["key"]
    worst_at_start = metric(rig.server, "aiservice_event_loop_lag_max_seconds") * 1000
    with ControlLoop(rig.installation.folder) as control:
        is_over = asyncio.Event()
        answers, reports = await asyncio.gather(_load(rig, is_over), _reports(rig, reader, is_over))
    figures = {
        "lag_p99_ms": metric(rig.server, "aiservice_event_loop_lag_p99_seconds") * 1000,
        "lag_max_ms": metric(rig.server, "aiservice_event_loop_lag_max_seconds") * 1000,
        "lag_max_ms_before_the_load": worst_at_start,
        "idle_loop_beside_it_p99_ms": control.p99_ms,
        "idle_loop_beside_it_max_ms": control.max_ms,
    }
    figures = {name: round(value, 1) for name, value in figures.items()}
    evidence.note(**figures, answers=dict(answers), reports=reports)
    assert answers.keys() == {"200"}, answers
    assert reports > 0
    # What an idle process beside it had to wait is the machine's doing.
    assert figures["lag_p99_ms"] <= _LAG_P99_MS + control.p99_ms, figures
    assert figures["lag_max_ms"] <= max(_LAG_MAX_MS + control.max_ms, worst_at_start), figures


async def _load(rig: Rig, is_over: asyncio.Event) -> Counter[str]:
    """So many requests a second, whether or not the last has ended; every fourth is a stream."""
    answers: Counter[str] = Counter()
    headers = {"authorization": f"Bearer {rig.key}"}

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        body = chat("(words-3)", is_stream=number % 4 == 0)
        async with session.post(f"{rig.server.url}/v1/chat/completions", json=body, headers=headers) as answer:
            text = await answer.text()
        is_good = answer.status == 200 and '"error"' not in text
        answers["200" if is_good else str((answer.status, json.loads(text)["error"]["code"]))] += 1

    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as g:
            began = time.monotonic()
            for number in range(int(_SECONDS * _PER_SECOND)):
                g.create_task(one(session, number))
                await asyncio.sleep(max(0.0, began + number / _PER_SECOND - time.monotonic()))
    finally:
        is_over.set()
    return answers


async def _reports(rig: Rig, key: str, is_over: asyncio.Event) -> int:
    made = 0
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as session:
        while not is_over.is_set():
            url = f"{rig.server.url}/ai-service/usage"
            async with session.get(url, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
            made += 1
            await asyncio.sleep(0.2)
    return made
