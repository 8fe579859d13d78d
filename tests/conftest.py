"""Fixtures that many suites share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiservice.settings import Settings
from aiservice.store.migrations import migrate
from aiservice.store.session import Database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a fresh installation in an empty folder."""
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A migrated, empty database."""
    await migrate(settings.effective_database_url, settings.data_dir)
    database = Database(settings.effective_database_url)
    yield database
    await database.close()
