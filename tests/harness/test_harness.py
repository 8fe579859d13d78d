"""The harness itself: a tree is measured and killed whole, and each server starts and answers."""

import base64
import sys
from pathlib import Path

import pytest

from tests.harness import Child, Installation, MockProcess
from tests.harness.canaries import sweep
from tests.harness.databases import PostgresServer, RedisServer
from tests.harness.load import CANARY_PROMPT
from tests.harness.process import DidNotStart, wait_until

pytestmark = pytest.mark.process

_PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def test_kills_the_whole_tree_and_measures_it(tmp_path: Path) -> None:
    with Child([sys.executable, "-c", _PARENT], log=tmp_path / "log") as child:
        wait_until(lambda: len(child.tree()) == 2, seconds=10)
        pids = child.tree()
        assert child.pss_mb() > 1
        child.kill()
        assert not any(Path(f"/proc/{pid}/exe").exists() for pid in pids)


def test_a_process_that_ends_early_says_why(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", "raise SystemExit('no luck')"], log=tmp_path / "log")
    child.start()
    with pytest.raises(DidNotStart, match="no luck"):
        child.wait_ready(lambda: False, seconds=10)


def test_the_mock_runs_as_a_process_and_counts(tmp_path: Path) -> None:
    with MockProcess(tmp_path) as mock:
        assert mock.counts()["calls"] == 0
        assert mock.served() == []


@pytest.mark.postgres
@pytest.mark.redis
def test_postgres_and_redis_start_in_an_empty_folder(tmp_path: Path) -> None:
    with PostgresServer(tmp_path) as postgres, RedisServer(tmp_path) as redis:
        assert postgres.is_running
        assert redis.is_running


def test_t24_the_sweep_over_all_installations_finds_a_planted_leak(tmp_path: Path) -> None:
    made = Installation(tmp_path)
    Installation.all_made.remove(made)  # this one leaks on purpose
    made.secrets.add("sk-planted-9f3Kx7Lm")
    made.data_dir.mkdir()
    (made.data_dir / "trace").write_bytes(b"nothing here")
    assert sweep([made]) == []
    for leak in (b"x sk-planted-9f3Kx7Lm y", base64.b64encode(b"??sk-planted-9f3Kx7Lm??"), CANARY_PROMPT.encode()):
        (made.folder / "server-1.log").write_bytes(leak)
        assert sweep([made]), leak
