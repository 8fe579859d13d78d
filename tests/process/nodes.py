"""Two servers of two workers each on one PostgreSQL and one Redis: what the tests of several nodes share."""

import asyncio
import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.databases import PostgresServer, RedisServer
from tests.process.conftest import PROVIDER_KEY


@dataclass(slots=True)
class Nodes:
    """`installations[i]` is the data folder and command line of `servers[i]`; all share the databases and the mock."""

    postgres: PostgresServer
    redis: RedisServer
    mock: MockProcess
    installations: list[Installation]
    servers: list[ServerProcess]

    @property
    def operator(self) -> Installation:
        return self.installations[0]


@contextmanager
def nodes(
    folder: Path, *, servers: int = 2, workers: int = 2, extra: Mapping[str, str] | None = None
) -> Iterator[Nodes]:
    """Ready servers, and the mock as a provider beside the sandbox."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer(folder))
        redis = stack.enter_context(RedisServer(folder))
        mock = stack.enter_context(MockProcess(folder, keys=(PROVIDER_KEY,)))
        env = {
            "AISERVICE_DATABASE_URL": postgres.url,
            "AISERVICE_REDIS_URL": redis.url,
            "AISERVICE_MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
            "GRANIAN_WORKERS": str(workers),
            **(extra or {}),
        }
        installations = []
        for number in range(servers):
            place = folder / f"node-{number}"
            place.mkdir()
            installations.append(Installation(place, env))
        installations[0].command("client", "create", "--name", "test-client")
        installations[0].add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
        running = [stack.enter_context(one.server()) for one in installations]
        yield Nodes(postgres, redis, mock, installations, running)


def query(postgres: PostgresServer, sql: str, *values: object) -> list[dict[str, Any]]:
    """Rows of the database, read beside the servers."""

    async def read() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(postgres.url.replace("+asyncpg", ""))
        try:
            return [dict(row) for row in await connection.fetch(sql, *values)]
        finally:
            await connection.close()

    return asyncio.run(read())


def workers_of(server: ServerProcess) -> list[int]:
    """The pids of a server's workers."""
    return [pid for pid in server.tree() if pid != server.pid]


async def statuses(servers: list[ServerProcess], key: str, tries: int = 8) -> set[int]:
    """What `GET /v1/models` answers to a key on every server, over connections enough to reach every worker."""
    found = set()
    headers = {"authorization": f"Bearer {key}"}
    for server in servers:
        for _ in range(tries):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{server.url}/v1/models", headers=headers) as answer,
            ):
                found.add(answer.status)
    return found
