"""A backup restores to what was, with every promise of the ledger kept; all else is refused and changes nothing."""

import dataclasses
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from aiservice.kit.archive import ArchiveReader
from aiservice.principal import OPERATOR
from aiservice.services.audit import Audit
from aiservice.services.audit_entry import record
from aiservice.services.backups import TABLES, Backup, NothingToBackUp, back_up
from aiservice.services.invariants import breaches
from aiservice.services.master_key import generate
from aiservice.services.restoration import CannotRestore, restore
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from aiservice.tables import Worker, metadata
from tests.services.ledgers import crash, new_ledger, rows, settle


@pytest.fixture
async def filled(installed: Settings) -> Settings:
    """An installation with a sealed secret, flushed requests, one only in the journal, and one under way."""
    db = Database(installed.effective_database_url)
    await Vault(db, installed).open()
    ledger = new_ledger(db, installed)
    await ledger.open()
    for number in range(20):
        settle(ledger, f"req_{number}", cost_nano_usd=number * 1000)
    await ledger.flush()
    assert ledger._flusher is not None
    ledger._flusher.cancel()
    settle(ledger, "req_late")
    from tests.services.usage_rows import intent_of

    ledger.intend(intent_of("req_open"))
    crash(ledger)
    await db.close()
    return installed


@pytest.fixture
async def db(filled: Settings) -> AsyncIterator[Database]:
    """Its database, open."""
    database = Database(filled.effective_database_url)
    yield database
    await database.close()


async def _backup(settings: Settings, folder: Path) -> Backup:
    return await back_up(settings, folder / "a.backup")


async def _rows(settings: Settings) -> dict[str, dict[str, object]]:
    db = Database(settings.effective_database_url)
    try:
        return {str(row["request_id"]): row for row in await rows(db)}
    finally:
        await db.close()


def _elsewhere(settings: Settings, folder: Path, *, key: bool = True) -> Settings:
    """An empty SQLite installation, with the same master key or none."""
    place = folder / "elsewhere"
    place.mkdir(mode=0o700)
    if key:
        shutil.copy2(settings.data_dir / "master.key", place)
    return dataclasses.replace(settings, data_dir=place)


async def test_r27_a_restored_backup_holds_all_that_was_settled_and_every_promise(
    filled: Settings, tmp_path: Path
) -> None:
    made = await _backup(filled, tmp_path)
    restored = await restore(filled, made.path, is_forced=True)
    assert (restored.breaches, restored.journal_rows, restored.is_key_known) == ([], 22, True)
    found = await _rows(filled)
    assert len(found) == 22
    assert found["req_late"]["outcome"] == "finished"
    assert found["req_open"]["outcome"] == "interrupted"
    assert restored.kept is not None


