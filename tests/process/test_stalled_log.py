"""R-25: a log that nobody reads any more slows no request down; the lines it loses are counted."""

import asyncio
import fcntl
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import IO

import aiohttp
import pytest

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.harness.process import wait_until
from tests.process.conftest import PROVIDER_KEY, Rig
from tests.process.test_nodes import metric

pytestmark = pytest.mark.process

_TALKERS = 4


@contextmanager
def read_by(folder: Path) -> Iterator[tuple[Rig, "subprocess.Popen[bytes]", IO[bytes]]]:
    """A server at DEBUG whose output goes through a pipe to a reader of its own."""
    with MockProcess(folder, keys=(PROVIDER_KEY,)) as mock:
        installation = Installation(folder)
        created = installation.add_key()
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small")
        server = installation.server()
        reader = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert reader.stdin is not None
        fcntl.fcntl(reader.stdin, fcntl.F_SETPIPE_SZ, 4096)
        server.command = ["bash", "-c", f'exec "$@" >/proc/{reader.pid}/fd/0 2>&1', "-", *server.command]
        try:
            with server:
                yield Rig(installation, mock, server, created["key"], created["id"]), reader, reader.stdin
        finally:
            reader.kill()
            reader.wait()


@pytest.mark.long
async def test_r25_a_log_that_nobody_reads_slows_nothing_down(tmp_path: Path, evidence: Evidence) -> None:
    with read_by(tmp_path) as (rig, reader, pipe):
        before = await ask_often(rig, 150)
        reader.send_signal(SIGSTOP)
        for _ in range(20):
            await make_log_lines(rig.server)
        stalled = await ask_often(rig, 150)
        evidence.note(p99_ms_before=before, p99_ms_stalled=stalled, bytes_unread=unread(pipe.fileno()))
        assert unread(pipe.fileno()) > 3000, "the writer is held up"
        assert stalled <= max(2 * before, before + 50)
        assert rig.server.terminate(20) < 20, "nor does it hold up the end"


@pytest.mark.long
async def test_r25_a_minute_without_a_reader_costs_lines_and_nothing_else(tmp_path: Path, evidence: Evidence) -> None:
    """As much is logged before as during the stall, so that the stall is all the difference."""
    with read_by(tmp_path) as (rig, reader, pipe):
        is_over = asyncio.Event()
        talking = [asyncio.create_task(talk(rig.server, is_over)) for _ in range(_TALKERS)]
        before = await ask_for(rig, 20)
        reader.send_signal(SIGSTOP)
        await asyncio.to_thread(wait_until, lambda: lines_dropped(rig) > 0, seconds=180, every=1)
        stalled = await ask_for(rig, 60)
        is_over.set()
        await asyncio.gather(*talking)
        dropped = lines_dropped(rig)
        assert unread(pipe.fileno()) > 3000, "the writer is held up"
        reader.send_signal(SIGCONT)
        await asyncio.to_thread(wait_until, lambda: unread(pipe.fileno()) == 0, seconds=20)
        after = await ask_often(rig, 150)
        evidence.note(p99_ms_before=before, p99_ms_stalled=stalled, p99_ms_after=after, lines_dropped=dropped)
        assert stalled <= 1.2 * before + 10


async def ask_for(rig: Rig, seconds: float) -> float:
    """The 99th percentile in milliseconds of what is asked one after another for so long."""
    end, took = time.monotonic() + seconds, []
    while time.monotonic() < end:
        took.append(await _took_ms(rig))
    return round(sorted(took)[int(len(took) * 0.99)], 1)


async def ask_often(rig: Rig, times: int) -> float:
    """The same of `times` chats."""
    return round(sorted([await _took_ms(rig) for _ in range(times)])[int(times * 0.99)], 1)


async def _took_ms(rig: Rig) -> float:
    """One chat on a connection of its own."""
    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        told = await ask(session, rig.server.url, rig.key, Told(marker=""), chat("(words-2)"))
        assert told.is_complete, told
        return (time.perf_counter() - began) * 1000


def lines_dropped(rig: Rig) -> float:
    return metric(rig.server, "aiservice_log_lines_dropped")


async def make_log_lines(server: ServerProcess) -> None:
    """A socket of another version: the portal warns about it."""
    headers = {"sec-websocket-protocol": "of-another-version" * 8, "origin": server.url}
    async with aiohttp.ClientSession() as session, session.ws_connect(_socket_of(server), headers=headers) as socket:
        await socket.receive(timeout=5)
        await socket.send_str("40/_event,")
        await socket.receive(timeout=5)


async def talk(server: ServerProcess, is_over: asyncio.Event) -> None:
    """Opens and closes sockets until it is over: at DEBUG that is worth three lines each."""
    async with aiohttp.ClientSession() as session:
        while not is_over.is_set():
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.ws_connect(_socket_of(server), headers={"origin": server.url}):
                    pass


def _socket_of(server: ServerProcess) -> str:
    return f"{server.url}/_event/?token=t&EIO=4&transport=websocket"


def unread(pipe: int) -> int:
    """Bytes in a pipe that its reader has not taken."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)
