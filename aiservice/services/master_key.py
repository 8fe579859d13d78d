"""Where master keys come from: a setting, a file, or (SQLite only) one made here once.

A key file holds one key per line, as base64 of 32 bytes or as `<label>:<base64>`; a key is recognised by its check
value, not by its label or place, so that the file can hold the old and the new key while a rotation is under way.
"""

import base64
import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.settings import PREFIX, Settings, SettingsError, decode_master_key

GENERATED_NAME = "master.key"

log = logging.getLogger(__name__)


@dataclass(slots=True, frozen=True)
class KeySource:
    """The keys at hand. `generated_path` is set where the keys live in a file of our own making."""

    keys: tuple[Secret, ...]
    generated_path: Path | None = None


def load(settings: Settings) -> KeySource:
    """Reads the keys that the settings name; a generated file that does not exist gives no keys.

    Raises:
        SettingsError: PostgreSQL without a configured key, or a key file that is missing, not valid or readable by
            others.
    """
    if settings.master_key is not None:
        return KeySource((settings.master_key,))
    if settings.master_key_file is not None:
        return KeySource(_read(settings.master_key_file, f"{PREFIX}MASTER_KEY_FILE"))
    if not settings.is_sqlite:
        raise SettingsError(
            f"{PREFIX}DATABASE_URL is set, so the master key must be set as well: {PREFIX}MASTER_KEY_FILE=<file> (mode "
            f"0400) or {PREFIX}MASTER_KEY=<base64 of 32 bytes>. Make one with: openssl rand -base64 32"
        )
    path = settings.data_dir / GENERATED_NAME
    return KeySource(_read(path, "the master key file") if path.exists() else (), path)


def generate(path: Path) -> Secret:
    """Makes the key file of a new installation; where another process was faster, its key is the key.

    Raises:
        SettingsError: what another process made is not a key file.
    """
    key = Secret(crypto.new_key())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _write_draft(path, (key,))
    try:
        os.link(draft, path)  # unlike a rename, it never replaces a key that is already there
    except FileExistsError:
        return _read(path, "the master key file")[0]
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    log.warning(
        "A NEW MASTER KEY WAS MADE IN %s. Keep a copy apart from the database and its backups: without it no provider "
        "key can be opened and no client key is accepted.",
        path,
    )
    return key


def replace(path: Path, keys: tuple[Secret, ...]) -> None:
    """Puts `keys` in the place of what the file held, at once and for good."""
    _write_draft(path, keys).replace(path)
    _sync_folder(path.parent)


def _read(path: Path, name: str) -> tuple[Secret, ...]:
    try:
        with path.open("rb") as file:
            _refuse_open_file(os.fstat(file.fileno()), path, name)
            lines = file.read(65_536).decode("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} {path} cannot be read: {type(error).__name__}.") from error
    keys = tuple(decode_master_key(line.rpartition(":")[2], f"Each line of {name} {path}") for line in lines)
    if not keys:
        raise SettingsError(f"{name} {path} is empty. Put back the key that this database was sealed with.")
    return keys


def _refuse_open_file(status: os.stat_result, path: Path, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"{name} {path} is not a file.")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SettingsError(f"{name} {path} has mode {mode:04o}, so others can read it. Run: chmod 400 {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise SettingsError(f"{name} {path} belongs to another user (uid {status.st_uid}). Run: chown $(id -u) {path}")


def _write_draft(path: Path, keys: tuple[Secret, ...]) -> Path:
    draft = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(base64.b64encode(key.reveal()) + b"\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
