"""`backup` and `restore`: one file, one command each."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from aiservice.commands.console import REFUSED, JsonFlag, fail, settings_or_exit, show
from aiservice.commands.opening import guarded
from aiservice.kit.clock import from_us, iso, now_us
from aiservice.services import backups, restoration
from aiservice.services.restoration import CannotRestore, Restored
from aiservice.settings import Settings

T = TypeVar("T")


def backup(
    to: Annotated[
        Path | None, typer.Option("--to", help="The new file; by default one with the time in its name.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write everything but the master key to one file, while servers run."""
    settings = settings_or_exit(as_json=as_json)
    path = to or Path(f"aiservice-{from_us(now_us()).strftime('%Y%m%dT%H%M%SZ')}.backup")
    made = _done(lambda: asyncio.run(backups.back_up(settings, path)), as_json=as_json)
    following = [
        f"The master key (version {made.key_version or 'none yet'}) is not in it: keep a copy of "
        f"{_key_place(settings)} somewhere else. Without it no provider key opens and no client key is accepted.",
        "Settings (environment, .env) and certificates are not in it either.",
    ]
    if not made.is_sealed:
        following.append("No master key was at hand, so it carries no seal: to restore it takes --force.")
    answer = {
        "file": str(made.path),
        "bytes": made.size_bytes,
        "made_at": iso(made.made_us),
        "revision": made.revision,
        "master_key_version": made.key_version,
        "sealed": made.is_sealed,
        "next": following,
    }
    show(
        answer,
        [f"{made.path}: {made.size_bytes / 1e6:.1f} MB, as of {iso(made.made_us)}.", *following],
        as_json=as_json,
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.")],
    is_forced: Annotated[
        bool, typer.Option("--force", help="Also in the place of what is there, or of a backup without a seal.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a backup back and prove it. Stop the servers first; a file that is not whole or not ours is refused."""
    settings = settings_or_exit(as_json=as_json)
    done = _done(lambda: asyncio.run(restoration.restore(settings, file, is_forced=is_forced)), as_json=as_json)
    following = _next_steps(settings, done)
    answer = {
        "made_at": iso(done.made_us),
        "rows_from_journals": done.journal_rows,
        "master_key_opens": done.is_key_known,
        "kept": None if done.kept is None else str(done.kept),
        "breaches": [str(breach) for breach in done.breaches],
        "next": following,
    }
    proof = "every promise of the ledger holds" if not done.breaches else "NOT ALL PROMISES OF THE LEDGER HOLD"
    lines = [f"Restored as of {iso(done.made_us)}, with the {done.journal_rows} requests of its journals; {proof}."]
    show(answer, [*lines, *map(str, done.breaches), *following], as_json=as_json)
    if done.breaches:
        raise typer.Exit(REFUSED)


def _next_steps(settings: Settings, done: Restored) -> list[str]:
    steps = []
    if not done.is_key_known:
        steps.append(f"No master key is at hand: put it in place ({_key_place(settings)}) before you start a server.")
    if done.kept is not None:
        steps.append(f"What was there is in {done.kept}; delete it when you are sure.")
    steps.append(
        f"What was done after {iso(done.made_us)} is undone: revoke again what was revoked since. Everybody signs in "
        "again; open invitations and reset links have ended."
    )
    return steps


def _key_place(settings: Settings) -> str:
    if settings.master_key is not None:
        return "AISERVICE_MASTER_KEY"
    if settings.master_key_file is not None:
        return str(settings.master_key_file)
    return str(settings.data_dir / "master.key") if settings.is_sqlite else "AISERVICE_MASTER_KEY_FILE"


def _done(work: Callable[[], T], *, as_json: bool) -> T:
    def refusing() -> T:
        try:
            return work()
        except (CannotRestore, backups.NothingToBackUp) as error:
            fail(str(error), code="refused", as_json=as_json)
        except FileExistsError as error:
            fail(f"{error} is there already; a backup never replaces a file.", code="file_exists", as_json=as_json)
        except sqlite3.Error as error:
            fail(f"The database could not be copied ({error}).", code="database_unavailable", as_json=as_json)
        except (FileNotFoundError, PermissionError) as error:
            fail(f"{error.filename}: {error.strerror}.", code="refused", as_json=as_json)

    return guarded(refusing, as_json=as_json)
