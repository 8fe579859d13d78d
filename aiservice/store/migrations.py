"""Brings the database to this code's schema, once, whoever starts first; the others wait."""

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from aiservice.store.session import open_engine

HEAD = "0044"
"""The newest revision in `alembic/versions`; a test compares."""
_SCRIPTS = Path(__file__).resolve().parents[2] / "alembic"
MIGRATION_LOCK = 0x6169_7365  # any constant that nothing else in the database uses


class NewerDatabase(Exception):
    """The database was migrated by a newer release; this one must not touch it."""


def known_revisions() -> set[str]:
    """Every revision that this release knows."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see upgrade

    return {script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions()}


async def migrate(url: str, data_dir: Path) -> tuple[str | None, str]:
    """Upgrades to the head under a lock and returns (revision before, revision after).

    A run that is killed midway leaves the last whole revision; the next start goes on from there.

    Raises:
        NewerDatabase: the database knows a revision that this code does not.
    """
    engine = open_engine(url, is_writer=True, statement_seconds=None)
    try:
        async with _exclusively(engine, data_dir) as before:
            if before == HEAD:
                return before, HEAD
            if before is not None and before not in known_revisions():
                raise NewerDatabase(
                    f"The database is at revision {before}, which this release does not know. "
                    "Start the release that made it, or restore a backup from before the upgrade."
                )
            async with engine.begin() as connection:
                await connection.run_sync(upgrade)
            return before, HEAD
    finally:
        await engine.dispose()


async def current_revision(engine: AsyncEngine) -> str | None:
    """The revision the database is at; None when it is empty."""
    async with engine.connect() as connection:
        if not await connection.run_sync(lambda c: inspect(c).has_table("alembic_version")):
            return None
        revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


@asynccontextmanager
async def _exclusively(engine: AsyncEngine, data_dir: Path) -> AsyncIterator[str | None]:
    if engine.dialect.name == "postgresql":
        async with engine.connect() as holder:
            await holder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": MIGRATION_LOCK})
            try:
                yield await current_revision(engine)
            finally:
                await holder.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": MIGRATION_LOCK})
        return
    lock = await asyncio.to_thread(lock_out_starts, data_dir)
    try:
        yield await current_revision(engine)
    finally:
        lock.close()


def lock_out_starts(data_dir: Path) -> IO[str]:
    """On SQLite: until the file that this gives is closed, whoever starts on this folder waits. Blocks."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (data_dir / "migrate.lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Takes the database behind `connection` to `revision`, in the caller's transaction."""
    # Loaded where it is needed: alembic costs 11 MB and 0.3 s, and nearly every start finds nothing to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
