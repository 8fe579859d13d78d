"""R-26: connections up to what the system allows, and beyond that a server that comes back by itself."""

import asyncio
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port

pytestmark = pytest.mark.process

_SILENT = 400


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Started by somebody whose shell allows 200 open files, as `ulimit -S -n 200` does."""
    installation = Installation(tmp_path)
    server = ServerProcess(port=free_port(), env=installation.env, log=tmp_path / "server.log")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def silent(server: ServerProcess, count: int) -> Iterator[None]:
    """So many connections that say nothing."""
    with ExitStack() as stack:
        for _ in range(count):
            line = stack.enter_context(socket.socket())
            line.settimeout(5)
            with suppress(TimeoutError):  # the system's own queue is full
                line.connect(("127.0.0.1", server.port))
        yield


async def _answers(server: ServerProcess, seconds: float) -> float | None:
    """After how many seconds a new connection gets its 200; None if not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                head = await reader.readuntil(b"\r\n")
                writer.close()
                if b" 200 " in head:
                    return time.monotonic() - began
        await asyncio.sleep(0.1)
    return None


async def test_r26_a_shells_small_limit_of_open_files_is_raised_to_the_systems(server: ServerProcess) -> None:
    with silent(server, _SILENT):
        assert await _answers(server, 3) is not None


async def test_r26_beyond_the_systems_limit_silent_connections_end_and_the_server_comes_back(
    server: ServerProcess, evidence: Evidence
) -> None:
    tree = server.tree()
    for pid in tree:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (256, 256))
    with silent(server, _SILENT):
        seconds = await _answers(server, 30)
    evidence.note(open_files=256, silent=_SILENT, answers_again_after_seconds=seconds)
    assert seconds is not None
    assert server.tree() == tree  # nobody had to be started anew
    assert await _answers(server, 2) is not None
