"""The command line, run in this process over an installation of its own."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aiservice.commands.line import whole
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from tests.harness.mock import MockProcess

PROVIDER_KEY = "sk-canary-of-the-provider-9fQ2"


@dataclass(slots=True, frozen=True)
class Done:
    """What a command left: its status, data and messages."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.out)


class Console:
    """Runs commands; `refused` says which status is expected instead of 0."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, *arguments: str, stdin: str = "", status: int = 0) -> Done:
        result = CliRunner().invoke(whole(), list(arguments), input=stdin, catch_exceptions=False)
        done = Done(result.exit_code, result.stdout, result.stderr)
        assert done.status == status, done
        return done

    def json(self, *arguments: str, stdin: str = "", status: int = 0) -> Any:
        """The answer of a command with `--json`."""
        return self(*arguments, "--json", stdin=stdin, status=status).answer


@pytest.fixture
def console(installed: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Console:
    for name in [name for name in os.environ if name.startswith("AISERVICE_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AISERVICE_DATA_DIR", str(installed.data_dir))
    if installed.database_url is not None:
        monkeypatch.setenv("AISERVICE_DATABASE_URL", installed.database_url)
        monkeypatch.setenv("AISERVICE_MASTER_KEY_FILE", str(installed.master_key_file))
    return Console(installed)


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation without the wait for running servers: there are none."""
    defaults = Vault.rotate.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "grace_seconds", 0.0)


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[MockProcess]:
    with MockProcess(tmp_path, keys=(PROVIDER_KEY,)) as mock:
        yield mock
