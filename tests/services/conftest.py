"""Fixtures of the services' tests."""

import pytest

from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.key_rig import Rig, populate, start


@pytest.fixture
async def rig(database: Database, settings: Settings) -> Rig:
    """Keys over a database with two clients."""
    await populate(database)
    return await start(database, settings)
