"""Alerts over two servers: whoever says it, and however often, each reaches its receiver once."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import ROOT
from tests.process.hooks import Hook
from tests.process.nodes import nodes

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis, pytest.mark.long]

_ALERTS = 40
_SAYING = f"""
import asyncio
from aiservice.services.opening import open_core
from aiservice.settings import load_settings

async def say():
    async with open_core(load_settings()) as core:
        for _ in range(5):
            for number in range({_ALERTS}):
                core.alerts.note("budget_level", f"key_{{number}}", f"All of budget {{number}} is spent.")
            await asyncio.sleep(0.2)

asyncio.run(say())
"""


def test_what_four_processes_say_twenty_times_is_delivered_once(tmp_path: Path, hook: Hook, evidence: Evidence) -> None:
    hook.is_released.set()
    with nodes(tmp_path) as running:
        channel = ("alert", "channel", "add", "hook", "--webhook", hook.url, "--allow-private")
        running.operator.command(*channel)
        began = time.monotonic()
        saying = [
            subprocess.Popen([sys.executable, "-c", _SAYING], env=running.installations[number % 2].env, cwd=ROOT)
            for number in range(4)
        ]
        assert [each.wait(60) for each in saying] == [0] * 4
        hook.wait_for(_ALERTS, seconds=60)
        seconds = time.monotonic() - began
        time.sleep(8)  # four rounds of whoever would send one again
        log = running.operator.command("alert", "log", "--limit", "200")
    subjects = Counter(orjson.loads(body)["data"]["subject"] for _, body in hook.received)
    evidence.note(alerts=len(subjects), messages=len(hook.received), seconds=round(seconds, 1))
    assert subjects == {f"key_{number}": 1 for number in range(_ALERTS)}
    assert len({headers["webhook-id"] for headers, _ in hook.received}) == _ALERTS
    assert Counter(each["state"] for each in log) == {"delivered": _ALERTS}
