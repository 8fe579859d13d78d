"""`doctor`: is this installation well, and if not, what is the next step."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from aiservice.commands import portal_build, ports
from aiservice.commands.console import REFUSED, JsonFlag, show
from aiservice.services.examination import (
    Finding,
    examine_folder,
    examine_journal,
    examine_node,
    examine_store,
)
from aiservice.settings import Settings, SettingsError, load_settings


def doctor(
    host: Annotated[str, typer.Option("--host", help="Where serve would listen.")] = ports.DEFAULT_HOST,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = ports.DEFAULT_PORT,
    as_json: JsonFlag = False,
) -> None:
    """Examine this installation; nothing is changed. Exit status 1 when something is wrong."""
    try:
        settings = load_settings()
    except SettingsError as error:
        findings = [Finding("settings", "fail", str(error), "Correct that setting.")]
    else:
        findings = [Finding("settings", "ok", "Every setting is known and valid."), *_examine(settings, host, port)]
    is_well = all(finding.state != "fail" for finding in findings)
    answer = {
        "ok": is_well,
        "checks": [
            {"name": found.name, "status": found.state, "message": found.message, "next": found.next_step or None}
            for found in findings
        ],
    }
    show(answer, [line for found in findings for line in _lines(found)], as_json=as_json)
    if not is_well:
        raise typer.Exit(REFUSED)


def _examine(settings: Settings, host: str, port: int) -> list[Finding]:
    search_path = [Path(sys.executable).parent, *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    return [
        *examine_folder(settings),
        *asyncio.run(examine_store(settings)),
        examine_journal(settings),
        examine_node(search_path, is_built=portal_build.is_current(settings.public_url)),
        _port(host, port),
    ]


def _port(host: str, port: int) -> Finding:
    obstacle = ports.obstacle(host, port)
    if obstacle is None:
        return Finding("port", "ok", f"{port} is free.")
    if ports.readiness(ports.asked_host(host), port, is_tls=False) is not None:
        return Finding("port", "ok", f"A server answers at {port}.")
    return Finding("port", "warn", obstacle, "Choose another: serve --host, --port.")


def _lines(found: Finding) -> list[str]:
    lines = [f"{found.state:<5} {found.name:<12} {found.message}"]
    if found.next_step:
        lines.append(f"{'':<19}→ {found.next_step}")
    return lines
