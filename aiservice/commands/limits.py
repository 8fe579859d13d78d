"""`key limits`, `client limits`, `team limits`: how much a key may use, or all keys of a client or a team together."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.limit_names import CONCURRENCY
from aiservice.services.limits import StoredLimits

Rpm = Annotated[int | None, typer.Option("--rpm", help="Requests in any minute.")]
Tpm = Annotated[int | None, typer.Option("--tpm", help="Tokens in any minute.")]
Concurrency = Annotated[int | None, typer.Option("--concurrency", help="Requests at once.")]
More = Annotated[
    list[str] | None,
    typer.Option("--limit", help="Such as requests/day=10000 (requests or tokens, minute, hour or day); repeatable."),
]
Names = Annotated[list[str] | None, typer.Option("--limit", help="Only this one, such as tokens/minute; repeatable.")]

key_limits = group("Limits of a key: list, set, clear.")
client_limits = group("Limits of a client, for all its keys together: list, set, clear.")
team_limits = group("Limits of a team, for all its clients together: list, set, clear.")

Work = Callable[[Core], Coroutine[Any, Any, StoredLimits]]


def amounts_of(rpm: int | None, tpm: int | None, concurrency: int | None, more: list[str] | None) -> dict[str, int]:
    """The limits that options name; ends the command where one cannot be read."""
    given = {"requests/minute": rpm, "tokens/minute": tpm, CONCURRENCY: concurrency}
    amounts = {name: amount for name, amount in given.items() if amount is not None}
    for text in more or ():
        name, _, amount = text.partition("=")
        if not amount.strip().isdecimal():
            usage_error(f"--limit: '{text[:60]}' is not like requests/day=10000.")
        amounts[name.strip()] = int(amount)
    return amounts


@key_limits.command("list", action="limit.get", epilog=examples("key limits list key_01…"))
def list_of_key(which: Annotated[str, typer.Argument(metavar="KEY")], as_json: JsonFlag = False) -> None:
    """Show a key's limits, and those of its client."""
    _show(lambda core: core.limits.of_key(OPERATOR, which), as_json=as_json)


@key_limits.command(
    "set", action="key.limits", epilog=examples("key limits set key_01… --rpm 600 --limit tokens/day=5000000")
)
def set_of_key(
    which: Annotated[str, typer.Argument(metavar="KEY")],
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    limit: More = None,
    as_json: JsonFlag = False,
) -> None:
    """Set limits of a key; those not named stay."""
    amounts = _some(amounts_of(rpm, tpm, concurrency, limit))
    _show(lambda core: core.limits.set_key(OPERATOR, which, amounts), as_json=as_json)


@key_limits.command(
    "clear",
    action="key.limits",
    epilog=examples("key limits clear key_01…", "key limits clear key_01… --limit tokens/day"),
)
def clear_of_key(
    which: Annotated[str, typer.Argument(metavar="KEY")], limit: Names = None, as_json: JsonFlag = False
) -> None:
    """Take limits of a key away: all, or those named."""
    _show(lambda core: core.limits.clear_key(OPERATOR, which, limit or None), as_json=as_json)


@client_limits.command("list", action="limit.get", epilog=examples("client limits list shop"))
def list_of_client(which: Annotated[str, typer.Argument(metavar="CLIENT")], as_json: JsonFlag = False) -> None:
    """Show a client's limits."""
    _show(lambda core: core.limits.of_client(OPERATOR, which), as_json=as_json)


@client_limits.command(
    "set", action="client.limits", epilog=examples("client limits set shop --rpm 600 --tpm 200000 --concurrency 20")
)
def set_of_client(
    which: Annotated[str, typer.Argument(metavar="CLIENT")],
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    limit: More = None,
    as_json: JsonFlag = False,
) -> None:
    """Set limits of a client; those not named stay."""
    amounts = _some(amounts_of(rpm, tpm, concurrency, limit))
    _show(lambda core: core.limits.set_client(OPERATOR, which, amounts), as_json=as_json)


@client_limits.command("clear", action="client.limits", epilog=examples("client limits clear shop"))
def clear_of_client(
    which: Annotated[str, typer.Argument(metavar="CLIENT")], limit: Names = None, as_json: JsonFlag = False
) -> None:
    """Take limits of a client away: all, or those named."""
    _show(lambda core: core.limits.clear_client(OPERATOR, which, limit or None), as_json=as_json)


@team_limits.command("list", action="limit.get", epilog=examples("team limits list search"))
def list_of_team(which: Annotated[str, typer.Argument(metavar="TEAM")], as_json: JsonFlag = False) -> None:
    """Show a team's limits."""
    _show(lambda core: core.limits.of_team(OPERATOR, which), as_json=as_json)


@team_limits.command(
    "set", action="team.limits", epilog=examples("team limits set search --rpm 600 --tpm 200000 --concurrency 20")
)
def set_of_team(
    which: Annotated[str, typer.Argument(metavar="TEAM")],
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    limit: More = None,
    as_json: JsonFlag = False,
) -> None:
    """Set limits of a team; those not named stay."""
    amounts = _some(amounts_of(rpm, tpm, concurrency, limit))
    _show(lambda core: core.limits.set_team(OPERATOR, which, amounts), as_json=as_json)


@team_limits.command("clear", action="team.limits", epilog=examples("team limits clear search"))
def clear_of_team(
    which: Annotated[str, typer.Argument(metavar="TEAM")], limit: Names = None, as_json: JsonFlag = False
) -> None:
    """Take limits of a team away: all, or those named."""
    _show(lambda core: core.limits.clear_team(OPERATOR, which, limit or None), as_json=as_json)


def _some(amounts: dict[str, int]) -> dict[str, int]:
    if not amounts:
        usage_error("Name at least one limit, such as --rpm 600.")
    return amounts


def _show(work: Work, *, as_json: bool) -> None:
    stored = run(work, as_json=as_json)
    if as_json:
        told = {"id": stored.id, "name": stored.name, "scope": stored.scope, "limits": stored.amounts}
        show({**told, "client_limits": stored.of_client} if stored.scope == "key" else told, [], as_json=True)
        return
    rows = [{"limit": name, "of": "the " + stored.scope, "amount": n} for name, n in stored.amounts.items()]
    rows += [{"limit": name, "of": "its client", "amount": n} for name, n in stored.of_client.items()]
    show_table(rows, ("limit", "of", "amount"), as_json=False, empty="There are no limits.")


for _group, _listing, _example in (
    (key_limits, list_of_key, "key limits show key_01…"),
    (client_limits, list_of_client, "client limits show shop"),
    (team_limits, list_of_team, "team limits show search"),
):
    # What people type before they look.
    _group.command("show", action="limit.get", hidden=True, epilog=examples(_example))(_listing)
