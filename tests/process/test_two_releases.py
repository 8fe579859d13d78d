"""R-28: the release before the newest migration and this one serve one database side by side without an error."""

import asyncio
import subprocess
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Self

import httpx
import pytest

from aiservice.store.migrations import HEAD
from tests.harness import Child, free_port
from tests.harness.databases import PostgresServer, RedisServer
from tests.harness.evidence import Evidence
from tests.harness.installation import CommandRefused, Installation
from tests.harness.load import Load, Told
from tests.harness.mock import MockProcess, is_answering
from tests.harness.process import ROOT
from tests.process.checker import compare
from tests.process.conftest import PROVIDER_KEY, Base, base_settings

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]


_REVISION = "SELECT version_num FROM alembic_version"


class Server(Child):
    """One worker of a release, without its portal's pages: those are built by neither."""

    def __init__(self, installation: Installation) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)]
        super().__init__(
            [*command, "aiservice.aiservice:app"],
            log=installation.folder / "server.log",
            env={**installation.env, "__REFLEX_SKIP_COMPILE": "true", "AISERVICE_LOG_LEVEL": "INFO"},
            cwd=installation.code,
        )

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        super().start()
        self.wait_ready(lambda: is_answering(f"{self.url}/readyz"), seconds=60)


@pytest.mark.long
async def test_r28_two_releases_serve_side_by_side(tmp_path: Path, evidence: Evidence) -> None:
    await _side_by_side(tmp_path, evidence, seconds=10.0)


@pytest.mark.long
async def test_r28_two_releases_serve_side_by_side_for_two_minutes(tmp_path: Path, evidence: Evidence) -> None:
    await _side_by_side(tmp_path, evidence, seconds=120.0)


async def _side_by_side(folder: Path, evidence: Evidence, *, seconds: float) -> None:
    commit = _commit_before_the_newest_migration()
    with (
        PostgresServer(folder) as postgres,
        RedisServer(folder) as redis,
        MockProcess(folder, keys=(PROVIDER_KEY,)) as mock,
    ):
        settings = base_settings(Base(is_postgres=True), folder, postgres, redis)
        older = Installation(_made(folder / "a"), settings, code=_unpack(commit, folder / "older"))
        newer = Installation(_made(folder / "b"), settings)
        key = older.add_key()["key"]
        older.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small")
        before = newer.query(_REVISION)[0]["version_num"]
        with Server(older) as old:
            told = await _roll_over(older, newer, old, key, seconds)
        rows = newer.query(_REVISION)
        evidence.note(seconds=seconds, older=commit, before=before, after=rows[0]["version_num"], asked=len(told))
        assert before != HEAD
        assert rows == [{"version_num": HEAD}]
        _check(newer, mock, told)
        with pytest.raises(CommandRefused) as refused:
            older.command("client", "list")
        assert refused.value.status == 1
        assert HEAD in refused.value.output


async def _roll_over(older: Installation, newer: Installation, old: Server, key: str, seconds: float) -> list[Told]:
    """Load on the older server; then the newer one migrates and joins; then both, while keys come and go."""
    await asyncio.to_thread(old.start)
    loads = [Load(old.url, key, connections=8, seed=1)]
    running = [asyncio.create_task(loads[0].run())]
    await asyncio.sleep(2.0)
    with Server(newer) as new:
        await asyncio.to_thread(new.start)
        loads.append(Load(new.url, key, connections=8, seed=2))
        running.append(asyncio.create_task(loads[1].run()))
        await asyncio.to_thread(_edit, newer, seconds, [old.url, new.url])
        for load in loads:
            load.stop()
        told = [one for part in await asyncio.gather(*running) for one in part]
        await asyncio.to_thread(old.terminate)
        await asyncio.to_thread(new.terminate)
        assert [line for server in (old, new) for line in _faults(server.log_text())] == []
    return told


def _edit(installation: Installation, seconds: float, urls: list[str]) -> None:
    """Makes and revokes keys until the time is over: each is taken and then refused by both servers."""
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        number += 1
        made = installation.add_key("test-client", "--name", f"key-{number}", is_new_client=False)
        assert [_status(url, made["key"]) for url in urls] == [200, 200]
        installation.command("key", "revoke", made["id"])
        time.sleep(1.0)
        assert [_status(url, made["key"]) for url in urls] == [401, 401]


def _check(installation: Installation, mock: MockProcess, told: list[Told]) -> None:
    assert {one.status for one in told} == {200}
    assert all(one.is_complete for one in told)
    verdict = compare(installation, mock.chats(), told)
    assert verdict.is_kept, verdict


def _faults(log: str) -> list[str]:
    return [line for line in log.splitlines() if " ERROR " in line or line.startswith("Traceback")]


def _status(url: str, key: str) -> int:
    answer = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"}, timeout=10, trust_env=False)
    return answer.status_code


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _commit_before_the_newest_migration() -> str:
    """The last commit whose release did not know HEAD, and whose own migrations have one head."""
    for commit in _git("log", "--format=%H", "--", "alembic/versions").split():
        names = [Path(line).name for line in _git("ls-tree", "--name-only", f"{commit}^", "alembic/versions/").split()]
        numbers = [name.partition("_")[0] for name in names]
        if numbers and HEAD not in numbers and len(set(numbers)) == len(numbers):
            return _git("rev-parse", f"{commit}^").strip()
    pytest.skip("not run: there is no git history with the release before the newest migration")


def _git(*arguments: str) -> str:
    """What git says of the project; nothing where there is no history."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


def _unpack(commit: str, folder: Path) -> Path:
    """The tree of `commit`."""
    done = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
