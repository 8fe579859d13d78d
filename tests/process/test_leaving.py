"""R-05: a client that hangs up pays for what was produced; nothing goes on behind it."""

import asyncio
import random

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.process.conftest import Rig

pytestmark = pytest.mark.process

_CLIENTS = 100
_WORDS = 300


async def test_r05_a_hundred_clients_leave_and_a_hundred_rows_hold_partial_usage(
    rig: Rig, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    body = chat(f"(words-{_WORDS}) (wait-10)", is_stream=True)
    told = [Told(marker=str(number)) for number in range(_CLIENTS)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(
            *(ask(session, rig.server.url, rig.key, one, body, leave_after=choose.uniform(0.1, 2.5)) for one in told)
        )
    for _ in range(100):
        if len(rig.installation.ledger()) >= _CLIENTS and rig.mock.counts()["open_connections"] <= 1:
            break
        await asyncio.sleep(0.1)
    rows = rig.installation.ledger()
    ends = {call.request_id: call for call in rig.mock.served()}
    wrong = []
    for request_id, row in rows.items():
        words = ends[request_id].words if request_id in ends else 0
        seen = words or 0
        # What is counted may lag what the mock had already put on the wire by what lay in buffers.
        is_partial = 0 <= row["output_tokens"] < _WORDS and (row["output_tokens"] > 0 or seen <= 5)
        if row["outcome"] != "client_left" or not is_partial:
            wrong.append((request_id, row["outcome"], row["output_tokens"], words))
    evidence.note(
        clients=_CLIENTS,
        rows=len(rows),
        left_before_the_headers=sum(one.status is None for one in told),
        words_on_the_wire=sum(call.words or 0 for call in ends.values()),
        tokens_in_the_ledger=sum(row["output_tokens"] for row in rows.values()),
    )
    assert all(one.error == "left" for one in told)
    assert len(rows) == _CLIENTS
    assert wrong == []
    assert {call.end for call in ends.values()} == {"client_left"}
