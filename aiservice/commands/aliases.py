"""`alias`: names that requests give as their model, and that can be pointed elsewhere without a redeploy."""

from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, names_of, show, show_table
from aiservice.commands.opening import run
from aiservice.commands.preferences import ClientName, Platform, TeamName, one_scope
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.aliases import AliasView
from aiservice.services.routing_history import Version

alias = group("Aliases: stable names for models, of the platform, a team or a client.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="What requests give as their model.")]
To = Annotated[str, typer.Option("--to", help="connection/model, kind/model, a model, or another alias,… in order.")]
Shadow = Annotated[bool, typer.Option("--shadow", help="Though a model is called so itself.")]


@alias.command(
    "set",
    action="alias.set",
    epilog=examples(
        "alias set fast-chat --platform --to openai/gpt-5-mini,anthropic/claude-haiku-4-5",
        "alias set fast-chat --client shop --to local/llama3:8b",
    ),
)
def set_alias(
    name: Name,
    to: To,
    client: ClientName = None,
    team: TeamName = None,
    platform: Platform = False,
    shadow: Shadow = False,
    as_json: JsonFlag = False,
) -> None:
    """Make an alias, or point it elsewhere: it holds within a second, on every worker."""
    scope, targets = one_scope(client, team, None, is_platform=platform), names_of(to) or []
    view = run(lambda core: core.aliases.set(OPERATOR, scope, name, targets, may_shadow=shadow), as_json=as_json)
    show(_told(view), [f"{view.name} → {', then '.join(view.targets)}"], as_json=as_json)


@alias.command("list", action="alias.list", epilog=examples("alias list", "alias list --json"))
def list_aliases(as_json: JsonFlag = False) -> None:
    """List the aliases, the platform's first."""
    rows = [_told(view) for view in run(lambda core: core.aliases.list(OPERATOR), as_json=as_json)]
    show_table(rows, ("name", "to", "scope", "of", "updated_at"), as_json=as_json, empty="There are no aliases.")


@alias.command("remove", action="alias.remove", epilog=examples("alias remove fast-chat --platform"))
def remove(
    name: Name, client: ClientName = None, team: TeamName = None, platform: Platform = False, as_json: JsonFlag = False
) -> None:
    """Take an alias away. The history keeps it."""
    scope = one_scope(client, team, None, is_platform=platform)
    run(lambda core: core.aliases.remove(OPERATOR, scope, name), as_json=as_json)
    show({"name": name, "removed": True}, [f"Removed {name}."], as_json=as_json)


@alias.command("history", action="alias.history", epilog=examples("alias history fast-chat --platform"))
def history(
    name: Name, client: ClientName = None, team: TeamName = None, platform: Platform = False, as_json: JsonFlag = False
) -> None:
    """Show where an alias led: who pointed it there, and when; the newest first."""
    scope = one_scope(client, team, None, is_platform=platform)
    found = run(lambda core: core.aliases.history(OPERATOR, scope, name), as_json=as_json)
    columns = ("version", "at", "by", "before", "after")
    show_table([_version(one) for one in found], columns, as_json=as_json, empty="Nothing was ever changed here.")


@alias.command("revert", action="alias.revert", epilog=examples("alias revert 17"))
def revert(
    version: Annotated[int, typer.Argument(metavar="VERSION", help="A number that `alias history` shows.")],
    as_json: JsonFlag = False,
) -> None:
    """Point an alias where a version pointed it. This is a new version."""
    view = run(lambda core: core.aliases.revert(OPERATOR, version), as_json=as_json)
    if view is None:
        show({"name": None, "removed": True}, ["Removed, as it was then."], as_json=as_json)
    else:
        show(_told(view), [f"{view.name} → {', then '.join(view.targets)}"], as_json=as_json)


def _told(view: AliasView) -> dict[str, Any]:
    whose = {"scope": view.scope, "of": view.holder}
    return {"name": view.name, "to": list(view.targets), **whose, "updated_at": iso(view.updated_us)}


def _version(version: Version) -> dict[str, Any]:
    before, after = ([] if said is None else said["to"] for said in (version.before, version.after))
    who = version.actor or "before there was a history"
    told = {"version": version.number, "at": iso(version.at_us), "by": who, "before": before, "after": after}
    return {**told, "reverted_to": version.reverted_to}
