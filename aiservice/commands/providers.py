"""`provider`: connections to AI providers. Their keys go in through standard input and never come out."""

from typing import Annotated

import typer

from aiservice.commands.console import (
    JsonFlag,
    examples,
    group,
    names_of,
    one_of,
    read_optional_secret,
    read_secret,
    refuse,
    say,
    show,
    usage_error,
)
from aiservice.commands.opening import run
from aiservice.errors import BrokerError, Unprocessable
from aiservice.kit.durations import parse_duration
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.providers import built_in
from aiservice.services.connection_rules import known_kind
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.core import Core
from aiservice.services.probe import ProbeResult

provider = group("Provider connections: configured ways to AI providers.")

Which = Annotated[str | None, typer.Argument(metavar="NAME", help="Name or id of the connection.")]
WhichOption = Annotated[str | None, typer.Option("--name", help="The same, as an option.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Save without calling the provider first.")]
AllowPrivate = Annotated[
    bool, typer.Option("--allow-private", help="Its address may be loopback or private, and plain http.")
]


@provider.command(
    "add",
    action="connection.add",
    short_help="Add a connection; its key on standard input.",
    epilog=examples(
        "provider add openai --name openai < openai.key",
        "provider add anthropic --name claude < anthropic.key",
        "provider add bedrock --name aws --base-url eu-west-1 < aws.key",
        "provider add azure-openai --name azure --base-url https://NAME.openai.azure.com --models gpt-4o < azure.key",
        "provider add openai-compatible --name ollama --base-url http://127.0.0.1:11434/v1 --allow-private </dev/null",
    ),
)
def add(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="openai, anthropic, bedrock, openai-compatible …")],
    name: Annotated[str, typer.Option("--name", help="A name of your choice: lower case, digits, hyphens.")],
    base_url: Annotated[str | None, typer.Option("--base-url", help="Where the provider's API begins.")] = None,
    weight: Annotated[int, typer.Option("--weight", help="Share among equals, 1 to 1000.")] = 1,
    rpm: Annotated[int | None, typer.Option("--rpm", help="Requests a minute that the provider gives.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", help="Tokens a minute that the provider gives.")] = None,
    models: Annotated[str | None, typer.Option("--models", help="Models to offer: a,b; else what it lists.")] = None,
    client: Annotated[str | None, typer.Option("--client", help="Only this client may use it (its own key).")] = None,
    is_private_allowed: AllowPrivate = False,
    no_test: NoTest = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a connection; the provider's key is read from standard input. It is tested before it is saved."""
    listed = names_of(models)
    secret = _key_for(kind, as_json=as_json)

    async def work(core: Core) -> ConnectionDetails:
        found: ProbeResult | None = None
        if not no_test:
            found = await core.connections.check(
                OPERATOR, kind, base_url, secret, is_private_allowed=is_private_allowed
            )
            _judge(found)
        chosen = listed if listed is not None or found is None else list(found.models) or None
        made = await core.connections.add(
            OPERATOR,
            kind,
            name,
            base_url,
            secret,
            is_private_allowed=is_private_allowed,
            models=chosen,
            weight=weight,
            rpm=rpm,
            tpm=tpm,
            owner_client=client,
        )
        return made if found is None else await core.connections.record_test(OPERATOR, made.id, found)

    made = run(work, as_json=as_json)
    lines = [f"Added {made.name} ({made.kind}) with {len(made.models)} models."]
    show({"id": made.id, "name": made.name, "kind": made.kind}, lines, as_json=as_json)


@provider.command("disable", action="connection.disable", epilog=examples("provider disable openai"))
def disable(which: Which = None, name: WhichOption = None, as_json: JsonFlag = False) -> None:
    """Leave a connection out of routing, within a second."""
    ref = one_of(which, name, "connection")
    _show_state(run(lambda core: core.connections.disable(OPERATOR, ref), as_json=as_json), as_json=as_json)


