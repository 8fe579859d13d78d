"""`shadow`: a part of a client's requests is asked of a second provider as well, at the operator's cost."""

from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table
from aiservice.commands.opening import run
from aiservice.kit.money import to_usd_text
from aiservice.principal import OPERATOR
from aiservice.services.shadows import ShadowView

shadow = group("Shadow traffic: see how another provider would do, without a client noticing.")

ClientOption = Annotated[str, typer.Option("--client", help="Whose requests.")]
TaskOption = Annotated[str, typer.Option("--task", help="Of which task; '*' is any.")]


@shadow.command(
    "set", action="shadow.set", epilog=examples("shadow set --client shop --to anthropic:claude-haiku-4-5 --percent 5")
)
def set_rule(
    client: ClientOption,
    to: Annotated[str, typer.Option("--to", help="connection, or connection:model.")],
    percent: Annotated[float, typer.Option("--percent", help="How many of a hundred requests, 0.01 to 100.")],
    task: TaskOption = "*",
    as_json: JsonFlag = False,
) -> None:
    """Ask a second provider, too: holds within a second, on every worker. The client is never billed for it."""
    view = run(lambda core: core.shadows.set(OPERATOR, client, task, to, percent), as_json=as_json)
    lines = [f"{view.percent:g} % of {view.client}'s requests ({view.task}) also go to {to}, at your cost."]
    show(_told(view), lines, as_json=as_json)


@shadow.command("list", action="shadow.list", epilog=examples("shadow list", "shadow list --json"))
def list_rules(as_json: JsonFlag = False) -> None:
    """List the rules, and what came of their calls in the last 30 days."""
    rows = [_told(view) for view in run(lambda core: core.shadows.list(OPERATOR), as_json=as_json)]
    columns = ("client", "task", "to", "percent", "calls", "failed", "mean_ms", "real_ms", "cost_usd")
    show_table(rows, columns, as_json=as_json, empty="There is no shadow traffic.")


@shadow.command("clear", action="shadow.clear", epilog=examples("shadow clear --client shop --task chat"))
def clear(client: ClientOption, task: TaskOption = "*", as_json: JsonFlag = False) -> None:
    """Take a rule away. What came of its calls is kept for 30 days."""
    run(lambda core: core.shadows.clear(OPERATOR, client, task), as_json=as_json)
    show({"client": client, "task": task, "removed": True}, [f"No shadow for {client} ({task})."], as_json=as_json)


def _told(view: ShadowView) -> dict[str, Any]:
    to = view.connection or "a connection that was removed"
    return {
        "id": view.id,
        "client": view.client,
        "task": view.task,
        "to": f"{to}:{view.model}" if view.model else to,
        "percent": view.percent,
        "calls": view.calls,
        "failed": view.failed,
        "mean_ms": view.mean_ms,
        "real_ms": view.real_ms,
        "cost_usd": to_usd_text(view.cost_nano_usd),
    }
