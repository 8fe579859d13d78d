"""Puts a copied PostgreSQL database back, and takes out of any restored one what must not come back to life."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

from sqlalchemy import delete, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from aiservice.store import vault
from aiservice.store.migrations import HEAD, MIGRATION_LOCK, upgrade
from aiservice.store.session import AsyncSession, open_engine
from aiservice.store.snapshot import REVISIONS, Table, driver_of, errors_as_ours, tables_of
from aiservice.tables import ClientKey, Lease, MasterKeyVersion, OneTimeLink, PortalSession, Worker

# What our migrations make besides tables; the signature is quoted by PostgreSQL where it needs to be.
_FUNCTIONS = text(
    "SELECT oid::regprocedure::text FROM pg_proc "
    "WHERE pronamespace = current_schema()::regnamespace AND proname LIKE 'aiservice\\_%'"
)

Rows = Callable[[str], AsyncIterator[bytes]]
Check = Callable[[list[MasterKeyVersion]], Awaitable[None]]


class NotEmpty(Exception):
    """There is something in the database already."""


async def restore_postgres(
    url: str,
    revision: str,
    tables: Iterable[Table],
    *,
    sequences: Mapping[str, int],
    rows: Rows,
    check: Check,
    is_forced: bool,
) -> None:
    """Puts `tables`, whose rows `rows` gives (binary COPY), in the place of what the database holds: all of it in one
    transaction, so that a failure, or a kill, leaves what was there. `check` may refuse what is about to be.

    Raises:
        NotEmpty: it holds something, and it is not `is_forced`.
        DATABASE_ERRORS: the database did not do it.
    """
    engine = open_engine(url, is_writer=True, is_pooled=False, statement_seconds=None)
    try:
        async with engine.begin() as connection:
            # Servers that start meanwhile wait here.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            if not is_forced and await _holds_anything(connection):
                raise NotEmpty
            await _drop_all(connection)
            await connection.run_sync(upgrade, revision)
            driver = await driver_of(connection)
            for table in tables:
                columns = list(table.columns)
                with errors_as_ours():
                    await driver.copy_to_table(table.name, columns=columns, format="binary", source=rows(table.name))
            for name, value in sequences.items():
                table_name, _, column = name.partition(".")
                place = {"table": table_name, "column": column, "value": value}
                await connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :value)"), place)
            if revision != HEAD:
                await connection.run_sync(upgrade, "head")
            async with AsyncSession(connection) as session:
                await check(await vault.versions(session))
                await lay_to_rest(session)
                await session.flush()
    finally:
        await engine.dispose()


async def lay_to_rest(session: AsyncSession) -> None:
    """Ends what belonged to the moment of the copy: its processes, sign-ins, one-time links and tokens.

    A link that was used since, or a session that was ended, would else be good again.
    """
    for table in (Worker, Lease, PortalSession, OneTimeLink):
        await session.execute(delete(table))
    await session.execute(update(ClientKey).values(token_version=col(ClientKey.token_version) + 1))


async def _holds_anything(connection: AsyncConnection) -> bool:
    tables = [table.name for table in await connection.run_sync(tables_of) if table.name != REVISIONS]
    for name in tables:  # names of our own tables
        if (await connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1'))).first() is not None:  # noqa: S608
            return True
    return False


async def _drop_all(connection: AsyncConnection) -> None:
    for table in reversed(await connection.run_sync(tables_of)):
        await connection.execute(text(f'DROP TABLE "{table.name}" CASCADE'))
    for function in (await connection.execute(_FUNCTIONS)).scalars():
        await connection.execute(text(f"DROP FUNCTION {function} CASCADE"))
