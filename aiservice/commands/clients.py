"""`client`: the parties that are metered and limited."""

import shlex
from typing import Annotated, Any

import typer

from aiservice.commands.budgets import budget_group
from aiservice.commands.console import (
    AllowIp,
    CutStreams,
    JsonFlag,
    any_of,
    examples,
    group,
    names_of,
    one_of,
    show,
    show_table,
    usage_error,
)
from aiservice.commands.limits import client_limits
from aiservice.commands.opening import run
from aiservice.commands.payloads import client_payloads
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.client_views import ClientView
from aiservice.services.core import Core

client = group("Clients: the parties that are metered and limited. Their keys call the API.")
client.add_typer(client_limits, name="limits")
client.add_typer(budget_group("client"), name="budget")
client.add_typer(client_payloads, name="payloads")

Which = Annotated[str | None, typer.Argument(metavar="CLIENT", help="Name or id.")]
WhichOption = Annotated[str | None, typer.Option("--name", help="The same, as an option.")]


@client.command(
    "create",
    action="client.create",
    epilog=examples("client create --name shop", "client create --name shop --owner ada@x.org"),
)
def create(
    name: Annotated[str, typer.Option("--name", help="A name of your choice, unique.")],
    owner: Annotated[str | None, typer.Option("--owner", help="E-mail address of the developer it belongs to.")] = None,
    providers: Annotated[str | None, typer.Option("--providers", help="Only these connections: a,b.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these models: x,y.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="Only this task, or 'read'; may repeat.")] = None,
    allow_ip: AllowIp = None,
    team: Annotated[str | None, typer.Option("--team", help="The team whose limits hold for it, too.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a client. No key of it may ever do more than it."""
    connections, allowed_models = names_of(providers), names_of(models)

    async def work(core: Core) -> ClientView:
        return await core.clients.create(
            *(OPERATOR, name, owner, connections, allowed_models),
            scopes=scope or None,
            networks=allow_ip or None,
            team=team,
        )

    made = run(work, as_json=as_json)
    show(
        {"id": made.id, "name": made.name},
        [
            f"Created the client {made.name} ({made.id}).",
            f"Next: python -m aiservice key create --client {shlex.quote(made.name)}",
        ],
        as_json=as_json,
    )


@client.command("list", action="client.list", epilog=examples("client list", "client list --json"))
def list_clients(as_json: JsonFlag = False) -> None:
    """List all clients by name."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "id": row.id,
                "name": row.name,
                "owner": row.owner_email,
                "team": row.team,
                "disabled": row.is_disabled,
                "payloads": row.keeps_payloads,
                "providers": row.connections,
                "models": row.models,
                "scopes": row.scopes,
                "allowed_ips": row.networks,
                "limits": row.limits,
                "weight": row.weight,
                "created_at": iso(row.created_us),
            }
            for row in await core.clients.list(OPERATOR)
        ]

    columns = ("name", "owner", "team", "disabled", "providers", "models", "created_at", "id")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no clients yet.")


@client.command(
    "update",
    action="client.change",
    epilog=examples("client update shop --scope chat --allow-ip 203.0.113.0/24 --models any"),
)
def update(
    which: Which = None,
    option: WhichOption = None,
    providers: Annotated[str | None, typer.Option("--providers", help="Only these; 'any' for all shared ones.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these; 'any' for all.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="Only these; 'any' for all.")] = None,
    allow_ip: AllowIp = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what a client may do at most; its keys shrink with it within a second."""
    ref = one_of(which, option, "client")
    given = {
        "connections": any_of(names_of(providers)),
        "models": any_of(names_of(models)),
        "scopes": any_of(scope),
        "networks": any_of(allow_ip),
    }
    bounds: dict[str, Any] = {name: chosen for name, chosen in given.items() if chosen is not ...}
    if not bounds:
        usage_error("Say what is to change; see client update --help.")
    row = run(lambda core: core.clients.update(OPERATOR, ref, **bounds), as_json=as_json)
    told = {"id": row.id, "name": row.name, "providers": row.connections, "models": row.models}
    show({**told, "scopes": row.scopes, "allowed_ips": row.networks}, [f"Changed {row.name}."], as_json=as_json)


@client.command(
    "set-team", action="client.team", epilog=examples("client set-team shop search", "client set-team shop --none")
)
def set_team(
    which: Annotated[str, typer.Argument(metavar="CLIENT", help="Name or id.")],
    team: Annotated[str | None, typer.Argument(metavar="TEAM", help="Name or id.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Take it out of its team.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Put a client into a team, whose limits then hold for it, too."""
    if (team is None) != none:
        usage_error("Name a team, or say --none.")
    row = run(lambda core: core.clients.set_team(OPERATOR, which, team), as_json=as_json)
    done = f"The client {row.name} is in " + (f"the team {row.team}." if row.team else "no team.")
    show({"id": row.id, "name": row.name, "team": row.team}, [done], as_json=as_json)


@client.command("set-weight", action="client.change", epilog=examples("client set-weight shop --weight 3"))
def set_weight(
    which: Which = None,
    option: WhichOption = None,
    weight: Annotated[int, typer.Option("--weight", help="1 to 1000; the others have 1.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Set a client's share, against other clients', of what a provider gives while that is not enough for all."""
    ref = one_of(which, option, "client")
    row = run(lambda core: core.clients.update(OPERATOR, ref, weight=weight), as_json=as_json)
    show({"id": row.id, "name": row.name, "weight": row.weight}, [f"{row.name} has {row.weight}."], as_json=as_json)


@client.command(
    "disable",
    action="client.disable",
    epilog=examples("client disable shop", "client disable shop --cut-streams --shred"),
)
def disable(
    which: Which = None,
    name: WhichOption = None,
    shred: Annotated[
        bool,
        typer.Option("--shred", help="Destroy the bodies kept of it, too: enabling it again does not bring them back."),
    ] = False,
    cut_streams: CutStreams = False,
    as_json: JsonFlag = False,
) -> None:
    """Refuse every key of a client, within a second."""
    ref = one_of(which, name, "client")

    async def work(core: Core) -> ClientView:
        row = await core.clients.disable(OPERATOR, ref, cuts_streams=cut_streams)
        if shred:  # after it: a client that is served would be given a new data key
            await core.bodies.shred_client(OPERATOR, row.id)
        return row

    _show_state(run(work, as_json=as_json), as_json=as_json)


@client.command("enable", action="client.enable", epilog=examples("client enable shop"))
def enable(which: Which = None, name: WhichOption = None, as_json: JsonFlag = False) -> None:
    """Accept a disabled client's keys again."""
    ref = one_of(which, name, "client")
    _show_state(run(lambda core: core.clients.enable(OPERATOR, ref), as_json=as_json), as_json=as_json)


def _show_state(row: ClientView, *, as_json: bool) -> None:
    done = "Disabled" if row.is_disabled else "Enabled"
    answer = {"id": row.id, "name": row.name, "disabled": row.is_disabled}
    show(answer, [f"{done} the client {row.name}."], as_json=as_json)