@provider.command("enable", action="connection.enable", epilog=examples("provider enable openai"))
def enable(which: Which = None, name: WhichOption = None, as_json: JsonFlag = False) -> None:
    """Use a disabled connection again."""
    ref = one_of(which, name, "connection")
    _show_state(run(lambda core: core.connections.enable(OPERATOR, ref), as_json=as_json), as_json=as_json)


@provider.command("set-key", action="connection.set_key", epilog=examples("provider set-key openai < openai.key"))
def set_key(which: Which = None, name: WhichOption = None, no_test: NoTest = False, as_json: JsonFlag = False) -> None:
    """Replace a connection's key, read from standard input. The new key is tested before it is saved."""
    ref = one_of(which, name, "connection")
    secret = read_secret("Provider key")

    async def work(core: Core) -> ConnectionDetails:
        row = await core.connections.find(OPERATOR, ref)
        found: ProbeResult | None = None
        if not no_test:
            found = await core.connections.check(
                OPERATOR, row.kind, row.base_url or None, secret, is_private_allowed=row.is_private_allowed
            )
            _judge(found)
        changed = await core.connections.set_key(OPERATOR, row.id, secret)
        return changed if found is None else await core.connections.record_test(OPERATOR, row.id, found)

    row = run(work, as_json=as_json)
    answer = {"id": row.id, "name": row.name, "kind": row.kind, "key_hint": row.key_hint}
    show(answer, [f"Set the key of {row.name} (…{row.key_hint})."], as_json=as_json)


@provider.command(
    "set-address",
    action="connection.set_address",
    epilog=examples("provider set-address openai --base-url https://eu.api.openai.com/v1 < openai.key"),
)
def set_address(
    which: Which = None,
    name: WhichOption = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="The new address.")] = None,
    is_private_allowed: AllowPrivate = False,
    as_json: JsonFlag = False,
) -> None:
    """Move a connection to another address. The provider key has to be given again, on standard input."""
    ref = one_of(which, name, "connection")
    secret = read_optional_secret("Provider key")

    async def work(core: Core) -> ConnectionDetails:
        return await core.connections.set_address(
            OPERATOR, ref, base_url, secret, is_private_allowed=is_private_allowed
        )

    row = run(work, as_json=as_json)
    answer = {"id": row.id, "name": row.name, "kind": row.kind, "base_url": row.base_url}
    show(answer, [f"{row.name} is at {row.base_url} now."], as_json=as_json)


