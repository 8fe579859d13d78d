"""R-27, whatever tables there are: a row in every one of them comes back from a backup as it was."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, LargeBinary, Table, insert, select
from sqlalchemy.types import JSON

from aiservice.services.backups import back_up
from aiservice.services.restoration import restore
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import AsyncSession, Database
from aiservice.tables import Lease, OneTimeLink, PortalSession, Worker, metadata

# What belonged to the moment of the copy, and is laid to rest (`store/restoration.py`).
LAID_TO_REST = {str(table.__tablename__) for table in (Worker, Lease, PortalSession, OneTimeLink)}
# What the restore itself adds to: it says so in the audit log, and marks old tokens.
GROWN = {"audit_entry", "audit_head"}
# What has a form of its own, which is read.
WRITTEN: dict[str, Any] = {
    "ledger_entry.budgets": None,
    "ledger_entry.attempts": [{"provider": "one"}, {"provider": "two"}],  # which an index counts
}

Rows = list[dict[str, Any]]


async def test_r27_a_row_in_every_table_comes_back_as_it_was(installed: Settings, tmp_path: Path) -> None:
    db = Database(installed.effective_database_url)
    await Vault(db, installed).open()
    async with db.write() as session:
        for table in metadata.sorted_tables:
            await _fill(session, table)
    before = await _contents(db)
    assert {name for name, rows in before.items() if not rows} == set(), "every table has a row"
    made = await back_up(installed, tmp_path / "a.backup")
    await db.close()
    after = await _restored(installed, made.path, tmp_path)
    for name, rows in before.items():
        if name in LAID_TO_REST:
            assert after[name] == [], name
        elif name in GROWN:
            assert len(after[name]) >= len(rows), name
        elif name == "client_key":
            assert after[name] == [{**row, "token_version": row["token_version"] + 1} for row in rows]
        else:
            assert after[name] == rows, name


async def _restored(settings: Settings, path: Path, folder: Path) -> dict[str, Rows]:
    """On SQLite in an empty folder, on PostgreSQL in the place of what is there."""
    there = settings
    if settings.is_sqlite:
        there = replace(settings, data_dir=folder / "elsewhere")
        there.data_dir.mkdir(mode=0o700)
        shutil.copy2(settings.data_dir / "master.key", there.data_dir)
    await restore(there, path, is_forced=not settings.is_sqlite)
    db = Database(there.effective_database_url)
    try:
        return await _contents(db)
    finally:
        await db.close()


async def _fill(session: AsyncSession, table: Table) -> None:
    if (await session.execute(select(table).limit(1))).first() is not None:
        return
    values: dict[str, Any] = {}
    for column in table.columns:
        key: ForeignKey | None = next(iter(column.foreign_keys), None)
        if key is not None:
            values[column.name] = (await session.execute(select(key.column).limit(1))).scalar_one()
        else:
            values[column.name] = WRITTEN.get(str(column), _value(column))
    await session.execute(insert(table).values(values))


def _value(column: "Column[Any]") -> object:
    """Something of the column's type, as short as its shortest."""
    if isinstance(column.type, Boolean):
        return True
    if isinstance(column.type, Integer):
        return 1
    if isinstance(column.type, Float):
        return 1.5
    if isinstance(column.type, LargeBinary):
        return b"\x00\xff"
    if isinstance(column.type, JSON):
        return {"ä": [1, None]}
    return f"ä{column.name}"[: getattr(column.type, "length", None) or 40]


async def _contents(db: Database) -> dict[str, Rows]:
    async with db.read() as session:
        return {
            name: sorted((dict(row._mapping) for row in await session.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }
