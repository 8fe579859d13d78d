"""`key`: the keys with which clients call the API. A key's text is printed once, when it is made."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, names_of, one_of, say, show, show_table, usage_error
from aiservice.commands.limits import Concurrency, More, Rpm, Tpm, amounts_of, key_limits
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.kit.durations import parse_duration
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.keys import DEFAULT_OVERLAP_SECONDS, NewKey

key = group("Client keys: create, list, roll, revoke, limit.")
key.add_typer(key_limits, name="limits")

Which = Annotated[str | None, typer.Argument(metavar="KEY", help="Id, or the public part (12 characters).")]
WhichOption = Annotated[str | None, typer.Option("--key", "--id", help="The same, as an option.")]


@key.command(
    "create",
    epilog=examples(
        "key create --client shop",
        "key create --client shop --name ci --expires-in 30d --scope chat --models gpt-5-mini",
    ),
)
def create(
    client: Annotated[str, typer.Option("--client", help="Name or id of the client.")],
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "default",
    expires_in: Annotated[str | None, typer.Option("--expires-in", help="Such as 30d; by default never.")] = None,
    scope: Annotated[list[str] | None, typer.Option("--scope", help="A task, or 'read'; may be repeated.")] = None,
    providers: Annotated[str | None, typer.Option("--providers", help="Only these connections: a,b.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Only these models: x,y.")] = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    concurrency: Concurrency = None,
    limit: More = None,
    is_test: Annotated[bool, typer.Option("--test", help="A test key: it reaches only the sandbox.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Create a client key and print it, once."""
    seconds = None if expires_in is None else _duration(expires_in, "--expires-in")
    connections, allowed_models = names_of(providers), names_of(models)
    limits = amounts_of(rpm, tpm, concurrency, limit)

    async def work(core: Core) -> NewKey:
        return await core.keys.create(
            OPERATOR,
            client,
            name,
            is_test=is_test,
            expires_in_seconds=seconds,
            scopes=scope or None,
            connections=connections,
            models=allowed_models,
            limits=limits,
        )

    _show_new(run(work, as_json=as_json), as_json=as_json)


@key.command("list", epilog=examples("key list", "key list --client shop --json"))
def list_keys(
    client: Annotated[str | None, typer.Option("--client", help="Only this client's keys.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List keys, newest first; never their secrets."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "id": row.id,
                "client": row.client,
                "name": row.name,
                "state": row.state,
                "test": row.is_test,
                "public_ids": [secret.public_id for secret in row.secrets],
                "scopes": row.scopes,
                "providers": row.connections,
                "models": row.models,
                "limits": row.limits,
                "created_at": iso(row.created_us),
                "expires_at": iso(row.expires_us),
                "revoked_at": iso(row.revoked_us),
                "last_used_at": iso(row.last_used_us),
                "overlap_ends_at": iso(row.overlap_ends_us),
            }
            for row in await core.keys.list(OPERATOR, client)
        ]

    columns = ("client", "name", "state", "public_ids", "expires_at", "last_used_at", "id")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no keys yet.")


@key.command("revoke", epilog=examples("key revoke key_01ABCDEFGHJKMNPQRSTVWXYZ01"))
def revoke(which: Which = None, option: WhichOption = None, as_json: JsonFlag = False) -> None:
    """End a key for good: it is refused within a second, everywhere."""
    ref = one_of(which, option, "key")
    key_id = run(lambda core: core.keys.revoke(OPERATOR, ref), as_json=as_json)
    show({"id": key_id, "revoked": True}, [f"Revoked {key_id}."], as_json=as_json)


@key.command("roll", epilog=examples("key roll key_01ABCDEFGHJKMNPQRSTVWXYZ01", "key roll key_01… --overlap 0"))
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
