"""`serve` as a process: one line when ready, one server a port, TLS, and nothing compiled that is compiled."""

import http.client
import json
import sqlite3
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Installation
from tests.harness.certificates import self_signed
from tests.harness.evidence import Evidence
from tests.harness.process import ROOT, Child, free_port, wait_until

pytestmark = pytest.mark.process


def test_serve_says_once_where_it_is_and_a_second_one_is_refused(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.server() as server:
        ready = f"Ready: {server.url}\n"
        wait_until(lambda: ready in server.log_text(), seconds=5)
        assert server.log_text().count("Ready:") == 1
        second = _serve(installation, server.port)
        assert second.returncode == 1
        assert "in use" in second.stderr
        assert server.is_ready()
        assert server.terminate() < 35
        assert server.wait() == 0


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "aiservice", "serve", "--host", "127.0.0.1", "--port", str(port)]


def _serve(installation: Installation, port: int = 0) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _command(port or free_port()),
        capture_output=True,
        text=True,
        env=installation.env,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def test_a_database_of_a_newer_release_is_refused_with_what_to_do(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.command("client", "list")
    with closing(sqlite3.connect(installation.database_path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    refused = _serve(installation)
    assert refused.returncode != 0
    assert refused.stderr.count("from_the_future") == 1, refused.stderr
    assert "Start the release that made it" in refused.stderr
    assert "another takes its place" not in refused.stderr, "it was tried again in vain"


def test_a_worker_that_cannot_start_says_why(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.command("client", "list")
    installation.database_path.write_bytes(b"no database at all" * 500)
    with Child(_command(free_port()), log=tmp_path / "failed.log", env=installation.env, cwd=ROOT) as failing:
        wait_until(lambda: "file is not a database" in failing.log_text(), seconds=60)


@pytest.mark.long
def test_a_built_tree_is_ready_within_three_seconds(tmp_path: Path, evidence: Evidence) -> None:
    installation = Installation(tmp_path)
    seconds = []
    for _ in range(5):
        with installation.server() as server:
            seconds.append(server.ready_seconds)
            server.terminate()
    evidence.note(ready_seconds=seconds[1:])
    assert sorted(seconds[1:])[1] <= 3.0


def test_a_crashed_worker_is_replaced(tmp_path: Path) -> None:
    with Installation(tmp_path).server() as server:
        (worker,) = [pid for pid in server.tree() if pid != server.pid]
        subprocess.run(["kill", "-9", str(worker)], check=True)
        wait_until(lambda: len(server.tree()) == 2 and worker not in server.tree(), seconds=10)
        wait_until(server.is_ready, seconds=20)


def test_serve_speaks_tls_with_the_certificate_it_is_given(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    installation = Installation(tmp_path)
    port = free_port()
    options = ("--host", "127.0.0.1", "--port", str(port), "--tls-cert", str(cert), "--tls-key", str(key), "--json")
    with installation.child(sys.executable, "-m", "aiservice", "serve", *options) as child:
        wait_until(lambda: '"ready": true' in child.log_text() or not child.is_running, seconds=240)
        line = next(line for line in child.log_text().splitlines() if '"ready"' in line)
        assert json.loads(line)["url"] == f"https://127.0.0.1:{port}"
        context = ssl.create_default_context(cafile=str(cert))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
