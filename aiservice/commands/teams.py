"""`team`: clients that share limits."""

import shlex
from typing import Annotated

import typer

from aiservice.commands.budgets import budget_group
from aiservice.commands.console import JsonFlag, examples, group, names_of, show, show_table
from aiservice.commands.limits import team_limits
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.teams import TeamView

team = group("Teams: clients that share limits. Put a client into one: client set-team.")
team.add_typer(team_limits, name="limits")
team.add_typer(budget_group("team"), name="budget")

Which = Annotated[str, typer.Argument(metavar="TEAM", help="Name or id.")]


@team.command(
    "create",
    action="team.create",
    epilog=examples("team create --name search", "team create --name search --models gpt-5-mini"),
)
def create(
    name: Annotated[str, typer.Option("--name", help="A name of your choice, unique.")],
    providers: Annotated[str | None, typer.Option("--providers", help="Only these connections: a,b.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these models: x,y.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a team. No client of it may use more providers or models than it."""
    connections, allowed_models = names_of(providers), names_of(models)
    made = run(lambda core: core.teams.create(OPERATOR, name, connections, allowed_models), as_json=as_json)
    show(
        {"id": made.id, "name": made.name},
        [
            f"Created the team {made.name} ({made.id}).",
            f"Next: python -m aiservice team limits set {shlex.quote(made.name)} --rpm 600",
        ],
        as_json=as_json,
    )


@team.command("list", action="team.list", epilog=examples("team list", "team list --json"))
def list_teams(as_json: JsonFlag = False) -> None:
    """List all teams by name."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "id": row.id,
                "name": row.name,
                "clients": row.clients,
                "providers": row.connections,
                "models": row.models,
                "limits": row.limits,
                "created_at": iso(row.created_us),
            }
            for row in await core.teams.list(OPERATOR)
        ]

    columns = ("name", "clients", "providers", "models", "created_at", "id")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no teams yet.")


@team.command("rename", action="team.rename", epilog=examples("team rename search find"))
def rename(
    which: Which, name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")], as_json: JsonFlag = False
) -> None:
    """Give a team another name."""

    async def work(core: Core) -> TeamView:
        return await core.teams.rename(OPERATOR, which, name)

    row = run(work, as_json=as_json)
    show({"id": row.id, "name": row.name}, [f"The team is called {row.name} now."], as_json=as_json)


@team.command("delete", action="team.delete", epilog=examples("team delete search"))
def delete(which: Which, as_json: JsonFlag = False) -> None:
    """Remove a team that has no clients any more."""
    run(lambda core: core.teams.delete(OPERATOR, which), as_json=as_json)
    show({"team": which, "deleted": True}, [f"Deleted the team {which}."], as_json=as_json)
