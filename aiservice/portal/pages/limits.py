"""Limits: what keys, clients and teams may use, how they stand now, and the form that sets them."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest
from aiservice.portal import theme
from aiservice.portal.components.answer_example import answer_example
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.limit_binding import BindingRow, binding_table, used_bar
from aiservice.portal.components.limit_rows import MOST_ROWS, SCOPES, LimitRow, LimitsShown, limits_shown, may_change
from aiservice.portal.components.parts import (
    alert,
    badge,
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    skeleton,
    table_row,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.portal.session.live import put, watch
from aiservice.services.core import current_core
from aiservice.services.limit_names import KINDS, words_of
from aiservice.services.limit_standing import Holder

_LEFT_OUT = f"These are the {MOST_ROWS} that are used most. The others are on the pages of their keys and clients."


class Choice(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class SetLimit(ValidatedDict):
    """The form that sets a limit."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    holder: str
    limit: str
    amount: str


class LimitsState(rx.State):
    """The limits that the signed-in person may see."""

    rows: list[LimitRow] = []
    left_out: int = 0
    holders: list[Choice] = []
    bindings: list[BindingRow] = []
    example: str = ""
    is_whole: bool = True
    is_loaded: bool = False

    @handler("limit.list")
    async def load(self) -> None:
        await _show(self)
        watch(self, _gather, _show_standing)

    @handler("key.limits")
    async def set_limit(self, form: SetLimit) -> None:
        scope, subject = _holder(form["holder"])
        text = form["amount"].strip().replace(",", "")
        if not (text.isascii() and text.isdecimal() and len(text) <= 15):
            raise InvalidRequest("A limit is a whole number, such as 600.", param="amount")
        limits, amounts = current_core().limits, {form["limit"]: int(text)}
        setting = {"key": limits.set_key, "client": limits.set_client, "team": limits.set_team}[scope]
        stored = await setting(signed_in(), subject, amounts)
        await tell(self, f"Set. {stored.name} now has {int(text):,} {words_of(form['limit'])}.")
        await _show(self)

    @handler("key.limits")
    async def clear(self, holder: str, name: str) -> None:
        scope, subject = _holder(holder)
        limits = current_core().limits
        clearing = {"key": limits.clear_key, "client": limits.clear_client, "team": limits.clear_team}[scope]
        stored = await clearing(signed_in(), subject, [name])
        await tell(self, f"Cleared. {stored.name} has no limit of {words_of(name)} any more.")
        await _show(self)


async def _show(state: LimitsState) -> None:
    me, found = signed_in(), await _gather()
    _show_standing(state, found)
    state.holders = [
        Choice(value=f"{holder.scope}:{holder.id}", label=_label(holder))
        for holder in found.holders
        if may_change(me, holder)
    ]


async def _gather() -> LimitsShown:
    return await limits_shown(current_core(), signed_in())


def _show_standing(state: LimitsState, found: LimitsShown) -> None:
    """What changes with every request; the choices of the form are many, and do not."""
    put(state, **found.shown, is_loaded=True)


def _label(holder: Holder) -> str:
    within = f" of {holder.within}" if holder.scope == "key" else ""
    return f"{SCOPES[holder.scope]} {holder.name}{within}"


def _holder(text: str) -> tuple[str, str]:
    scope, _, subject = text.partition(":")
    if scope not in SCOPES or not subject:
        raise InvalidRequest("Choose what to limit.", param="holder")
    return scope, subject


HEADS = ["For", "Limit", "Used now", "Free again", ""]
page: Any = LimitsState  # in markup its attributes are Vars


@portal_page("/limits", title="Limits", icon="bars", place=35, on_load=LimitsState.load)
def limits() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            rx.cond(page.bindings.length() > 0, _first()), _standing(), _form(), class_name="flex flex-col gap-5"
        ),
        rx.el.div(
            *(skeleton(height) for height in ("h-56", "h-72", "h-40")),
            class_name="flex flex-col gap-5",
            custom_attrs={"aria-busy": "true"},
        ),
    )


def _first() -> rx.Component:
    when = (
        "Status 429, until enough of the window has passed. Libraries wait as long as retry-after says by themselves."
    )
    return card(
        binding_table(page.bindings),
        rx.el.div(answer_example(page.example, when), class_name="mt-4"),
        title="What binds first",
        actions=badge("live", "good"),
    )


def _standing() -> rx.Component:
    away = alert(
        "Redis does not answer, so these are the counts of one worker alone. Until it is back, each worker allows its "
        "part of every limit.",
        kind="warn",
    )
    return card(
        rx.cond(page.is_whole, rx.fragment(), rx.el.div(away, class_name="mb-4")),
        rx.cond(
            page.rows.length() > 0,
            rx.fragment(
                data_table(HEADS, rx.foreach(page.rows, _line), caption="Limits and how they stand"),
                rx.cond(page.left_out > 0, rx.el.p(_LEFT_OUT, class_name=f"mt-3 text-sm {theme.MUTED}")),
            ),
            rx.cond(
                page.holders.length() > 0,
                empty(
                    "No limits",
                    "Nothing holds these keys back. Set the first limit below: it takes effect within a second.",
                    rx.el.a("Set a limit", href="#set-a-limit", class_name=theme.PRIMARY),
                ),
                empty(
                    "Nothing to limit yet",
                    "Limits belong to keys. Make one first.",
                    rx.el.a("Make a key", href="/keys", class_name=theme.PRIMARY),
                ),
            ),
        ),
        title="How they stand",
        actions=badge("live", "good"),
    )


def _line(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["of"], class_name="font-medium break-words"),
            rx.el.span(row["what"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(row["words"]),
        cell(used_bar(row)),
        cell(row["free"], class_name=theme.MUTED),
        cell(
            rx.cond(
                row["is_mine"],
                confirm_button(
                    "Clear",
                    title="Take this limit away?",
                    text=f"{row['of']} may then use as much as its other limits let it.",
                    confirm="Take it away",
                    on_confirm=page.clear(row["holder"], row["name"]),
                    custom_attrs={"aria-label": f"Clear {row['words']} of {row['of']}"},
                ),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=f"{row['holder']} {row['name']}",
    )


def _form() -> rx.Component:
    names = [rx.el.option(words_of(name).capitalize(), value=name) for name in KINDS]
    form = rx.el.form(
        select_field(
            "For",
            "holder",
            rx.foreach(page.holders, lambda one: rx.el.option(one["label"], value=one["value"])),
        ),
        select_field("Limit", "limit", names),
        field("At most", "amount", required=True, input_mode="numeric", placeholder="600", auto_complete="off"),
        rx.el.button("Set", type="submit", class_name=f"{theme.PRIMARY} self-end"),
        on_submit=page.set_limit,
        class_name="grid gap-4 sm:grid-cols-[1fr_1fr_8rem_auto]",
    )
    note = (
        "Windows slide: no minute, whenever it begins, holds more than its limit. A key, its client and the client's "
        "team each have their own, and all of them hold."
    )
    return rx.cond(
        page.holders.length() > 0,
        rx.el.div(card(form, rx.el.p(note, class_name=f"mt-3 {theme.HINT}"), title="Set a limit"), id="set-a-limit"),
    )
