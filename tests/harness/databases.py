"""PostgreSQL and Redis for one test run: Debian's binaries, an empty folder, a free port, the loopback only."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import asyncpg

from tests.harness.process import Child, DidNotStart, free_port

_T = TypeVar("_T")
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
    """A cluster of its own, logging to `folder`. PostgreSQL refuses to run as root: root hands it to user `postgres`.

    The cluster is not in `folder`: whenever a pytest begins, it closes its temporary folders to all other users. Not
    `is_durable` leaves out every sync: faster, and nothing may be learned of crashes from it.
    """

    def __init__(self, folder: Path, *, is_durable: bool = True, options: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self._programs = find_postgres()
        self._home = Path(tempfile.mkdtemp(prefix="aiservice-postgres-"))
        self._cluster = self._home / "cluster"
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        durability = "on" if is_durable else "off"
        chosen = {"fsync": durability, "synchronous_commit": durability, "full_page_writes": durability}
        chosen |= {"max_connections": "200", **(options or {})}
        command = [*self._as_user, str(self._programs / "postgres"), "-D", str(self._cluster)]
        command += ["-k", "", "-h", "127.0.0.1", "-p", str(self.port)]
        command += [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        super().__init__(command, log=folder / "postgres.log", cwd=Path("/"))

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """The product's URL of the database `name`."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{name}"

    def start(self, *, seconds: float = 30.0) -> None:
        """Starts it and waits until it answers. After a kill -9 of the postmaster a new one is refused until the
        orphans have left, so it is tried until then."""
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        end = time.monotonic() + seconds
        while True:
            super().start()
            try:
                self.wait_ready(lambda: _answers(self.url), seconds=seconds)
            except DidNotStart:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def stop(self, mode: Literal["fast", "immediate"] = "immediate") -> None:
        """`pg_ctl stop`; "immediate" is a crash of the server's own making."""
        command = [str(self._programs / "pg_ctl"), "stop", "-w", "-m", mode, "-D", str(self._cluster)]
        subprocess.run([*self._as_user, *command], check=True, capture_output=True, cwd="/", timeout=60)
        self.wait(10)

    def kill_postmaster(self) -> None:
        """`kill -9` of the postmaster alone: its backends find out by themselves."""
        postmaster = int((self._cluster / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        self.wait(10)

    def check(self) -> None:
        """Every index against its table, by PostgreSQL's own pg_amcheck.

        Raises:
            subprocess.CalledProcessError: something is damaged.
        """
        command = [str(self._programs / "pg_amcheck"), "--install-missing", "--heapallindexed", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", "postgres", "postgres"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        shutil.rmtree(self._home)

    def _make_cluster(self) -> None:
        self._cluster.mkdir(parents=True)
        if self._as_user:
            for folder in (self._home, self._cluster):
                shutil.chown(folder, "postgres", "postgres")
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


class FreshDatabase:
    """One database, given out empty again and again: a copy of a template costs a checkpoint, emptying it nothing."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._name = f"{template}_copy"
        self._schema = ""

    def give(self) -> str:
        """The product's URL of it: nobody is connected, its tables are empty, its schema is the template's."""
        url = self._server.url_of(self._name)
        if not self._schema or _aside(lambda: _emptied(url)) != self._schema:
            execute(self._server.url, f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)")
            execute(self._server.url, f"CREATE DATABASE {self._name} TEMPLATE {self._template}")
            self._schema = _aside(lambda: _emptied(url))
        return url


_EMPTY = """
DO $$ DECLARE each record; is_used boolean; BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);  -- what is never deleted is deleted here
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
        AND pid <> pg_backend_pid();
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', each.tablename) INTO is_used;
        IF is_used THEN EXECUTE format('TRUNCATE %I CASCADE', each.tablename); END IF;
    END LOOP;
    PERFORM setval(format('%I', sequencename)::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
_SCHEMA = """
SELECT (SELECT md5(string_agg(concat_ws(' ', relname, attname, atttypid, attnotnull), ',' ORDER BY relname,
        attnum)) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace)
    || (SELECT string_agg(version_num, ',') FROM alembic_version)
"""


async def _emptied(url: str) -> str:
    """Empties the database; gives what tells its schema from any other."""
    connection = await asyncpg.connect(_plain(url))
    try:
        await connection.execute(_EMPTY)
        return str(await connection.fetchval(_SCHEMA))
    finally:
        await connection.close()


def execute(url: str, *statements: str) -> None:
    """Runs statements, each in a transaction of its own, on a connection of their own."""

    async def run() -> None:
        connection = await asyncpg.connect(_plain(url))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    _aside(run)


def fetch(url: str, query: str, *values: object) -> list[dict[str, Any]]:
    """Rows of a query on a connection of its own; every `?` in it is a value."""
    for number in range(1, len(values) + 1):
        query = query.replace("?", f"${number}", 1)

    async def run() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(_plain(url))
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    return _aside(run)


def _aside(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Runs `work` on a loop in a thread of its own: the caller may have one already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def _plain(url: str) -> str:
    """The URL as PostgreSQL's own programs and asyncpg want it."""
    return url.replace("postgresql+asyncpg://", "postgresql://")


def _answers(url: str) -> bool:
    try:
        execute(url, "SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    return True


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
