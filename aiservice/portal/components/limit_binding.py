"""What holds each key back first: whose limit it is, how near, and who can raise it."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import copy_button
from aiservice.portal.components.parts import badge, cell, data_table, state_badge, table_row
from aiservice.services.limit_binding import Binding
from aiservice.services.limit_names import words_of
from aiservice.services.limiter import Standing

HEADS = ["Key", "Binds first", "Used", "To have it raised"]
NEARLY, FULL = 0.8, 1.0
_MOST = 8


class BindingRow(TypedDict):
    """A key with the limit that binds it first. `ask` is a text for who may raise it, "" where one may oneself."""

    key: str
    client: str
    limit: str
    whose: str
    used: str
    level: str
    raised_by: str
    ask: str


def level_of(share: float) -> str:
    """How near a limit is: it warns at four fifths."""
    return "bad" if share >= FULL else "warn" if share >= NEARLY else "good"


def binding_rows(found: list[Binding], *, may_limit_all: bool, contact: str) -> list[BindingRow]:
    """The fullest ones; `contact` is whom to ask, `may_limit_all` whether that is the person themselves."""
    return [_row(one, may_limit_all=may_limit_all, contact=contact) for one in found[:_MOST]]


def _row(one: Binding, *, may_limit_all: bool, contact: str) -> BindingRow:
    limit, holder = one.standing.limit, one.holder
    words = f"{limit.amount:,} {words_of(limit.name)}"
    is_ones_own = may_limit_all or holder.scope == "key"
    whose = "its own" if holder.scope == "key" else f"of the {holder.scope} {holder.name}"
    used = f"{one.standing.used:,} of {limit.amount:,} ({min(one.share, 9.99):.0%})"
    ask = (
        f"Please raise the limit of {words} of the {holder.scope} '{holder.name}'. It is what holds back the key "
        f"'{one.key.name}' first: {used} is used now."
    )
    return BindingRow(
        key=one.key.name,
        client=one.key.within,
        limit=words,
        whose=whose,
        used=used,
        level=level_of(one.share),
        raised_by="you, below" if is_ones_own else contact,
        ask="" if is_ones_own else ask,
    )


def binding_table(rows: Any) -> rx.Component:
    """The table of `rows`, a Var of `BindingRow`s."""
    return data_table(HEADS, rx.foreach(rows, _line), caption="What holds each key back first")


def _line(row: Any) -> rx.Component:
    muted = f"block text-xs {theme.MUTED}"
    return table_row(
        HEADS,
        cell(
            rx.el.div(
                rx.el.span(row["key"], class_name="block font-medium break-words"),
                rx.el.span(row["client"], class_name=muted),
            )
        ),
        cell(
            rx.el.div(
                rx.el.span(row["limit"], class_name="block"),
                rx.el.span(row["whose"], class_name=f"break-words {muted}"),
            )
        ),
        cell(
            rx.el.div(
                state_badge(row["used"], row["level"]),
                rx.cond(row["level"] == "bad", badge("refuses now", "bad")),
                rx.cond(row["level"] == "warn", badge("nearly used up", "warn")),
                class_name="flex flex-wrap gap-1",
            )
        ),
        cell(
            rx.el.div(
                rx.el.span(row["raised_by"], class_name="text-sm"),
                rx.cond(row["ask"] != "", copy_button(row["ask"], "Copy a request")),
                class_name="flex flex-wrap items-center gap-2",
            )
        ),
    )


def used_bar(row: Any) -> rx.Component:
    """The words say what the bar shows, so that it is no news to a screen reader."""
    look = "h-full rounded-full"
    colour = rx.match(
        row["level"],
        ("bad", f"{look} bg-red-700 dark:bg-red-400"),
        ("warn", f"{look} bg-amber-600 dark:bg-amber-400"),
        f"{look} bg-indigo-600 dark:bg-indigo-400",
    )
    return rx.el.div(
        rx.el.div(
            rx.el.span(row["used"], class_name="tabular-nums"),
            rx.cond(row["level"] == "bad", badge("used up", "bad")),
            rx.cond(row["level"] == "warn", badge("nearly used up", "warn")),
            class_name="flex flex-wrap items-center gap-2",
        ),
        rx.el.div(
            rx.el.div(class_name=colour, style={"width": row["width"]}),
            class_name="mt-1 h-1.5 w-full min-w-32 overflow-hidden rounded-full bg-slate-200 dark:bg-slate-700",
            custom_attrs={"aria-hidden": "true"},
        ),
        class_name="w-full",
    )


def free_again(standing: Standing) -> str:
    """When nothing of what is used now counts any more."""
    if not standing.used:
        return "all free"
    if not standing.limit.window_seconds:
        return "as answers end"
    seconds = -(-standing.reset_us // 1_000_000)
    if seconds < 60:
        return f"all in {seconds} s"
    minutes = -(-seconds // 60)
    return f"all in {minutes} min" if minutes < 60 else f"all in {minutes // 60} h {minutes % 60} min"
