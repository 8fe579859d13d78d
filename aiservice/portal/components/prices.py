"""Models with what they cost, who says so since when, and the dialog in which an admin says otherwise."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button, open_dialog
from aiservice.portal.components.parts import cell, data_table, field, state_badge, table_row
from aiservice.services.own_amounts import PER_MILLION, UNITS
from aiservice.services.price_list import PricedModel

HEADS = ["Model", "Input", "Output", "Besides", "Source", ""]
_BESIDES = {
    "cache_read_mtok": "read from cache",
    "cache_write_mtok": "written to cache",
    "reasoning_mtok": "thinking",
}
_SOURCES = {
    "own": ("yours", "good"),
    "published": ("published", "plain"),
    "listed": ("list price", "plain"),
    "built_in": ("built in", "plain"),
    "none": ("unpriced", "bad"),
}


class PriceRow(TypedDict):
    """A model. `amounts` are what the form begins with."""

    kind: str
    model: str
    offered: str
    input: str
    output: str
    besides: str
    source: str
    source_kind: str
    source_words: str
    unpriced: str
    reason: str
    is_own: bool
    is_builtin: bool
    amounts: dict[str, str]


def row_of(one: PricedModel) -> PriceRow:
    """The line for a model."""
    amounts = one.amounts
    source, kind = _SOURCES[one.source]
    own_unit = f"{amounts['per_unit']} USD for {amounts['units']} {amounts['unit']}" if "per_unit" in amounts else ""
    besides = [f"{words} {amounts[name]}" for name, words in _BESIDES.items() if name in amounts]
    request = [f"{amounts['request']} USD a request"] if "request" in amounts else []
    begin = {name: amounts.get(name, "") for name in (*PER_MILLION, "request", "per_unit")}
    return PriceRow(
        kind=one.kind,
        model=one.model,
        offered=", ".join(one.connections) or "no connection has it now",
        input=amounts.get("input_mtok", "-"),
        output=amounts.get("output_mtok", "-"),
        besides="\n".join(filter(None, (*besides, *request, own_unit, one.unit_words, one.steps))),
        source=source,
        source_kind=kind,
        source_words=f"{one.source_words}, {one.since}" if one.since else one.source_words,
        unpriced=f"{one.unpriced_calls:,} calls without a price in 30 days" if one.unpriced_calls else "",
        reason="" if one.own is None else one.own.reason,
        is_own=one.own is not None,
        is_builtin=one.source == "built_in",
        amounts={**begin, "unit": amounts.get("unit", "image"), "units": amounts.get("units", "1")},
    )


def price_table(page: Any) -> rx.Component:
    """`page` is the state: its `rows`, `changes`, and the handlers `save` and `clear`."""
    return data_table(
        HEADS,
        rx.foreach(page.rows, lambda row: _line(page, row)),
        caption="Prices of models, in USD for a million tokens",
    )


def _line(page: Any, row: Any) -> rx.Component:
    small = f"block text-xs {theme.MUTED}"
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["model"], class_name="block font-medium wrap-anywhere"),
            rx.cond(row["kind"] != row["offered"], rx.el.span(row["kind"], class_name=small)),
            rx.el.span(row["offered"], class_name=f"{small} wrap-anywhere"),
        ),
        cell(row["input"], class_name="tabular-nums whitespace-nowrap"),
        cell(row["output"], class_name="tabular-nums whitespace-nowrap"),
        cell(rx.el.span(row["besides"], class_name="block text-xs whitespace-pre-line tabular-nums")),
        cell(
            state_badge(row["source"], row["source_kind"]),
            rx.el.span(row["source_words"], class_name=f"mt-1 {small}"),
            rx.el.span(row["reason"], class_name="mt-1 block text-xs wrap-anywhere empty:hidden"),
            rx.el.span(row["unpriced"], class_name="mt-1 block text-xs font-medium empty:hidden"),
        ),
        cell(
            rx.cond(
                ~row["is_builtin"],
                rx.el.div(
                    _set(page, row),
                    rx.cond(row["is_own"], _clear(page, row)),
                    class_name="flex flex-wrap max-sm:-mx-3.5 sm:justify-end",
                ),
            )
        ),
        key=row["kind"] + "/" + row["model"],
    )


def _clear(page: Any, row: Any) -> rx.Component:
    return confirm_button(
        "Clear",
        title=f"Go by what is published for {row['model']}?",
        text="Requests from now on cost what is published, or nothing that is known. What was charged stays.",
        confirm="Clear my price",
        on_confirm=page.clear(row["kind"], row["model"]),
    )


def _set(page: Any, row: Any) -> rx.Component:
    amounts, of = row["amounts"], f"{row['kind']}-{row['model']}"
    decimal: dict[str, Any] = {"input_mode": "decimal", "auto_complete": "off", "row": of}

    def amount(label: str, name: str, **more: Any) -> rx.Component:
        return field(label, name, default_value=amounts[name], **decimal, **more)

    units = [rx.el.option(unit, value=unit) for unit in UNITS]
    form = rx.el.form(
        rx.el.input(type="hidden", name="kind", value=row["kind"], read_only=True),
        rx.el.input(type="hidden", name="model", value=row["model"], read_only=True),
        rx.el.p("In USD for a million tokens. Left empty has no price; 0 is free.", class_name=theme.HINT),
        rx.el.div(amount("Input", "input_mtok"), amount("Output", "output_mtok"), class_name="grid grid-cols-2 gap-4"),
        rx.el.details(
            rx.el.summary("Cache, thinking, requests, units", class_name="cursor-pointer text-sm font-medium"),
            rx.el.div(
                amount("Read from cache", "cache_read_mtok"),
                amount("Written to cache", "cache_write_mtok"),
                amount("Thinking", "reasoning_mtok"),
                amount("Each request, USD", "request"),
                amount("USD for so many units", "per_unit"),
                amount("How many units", "units"),
                rx.el.label(
                    "Unit",
                    rx.el.select(*units, name="unit", default_value=amounts["unit"], class_name=f"mt-1 {theme.INPUT}"),
                    class_name=theme.LABEL,
                ),
                class_name="mt-3 grid grid-cols-2 gap-4",
            ),
        ),
        field("Why", "reason", row=of, default_value=row["reason"], required=True, max_length=300, auto_complete="off"),
        rx.el.p("It holds from now on. What was charged before stays.", class_name=theme.HINT),
        rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-end"),
        on_submit=page.save,
        class_name="mt-4 flex flex-col gap-4",
    )
    return open_dialog(
        form,
        label=rx.cond(row["is_own"], "Change", "Set price"),
        title=f"What {row['model']} costs here",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )
