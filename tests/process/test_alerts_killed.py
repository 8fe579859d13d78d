"""A server killed in the middle of a message: nothing is lost, and the receiver gets it at most once more."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import verify
from tests.harness import Installation
from tests.harness.evidence import Evidence
from tests.process.hooks import Hook

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
