"""`client payloads`: whether what a client asks and is answered is kept for a while."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, show
from aiservice.commands.opening import run
from aiservice.principal import OPERATOR
from aiservice.services.core import Core

client_payloads = group("Keep what a client asks and is answered, sealed, for some days: on, off.")

Which = Annotated[str, typer.Argument(metavar="CLIENT", help="Name or id.")]


@client_payloads.command("on", action="client.payloads", epilog=examples("client payloads on shop"))
def switch_on(which: Which, as_json: JsonFlag = False) -> None:
    """Keep bodies from now on, for its owner and, noted in the audit log, for admins to read."""
    _switch(which, is_on=True, as_json=as_json)


@client_payloads.command(
    "off", action="client.payloads", epilog=examples("client payloads off shop", "client payloads off shop --shred")
)
def switch_off(
    which: Which,
    shred: Annotated[
        bool, typer.Option("--shred", help="Destroy all that is kept of the client, its idempotent answers included.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Keep no more; what was kept goes when its time is over."""
    _switch(which, is_on=False, is_shredded=shred, as_json=as_json)


def _switch(which: str, *, is_on: bool, as_json: bool, is_shredded: bool = False) -> None:
    async def work(core: Core) -> tuple[str, bool, int]:
        name = await core.payloads.switch(OPERATOR, which, is_on=is_on)
        destroyed = await core.bodies.shred_client(OPERATOR, which) if is_shredded else 0
        return name, core.payloads.is_allowed, destroyed

    name, is_allowed, destroyed = run(work, as_json=as_json)
    words = [f"Payloads of {name} are {'kept' if is_on else 'no longer kept'}."]
    if is_on and not is_allowed:
        words.append("But not before AISERVICE_LOG_PAYLOADS=on is set for the server.")
    if is_shredded:
        words.append(f"{destroyed} kept bodies were destroyed.")
    show({"client": name, "payloads": is_on, "allowed": is_allowed, "destroyed": destroyed}, words, as_json=as_json)
