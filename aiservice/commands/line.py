"""The command line as a whole. Thin: each group is a module of `aiservice.commands`."""

import gc
import sys
from functools import cache

import typer

from aiservice import __version__
from aiservice.commands import server
from aiservice.commands.console import Group, examples, group
from aiservice.kit.hardening import harden_process

app = group("aiservice: one way to many AI providers. Secrets are read from standard input, never from arguments.")
app.command(
    "serve",
    action="server.run",
    short_help="Serve portal and API on one port.",
    epilog=examples("serve", "serve --host 127.0.0.1 --port 9000"),
)(server.serve)


@cache
def whole() -> Group:
    """The line with every command. `serve` does without: its process becomes a worker, and would hold all that."""
    from aiservice.commands import (  # noqa: PLC0415
        abuse,
        alerts,
        aliases,
        audit,
        backups,
        cache,
        clients,
        doctor,
        keys,
        people,
        preferences,
        prices,
        provider_capabilities,
        shadows,
        sso,
        teams,
        tokens,
        upkeep,
        vendors,
    )

    app.command("migrate", action="server.migrate", epilog=examples("migrate"))(upkeep.migrate)
    app.command(
        "rotate-master-key",
        action="server.rotate_master_key",
        epilog=examples(
            "rotate-master-key --generate", "openssl rand -base64 32 | python -m aiservice rotate-master-key"
        ),
    )(upkeep.rotate_master_key)
    app.command("backup", action="server.backup", epilog=examples("backup", "backup --to /backups/today.backup"))(
        backups.backup
    )
    app.command("restore", action="server.restore", epilog=examples("restore /backups/today.backup"))(backups.restore)
    app.command("doctor", action="server.examine", epilog=examples("doctor", "doctor --json"))(doctor.doctor)
    app.add_typer(people.admin, name="admin")
    app.add_typer(people.user, name="user")
    app.add_typer(sso.sso, name="sso")
    app.add_typer(clients.client, name="client")
    app.add_typer(teams.team, name="team")
    app.add_typer(vendors.vendor, name="vendor")
    app.add_typer(keys.key, name="key")
    app.add_typer(tokens.token, name="token")
    app.add_typer(provider_capabilities.provider, name="provider")
    app.add_typer(prices.price, name="price")
    app.add_typer(preferences.preference, name="preference")
    app.add_typer(aliases.alias, name="alias")
    app.add_typer(cache.cache, name="cache")
    app.add_typer(shadows.shadow, name="shadow")
    app.add_typer(abuse.abuse, name="abuse")
    app.add_typer(upkeep.usage, name="usage")
    app.add_typer(audit.audit, name="audit")
    app.add_typer(alerts.alert, name="alert")
    return app


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """One way to many AI providers. Secrets are read from standard input, never from arguments."""
    harden_process()


def run() -> None:
    """Does what this process's arguments say, and ends it."""
    if sys.argv[1:2] != ["serve"]:
        _add_commands_quickly()
    app(prog_name="python -m aiservice")


def _add_commands_quickly() -> None:
    """What modules make when they are imported stays: looking through it for garbage took a quarter of a command."""
    gc.disable()
    whole()
    gc.freeze()
    gc.enable()
