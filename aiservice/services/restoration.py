"""Puts a backup back: looked at to its last byte, prepared aside, proven, and only then in the place of what was there.

What was settled in its journals but not in its database is taken into the ledger; what was under way is settled as
interrupted. Sign-ins, one-time links and tokens of the time are ended.
"""

import asyncio
import dataclasses
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiservice.kit.archive import ArchiveReader, BadArchive
from aiservice.kit.clock import from_us, iso, now_us
from aiservice.kit.segments import has_segments
from aiservice.principal import OPERATOR
from aiservice.services import master_key
from aiservice.services.audit import Audit
from aiservice.services.audit_entry import record
from aiservice.services.backups import DATABASE_PART, JOURNALS, TABLES, seal_of
from aiservice.services.changes import ChangeFeed
from aiservice.services.cluster import living_workers
from aiservice.services.invariants import Breach, breaches
from aiservice.services.ledger import Ledger
from aiservice.services.own_prices import OwnPrices
from aiservice.services.prices import Prices
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.migrations import NewerDatabase, known_revisions, lock_out_starts, migrate
from aiservice.store.restoration import NotEmpty, lay_to_rest, restore_postgres
from aiservice.store.session import DATABASE_ERRORS, Database
from aiservice.store.snapshot import Table, database_file, seal_off, versions_in
from aiservice.tables import MasterKeyVersion

_JOURNAL_NAME = re.compile(r"journal/[A-Za-z0-9_]+\.(?:[0-9]+\.journal|records)")
_FILE = "aiservice.sqlite"


class CannotRestore(Exception):
    """The backup is not put back, and nothing was changed; the message says why and what to do."""


@dataclass(slots=True, frozen=True)
class Restored:
    """What is in place now. `journal_rows`: requests of its journals, most of them in its database too.

    `is_key_known`: the master key at hand opens it. `kept` is where what was there lies.
    """

    made_us: int
    journal_rows: int
    is_key_known: bool
    kept: Path | None
    breaches: list[Breach]


async def restore(settings: Settings, path: Path, *, is_forced: bool = False) -> Restored:
    """Puts the backup at `path` in the place of what this installation holds.

    Raises:
        CannotRestore: it is not whole, not this installation's, or there is something to lose and it is not
            `is_forced`.
        NewerDatabase: a newer release made it.
        OSError, DATABASE_ERRORS: the disk or the database did not do it.
    """
    with _opened(path) as archive:
        _check_fit(archive, settings)
        await _check_nobody_serves(settings)
        way = _restore_sqlite if settings.is_sqlite else _restore_postgres
        return await way(archive, settings, is_forced)


def _opened(path: Path) -> ArchiveReader:
    try:
        return ArchiveReader(path)
    except BadArchive as error:
        raise CannotRestore(f"{path} is refused. {error}") from error
    except OSError as error:
        raise CannotRestore(f"{path} cannot be read ({error.strerror}).") from error


def _check_fit(archive: ArchiveReader, settings: Settings) -> None:
    kind = archive.manifest.get("database")
    if kind != ("sqlite" if settings.is_sqlite else "postgresql"):
        raise CannotRestore(
            f"The backup is of a {kind} database, and this installation's is another: set or unset "
            "AISERVICE_DATABASE_URL."
        )
    if archive.manifest["revision"] not in known_revisions():
        raise NewerDatabase(
            f"The backup is at revision {archive.manifest['revision']}, which this release does not know."
        )
    if archive.manifest["made_us"] > now_us() + 300_000_000:
        raise CannotRestore("The backup was made in the future: set this machine's clock.")


async def _check_nobody_serves(settings: Settings) -> None:
    if settings.is_sqlite and not database_file(settings.effective_database_url).exists():
        return
    try:
        alive = await living_workers(settings.effective_database_url)
    except DATABASE_ERRORS:
        if not settings.is_sqlite:
            raise
        return  # a file too damaged to say; whoever has it open is found when it is replaced
    if alive:
        raise CannotRestore(f"A server works on this database ({alive[0]}). Stop it first.")


async def _check_key(
    archive: ArchiveReader, settings: Settings, is_forced: bool, versions: list[MasterKeyVersion]
) -> bool:
    """Whether the key at hand is the backup's; with none at hand it is restored all the same."""
    seal = seal_of(settings, versions)
    if seal is None:
        has_one = settings.master_key or settings.master_key_file or settings.is_sqlite
        if versions and has_one and master_key.load(settings).keys:
            raise CannotRestore(
                "The master key at hand is not the one this backup was sealed with. Nothing was changed. Put the right "
                "key in its place, or take the wrong one away and restore without."
            )
        return False
    if archive.is_sealed:
        try:
            archive.check_seal(seal)
        except BadArchive as error:
            raise CannotRestore(f"The backup is refused. {error}") from error
    elif not is_forced:
        raise CannotRestore("The backup carries no seal of the master key. If you know where it is from: --force.")
    return True


