"""`preference`: which connection a client's task goes to first, and where it goes when that one fails."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, names_of, show, show_table
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.preferences import PreferenceView

preference = group("Preferences: fallback chains of a client.")

ClientName = Annotated[str, typer.Option("--client", help="Name or id of the client.")]


@preference.command(
    "set", epilog=examples("preference set --client shop --task chat --order openai:gpt-5-mini,ollama:llama3:8b")
)
def set_chain(
    client: ClientName,
    task: Annotated[str, typer.Option("--task", help="A task, or '*' for every task without a chain of its own.")],
    order: Annotated[
        str, typer.Option("--order", "--chain", help="connection[:model],… in order; the first usable one wins.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Store a fallback chain, in place of the one before."""
    chain = names_of(order) or []

    async def work(core: Core) -> PreferenceView:
        return await core.preferences.set(OPERATOR, client, task, chain)

    stored = run(work, as_json=as_json)
    answer = {"client": stored.client, "task": stored.task, "order": list(stored.chain)}
    show(answer, [f"{stored.client}, {stored.task}: {' → '.join(stored.chain)}"], as_json=as_json)


@preference.command("list", epilog=examples("preference list", "preference list --client shop --json"))
def list_chains(
    client: Annotated[str | None, typer.Option("--client", help="Only this client's chains.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the stored chains."""

    async def work(core: Core) -> list[dict[str, object]]:
        return [
            {
                "client": row.client,
                "task": row.task,
                "order": list(row.chain),
                "updated_at": iso(row.updated_us),
            }
            for row in await core.preferences.list(OPERATOR, client)
        ]

    columns = ("client", "task", "order", "updated_at")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="There are no stored preferences.")


@preference.command(
    "clear", epilog=examples("preference clear --client shop --task chat", "preference clear --client shop")
)
def clear(
    client: ClientName,
    task: Annotated[str | None, typer.Option("--task", help="Only this task's chain; without it, all of them.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove stored chains."""
    count = run(lambda core: core.preferences.clear(OPERATOR, client, task), as_json=as_json)
    lines = [f"Removed {count} chain{'' if count == 1 else 's'} of {client}."]
    show({"client": client, "cleared": count}, lines, as_json=as_json)
