"""Streams cut at every event by clients that hang up, resumed over two processes, restarts and kills."""

import asyncio
import json
import os
import random
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import ROOT
from tests.process.conftest import Rig
from tests.process.nodes import workers_of
from tests.process.test_workers import two_workers, wait_for_successor

pytestmark = [pytest.mark.process, pytest.mark.redis, pytest.mark.long]

SURFACES = ("/ai-service", "/v1/chat/completions", "/v1/messages")
_TOGETHER = 24
NODE = Path(sys.executable).with_name("node")  # of the portal's build
_ID = re.compile(rb"^id: (req_[0-9a-f]{32}):(\d+)\n", re.MULTILINE)


@dataclass(slots=True)
class Cut:
    """A stream that a client leaves once it has an event: `seen` is all up to that event's end."""

    path: str
    words: str
    number: int
    stream: str = ""
    seen: bytes = b""
    rest: bytes = b""
    error: bytes = b""

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"model": "mock-small", "stream": True}
        if self.path == "/ai-service":
            return {**body, "input": self.words}
        return {**body, "messages": [{"role": "user", "content": self.words}], "max_tokens": 500}


def end_of(stream: bytes, number: int) -> int | None:
    """Where an event of a stream ends; None where the stream has not come so far."""
    for found in _ID.finditer(stream):
        if int(found[2]) == number and (end := stream.find(b"\n\n", found.end())) >= 0:
            return end + 2
    return None


def session(key: str) -> aiohttp.ClientSession:
    """For one request: a connection of its own, so that either process may get it."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        headers={"Authorization": f"Bearer {key}", "x-aiservice-resumable": "true"},
    )


async def begin(url: str, key: str, cut: Cut) -> None:
    """Asks for a stream and hangs up at its event."""
    got = bytearray()
    async with session(key) as http, http.post(url + cut.path, json=cut.body) as answer:
        assert answer.status == 200, await answer.read()
        cut.stream = answer.headers["x-aiservice-events"].split("/")[2]
        async for piece in answer.content.iter_any():
            got += piece
            if (end := end_of(bytes(got), cut.number)) is not None:
                cut.seen = bytes(got[:end])
                return
    raise AssertionError(f"{cut.path} has no event {cut.number}: {bytes(got)[-300:]!r}")


async def resume(url: str, key: str, cut: Cut, *, with_post: bool = False) -> bytes:
    """The rest after the cut, to the stream's end."""
    async with session(key) as http:
        if with_post:
            headers = {"Last-Event-ID": f"{cut.stream}:{cut.number}"}
            asking = http.post(url + cut.path, json=cut.body, headers=headers)
        else:
            asking = http.get(f"{url}/ai-service/{cut.stream}/events?after={cut.number}")
        async with asking as answer:
            assert answer.status in (200, 204), await answer.read()
            return await answer.read()


async def whole(url: str, key: str, stream: str) -> bytes:
    return await resume(url, key, Cut("", "", 0, stream))


def calls(rig: Rig) -> int:
    return len(rig.mock.chats())