async def _restore_sqlite(archive: ArchiveReader, settings: Settings, is_forced: bool) -> Restored:
    target = database_file(settings.effective_database_url)
    lock = await asyncio.to_thread(lock_out_starts, settings.data_dir)
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_forced and (target.exists() or has_segments(settings.journal_dir)):
            raise CannotRestore(_not_empty(str(target)))
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=target.parent) as folder:
            staged = dataclasses.replace(settings, data_dir=Path(folder), database_url=None)
            await asyncio.to_thread(_extract, archive, staged)
            url = staged.effective_database_url
            _, versions = await versions_in(url)
            is_key_known = await _check_key(archive, settings, is_forced, versions)
            await migrate(url, staged.data_dir)
            rows, found = await _settle(staged, is_copy=True)
            if is_key_known:
                await _tell(url, settings, archive)
            await asyncio.to_thread(seal_off, database_file(url))
            kept = await asyncio.to_thread(_swap, database_file(url), target, settings)
            refused = staged.journal_dir / "refused.records"
            if refused.exists():
                settings.journal_dir.mkdir(mode=0o700, exist_ok=True)
                shutil.copy2(refused, settings.journal_dir)
        return Restored(archive.manifest["made_us"], rows, is_key_known, kept, found)
    finally:
        lock.close()


async def _restore_postgres(archive: ArchiveReader, settings: Settings, is_forced: bool) -> Restored:
    manifest = archive.manifest
    if not is_forced and has_segments(settings.journal_dir):
        raise CannotRestore(_not_empty(str(settings.journal_dir)))
    outcome: list[bool] = []

    async def check(versions: list[MasterKeyVersion]) -> None:
        outcome.append(await _check_key(archive, settings, is_forced, versions))

    async def rows(table: str) -> AsyncIterator[bytes]:
        for piece in archive.pieces(TABLES + table):
            yield piece

    tables = [Table(name, tuple(columns)) for name, columns in manifest["tables"]]
    try:
        await restore_postgres(
            settings.effective_database_url,
            manifest["revision"],
            tables,
            sequences=manifest["sequences"],
            rows=rows,
            check=check,
            is_forced=is_forced,
        )
    except NotEmpty:
        raise CannotRestore(_not_empty("The database")) from None
    except BadArchive as error:
        raise CannotRestore(f"The backup is refused. {error}") from error
    kept = await asyncio.to_thread(_put_aside, settings, [])
    await asyncio.to_thread(_extract, archive, settings)
    count, found = await _settle(settings, is_copy=False)
    if outcome[0]:
        await _tell(settings.effective_database_url, settings, archive)
    return Restored(manifest["made_us"], count, outcome[0], kept, found)


async def _settle(settings: Settings, *, is_copy: bool) -> tuple[int, list[Breach]]:
    """Takes the backup's journals into its ledger, and looks whether all is well."""
    db = Database(settings.effective_database_url)
    try:
        if is_copy:
            async with db.write() as session:
                await lay_to_rest(session)
        prices = Prices()
        await OwnPrices(db, ChangeFeed(db), prices).refresh()
        rows = await Ledger(db, settings, price=prices.cost_nano_usd).adopt()
        return rows, await breaches(db, settings.journal_dir)
    finally:
        await db.close()


async def _tell(url: str, settings: Settings, archive: ArchiveReader) -> None:
    """Continues the restored audit log: what was done after the backup is not in it."""
    db = Database(url)
    try:
        vault = Vault(db, settings)
        await vault.open()
        Audit(db, vault)
        async with db.write() as session:
            record(
                session, OPERATOR, "installation.restore", "database", after={"made": iso(archive.manifest["made_us"])}
            )
    finally:
        await db.close()


def _extract(archive: ArchiveReader, settings: Settings) -> None:
    settings.journal_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in archive.names:
        if name == DATABASE_PART:
            archive.extract(name, settings.data_dir / _FILE)
        elif name.startswith(JOURNALS):
            if not _JOURNAL_NAME.fullmatch(name):
                raise CannotRestore(f"The backup is refused: it names a file {name[:80]!r}.")
            target = settings.journal_dir / name.removeprefix(JOURNALS)
            archive.extract(name, target)
            made_us = archive.manifest["made_us"]
            os.utime(target, (made_us / 1e6, made_us / 1e6))  # by which what was under way ended then, not now


def _swap(new: Path, target: Path, settings: Settings) -> Path | None:
    """Puts `new` in the place of `target`, at once; what was there is kept, complete, beside it."""
    if target.exists() and not seal_off(target):
        raise CannotRestore(f"Another process has {target} open. Stop it first. Nothing was changed.")
    logs = [path for end in ("-wal", "-shm") if (path := target.with_name(target.name + end)).exists()]
    kept = _put_aside(settings, [path for path in (target, *logs) if path.exists()])
    for log in logs:  # of a database too damaged to take it in; it must never meet the new file
        log.unlink()
    new.replace(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return kept


def _put_aside(settings: Settings, files: list[Path]) -> Path | None:
    """Links `files` into, and moves the journals to, a folder of their own; None where there is nothing."""
    if not files and not has_segments(settings.journal_dir):
        return None
    stamp = from_us(now_us()).strftime("%Y%m%dT%H%M%S")
    kept = settings.data_dir / f"before-restore-{stamp}"
    kept.mkdir(mode=0o700)
    for path in files:
        os.link(path, kept / path.name)
    if settings.journal_dir.exists():
        settings.journal_dir.rename(kept / settings.journal_dir.name)
    return kept


def _not_empty(what: str) -> str:
    return f"{what} already holds something. To put the backup in its place: --force. Nothing was changed."
