"""PostgreSQL and Redis for one test run: Debian's binaries, an empty folder, a free port, the loopback only."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.harness.process import Child, free_port

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class NotInstalled(Exception):
    """A server that a suite needs is not on this machine; the message names Debian's package."""


def find_postgres() -> Path:
    """The folder of PostgreSQL's programs, newest version first.

    Raises:
        NotInstalled: there is none.
    """
    for folder in _DEBIAN:
        if (folder / "initdb").exists():
            return folder
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise NotInstalled("PostgreSQL (apt-get install postgresql)")


def find_redis() -> str:
    """The path of redis-server.

    Raises:
        NotInstalled: there is none.
    """
    if found := shutil.which("redis-server"):
        return found
    raise NotInstalled("Redis (apt-get install redis-server)")


class PostgresServer(Child):
    """A cluster in `folder`. PostgreSQL refuses to run as root, so root hands it to the user `postgres`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._programs = find_postgres()
        self._cluster = folder / "postgres"
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        options = ["-k", "", "-h", "127.0.0.1", "-p", str(self.port), "-c", "fsync=on"]
        command = [*self._as_user, str(self._programs / "postgres"), "-D", str(self._cluster), *options]
        super().__init__(command, log=folder / "postgres.log", cwd=Path("/"))

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        # After a kill -9 a new postmaster may be refused until orphan backends are gone: tried again by the caller.
        super().start()
        self.wait_ready(lambda: _accepts(self.port), seconds=30)

    def _make_cluster(self) -> None:
        self._cluster.mkdir(parents=True)
        if self._as_user:
            for folder in (self._cluster, *self._cluster.parents):
                # The way to the cluster must be open to its user; temporary folders of a test are 0700.
                with suppress(PermissionError):
                    if folder.stat().st_uid == 0 and str(folder) not in {"/", "/tmp"}:
                        folder.chmod(folder.stat().st_mode | 0o011)
            shutil.chown(self._cluster, "postgres", "postgres")
        initdb = [str(self._programs / "initdb"), "-D", str(self._cluster), "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run([*self._as_user, *initdb], check=True, capture_output=True, cwd="/")


class RedisServer(Child):
    """An empty Redis without persistence."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([find_redis(), *options], log=folder / "redis.log", cwd=folder)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        super().start()
        self.wait_ready(lambda: _accepts(self.port), seconds=10)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