async def test_a_stream_cut_at_every_event_by_a_hangup_and_resumed_is_the_uncut_one(
    tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    choose, turn = random.Random(seed), asyncio.Semaphore(_TOGETHER)
    cuts = [Cut(path, f"(words-196) (wait-{choose.choice([0, 2, 4])})", n) for path in SURFACES for n in range(1, 199)]
    choose.shuffle(cuts)

    async def one(rig: Rig, cut: Cut) -> bool:
        async with turn:
            await begin(rig.server.url, rig.key, cut)
            await asyncio.sleep(choose.choice([0, 0, 0.1, 0.5]))
            rest = await resume(rig.server.url, rig.key, cut, with_post=choose.random() < 0.5)
            return cut.seen + rest == await whole(rig.server.url, rig.key, cut.stream)

    with two_workers(tmp_path) as rig:
        equal = await asyncio.gather(*(one(rig, cut) for cut in cuts))
        made = calls(rig)
        kept = {path: next(cut for cut in cuts if cut.path == path) for path in SURFACES}
        uncut = {path: await whole(rig.server.url, rig.key, cut.stream) for path, cut in kept.items()}
        restarts = []
        for is_kill in (False, True):
            await asyncio.to_thread(rig.server.kill if is_kill else rig.server.terminate)
            await asyncio.to_thread(rig.server.start)
            for path, cut in kept.items():
                last = int(_ID.findall(uncut[path])[-1][1])
                for number in range(last + 1):
                    rest = await resume(rig.server.url, rig.key, Cut(path, cut.words, number, cut.stream))
                    restarts.append(uncut[path][: end_of(uncut[path], number) or 0] + rest == uncut[path])
        rows = rig.installation.ledger()
        evidence.note(
            streams=len(cuts),
            equal_to_the_uncut=sum(equal),
            calls=made,
            rows=len(rows),
            after_restarts=len(restarts),
            equal_after_restarts=sum(restarts),
        )
        assert (sum(equal), made, len(rows)) == (len(cuts), len(cuts), len(cuts))
        assert {row["outcome"] for row in rows.values()} == {"finished"}
        assert all(restarts)
        assert calls(rig) == made


async def test_streams_whose_process_was_killed_give_what_was_kept_and_an_error(
    tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    choose, lost, streams = random.Random(seed), 0, 0
    with two_workers(tmp_path) as rig:
        for place in (0, 1, 0, 1):  # a server may have given all of a round to one worker
            cuts = [Cut(path, "(words-250) (wait-20)", choose.randint(1, 40)) for path in SURFACES for _ in range(6)]
            await asyncio.gather(*(begin(rig.server.url, rig.key, cut) for cut in cuts))
            resumed = [asyncio.create_task(resume(rig.server.url, rig.key, cut)) for cut in cuts[::2]]
            await asyncio.sleep(0.5)
            victim = sorted(workers_of(rig.server))[place]
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(wait_for_successor, rig.server, victim)
            await asyncio.gather(*resumed, return_exceptions=True)  # those that followed there are cut once more
            for cut, rest in zip(
                cuts, await asyncio.gather(*(resume(rig.server.url, rig.key, cut) for cut in cuts)), strict=True
            ):
                lost += is_lost(cut.seen + rest)
            streams += len(cuts)
        made = calls(rig)
        outcomes = Counter(row["outcome"] for row in rig.installation.ledger().values())
    evidence.note(streams=streams, kills=4, lost=lost, whole=streams - lost, calls=made, outcomes=outcomes)
    assert lost > 0
    assert made == streams == outcomes.total()
    assert set(outcomes) <= {"finished", "interrupted"}
    assert outcomes["interrupted"] >= lost


def is_lost(told: bytes) -> bool:
    """Whether a stream ended in the error of one whose process is gone, and not cleanly. Its events have no gap."""
    numbers = [int(found[2]) for found in _ID.finditer(told)]
    assert numbers == list(range(1, len(numbers) + 1))
    is_lost = b'"stream_lost"' in told
    assert is_lost != any(end in told for end in (b"event: done", b"[DONE]", b"message_stop")), told[-300:]
    return is_lost


_MAIN = """
const [url, key, body] = process.argv.slice(2);
const blocks = [];
for await (const block of events(url, key, JSON.parse(body))) blocks.push(block);
process.stdout.write(blocks.map((block) => block + "\\n\\n").join(""));
"""


async def test_the_readmes_javascript_survives_lost_connections(tmp_path: Path, seed: int, evidence: Evidence) -> None:
    choose = random.Random(seed)
    [snippet] = re.findall(r"```js\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    program = tmp_path / "events.mjs"
    program.write_text(snippet + _MAIN)
    with two_workers(tmp_path) as rig:
        lost = 0
        for path in SURFACES:
            cut = Cut(path, "(words-120) (wait-10)", 0)
            async with losing(rig.server.port, [choose.randint(500, 4_000) for _ in range(4)]) as (port, cuts):
                run = await asyncio.create_subprocess_exec(
                    NODE, program, f"http://127.0.0.1:{port}{path}", rig.key, json.dumps(cut.body),
                    stdout=asyncio.subprocess.PIPE,
                )  # fmt: skip
                told, _ = await asyncio.wait_for(run.communicate(), 60)
            lost += 4 - len(cuts)
            found = _ID.search(told)
            assert found is not None, told
            assert told == await whole(rig.server.url, rig.key, found[1].decode())
        made = calls(rig)
    evidence.note(streams=len(SURFACES), connections_lost=lost, calls=made)
    assert (made, lost) == (3, 12)


@asynccontextmanager
async def losing(port: int, after: list[int]) -> AsyncIterator[tuple[int, list[int]]]:
    """A way to a server on which one connection after the other is lost after so many bytes of answers, then none."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = after.pop() if after else sys.maxsize
        back, to = await asyncio.open_connection("127.0.0.1", port)
        asking = asyncio.create_task(_copy(reader, to, sys.maxsize))
        await _copy(back, writer, left)
        asking.cancel()
        to.close()
        writer.transport.abort()

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], after


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    while left > 0 and (piece := await reader.read(min(left, 4096))):
        writer.write(piece)
        await writer.drain()
        left -= len(piece)
    if left > 0:
        writer.close()
        await writer.wait_closed()
