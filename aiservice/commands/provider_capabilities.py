"""`provider set` and `provider capabilities`: what a connection's models can do, as it is known and as you state it."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from aiservice.commands.console import JsonFlag, examples, one_of, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.commands.provider_keys import provider_key
from aiservice.commands.provider_list import list_connections
from aiservice.commands.provider_live import try_connection
from aiservice.commands.providers import Which, WhichOption, provider
from aiservice.principal import OPERATOR
from aiservice.providers.capabilities import Capabilities, capabilities_of
from aiservice.services.connection_views import ConnectionDetails
from aiservice.services.core import Core
from aiservice.services.stated_capabilities import changed, read_stated

__all__ = ["provider"]

provider.add_typer(provider_key, name="key")
provider.command(
    "list",
    action="connection.list",
    short_help="List the connections, without their keys.",
    epilog=examples("provider list", "provider list --json"),
)(list_connections)
provider.command(
    "test",
    action="connection.test",
    short_help="Call a provider with its stored key, and check what it answers.",
    epilog=examples(
        "provider test openai", "provider test openai --model gpt-5-mini", "provider test openai --list-only"
    ),
)(try_connection)

ModelOption = Annotated[str, typer.Option("--model", help="Of this model alone; else of all.")]


@provider.command(
    "set",
    action="connection.change",
    short_help="State what a connection's models can do.",
    epilog=examples(
        "provider set local --capability images=yes --capability context_tokens=32768 --model llava:13b",
        "provider set local --capability parameters=seed,stop,temperature",
        "provider set local --capability images=unknown --model llava:13b",
    ),
)
def set_capabilities(
    which: Which = None,
    name: WhichOption = None,
    capability: Annotated[list[str] | None, typer.Option("--capability", help="images=yes, tools=no …")] = None,
    model: ModelOption = "",
    as_json: JsonFlag = False,
) -> None:
    """State what a connection's models can do: it goes before what is known of them. 'unknown' takes it back."""
    ref = one_of(which, name, "connection")
    if not capability:
        usage_error("Say at least one --capability, like images=yes.")

    async def work(core: Core) -> ConnectionDetails:
        row = await core.connections.find(OPERATOR, ref)
        stated = changed(row.stated, [read_stated(text, model) for text in capability])
        return await core.connections.set_capabilities(OPERATOR, row.id, stated)

    row = run(work, as_json=as_json)
    stated = [{"model": model or None, "name": name, "value": value} for model, name, value in row.stated]
    lines = [f"{row.name}: {_words(each['name'], each['value'])} ({each['model'] or 'all models'})" for each in stated]
    answer = {"id": row.id, "name": row.name, "stated": stated}
    show(answer, lines or [f"{row.name}: nothing is stated."], as_json=as_json)


@provider.command(
    "capabilities", action="connection.get", epilog=examples("provider capabilities openai --model gpt-5-mini")
)
def show_capabilities(
    which: Which = None, name: WhichOption = None, model: ModelOption = "", as_json: JsonFlag = False
) -> None:
    """Show what a connection's models can do, as routing takes it. What nobody knows excludes nothing."""
    ref = one_of(which, name, "connection")
    row = run(lambda core: core.connections.find(OPERATOR, ref), as_json=as_json)
    models = [model] if model else row.models
    known = {each: capabilities_of(row.kind, each, row.base_url, row.stated) for each in models}
    if as_json:
        show_table([{"model": each, **_told(found)} for each, found in known.items()], (), as_json=True, empty="")
        return
    lines = [f"{each}: {_line(found)}" for each, found in known.items()]
    show({}, lines or [f"{row.name} lists no models: name one with --model."], as_json=False)


def _told(found: Capabilities) -> dict[str, Any]:
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(found).items()}


def _line(found: Capabilities) -> str:
    told = _told(found)
    known = [_words(name, value) for name, value in told.items() if value is not None]
    unknown = [name for name, value in told.items() if value is None]
    return "; ".join([*known, *([f"not known: {', '.join(unknown)}"] if unknown else [])])


def _words(name: object, value: object) -> str:
    if isinstance(value, bool):
        return f"{name} {'yes' if value else 'no'}"
    if isinstance(value, int):
        return f"{name} {value:,}"
    return f"{name} {', '.join(value) or 'none'}" if isinstance(value, (list, tuple)) else f"{name} {value}"
