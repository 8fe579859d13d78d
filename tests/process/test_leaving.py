"""R-05: a client that hangs up pays for what was produced; nothing goes on behind it."""

import asyncio
import random

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.process.conftest import Rig

pytestmark = pytest.mark.process

_CLIENTS = 200
_ARRIVAL_SECONDS = 8.0  # all at once, a busy machine would not have read the last request before its client left
# Far more than can be said before the last client leaves, and slow enough that the clients keep up with reading.
_WORDS = 600


async def test_r05_two_hundred_clients_leave_and_two_hundred_rows_hold_partial_usage(
    rig: Rig, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    told = [Told(marker=f"marker-{number}") for number in range(_CLIENTS)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(
            *(_leave(rig, session, one, choose.uniform(0, _ARRIVAL_SECONDS), choose.uniform(0.3, 3)) for one in told)
        )
    for _ in range(100):
        if len(rig.installation.ledger()) >= _CLIENTS and rig.mock.counts()["open_connections"] <= 1:
            break
        await asyncio.sleep(0.1)
    rows = rig.installation.ledger()
    calls = {call.request_id: call for call in rig.mock.chats()}
    by_marker = {call.body["messages"][-1]["content"].split()[0]: call.request_id for call in calls.values()}
    wrong = []
    for one in told:
        call = calls[request_id] if (request_id := by_marker.get(one.marker)) else None
        row = rows.get(request_id or one.request_id or "")
        if row is None and call is None and one.status is None:
            continue  # it left before its request had reached a provider
        words = 0 if call is None else call.words or 0
        # What is counted may lag what the mock had already put on the wire by what lay in buffers.
        is_partial = row is not None and row["output_tokens"] < _WORDS and (row["output_tokens"] > 0 or words <= 5)
        if row is None or row["outcome"] != "client_left" or not is_partial:
            seen = one.text.count("data: ")
            wrong.append(
                (one, f"{seen} events seen", row and (row["outcome"], row["output_tokens"]), call and call.end)
            )
    evidence.note(
        clients=_CLIENTS,
        rows=len(rows),
        left_before_the_headers=sum(one.status is None for one in told),
        words_on_the_wire=sum(call.words or 0 for call in calls.values()),
        tokens_in_the_ledger=sum(row["output_tokens"] for row in rows.values()),
    )
    assert all(one.error == "left" for one in told)
    assert len(rows) == _CLIENTS
    assert wrong == [], f"{len(wrong)} of {_CLIENTS}"
    assert {call.end for call in calls.values()} == {"client_left"}


async def _leave(rig: Rig, session: aiohttp.ClientSession, told: Told, arrives: float, after_seconds: float) -> None:
    await asyncio.sleep(arrives)
    body = chat(f"{told.marker} (words-{_WORDS}) (wait-50)", is_stream=True)
    await ask(session, rig.server.url, rig.key, told, body, leave_after=after_seconds)