@pytest.mark.sqlite_only("PostgreSQL's database is where it was")
async def test_r27_a_new_folder_with_the_same_key_is_the_same_installation(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    there = _elsewhere(filled, tmp_path)
    restored = await restore(there, made.path)
    assert (restored.breaches, restored.is_key_known, restored.kept) == ([], True, None)
    assert (await _rows(there)).keys() == {*(f"req_{number}" for number in range(20)), "req_late", "req_open"}
    db = Database(there.effective_database_url)
    vault = Vault(db, there)
    await vault.open()
    assert not vault.is_sealed
    await db.close()


async def test_t89_the_master_key_is_in_no_backup(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    file = filled.master_key_file or filled.data_dir / "master.key"
    written = file.read_bytes().strip()
    import base64

    key = base64.b64decode(written)
    with ArchiveReader(made.path) as archive:
        for name in archive.names:
            content = b"".join(archive.pieces(name))
            assert written not in content
            assert key not in content


@pytest.mark.sqlite_only("the key file is SQLite's")
async def test_t89_a_wrong_master_key_says_so_and_nothing_is_put_in_place(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    there = _elsewhere(filled, tmp_path, key=False)
    generate(there.data_dir / "master.key")
    with pytest.raises(CannotRestore, match="not the one this backup was sealed with"):
        await restore(there, made.path)
    assert not (there.data_dir / "aiservice.sqlite").exists()
    (there.data_dir / "master.key").unlink()
    assert (await restore(there, made.path)).is_key_known is False


async def test_a_cut_or_changed_backup_is_refused_and_what_is_there_stays(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    whole = made.path.read_bytes()
    before = await _rows(filled)
    flipped = bytes([whole[5000] ^ 1])
    for broken in (whole[:-1], whole[: len(whole) // 2], whole[:5000] + flipped + whole[5001:], b"", b"PK junk"):
        made.path.write_bytes(broken)
        with pytest.raises(CannotRestore, match="refused"):
            await restore(filled, made.path, is_forced=True)
    assert await _rows(filled) == before


async def test_what_is_there_is_replaced_only_by_force(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    with pytest.raises(CannotRestore, match="--force"):
        await restore(filled, made.path)


async def test_a_backup_never_replaces_a_file_and_an_empty_folder_has_none(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    with pytest.raises(FileExistsError):
        await back_up(filled, made.path)
    if filled.is_sqlite:
        with pytest.raises(NothingToBackUp):
            await back_up(Settings(data_dir=tmp_path / "none"), tmp_path / "b.backup")


async def test_a_backup_that_somebody_else_made_is_refused(filled: Settings, tmp_path: Path) -> None:
    from aiservice.kit.archive import ArchiveWriter

    made = await _backup(filled, tmp_path)
    forged = tmp_path / "forged.backup"
    with ArchiveReader(made.path) as archive, ArchiveWriter(forged) as writer:
        for name in archive.names:
            with writer.part(name) as write:
                for piece in archive.pieces(name):
                    write(piece)
        writer.finish({**archive.manifest, "made_us": 1}, lambda _manifest: "0" * 64)
    with pytest.raises(CannotRestore, match="seal"):
        await restore(filled, forged, is_forced=True)


@pytest.mark.sqlite_only("a file")
async def test_a_file_that_somebody_has_open_is_not_replaced(filled: Settings, db: Database, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    assert len(await rows(db)) == 20
    with pytest.raises(CannotRestore, match="Another process"):
        await restore(filled, made.path, is_forced=True)


@pytest.mark.sqlite_only("a file")
async def test_a_damaged_database_is_replaced_and_kept(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    (filled.data_dir / "aiservice.sqlite").write_bytes(b"no database at all" * 1000)
    restored = await restore(filled, made.path, is_forced=True)
    assert restored.breaches == []
    assert restored.kept is not None
    assert (restored.kept / "aiservice.sqlite").read_bytes().startswith(b"no database")


async def test_a_server_that_works_on_the_database_stands_in_the_way(
    filled: Settings, db: Database, tmp_path: Path
) -> None:
    made = await _backup(filled, tmp_path)
    from aiservice.kit.clock import now_us

    far = Worker(
        id="wrk_1", node_id="nod_1", host="far", place="elsewhere", pid=1, pid_ticks=1, is_sharing=True,
        started_us=now_us(), beat_us=now_us() + 60_000_000,
    )  # fmt: skip
    async with db.write() as session:
        session.add(far)
    with pytest.raises(CannotRestore, match="on far"):
        await restore(filled, made.path, is_forced=True)


@pytest.mark.parametrize(
    ("damage", "promise"),
    [
        ("UPDATE ledger_entry SET cost_nano_usd = cost_nano_usd + 1 WHERE request_id = 'req_3'", "Every minute"),
        ("DELETE FROM ledger_entry WHERE request_id = 'req_3'", "Every minute"),
        ("UPDATE ledger_entry SET ended_us = started_us - 1 WHERE request_id = 'req_3'", "No amount"),
        ("UPDATE usage_hour SET requests = requests + 1", "Every folded hour"),
        ("UPDATE usage_day SET output_tokens = output_tokens + 1", "Every folded day"),
    ],
)
async def test_the_checker_finds_what_does_not_hold(filled: Settings, db: Database, damage: str, promise: str) -> None:
    from aiservice.services.usage import Usage

    usage = Usage(db)
    while await usage.fold_some():
        pass
    assert await breaches(db, filled.journal_dir, open_after_us=10**18) == []
    async with db.write() as session:
        await session.execute(text(damage))
    assert any(str(breach).startswith(promise) for breach in await breaches(db, filled.journal_dir))


async def test_the_checker_finds_a_request_that_was_begun_and_never_settled(filled: Settings, db: Database) -> None:
    (breach,) = await breaches(db, filled.journal_dir, open_after_us=-(10**15))
    assert "req_open" in str(breach)


@pytest.mark.postgres_only("SQLite's copy is the whole file")
async def test_every_table_of_ours_is_in_the_archive(filled: Settings, tmp_path: Path) -> None:
    made = await _backup(filled, tmp_path)
    with ArchiveReader(made.path) as archive:
        assert {name for name, _ in archive.manifest["tables"]} == set(metadata.tables)
        assert {f"{TABLES}{name}" for name in metadata.tables} <= set(archive.names)


async def test_every_table_with_rows_comes_back_with_them_and_the_audit_log_goes_on(
    filled: Settings, db: Database, tmp_path: Path
) -> None:
    vault = Vault(db, filled)
    await vault.open()
    audit = Audit(db, vault)
    async with db.write() as session:
        record(session, OPERATOR, "client.create", "cli_1")
    before = await _counts(filled)
    made = await _backup(filled, tmp_path)
    await db.close()
    await restore(filled, made.path, is_forced=True)
    after = await _counts(filled)
    grown = {"audit_entry": before["audit_entry"] + 1}  # says that it was restored
    changed = {"ledger_entry", "rollup_dirty", "usage_minute", *grown}  # its journals are settled
    assert {name: after[name] for name in before if name not in changed} == {
        name: count for name, count in before.items() if name not in changed
    }
    assert after["audit_entry"] == grown["audit_entry"]
    verdict = await audit.verify()
    assert (verdict.entries, verdict.damage) == (2, ())
    with pytest.raises(DBAPIError, match="never changed"):
        async with db.write() as session:
            await session.execute(text("DELETE FROM audit_entry"))


async def _counts(settings: Settings) -> dict[str, int]:
    db = Database(settings.effective_database_url)
    try:
        async with db.read() as session:
            return {
                name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
                for name, table in metadata.tables.items()
            }
    finally:
        await db.close()
