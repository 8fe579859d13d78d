"""Runs migrations on the connection that `aiservice.store.migrations` hands over, or on the configured one."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from aiservice.settings import load_settings
from aiservice.tables import metadata
from aiservice.tables._base import describe_for_postgresql


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        describe_for_postgresql()
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _run_alone() -> None:
    settings = load_settings()
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_async_engine(settings.effective_database_url)
    async with engine.begin() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    asyncio.run(_run_alone())
