"""One file with everything but the master key, taken while servers run.

The journals come first and the database after them: what was settled when the backup began is in the one or in the
other. What is in both is one row, since the request id makes a row unique.
"""

import asyncio
import hmac
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiservice import __version__
from aiservice.kit import crypto
from aiservice.kit.archive import ArchiveWriter, Seal
from aiservice.kit.clock import now_us
from aiservice.kit.segments import SUFFIX
from aiservice.services import master_key
from aiservice.services.keyring import Locked, unlock
from aiservice.services.ledger import REFUSED
from aiservice.settings import Settings
from aiservice.store.snapshot import copy_sqlite, database_file, postgres_snapshot, versions_in
from aiservice.tables import MasterKeyVersion

DATABASE_PART = "database.sqlite"
JOURNALS, TABLES = "journal/", "tables/"
_PIECE_BYTES = 1 << 20


class NothingToBackUp(Exception):
    """There is no installation here."""


@dataclass(slots=True, frozen=True)
class Backup:
    """What was made. `is_sealed`: it carries a seal that only the master key's holder can make."""

    path: Path
    size_bytes: int
    made_us: int
    revision: str
    key_version: int | None
    is_sealed: bool


async def back_up(settings: Settings, path: Path) -> Backup:
    """Writes a backup to the new file `path`.

    Raises:
        FileExistsError: there is such a file.
        NothingToBackUp: no database, or an empty one.
        SettingsError: the master key file cannot be read.
        OSError, DATABASE_ERRORS, sqlite3.Error: the disk or the database did not do it; no file is left.
    """
    with ArchiveWriter(path) as archive:
        about: dict[str, Any] = {"made_us": now_us(), "release": __version__}
        await asyncio.to_thread(_add_journals, archive, settings.journal_dir)
        if settings.is_sqlite:
            more, versions = await _add_sqlite(archive, settings, path.parent)
        else:
            more, versions = await _add_postgres(archive, settings)
        active = next((row.version for row in versions if row.is_active), None)
        about |= {**more, "master_key_version": active}
        seal = seal_of(settings, versions)
        size = await asyncio.to_thread(archive.finish, about, seal)
    return Backup(path, size, about["made_us"], about["revision"], active, seal is not None)


def seal_of(settings: Settings, versions: list[MasterKeyVersion]) -> Seal | None:
    """How manifests of this installation are sealed; None where no key at hand opens it.

    Raises:
        SettingsError: a key file is not valid.
    """
    has_key = settings.master_key or settings.master_key_file or settings.is_sqlite
    keys = master_key.load(settings).keys if has_key else ()
    try:
        root = unlock(versions, keys).root
    except Locked:
        return None
    key = crypto.hkdf(root.reveal(), b"aiservice seal of backups v1")
    return lambda manifest: hmac.digest(key, manifest, "sha256").hex()


def _add_journals(archive: ArchiveWriter, folder: Path) -> None:
    for path in sorted([*folder.glob(f"*{SUFFIX}"), *folder.glob(REFUSED)]):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # all of it is in the database by now
        with archive.part(JOURNALS + path.name) as write:
            write(content)


async def _add_sqlite(
    archive: ArchiveWriter, settings: Settings, beside: Path
) -> tuple[dict[str, Any], list[MasterKeyVersion]]:
    url = settings.effective_database_url
    if not database_file(url).is_file():
        raise NothingToBackUp(f"There is no database at {database_file(url)}.")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=beside) as folder:  # mode 0700
        copy = Path(folder) / DATABASE_PART
        await asyncio.to_thread(copy_sqlite, url, copy)
        revision, versions = await versions_in(f"sqlite+aiosqlite:///{copy}")
        if revision is None:
            raise NothingToBackUp("The database is empty.")
        await asyncio.to_thread(_add_file, archive, copy)
    return {"database": "sqlite", "revision": revision}, versions


def _add_file(archive: ArchiveWriter, path: Path) -> None:
    with archive.part(DATABASE_PART) as write, path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            write(piece)


async def _add_postgres(archive: ArchiveWriter, settings: Settings) -> tuple[dict[str, Any], list[MasterKeyVersion]]:
    try:
        async with postgres_snapshot(settings.effective_database_url) as snapshot:
            for table in snapshot.tables:
                with archive.part(TABLES + table.name) as write:
                    await snapshot.copy(table, write)
            about = {
                "database": "postgresql",
                "revision": await snapshot.revision(),
                "tables": [[table.name, list(table.columns)] for table in snapshot.tables],
                "sequences": await snapshot.sequences(),
            }
            return about, await snapshot.versions()
    except LookupError:
        raise NothingToBackUp("The database is empty.") from None
