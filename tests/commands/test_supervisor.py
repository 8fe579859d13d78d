"""What watches the workers of `serve`: who is replaced, what ends the server and how, and what it does not hold."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.process import ROOT

pytestmark = pytest.mark.process

KEY = base64.b64encode(b"the canary master key: 32 bytes.").decode()

# Workers that print what happens to them; `{first}` and `{later}` are what the first and all others do.
_PROGRAM = """
import os, signal, sys, time
from aiservice.commands.supervisor import settled, supervise
from aiservice.kit.refusal import refuse_to_serve

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def go(workers=1):
    settled(workers, stop_seconds=0.5, takes_hangups=True, words="a b")

def stay(number):
    signal.signal(signal.SIGHUP, lambda *_: say(number, "hung up"))
    say(number, os.getpid())
    while True:
        time.sleep(5)

def prepare():
    {first}

def work(number, words):
    {later}

if __name__ == "__main__":
    {before}
    sys.exit(supervise(prepare, work))
"""
_FORKS_TWICE = "os.fork = lambda forks=[os.fork] * 2: forks.pop()() if forks else sys.exit('no more processes')"


class Running:
    """The program: its next words, and its end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.pid = process.pid

    def words(self) -> list[str]:
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def end(self, *numbers: int) -> tuple[int, str]:
        """Sends the signals; gives the exit status, and what was said on standard error."""
        for number in numbers:
            os.kill(self.pid, number)
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors


@contextmanager
def running(folder: Path, first: str, later: str = "stay(number)", before: str = "pass") -> Iterator[Running]:
    script = folder / "program.py"
    script.write_text(_PROGRAM.format(first=first, later=later, before=before))
    environment = {**os.environ, "AISERVICE_MASTER_KEY": KEY, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    command = [sys.executable, str(script)]
    with subprocess.Popen(
        command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(("first", "status"), [("sys.exit(2)", 2), ("sys.exit()", 0), ("sys.exit('why')", 1)])
def test_who_ends_before_all_is_checked_ends_the_server_with_its_status(
    tmp_path: Path, first: str, status: int
) -> None:
    with running(tmp_path, first) as server:
        assert server.end()[0] == status


def test_a_fault_before_all_is_checked_is_shown_and_ends_the_server(tmp_path: Path) -> None:
    with running(tmp_path, "1 / 0") as server:
        status, errors = server.end()
    assert (status, errors.count("ZeroDivisionError")) == (1, 1)


def test_a_server_told_to_stop_while_it_checks_says_so_by_its_status(tmp_path: Path) -> None:
    with running(tmp_path, "say('checking'); time.sleep(20)") as server:
        assert server.words() == ["checking"]
        assert server.end(signal.SIGTERM)[0] == 128 + signal.SIGTERM


def test_killed_workers_are_replaced_and_all_stop_together(tmp_path: Path) -> None:
    with running(tmp_path, "go(3); stay(0)") as server:
        pids = {number: int(pid) for number, pid in (server.words() for _ in range(3))}
        for number in ("0", "2", "0"):
            os.kill(pids[number], signal.SIGKILL)
            successor, pid = server.words()
            assert successor == number
            assert int(pid) not in pids.values()
            pids[successor] = int(pid)
        status, errors = server.end(signal.SIGTERM)
    assert status == 0
    assert errors.count("ended by signal 9; another takes its place.") == 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_workers_are_told_what_the_first_was_told_and_of_hangups(tmp_path: Path) -> None:
    with running(tmp_path, "go(2); stay(0)", "say(words); stay(number)") as server:
        seen = [server.words() for _ in range(3)]
        assert ["a", "b"] in seen
        os.kill(server.pid, signal.SIGHUP)
        assert sorted(server.words() for _ in range(2)) == [["0", "hung", "up"], ["1", "hung", "up"]]
        assert server.end(signal.SIGINT)[0] == 0


def test_who_fails_three_times_at_its_start_ends_the_server(tmp_path: Path) -> None:
    with running(tmp_path, "go(2); say(0); sys.exit(3)", "stay(1) if number else (say(0), sys.exit(3))") as server:
        status, errors = server.end()
    assert (status, errors.count("ended with status 3"), errors.count("failed 3 times")) == (1, 2, 1)


def test_who_refuses_to_serve_ends_the_server_with_its_words(tmp_path: Path) -> None:
    with running(tmp_path, "go(2); stay(0)", "refuse_to_serve('Another server is there.')") as server:
        status, errors = server.end()
    assert (status, errors) == (2, "Another server is there.\n")


def test_who_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    with running(tmp_path, "go(); signal.signal(signal.SIGTERM, signal.SIG_IGN); stay(0)") as server:
        _, pid = server.words()
        began = time.monotonic()
        status, errors = server.end(signal.SIGTERM)
    assert (status, "did not stop within" in errors) == (0, True)
    assert 0.4 < time.monotonic() - began < 10
    assert not Path(f"/proc/{pid}").exists()


def test_nobody_left_to_read_what_is_said_ends_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "go(); stay(0)") as server:
        _, pid = server.words()
        assert server.process.stderr is not None
        server.process.stderr.close()
        os.kill(int(pid), signal.SIGKILL)
        assert server.words()[0] == "0"
        os.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(20) == 0


def test_a_server_that_cannot_fork_any_more_leaves_no_worker_behind(tmp_path: Path) -> None:
    with running(tmp_path, "go(2); stay(0)", "stay(number)", before=_FORKS_TWICE) as server:
        pids = dict(server.words() for _ in range(2))
        os.kill(int(pids["0"]), signal.SIGKILL)
        status, errors = server.end()
    assert (status, errors.count("no more processes")) == (1, 1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_t22_workers_have_the_master_key_and_no_process_shows_it(tmp_path: Path) -> None:
    known = "say(os.environ['AISERVICE_MASTER_KEY']); stay(0)"
    with running(tmp_path, f"go(); {known}", known) as server:
        assert server.words() == [KEY]
        _, pid = server.words()
        os.kill(int(pid), signal.SIGKILL)
        assert server.words() == [KEY]
        _, pid = server.words()
        for each in (server.pid, int(pid)):
            block = Path(f"/proc/{each}/environ").read_bytes()
            assert b"PYTHONPATH=" in block
            assert KEY.encode() not in block
        assert server.end(signal.SIGTERM)[0] == 0


def test_it_holds_next_to_nothing() -> None:
    program = (
        "import json, sys; import aiservice.commands.supervisor; "
        "print(json.dumps([name for name in sys.modules if '.' not in name or name.startswith('aiservice')]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    held = set(json.loads(done.stdout)) - {"json"}
    ours = {name for name in held if name.startswith("aiservice.")}
    assert ours == {
        *("aiservice.commands", "aiservice.commands.supervisor"),
        *("aiservice.kit", "aiservice.kit.hardening", "aiservice.kit.refusal"),
    }
    assert not held & {"typing", "socket", "ssl", "threading", "multiprocessing", "subprocess", "pathlib", "typer"}
