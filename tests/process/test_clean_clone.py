"""A newcomer's first minutes: a clean clone, the README's first line, and the first call that answers."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.harness import Child, free_port
from tests.harness.evidence import Evidence
from tests.harness.mock import is_answering
from tests.harness.process import ROOT

pytestmark = [pytest.mark.process, pytest.mark.long]

_COLD_SECONDS = 120.0
_WARM_SECONDS = 60.0


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_a_clean_clone_answers_its_first_call_in_time(cache: str, tmp_path: Path, evidence: Evidence) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    line = first_line(clone / "README.md")
    port = free_port()
    env = _environment(tmp_path, is_cold=cache == "cold")
    # The port is the only thing a test changes about the line: the documented one may be taken on this machine.
    line = line.replace("reflex run --env prod", f"reflex run --env prod --single-port --backend-port {port}")
    assert str(port) in line
    with Child(["bash", "-euo", "pipefail", "-c", line], log=tmp_path / "run.log", env=env, cwd=clone) as server:
        ready = server.wait_ready(lambda: is_answering(f"http://127.0.0.1:{port}/readyz"), seconds=600)
        key = _make_key(clone, env)
        status, answer = _first_call(port, key)
        seconds = time.monotonic() - server.started_at
        portal = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()
    evidence.note(
        cache=cache, line=line, ready_seconds=round(ready, 1), first_call_seconds=round(seconds, 1), answer=answer
    )
    assert status == 200
    assert "sandbox" in json.dumps(answer).lower()
    assert b"<html" in portal.lower()
    assert seconds <= (_COLD_SECONDS if cache == "cold" else _WARM_SECONDS)


def first_line(readme: Path) -> str:
    """The first command block of the README, as it is written there."""
    match = re.search(r"```(?:sh|bash|console)?\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None, "the README has no command"
    return match.group(1).strip()


def _environment(folder: Path, *, is_cold: bool) -> dict[str, str]:
    """A newcomer's: Python alone, no settings of ours; cold also means empty caches of pip and npm."""
    strange = ("AISERVICE_", "REFLEX_", "VIRTUAL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    if is_cold:
        for name in ("PIP_CACHE_DIR", "npm_config_cache", "XDG_CACHE_HOME", "XDG_DATA_HOME", "REFLEX_DIR"):
            env[name] = str(folder / name.lower())
    # Not the environment of the tests: the line makes its own.
    tests_bin = str(Path(shutil.which("pytest") or "/nowhere").parent)
    env["PATH"] = os.pathsep.join(part for part in env["PATH"].split(os.pathsep) if part != tests_bin)
    return env


def _make_key(clone: Path, env: dict[str, str]) -> str:
    """What the First-call page does for a signed-in person, by command line: a client with one key."""
    python = next(clone.glob("*/bin/python"))
    made = None
    for arguments in (["client", "create", "--name", "first"], ["key", "create", "--client", "first"]):
        command = [str(python), "-m", "aiservice", *arguments, "--json"]
        made = subprocess.run(command, cwd=clone, env=env, check=True, capture_output=True, text=True).stdout
    return str(json.loads(made or "")["key"])


def _first_call(port: int, key: str) -> tuple[int, object]:
    body = json.dumps({"task": "text-generation", "input": "Write a haiku about keys"})
    command = ["curl", "-sS", "-w", "\n%{http_code}", f"http://127.0.0.1:{port}/ai-service"]
    command += ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json", "-d", body]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answer, _, status = text.rpartition("\n")
    return int(status), json.loads(answer)
