"""Why a request went where it went, as a table: the places in order, and the rule that left each other one out."""

from collections.abc import Mapping
from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.services.routing_terms import FIELDS

HEADS = ["Connection", "Place, or rule", "Why"]


class Considered(TypedDict):
    """One connection that was looked at."""

    name: str
    model: str
    place: str
    kind: str
    why: str
    is_preference: bool


def considered_of(decision: Mapping[str, Any] | None) -> list[Considered]:
    """The lines of a kept decision; none where it was not kept."""
    if decision is None:
        return []
    places = [
        Considered(
            name=one["provider"],
            model=one["model"],
            place=_place(number),
            kind="good",
            why=_sentence(one["reason"]),
            is_preference=one["reason"].startswith("preference"),
        )
        for number, one in enumerate(decision["candidates"], start=1)
    ]
    left_out = [
        Considered(
            name=one["provider"],
            model="",
            place=one["rule"].replace("_", " "),
            kind="plain",
            why=one["why"],
            is_preference=one["rule"] in FIELDS,
        )
        for one in decision["removed"]
    ]
    return [*places, *left_out]


def _place(number: int) -> str:
    return "first" if number == 1 else f"then, {number}"


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def decision_table(
    lines: Any, preferences: Any = None, *, caption: str = "Connections that were looked at, in order"
) -> rx.Component:
    """The table of `lines`, a Var of what `considered_of` gives; `preferences` is the address of those that hold, where
    there is a way to them. Two on a page have captions of their own."""
    rows = rx.foreach(lines, lambda line: _line(line, preferences))
    return data_table(HEADS, rows, caption=caption)


def _way_to(preferences: Any, line: Any) -> rx.Component:
    look = f"flex min-h-6 w-fit items-center text-xs {theme.LINK}"
    return rx.cond(
        line["is_preference"], ReactRouterLink.create("See the preferences", to=preferences, class_name=look)
    )


def _line(line: Any, preferences: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.div(
                rx.el.span(line["name"], class_name="block break-words font-medium"),
                rx.el.span(line["model"], class_name=f"block break-words text-xs {theme.MUTED}"),
            )
        ),
        cell(state_badge(line["place"], line["kind"])),
        cell(
            rx.el.div(
                rx.el.span(line["why"], class_name="break-words"),
                *([_way_to(preferences, line)] if preferences is not None else []),
            )
        ),
    )