@provider.command(
    "set-quota", action="connection.change", epilog=examples("provider set-quota openai --rpm 500 --tpm 200000")
)
def set_quota(
    which: Which = None,
    name: WhichOption = None,
    rpm: Annotated[int | None, typer.Option("--rpm", help="Requests a minute; 0: find it out.")] = None,
    tpm: Annotated[int | None, typer.Option("--tpm", help="Tokens a minute; 0: find it out.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what the provider gives in a minute, for all models together. What is not said is found out in use."""
    ref = one_of(which, name, "connection")
    if rpm is None and tpm is None:
        usage_error("Say at least one of --rpm and --tpm.")
    row = run(lambda core: core.connections.set_quota(OPERATOR, ref, rpm, tpm), as_json=as_json)
    said = ", ".join(f"{n:,} {what} a minute" for n, what in ((row.rpm, "requests"), (row.tpm, "tokens")) if n)
    answer = {"id": row.id, "name": row.name, "rpm": row.rpm, "tpm": row.tpm}
    show(answer, [f"{row.name}: {said or 'its limits are found out in use'}."], as_json=as_json)


@provider.command(
    "set-probe",
    action="connection.change",
    epilog=examples("provider set-probe openai --every 30s", "provider set-probe x --default"),
)
def set_probe(
    which: Which = None,
    name: WhichOption = None,
    every: Annotated[str | None, typer.Option("--every", help="Such as 30s or 10m; 0: never.")] = None,
    is_default: Annotated[bool, typer.Option("--default", help="As AISERVICE_PROBE_EVERY says.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say how often the provider is asked for its models, to know whether it is there."""
    ref = one_of(which, name, "connection")
    if (every is None) is not is_default:
        usage_error("Say either --every or --default.")
    try:
        seconds = None if every is None else 0 if every == "0" else parse_duration(every)
    except ValueError as exc:
        usage_error(f"--every: {exc}")
    row = run(lambda core: core.connections.set_probe_interval(OPERATOR, ref, seconds), as_json=as_json)
    said = {None: "is probed as the settings say", 0: "is never probed"}
    words = said.get(row.probe_every_seconds, f"is probed every {row.probe_every_seconds} seconds")
    answer = {"id": row.id, "name": row.name, "probe_every_seconds": row.probe_every_seconds}
    show(answer, [f"{row.name} {words}."], as_json=as_json)


@provider.command(
    "set-data",
    action="connection.change",
    epilog=examples("provider set-data eu-azure --data-collection deny --region eu", "provider set-data x --zdr"),
)
def set_data(
    which: Which = None,
    name: WhichOption = None,
    collection: Annotated[str | None, typer.Option("--data-collection", help="allow, deny, or nothing ('').")] = None,
    is_zdr: Annotated[bool | None, typer.Option("--zdr/--no-zdr", help="It keeps nothing at all.")] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Where it is, as preferences name it; '': none.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """State what the provider does with data, and where. Preferences that ask for it go by what is stated alone."""
    ref = one_of(which, name, "connection")
    said: dict[str, str | bool | None] = {"data_collection": collection, "is_zdr": is_zdr, "region": region}
    stated = {field: value for field, value in said.items() if value is not None}
    if not stated:
        usage_error("Say at least one of --data-collection, --zdr and --region.")
    row = run(lambda core: core.connections.set_data(OPERATOR, ref, stated), as_json=as_json)
    answer = {"name": row.name, "data_collection": row.data_collection, "zdr": row.is_zdr, "region": row.region}
    words = f"{row.name}: data collection {row.data_collection or 'not stated'}, region {row.region or 'not stated'}"
    show({"id": row.id, **answer}, [f"{words}{', it keeps nothing' if row.is_zdr else ''}."], as_json=as_json)


@provider.command(
    "remove",
    action="connection.remove",
    short_help="Remove a connection and its key.",
    epilog=examples("provider remove openai"),
)
def remove(which: Which = None, name: WhichOption = None, as_json: JsonFlag = False) -> None:
    """Remove a connection, its key, and its places in stored preferences."""
    ref = one_of(which, name, "connection")
    run(lambda core: core.connections.remove(OPERATOR, ref), as_json=as_json)
    show({"name": ref, "removed": True}, [f"Removed {ref}."], as_json=as_json)


def _key_for(kind: str, *, as_json: bool) -> Secret | None:
    if kind not in built_in():
        run(lambda core: core.vendors.list(OPERATOR), as_json=as_json)  # to open it is enough: they are read then
    try:
        chosen = known_kind(kind)
    except BrokerError as error:
        refuse(error, as_json=as_json)
    if chosen.is_local:
        return None
    return read_secret("Provider key") if chosen.needs_key else read_optional_secret("Provider key")


def _judge(found: ProbeResult) -> None:
    """A wrong key or address is not saved; a provider that is away or busy is, with a note."""
    if found.is_ok:
        return
    if found.is_rejected:
        raise Unprocessable(
            f"Not saved: {found.message} (To save it all the same: --no-test.)", code=found.code or "test_failed"
        )
    say(f"Note: the test did not succeed ({found.message}) The connection is saved; try: provider test.")


def _show_state(row: ConnectionDetails, *, as_json: bool) -> None:
    done = "Disabled" if row.is_disabled else "Enabled"
    answer = {"id": row.id, "name": row.name, "kind": row.kind, "disabled": row.is_disabled}
    show(answer, [f"{done} {row.name}."], as_json=as_json)
