"""R-05: a client that hangs up pays for what was produced; nothing goes on behind it."""

import asyncio
import json
import random
import socket
import struct
import time
from contextlib import suppress

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.harness.process import wait_until
from tests.process.conftest import Rig
from tests.process.test_nodes import metric

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


_WAYS = ("closes", "resets", "half-closes", "leaves bytes unread")
_OF_EACH_WAY = 15
_LET_GO_SECONDS = 1.0


async def test_r05_in_whatever_way_a_client_leaves_the_provider_is_let_go(
    rig: Rig, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    left = {f"marker-{n}": (_WAYS[n % len(_WAYS)], choose.uniform(0, 4)) for n in range(_OF_EACH_WAY * len(_WAYS))}
    ends = await asyncio.gather(*(_leave_by(rig, marker, *how) for marker, how in left.items()))
    wait_until(lambda: len(rig.installation.ledger()) >= len(left), seconds=20)
    wait_until(lambda: metric(rig.server, "aiservice_requests_in_flight") == 0, seconds=5)
    wait_until(lambda: rig.mock.counts()["open_connections"] <= 1, seconds=5)
    rows = rig.installation.ledger()
    seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
    for marker, (left_us, is_whole) in zip(left, ends, strict=True):
        (call,) = [call for call in rig.mock.chats() if f"{marker} " in call.body["messages"][-1]["content"]]
        row = rows[call.request_id or ""]
        assert not is_whole, "it lasts longer than any client stays"
        assert (row["outcome"], call.end) == ("client_left", "client_left"), (marker, left[marker])
        assert 0 < row["output_tokens"] < _WORDS
        assert call.ended_us is not None
        seconds[left[marker][0]].append((call.ended_us - left_us) / 1e6)
    worst = {way: round(max(taken), 2) for way, taken in seconds.items()}
    evidence.note(clients=len(left), rows=len(rows), slowest_to_let_go_of_the_provider_seconds=worst)
    assert len(rows) == len(left)
    assert max(worst.values()) <= _LET_GO_SECONDS


async def _leave_by(rig: Rig, marker: str, way: str, arrives: float) -> tuple[int, bool]:
    """Asks for a stream over a socket of its own and leaves it in some way; gives when that was (µs), and whether the
    whole answer came all the same."""
    await asyncio.sleep(arrives)
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    body = json.dumps(chat(f"{marker} (words-{_WORDS}) (wait-50)", is_stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {rig.key}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    got = b""
    while got.count(b"data: ") < 8:
        got += await reader.read(65536)
    if way == "leaves bytes unread":
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
    left_us = time.time_ns() // 1000
    if way == "half-closes":
        writer.write_eof()
        async with asyncio.timeout(60):
            with suppress(ConnectionError):
                got += await reader.read()
    if way == "resets":
        ours: socket.socket = writer.get_extra_info("socket")
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return left_us, b"data: [DONE]" in got
