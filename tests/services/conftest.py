"""Fixtures of the services' tests."""

import pytest

from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import Client, ClientKey, User
from tests.services.key_rig import Rig, populate, start


@pytest.fixture
async def rig(database: Database, settings: Settings) -> Rig:
    """Keys over a database with two clients."""
    await populate(database)
    return await start(database, settings)


@pytest.fixture
async def db(database: Database) -> Database:
    """A migrated database with two clients, one of them the developer's."""
    async with database.write() as session:
        session.add(User(id="usr_d", email="d@example.org", password_hash="", role="developer", created_us=1))
        await session.flush()
        session.add(Client(id="cli_own", name="own", owner_id="usr_d", created_us=1))
        session.add(Client(id="cli_1", name="acme", owner_id=None, created_us=1))
        await session.flush()
        session.add(ClientKey(id="key_1", client_id="cli_1", name="prod", created_us=1))
    return database
