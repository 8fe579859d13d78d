"""The schema: one head, equal to the tables, refused when newer."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from aiservice.settings import Settings
from aiservice.store.migrations import HEAD, NewerDatabase, migrate
from aiservice.store.session import Database
from aiservice.tables import metadata


def test_there_is_one_migration_head() -> None:
    assert ScriptDirectory(str(Path(__file__).parents[2] / "alembic")).get_heads() == [HEAD]


async def test_migrated_schema_equals_the_tables(database: Database) -> None:
    async with database.engine.connect() as connection:
        difference = await connection.run_sync(lambda c: compare_metadata(MigrationContext.configure(c), metadata))
    assert difference == []


async def test_migrating_twice_changes_nothing(settings: Settings, database: Database) -> None:
    assert await migrate(settings.effective_database_url, settings.data_dir) == (HEAD, HEAD)


async def test_a_newer_database_is_refused(settings: Settings, database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(NewerDatabase, match="from_the_future"):
        await migrate(settings.effective_database_url, settings.data_dir)
