"""`price`: what models cost, who says so, and your own word instead."""

from typing import Annotated

import typer

from aiservice.commands.console import JsonFlag, examples, group, show, show_table, usage_error
from aiservice.commands.opening import run
from aiservice.kit.clock import iso
from aiservice.principal import OPERATOR
from aiservice.services.core import Core
from aiservice.services.price_list import PricedModel

price = group("Prices of models: published, yours, or none, which is not 0.")

Model = Annotated[str, typer.Argument(metavar="KIND/MODEL", help="Such as openai/gpt-5-mini.")]


@price.command(
    "list", action="price.list", epilog=examples("price list", "price list --unpriced", "price list gpt-5 --json")
)
def list_prices(
    containing: Annotated[str, typer.Argument(metavar="[WORD]", help="Only models whose name has it.")] = "",
    unpriced: Annotated[bool, typer.Option("--unpriced", help="Only what nobody knows the price of.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the models that your connections offer, with their prices in USD for a million tokens, and the source."""

    async def work(core: Core) -> list[dict[str, object]]:
        snapshot = core.connections.snapshot()
        page = await core.price_list.page(
            OPERATOR, snapshot, containing=containing, source="none" if unpriced else "", limit=100_000
        )
        return [_told(each) for each in page.models]

    columns = ("kind", "model", "input_mtok", "output_mtok", "other", "source", "since", "unpriced_calls")
    show_table(run(work, as_json=as_json), columns, as_json=as_json, empty="No connection offers such a model.")


@price.command(
    "set",
    action="price.set",
    epilog=examples(
        "price set openai/gpt-5-mini --input 0.20 --output 1.60 --reason 'contract of May'",
        "price set my-vendor/painter --unit image --per-unit 0.03 --reason 'price list 2026'",
    ),
)
def set_price(
    model: Model,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands beside the price and in the audit log.")],
    input_mtok: Annotated[str | None, typer.Option("--input", help="USD for a million tokens read.")] = None,
    output_mtok: Annotated[str | None, typer.Option("--output", help="USD for a million tokens written.")] = None,
    cache_read: Annotated[str | None, typer.Option("--cache-read", help="The same, read from a cache.")] = None,
    cache_write: Annotated[str | None, typer.Option("--cache-write", help="The same, written to a cache.")] = None,
    reasoning: Annotated[str | None, typer.Option("--reasoning", help="The same, for thinking.")] = None,
    request: Annotated[str | None, typer.Option("--request", help="USD for each request.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="image, second, character or search.")] = None,
    per_unit: Annotated[str | None, typer.Option("--per-unit", help="USD for --units of it.")] = None,
    units: Annotated[str | None, typer.Option("--units", help="How many of it that buys; 1.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a model costs, from now on. What was charged before stays."""
    kind, name = _split(model)
    said = {
        "input_mtok": input_mtok,
        "output_mtok": output_mtok,
        "cache_read_mtok": cache_read,
        "cache_write_mtok": cache_write,
        "reasoning_mtok": reasoning,
        "request": request,
        "unit": unit,
        "per_unit": per_unit,
        "units": units,
    }
    amounts = {key: text for key, text in said.items() if text is not None}
    row = run(lambda core: core.own_prices.set(OPERATOR, kind, name, amounts, reason), as_json=as_json)
    answer = {"kind": row.kind, "model": row.model, **row.amounts, "reason": row.reason, "set_at": iso(row.set_us)}
    show(answer, [f"{model} costs what you said, from now on."], as_json=as_json)


@price.command("clear", action="price.clear", epilog=examples("price clear openai/gpt-5-mini"))
def clear(model: Model, as_json: JsonFlag = False) -> None:
    """Go by the published price again."""
    kind, name = _split(model)
    run(lambda core: core.own_prices.clear(OPERATOR, kind, name), as_json=as_json)
    show({"kind": kind, "model": name, "cleared": True}, [f"{model} goes by what is published."], as_json=as_json)


def _split(model: str) -> tuple[str, str]:
    kind, slash, name = model.partition("/")
    if not (kind and slash and name):
        usage_error("Write the model as KIND/MODEL, such as openai/gpt-5-mini; see price list.")
    return kind, name


def _told(each: PricedModel) -> dict[str, object]:
    amounts = each.amounts
    others = [f"{name.removesuffix('_mtok')} {amounts[name]}" for name in amounts if name not in _SHOWN]
    return {
        "kind": each.kind,
        "model": each.model,
        "connections": each.connections,
        "input_mtok": amounts.get("input_mtok"),
        "output_mtok": amounts.get("output_mtok"),
        "other": [*others, *filter(None, (each.unit_words, each.steps))],
        "amounts": dict(amounts),
        "source": each.source_words,
        "source_kind": each.source,
        "since": each.since or None,
        "reason": None if each.own is None else each.own.reason,
        "unpriced_calls": each.unpriced_calls,
    }


_SHOWN = {"input_mtok", "output_mtok"}
