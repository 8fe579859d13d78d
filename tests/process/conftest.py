"""The rig: a mock provider, an installation connected to it, and a running server."""

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.databases import PostgresServer, RedisServer
from tests.process.hooks import Hook

PROVIDER_KEY = "sk-provider-key-of-the-rig"


@dataclass(slots=True)
class Rig:
    """Everything a process test needs; `key` is a client key that may use the mock."""

    installation: Installation
    mock: MockProcess
    server: ServerProcess
    key: str
    key_id: str
    postgres: PostgresServer | None = None


@dataclass(slots=True, frozen=True)
class Base:
    """What a rig stands on: `@pytest.mark.parametrize("rig", [Base(…)], indirect=True)`. More than one worker brings
    a Redis with it."""

    is_postgres: bool = False
    workers: int = 1


ON_SQLITE = pytest.param(Base(), id="sqlite")
ON_SQLITE_2 = pytest.param(Base(workers=2), id="sqlite-2-workers", marks=pytest.mark.redis)
ON_POSTGRES = pytest.param(Base(is_postgres=True), id="postgres", marks=pytest.mark.postgres)
ON_POSTGRES_2 = pytest.param(
    Base(is_postgres=True, workers=2), id="postgres-2-workers", marks=[pytest.mark.postgres, pytest.mark.redis]
)


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A ready server (`serve`) with one client, one key and the mock as its only provider beside the sandbox."""
    base = getattr(request, "param", Base())
    with ExitStack() as stack:
        mock = stack.enter_context(MockProcess(tmp_path, keys=(PROVIDER_KEY,)))
        postgres = stack.enter_context(PostgresServer(tmp_path)) if base.is_postgres else None
        redis = stack.enter_context(RedisServer(tmp_path)) if base.workers > 1 else None
        settings = base_settings(base, tmp_path, postgres, redis)
        # The mock is told to say 429: what is asked of it next comes when it said so.
        installation = Installation(tmp_path, {**settings, "AISERVICE_QUOTA_WAIT": "30"})
        created = installation.add_key()
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
        server = stack.enter_context(installation.server())
        yield Rig(installation, mock, server, created["key"], created["id"], postgres)


def base_settings(
    base: Base, folder: Path, postgres: PostgresServer | None, redis: RedisServer | None
) -> dict[str, str]:
    extra: dict[str, str] = {}
    if postgres is not None:
        key = folder / "configured-master.key"
        key.write_text(base64.b64encode(os.urandom(32)).decode())
        key.chmod(0o600)
        extra |= {"AISERVICE_DATABASE_URL": postgres.url, "AISERVICE_MASTER_KEY_FILE": str(key)}
    if redis is not None:
        extra |= {"AISERVICE_REDIS_URL": redis.url, "GRANIAN_WORKERS": str(base.workers)}
    return extra


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A receiver of webhooks, which holds its first message until it `is_released`."""
    server = Hook()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.is_released.set()
    server.shutdown()
    server.server_close()
