"""`provider key`: several keys of one provider connection. They go in through standard input and never come out."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, read_secret, say, show, show_table
from aiservice.commands.opening import run
from aiservice.errors import Unprocessable
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.connection_views import KeyDetails
from aiservice.services.core import Core
from aiservice.services.probe import ProbeResult

provider_key = group("Further keys of a provider connection; its calls take them in turns, by weight.")

Connection = Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the connection.")]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=2, help="Which key: 2 is the first beside its own.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Save without calling the provider first.")]
Label = Annotated[str | None, typer.Option("--label", help="What you call it; shown to admins alone.")]
Weight = Annotated[int | None, typer.Option("--weight", help="Share among the connection's keys, 1 to 1000.")]
Rpm = Annotated[int | None, typer.Option("--rpm", help="Requests a minute that the provider gives it; 0: find out.")]
Tpm = Annotated[int | None, typer.Option("--tpm", help="Tokens a minute that the provider gives it; 0: find out.")]


@provider_key.command(
    "add",
    action="provider_key.add",
    epilog=examples("provider key add openai --label billing-b --weight 2 < second.key"),
)
def add(
    connection: Connection,
    label: Label = None,
    weight: Weight = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    no_test: NoTest = False,
    as_json: JsonFlag = False,
) -> None:
    """Add a key, read from standard input. It is tried at the connection's address before it is saved."""
    secret = read_secret("Provider key")

    async def work(core: Core) -> KeyDetails:
        found = None if no_test else await core.provider_keys.check(OPERATOR, connection, secret)
        _judge(found)
        key = await core.provider_keys.add(
            OPERATOR, connection, secret, label=label or "", weight=1 if weight is None else weight, rpm=rpm, tpm=tpm
        )
        return key if found is None else await core.provider_keys.record_test(OPERATOR, key.id, found)

    key = run(work, as_json=as_json)
    show(_told(key), [f"{connection} has key {key.number} (…{key.key_hint})."], as_json=as_json)


@provider_key.command("list", action="provider_key.get", epilog=examples("provider key list openai"))
def list_keys(connection: Connection, as_json: JsonFlag = False) -> None:
    """List a connection's further keys, by their last four characters."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [_told(key) for key in (await core.connections.find(OPERATOR, connection)).keys]

    columns = ("number", "label", "weight", "rpm", "tpm", "disabled", "key_hint", "test_result")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="It has no further keys.")


@provider_key.command("set", action="provider_key.set_secret", epilog=examples("provider key set openai 2 < new.key"))
def set_secret(connection: Connection, number: Number, no_test: NoTest = False, as_json: JsonFlag = False) -> None:
    """Put another key, read from standard input, in the place of this one."""
    secret = read_secret("Provider key")

    async def work(core: Core) -> KeyDetails:
        key = await core.provider_keys.numbered(OPERATOR, connection, number)
        found = None if no_test else await core.provider_keys.check(OPERATOR, connection, secret)
        _judge(found)
        changed = await core.provider_keys.set_secret(OPERATOR, key.id, secret)
        return changed if found is None else await core.provider_keys.record_test(OPERATOR, key.id, found)

    key = run(work, as_json=as_json)
    show(_told(key), [f"Set key {number} of {connection} (…{key.key_hint})."], as_json=as_json)


@provider_key.command(
    "update", action="provider_key.change", epilog=examples("provider key update openai 2 --weight 3 --rpm 500")
)
def update(
    connection: Connection,
    number: Number,
    label: Label = None,
    weight: Weight = None,
    rpm: Rpm = None,
    tpm: Tpm = None,
    as_json: JsonFlag = False,
) -> None:
    """Change a key's label, weight or limits."""

    async def work(core: Core, key: KeyDetails) -> KeyDetails:
        return await core.provider_keys.update(OPERATOR, key.id, label=label, weight=weight, rpm=rpm, tpm=tpm)

    _on_key(connection, number, work, "Changed", as_json=as_json)


@provider_key.command("disable", action="provider_key.disable", epilog=examples("provider key disable openai 2"))
def disable(connection: Connection, number: Number, as_json: JsonFlag = False) -> None:
    """Let no call carry this key, within a second."""
    _on_key(
        connection, number, lambda core, key: core.provider_keys.disable(OPERATOR, key.id), "Disabled", as_json=as_json
    )


@provider_key.command("enable", action="provider_key.enable", epilog=examples("provider key enable openai 2"))
def enable(connection: Connection, number: Number, as_json: JsonFlag = False) -> None:
    """Use a disabled key again."""
    _on_key(
        connection, number, lambda core, key: core.provider_keys.enable(OPERATOR, key.id), "Enabled", as_json=as_json
    )


@provider_key.command("test", action="provider_key.test", epilog=examples("provider key test openai 2"))
def test(connection: Connection, number: Number, as_json: JsonFlag = False) -> None:
    """Call the provider's list of models with this key. Exit status 1 when that fails."""

    async def work(core: Core) -> ProbeResult:
        key = await core.provider_keys.numbered(OPERATOR, connection, number)
        return await core.provider_keys.test(OPERATOR, key.id)

    result = run(work, as_json=as_json)
    answer = {"name": connection, "number": number, "ok": result.is_ok, "code": result.code, "message": result.message}
    show(answer, [f"{connection} key {number}: {result.summary}"], as_json=as_json)
    if not result.is_ok:
        raise typer.Exit(1)


@provider_key.command("remove", action="provider_key.remove", epilog=examples("provider key remove openai 2"))
def remove(connection: Connection, number: Number, as_json: JsonFlag = False) -> None:
    """Destroy this key's sealed copy and forget it."""

    async def work(core: Core) -> None:
        key = await core.provider_keys.numbered(OPERATOR, connection, number)
        await core.provider_keys.remove(OPERATOR, key.id)

    run(work, as_json=as_json)
    answer = {"name": connection, "number": number, "removed": True}
    show(answer, [f"Removed key {number} of {connection}."], as_json=as_json)


def _on_key(
    connection: str,
    number: int,
    act: Callable[[Core, KeyDetails], Awaitable[KeyDetails]],
    done: str,
    *,
    as_json: bool,
) -> None:
    async def work(core: Core) -> KeyDetails:
        return await act(core, await core.provider_keys.numbered(OPERATOR, connection, number))

    show(_told(run(work, as_json=as_json)), [f"{done} key {number} of {connection}."], as_json=as_json)


def _judge(found: ProbeResult | None) -> None:
    """A wrong key is not saved; one of a provider that is away or busy is, with a note."""
    if found is None or found.is_ok:
        return
    if found.is_rejected:
        raise Unprocessable(
            f"Not saved: {found.message} (To save it all the same: --no-test.)", code=found.code or "test_failed"
        )
    say(f"Note: the test did not succeed ({found.message}) The key is saved; try: provider key test.")


def _told(key: KeyDetails) -> dict[str, object]:
    return {
        "id": key.id,
        "number": key.number,
        "label": key.label,
        "weight": key.weight,
        "rpm": key.rpm,
        "tpm": key.tpm,
        "disabled": key.is_disabled,
        "key_hint": key.key_hint,
        "key_fingerprint": key.key_fingerprint,
        "created_at": iso(key.created_us),
        "tested_at": iso(key.tested_us),
        "test_result": key.test_result,
    }
