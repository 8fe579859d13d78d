"""The master key leaves the environment of every process of ours, and still reaches those that need it."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiservice.kit.process import take_from_environment
from aiservice.settings import SettingsError, load_settings

KEY = base64.b64encode(b"the canary master key: 32 bytes.").decode()

# A parent that reads its settings, workers of every start method that read theirs, and a program that is not ours.
_SERVER = """
import hashlib, json, multiprocessing, os, subprocess, sys, time
from aiservice.kit.hardening import harden_process
from aiservice.settings import load_settings

def fingerprint():
    return hashlib.sha256(load_settings(dotenv=None).master_key.reveal()).hexdigest()

def work(pipe):
    harden_process()
    pipe.send((fingerprint(), fingerprint()))
    time.sleep(60)

def grandparent(pipe):
    harden_process()
    inner, outer = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=work, args=(outer,), daemon=True)
    child.start()
    pipe.send((fingerprint(), inner.recv()[0], child.pid))
    time.sleep(60)

if __name__ == "__main__":
    harden_process()
    seen, pids = {"parent": [fingerprint(), fingerprint()]}, [os.getpid()]
    for method, target in (("fork", work), ("spawn", work), ("forkserver", work), ("fork", grandparent)):
        inner, outer = multiprocessing.Pipe()
        child = multiprocessing.get_context(method).Process(target=target, args=(outer,))
        child.start()
        pids.append(child.pid)
        answer = inner.recv()
        seen[method + target.__name__] = list(answer[:2])
        pids.extend(answer[2:])
    node = subprocess.Popen(["sleep", "60"])
    import ctypes
    print(json.dumps({
        "seen": seen, "pids": [*pids, node.pid], "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
        "environ": dict(os.environ),
    }), flush=True)
    time.sleep(60)
"""


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _environment_of(pid: int) -> bytes:
    """The block as the kernel shows it; empty for a moment in a process whose exec is under way."""
    deadline = time.monotonic() + 5
    while not (block := Path(f"/proc/{pid}/environ").read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return block


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.process
def test_t22_no_process_shows_the_master_key_and_none_leaves_a_core(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(_SERVER)
    environment = {**os.environ, "AISERVICE_MASTER_KEY": KEY, "PYTHONPATH": str(Path(__file__).parents[2])}
    server = subprocess.Popen([sys.executable, script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert server.stdout is not None
    pids = [server.pid]
    try:
        told = json.loads(server.stdout.readline())
        pids = [*told["pids"], *_children_of(server.pid)]
        fingerprints = {value for values in told["seen"].values() for value in values}
        assert len(fingerprints) == 1
        assert len(told["seen"]) == 5
        for pid in pids:
            block = _environment_of(pid)
            assert b"PYTHONPATH=" in block
            assert KEY.encode() not in block
            assert base64.b64decode(KEY) not in block
        assert KEY not in json.dumps(told["environ"])
        assert told["dumpable"] == 0
        for pid in told["pids"][:3]:
            assert re.search(r"^Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
        os.kill(server.pid, signal.SIGABRT)
        assert server.wait(10) == -signal.SIGABRT
        assert [path.name for path in tmp_path.iterdir()] == ["server.py"]
    finally:
        for pid in pids:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        server.wait(10)


def test_a_variable_that_is_not_set_is_none() -> None:
    assert take_from_environment("NO_SUCH_VARIABLE_OF_OURS") is None


def test_a_program_that_was_handed_nothing_sees_it_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDED_OVER_SOME_SECRET", base64.b64encode(bytes(60)).decode())
    assert take_from_environment("SOME_SECRET") is None
    monkeypatch.setenv("HANDED_OVER_SOME_SECRET", "not base64!")
    assert take_from_environment("SOME_SECRET") is None


def test_a_program_that_was_handed_nothing_refuses_to_go_on_without_the_master_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AISERVICE_MASTER_KEY", raising=False)
    monkeypatch.setenv("HANDED_OVER_AISERVICE_MASTER_KEY", base64.b64encode(bytes(60)).decode())
    with pytest.raises(SettingsError, match="MASTER_KEY_FILE"):
        load_settings(dotenv=None)


def test_a_taken_secret_can_be_taken_again_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "first")
    monkeypatch.setenv("HANDED_OVER_SOME_SECRET", "")
    for _ in range(2):
        taken = take_from_environment("SOME_SECRET")
        assert taken is not None
        assert taken.reveal_text() == "first"
    assert "SOME_SECRET" not in os.environ
    assert "first" not in os.environ["HANDED_OVER_SOME_SECRET"]
    monkeypatch.setenv("SOME_SECRET", "second")
    taken = take_from_environment("SOME_SECRET")
    assert taken is not None
    assert taken.reveal_text() == "second"
