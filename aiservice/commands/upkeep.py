"""`migrate`, `rotate-master-key` and `usage export`: what an operator does now and then."""

import asyncio
import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from aiservice.commands.console import (
    REFUSED,
    JsonFlag,
    examples,
    group,
    read_secret,
    say,
    settings_or_exit,
    show,
    usage_error,
)
from aiservice.commands.opening import guarded, run
from aiservice.kit.clock import SECOND_US, now_us
from aiservice.kit.durations import parse_duration
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services import master_key
from aiservice.services.core import Core
from aiservice.services.request_log import LogFilter
from aiservice.services.rotation import Report
from aiservice.settings import PREFIX, Settings, SettingsError, decode_master_key
from aiservice.store.migrations import migrate as migrate_database

usage = group("What was asked, given and spent.")

_NUMBERS = {"status", "input_tokens", "output_tokens", "cost_nano_usd"}


def migrate(as_json: JsonFlag = False) -> None:
    """Bring the database to this release's schema. A server does it by itself when it starts."""
    settings = settings_or_exit(as_json=as_json)

    def work() -> tuple[str | None, str]:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return asyncio.run(migrate_database(settings.effective_database_url, settings.data_dir))

    before, after = guarded(work, as_json=as_json)
    done = "was up to date" if before == after else f"migrated from {before or 'nothing'}"
    show({"before": before, "after": after}, [f"The database is at revision {after} ({done})."], as_json=as_json)


def rotate_master_key(
    is_generated: Annotated[
        bool, typer.Option("--generate", help="Make the new key here instead of reading it from standard input.")
    ] = False,
    is_compromised: Annotated[
        bool, typer.Option("--compromised", help="Others know the old key. Stop all servers first.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Seal everything under a new master key. Servers may run meanwhile; run it again if it was interrupted."""
    settings = settings_or_exit(as_json=as_json)
    is_own_file = settings.master_key is None and settings.master_key_file is None
    new_key, written = guarded(lambda: _new_key(settings, is_own_file, is_generated), as_json=as_json)

    async def work(core: Core) -> Report:
        return await core.vault.rotate(new_key, _progress, is_bridged=not is_compromised)

    report = run(work, as_json=as_json)
    following = _next_steps(settings, is_own_file, written, is_compromised=is_compromised)
    answer = {
        "version": report.version,
        "moved": report.moved,
        "finished": report.is_finished,
        "damaged": [list(name) for name in report.damaged],
        "key_file": None if written is None else str(written),
        "next": following,
    }
    lines = [f"{report.moved} secrets were moved under master key version {report.version}.", *following]
    if not report.is_finished:
        lines = [*lines[:1], f"{len(report.damaged)} secrets do not open; set those keys again, then run this again."]
    show(answer, lines, as_json=as_json)
    if not report.is_finished:
        raise typer.Exit(REFUSED)


def _new_key(settings: Settings, is_own_file: bool, is_generated: bool) -> tuple[Secret | None, Path | None]:
    """The key to rotate to, and the file it was written to. None: the vault makes one in its own key file."""
    if not is_generated:
        given = read_secret("New master key (base64 of 32 bytes)").reveal_text().strip()
        try:
            return decode_master_key(given, "The new master key"), None
        except SettingsError as error:
            usage_error(str(error))
    if is_own_file:
        return None, settings.data_dir / master_key.GENERATED_NAME
    # Beside the old one: an interrupted run finds it there again.
    path = settings.master_key_file or settings.data_dir / master_key.GENERATED_NAME
    path = path.with_name(path.name + ".next")
    return master_key.generate(path), path


def _next_steps(settings: Settings, is_own_file: bool, written: Path | None, *, is_compromised: bool) -> list[str]:
    steps = []
    if is_own_file:
        place = settings.data_dir / master_key.GENERATED_NAME
        steps.append(f"Keep a copy of {place} apart from the database and its backups.")
    elif settings.master_key_file is not None and written is not None:
        steps.append(f"Put the new key in place: mv {written} {settings.master_key_file}")
    elif written is not None:
        steps.append(f"Replace {PREFIX}MASTER_KEY by {PREFIX}MASTER_KEY_FILE={written} and restart the servers.")
    else:
        steps.append("Put the new key into the setting that held the old one, and restart the servers.")
    steps.append("Backups made before this still need the old key: keep it as long as you keep them.")
    if is_compromised:
        steps.append("Whoever knew the old key may have read the provider keys: replace them (provider set-key).")
    return steps


def _progress(done: int, total: int) -> None:
    say(f"{done} of {total} secrets moved")


@usage.command(
    "export",
    action="request.export",
    epilog=examples(
        "usage export --csv > usage.csv",
        "usage export --csv --since 7d --client shop",
        "usage export --since 2026-11-01 --until 2026-12-01 --json",
    ),
)
def export(
    is_csv: Annotated[bool, typer.Option("--csv", help="As CSV (the default).")] = False,
    since: Annotated[str | None, typer.Option("--since", help="A date, a time, or how long ago (7d).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="The same; what began then is left out.")] = None,
    client: Annotated[str | None, typer.Option("--client", help="Only this client (name or id).")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print one line a request, in the order of their start (times are UTC)."""
    if is_csv and as_json:
        say("Both --csv and --json were given; printing JSON.")
    start_us, end_us = moment(since, "--since", 0), moment(until, "--until", now_us() + SECOND_US)

    async def work(core: Core) -> None:
        client_id = "" if client is None else (await core.clients.find(OPERATOR, client)).id
        asked = LogFilter(client_id=client_id, start_us=start_us, end_us=end_us)
        lines = core.requests.export_csv(OPERATOR, asked)
        if as_json:
            rows = csv.DictReader([line async for line in lines])
            json.dump([_typed(row) for row in rows], sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
            return
        async for line in lines:
            sys.stdout.write(line)

    run(work, as_json=as_json)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, text in row.items():
        if name in _NUMBERS or name.endswith("_tokens"):
            typed[name] = int(text) if text else None
        elif name == "attempts":
            typed[name] = json.loads(text) if text else []
        else:
            typed[name] = text
    return typed


def moment(text: str | None, option: str, default_us: int) -> int:
    """Microseconds UTC from an ISO date or time (UTC where it names no zone), or from how long ago it was."""
    if text is None:
        return default_us
    try:
        return now_us() - parse_duration(text) * SECOND_US
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        usage_error(f"{option}: '{text[:40]}' is no date (2026-11-01), time (2026-11-01T12:00) or duration (7d).")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * SECOND_US)
