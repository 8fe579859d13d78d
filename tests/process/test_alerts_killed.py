"""A server killed in the middle of a message: nothing is lost, and the receiver gets it at most once more."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import verify
from tests.harness import Installation
from tests.harness.evidence import Evidence

pytestmark = [pytest.mark.process, pytest.mark.long]

NOTE = """
import asyncio
from aiservice.services.opening import open_core
from aiservice.settings import load_settings

async def note():
    async with open_core(load_settings()) as core:
        core.alerts.note("budget_level", "key_1", "All of it is spent.")

asyncio.run(note())
"""


class Hook(ThreadingHTTPServer):
    """Holds the first message for as long as it is told to; answers every other at once."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.is_released = threading.Event()
        super().__init__(("127.0.0.1", 0), _Taking)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def wait_for(self, messages: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while len(self.received) < messages:
            assert time.monotonic() < end, f"{len(self.received)} messages in {seconds} s"
            time.sleep(0.05)


class _Taking(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if len(self.server.received) == 1:
            self.server.is_released.wait(30)
        try:
            self.send_response(204)
            self.end_headers()
        except OSError:
            pass

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.is_released.set()
    server.shutdown()
    server.server_close()


def test_a_server_killed_in_an_attempt_sends_it_at_most_once_more(
    tmp_path: Path, hook: Hook, evidence: Evidence
) -> None:
    installation = Installation(tmp_path)
    channel = installation.command("alert", "channel", "add", "hook", "--webhook", hook.url, "--allow-private")
    with installation.server() as first:
        subprocess.run(
            [sys.executable, "-c", NOTE], env=installation.env, cwd=installation.code, check=True, timeout=60
        )
        hook.wait_for(1, seconds=20)
        first.kill()
    with installation.server():
        began = time.monotonic()
        hook.wait_for(2, seconds=100)
        again_seconds = time.monotonic() - began
        time.sleep(5)
    ids = [headers["webhook-id"] for headers, _ in hook.received]
    assert len(ids) == 2
    assert len(set(ids)) == len({body for _, body in hook.received}) == 1
    for headers, body in hook.received:
        verify([Secret(channel["secret"])], headers, body, int(headers["webhook-timestamp"]))
    [message] = installation.command("alert", "log")
    assert (message["state"], message["tries"]) == ("delivered", 1)
    evidence.note(messages=len(ids), again_seconds=round(again_seconds, 1))
