"""Fixtures of the services' tests."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.settings import Settings
from aiservice.store.migrations import migrate
from aiservice.store.session import Database
from aiservice.tables import Client, ClientKey, User
from tests.harness.databases import NotInstalled, PostgresServer, find_postgres
from tests.services.key_rig import Rig, populate, start


@pytest.fixture
async def rig(database: Database, settings: Settings) -> Rig:
    """Keys over a database with two clients."""
    await populate(database)
    return await start(database, settings)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Any:
    try:
        find_postgres()
    except NotInstalled as missing:
        pytest.skip(str(missing))
    with PostgresServer(tmp_path_factory.mktemp("pg")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
async def db(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Database]:
    """A migrated database of either kind with two clients, one of them the developer's."""
    url = settings.effective_database_url
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").url
        await _empty(url)
    await migrate(url, settings.data_dir)
    database = Database(url)
    async with database.write() as session:
        session.add(User(id="usr_d", email="d@example.org", password_hash="", role="developer", created_us=1))
        await session.flush()
        session.add(Client(id="cli_own", name="own", owner_id="usr_d", created_us=1))
        session.add(Client(id="cli_1", name="acme", owner_id=None, created_us=1))
        await session.flush()
        session.add(ClientKey(id="key_1", client_id="cli_1", name="prod", created_us=1))
    yield database
    await database.close()


async def _empty(url: str) -> None:
    database = Database(url)
    async with database.write() as session:
        await session.execute(text("DROP SCHEMA public CASCADE"))
        await session.execute(text("CREATE SCHEMA public"))
    await database.close()
