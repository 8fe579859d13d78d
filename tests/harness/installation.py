"""A data directory and the command line over it: sets up people, clients, keys and providers as an operator would."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.harness.databases import fetch
from tests.harness.process import ROOT, Child, free_port
from tests.harness.server import How, ServerProcess

_TIMEOUT_SECONDS = 60
Json = dict[str, Any]


class CommandRefused(Exception):
    """A command of the product's command line did not exit 0; carries its status and what it said."""

    def __init__(self, status: int, output: str) -> None:
        super().__init__(f"exit {status}: {output}")
        self.status = status
        self.output = output


class Installation:
    """One installation in an empty folder. `extra` are settings beside the data directory.

    Its servers log at DEBUG, and it remembers every secret that went through it (what a command read from standard
    input, what keys were printed), so that at the end of a run the traces of all of them are searched (T-24).
    """

    all_made: ClassVar[list["Installation"]] = []

    def __init__(self, folder: Path, extra: Mapping[str, str] | None = None, *, code: Path = ROOT) -> None:
        self.folder = folder
        self.code = code
        self.data_dir = folder / "data"
        self.extra = dict(extra or {})
        self.secrets: set[str] = set()
        self._starts = 0
        self._console: subprocess.Popen[str] | None = None
        self.all_made.append(self)

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process: the tester's, without settings or keys of the tester's own."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AISERVICE_") and not name.endswith("_API_KEY")
        }
        return {**kept, "AISERVICE_DATA_DIR": str(self.data_dir), "AISERVICE_LOG_LEVEL": "DEBUG", **self.extra}

    @property
    def database_path(self) -> Path:
        return self.data_dir / "aiservice.sqlite"

    def command(self, *arguments: str, stdin: str = "") -> Any:
        """Runs `python -m aiservice … --json` and gives what it printed, parsed.

        Raises:
            CommandRefused: it did not exit 0.
        """
        if stdin.strip():
            self.secrets.add(stdin.strip())
        status, output, errors = (self._asked if self._console else self._run)([*arguments, "--json"], stdin)
        if status != 0:
            raise CommandRefused(status, output + errors)
        answer = json.loads(output) if output.strip() else None
        if isinstance(answer, dict) and isinstance(answer.get("key"), str):
            self.secrets.add(answer["key"])
        return answer

    def _run(self, arguments: list[str], stdin: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "aiservice", *arguments]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env,
            cwd=self.code,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    @contextmanager
    def one_console(self) -> Iterator[None]:
        """Meanwhile all commands run in one process (`tests/harness/console.py`), which is quicker for many."""
        command = [sys.executable, "-m", "tests.harness.console"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=self.env, cwd=self.code) as console:
            self._console = console
            try:
                yield
            finally:
                self._console = None
                console.communicate()

    def _asked(self, arguments: list[str], stdin: str) -> tuple[int, str, str]:
        console = self._console
        assert console is not None and console.stdin is not None and console.stdout is not None
        console.stdin.write(json.dumps([arguments, stdin]) + "\n")
        console.stdin.flush()
        status, output, errors = json.loads(console.stdout.readline())
        return int(status), str(output), str(errors)

    def add_admin(self, email: str = "admin@example.test", password: str | None = None) -> str:
        """Creates an admin; gives the password."""
        password = password or secrets.token_urlsafe(16)
        self.command("admin", "create", "--email", email, stdin=password + "\n")
        return password

    def add_key(self, client: str = "test-client", *options: str, is_new_client: bool = True) -> Json:
        """A client with one key; the answer of `key create`, whose `key` is the secret."""
        if is_new_client:
            self.command("client", "create", "--name", client)
        created: Json = self.command("key", "create", "--client", client, *options)
        return created

    def add_mock(
        self, base_url: str, *more: str, name: str = "mock", key: str = "sk-of-the-provider", models: str = ""
    ) -> Json:
        """A connection to an OpenAI-compatible server on the loopback; `more` are further options."""
        options = (*more, "--models", models) if models else more
        added: Json = self.command(
            *("provider", "add", "openai-compatible", "--name", name, "--base-url", base_url, "--allow-private"),
            *options,
            stdin=key + "\n",
        )
        return added

    def server(self, how: How = "serve", *, port: int | None = None, core: int | None = None) -> ServerProcess:
        """A server over this data directory; each start logs to a file of its own."""
        self._starts += 1
        log = self.folder / f"server-{self._starts}.log"
        return ServerProcess(port=port or free_port(), env=self.env, log=log, how=how, core=core, code=self.code)

    def child(self, *command: str | Path, log: str = "child.log") -> Child:
        return Child(command, log=self.folder / log, env=self.env)

    def query(self, sql: str, *values: object) -> list[Json]:
        """Rows of the database, read by a connection of our own beside the server's."""
        if (url := self.extra.get("AISERVICE_DATABASE_URL")) is not None:
            return fetch(url, sql, *values)
        with closing(sqlite3.connect(f"file:{self.database_path}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]

    def ledger(self) -> dict[str, Json]:
        """Ledger rows by request id (unique in the schema, so a second row could not hide here)."""
        return {row["request_id"]: row for row in self.query("SELECT * FROM ledger_entry ORDER BY id")}

    def files(self) -> Iterator[Path]:
        """Every file this installation has left: data, journals, logs, states."""
        yield from (path for path in self.folder.rglob("*") if path.is_file())

    def traces(self) -> Iterator[Path]:
        """The files of the product itself: its data folder, and what its processes printed."""
        yield from (path for path in self.data_dir.rglob("*") if path.is_file())
        yield from self.folder.glob("server-*.log")
