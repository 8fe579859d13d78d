"""`key`: the keys with which clients call the API. A key's text is printed once, when it is made."""

from typing import Annotated, Any

import typer

from aiservice.commands.budgets import KeyBudget, KeyPeriod, budget_group, give, key_terms
from aiservice.commands.console import (
    AllowIp,
    CutStreams,
    JsonFlag,
    any_of,
    examples,
    group,
    names_of,
    one_of,
    read_secret,
    say,
    show,
    show_table,
    usage_error,
)
from aiservice.commands.limits import Concurrency, More, Rpm, Tpm, amounts_of, key_limits
from aiservice.commands.opening import run
from aiservice.errors import NotFound
from aiservice.kit.clock import iso
from aiservice.kit.durations import parse_duration
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.key_views import KeyView
from aiservice.services.keys import DEFAULT_OVERLAP_SECONDS, NewKey
from aiservice.services.leaks import Leak, Report

key = group("Client keys: create, list, roll, revoke, limit.")
key.add_typer(key_limits, name="limits")
key.add_typer(budget_group("key"), name="budget")

Which = Annotated[str | None, typer.Argument(metavar="KEY", help="Id, or the public part (12 characters).")]
WhichOption = Annotated[str | None, typer.Option("--key", "--id", help="The same, as an option.")]


