"""The command line as a process: pipes, a terminal, exit statuses."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from aiservice.commands.opening import guarded
from tests.harness import Installation
from tests.harness.process import ROOT

PASSWORD = "correct horse battery staple"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def run(installation: Installation, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aiservice", *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        env=installation.env,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_data_goes_to_stdout_messages_to_stderr_and_the_status_says_how_it_went(installation: Installation) -> None:
    made = run(installation, "client", "create", "--name", "shop", "--json")
    assert (made.returncode, made.stdout[:1]) == (0, "{")
    again = run(installation, "client", "create", "--name", "shop")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("Error: ")
    wrong = run(installation, "client", "create")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Traceback" not in made.stderr + again.stderr + wrong.stderr


def test_a_reader_that_has_enough_is_no_failure_of_the_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unread() -> None:
        raise BrokenPipeError

    with (tmp_path / "out").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(typer.Exit) as ended:
            guarded(unread, as_json=False)
        print("what was still to be written", flush=True)
    assert (ended.value.exit_code, (tmp_path / "out").read_text()) == (0, "")
    assert capsys.readouterr().err == ""


def test_a_password_typed_at_a_terminal_is_not_echoed(installation: Installation) -> None:
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "aiservice", "admin", "create", "--email", "ada@example.org"],
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        env=installation.env,
        cwd=ROOT,
        start_new_session=True,
    )
    os.close(secondary)
    seen = ""
    try:
        for prompt in ("Password: ", "once more: "):
            seen += _until(primary, prompt)
            os.write(primary, PASSWORD.encode() + b"\n")
        seen += _until(primary, "ada@example.org.")
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(primary)
    assert PASSWORD not in seen
    assert [row["email"] for row in installation.command("user", "list")] == ["ada@example.org"]


def test_a_pipe_that_says_nothing_is_no_key(installation: Installation) -> None:
    done = run(
        installation,
        *("provider", "add", "openai-compatible", "--name", "m", "--base-url", "http://127.0.0.1:9/v1"),
        *("--allow-private", "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert installation.command("provider", "list")[1]["key_hint"] == ""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--workers", "2"], 2, "AISERVICE_REDIS_URL"),
        (["--workers", "0"], 2, "--workers"),
        (["--port", "70000"], 2, "--port"),
        (["--tls-cert", "x.pem"], 2, "belong together"),
        (["--tls-cert", "x.pem", "--tls-key", "y.pem"], 2, "not a file"),
    ],
)
def test_serve_refuses_what_cannot_work(
    installation: Installation, arguments: list[str], status: int, words: str
) -> None:
    done = run(installation, "serve", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr


def _until(terminal: int, words: str, seconds: float = 30) -> str:
    seen = ""
    end = time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 4096).decode()
    return seen