@key.command(
    "create",
    action="key.create",
    epilog=examples(
        "key create --client shop",
        "key create --client shop --name ci --expires-in 30d --scope chat --models gpt-5-mini",
        "key create --client shop --name reports --scope read --allow-ip 203.0.113.0/24",
    ),
)
def create(
    client: Annotated[str, typer.Option("--client", help="Name or id of the client.")],
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "default",
    expires_in: Annotated[
        str | None,
        typer.Option("--expires-in", help="Such as 30d; by default never, or as AISERVICE_DEFAULT_KEY_EXPIRY says."),
    ] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A task, or 'read'; may be repeated.")] = None,
    providers: Annotated[str | None, typer.Option("--providers", help="Only these connections: a,b.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these models: x,y.")] = None,
    allow_ip: AllowIp = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    limit: More = None,
    budget: KeyBudget = None,
    budget_period: KeyPeriod = "month",
    is_test: Annotated[bool, typer.Option("--test", help="A test key: it reaches only the sandbox.")] = False,
    is_decoy: Annotated[
        bool, typer.Option("--decoy", help="Good for nothing; whoever uses it raises an alarm.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a client key and print it, once."""
    seconds = None if expires_in is None else _duration(expires_in, "--expires-in")
    connections, allowed_models = names_of(providers), names_of(models)
    limits, budgets = amounts_of(rpm, tpm, concurrency, limit), key_terms(budget, budget_period)

    async def work(core: Core) -> NewKey:
        made = await core.keys.create(
            OPERATOR,
            client,
            name,
            is_test=is_test,
            is_decoy=is_decoy,
            expires_in_seconds=seconds,
            scopes=scope or None,
            connections=connections,
            models=allowed_models,
            networks=allow_ip or None,
            limits=limits,
        )
        return await give(core, made, budgets)

    _show_new(run(work, as_json=as_json), as_json=as_json)


@key.command("list", action="key.list", epilog=examples("key list", "key list --client shop --json"))
def list_keys(
    client: Annotated[str | None, typer.Option("--client", help="Only this client's keys.")] = None,
    idle: Annotated[str | None, typer.Option("--idle", help="Only those that work and were not used for 90d.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List keys, newest first; never their secrets."""
    idle_seconds = None if idle is None else _duration(idle, "--idle")

    async def work(core: Core) -> list[dict[str, object]]:
        return [_told(row) for row in await core.keys.list(OPERATOR, client, idle_seconds=idle_seconds)]

    columns = ("client", "name", "state", "public_ids", "expires_at", "last_used_at", "id")
    empty = "There are no keys yet." if idle is None else f"No key was idle for {idle}."
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty=empty)


@key.command(
    "update",
    action="key.change",
    epilog=examples(
        "key update key_01ABCDEFGHJKMNPQRSTVWXYZ01 --scope read --allow-ip 203.0.113.0/24 --allow-ip 2001:db8::/32",
        "key update key_01… --allow-ip any --expires-in 30d",
    ),
)
def update(
    which: Which = None,
    option: WhichOption = None,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    expires_in: Annotated[str | None, typer.Option("--expires-in", help="From now: such as 30d, or 'never'.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="As in create; 'any' for all.")] = None,
    providers: Annotated[str | None, typer.Option("--providers", help="As in create; 'any' for all.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="As in create; 'any' for all.")] = None,
    allow_ip: AllowIp = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what a key may do; what is not named stays. It holds everywhere within a second."""
    ref = one_of(which, option, "key")
    edit: dict[str, Any] = {
        name: chosen
        for name, chosen in (
            ("scopes", any_of(scope)),
            ("connections", any_of(names_of(providers))),
            ("models", any_of(names_of(models))),
            ("networks", any_of(allow_ip)),
        )
        if chosen is not ...
    }
    if name is not None:
        edit["name"] = name
    if expires_in is not None:
        edit["expires_in_seconds"] = None if expires_in == "never" else _duration(expires_in, "--expires-in")
    if not edit:
        usage_error("Say what is to change; see key update --help.")
    row = run(lambda core: core.keys.update(OPERATOR, ref, **edit), as_json=as_json)
    show(_told(row), [f"Changed {row.id} ({row.name} of {row.client})."], as_json=as_json)


@key.command(
    "revoke",
    action="key.revoke",
    epilog=examples("key revoke key_01ABCDEFGHJKMNPQRSTVWXYZ01", "key revoke key_01… --cut-streams"),
)
def revoke(
    which: Which = None, option: WhichOption = None, cut_streams: CutStreams = False, as_json: JsonFlag = False
) -> None:
    """End a key for good: it is refused within a second, everywhere."""
    ref = one_of(which, option, "key")
    key_id = run(lambda core: core.keys.revoke(OPERATOR, ref, cuts_streams=cut_streams), as_json=as_json)
    show({"id": key_id, "revoked": True}, [f"Revoked {key_id}."], as_json=as_json)


@key.command(
    "roll",
    action="key.roll",
    epilog=examples("key roll key_01ABCDEFGHJKMNPQRSTVWXYZ01", "key roll key_01… --overlap 0"),
)
def roll(
    which: Which = None,
    option: WhichOption = None,
    overlap: Annotated[
        str | None, typer.Option("--overlap", help="How long the old secret still works: 0 to 7d, by default 24h.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a key a new secret and print it, once. Name, rights and history stay."""
    ref = one_of(which, option, "key")
    seconds = DEFAULT_OVERLAP_SECONDS if overlap is None else _duration(overlap, "--overlap")
    _show_new(run(lambda core: core.keys.roll(OPERATOR, ref, seconds), as_json=as_json), as_json=as_json)


@key.command("report-leak", action="key.report_leak", epilog=examples("key report-leak < found-key.txt"))
def report_leak(
    where: Annotated[str, typer.Option("--where", help="Where it was found: an address or a few words.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Report a key that was found in public; the key itself is read from standard input."""
    found = read_secret("The key that was found")

    async def work(core: Core) -> Leak:
        (leak,) = await core.leaks.report([Report(found.reveal_text().strip(), where, "command line")])
        if leak is None:
            raise NotFound("That is no key of this installation.", code="key_not_found")
        return leak

    leak = run(work, as_json=as_json)
    done = "It is revoked." if leak.is_revoked else "It still works: roll it now."
    told = {"id": leak.key_id, "client": leak.client, "name": leak.name, "revoked": leak.is_revoked}
    show(told, [f"{leak.key_id}, '{leak.name}' of {leak.client}. {done}"], as_json=as_json)


def _told(row: KeyView) -> dict[str, object]:
    return {
        "id": row.id,
        "client": row.client,
        "name": row.name,
        "state": row.state,
        "test": row.is_test,
        "public_ids": [secret.public_id for secret in row.secrets],
        "scopes": row.scopes,
        "providers": row.connections,
        "models": row.models,
        "allowed_ips": row.networks,
        "limits": row.limits,
        "idle": row.is_idle,
        "created_at": iso(row.created_us),
        "expires_at": iso(row.expires_us),
        "revoked_at": iso(row.revoked_us),
        "leaked_at": iso(row.leaked_us),
        "last_used_at": iso(row.last_used_us),
        "overlap_ends_at": iso(row.overlap_ends_us),
    }


def _show_new(made: NewKey, *, as_json: bool) -> None:
    text = made.key.reveal_text()
    answer = {
        "id": made.id,
        "client": made.client,
        "name": made.name,
        "key": text,
        "expires_at": iso(made.expires_us),
    }
    if not as_json:
        say(f"Key '{made.name}' of {made.client} ({made.id}). It is shown this once; keep it now:")
    show(answer, [text], as_json=as_json)


def _duration(text: str, option: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        usage_error(f"{option}: {error}")
