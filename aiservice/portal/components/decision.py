"""Why a request went where it went, as a table: the places in order, and the rule that left each other one out."""

from collections.abc import Mapping
from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row

HEADS = ["Connection", "Place, or rule", "Why"]


class Considered(TypedDict):
    """One connection that was looked at."""

    name: str
    model: str
    place: str
    kind: str
    why: str


def considered_of(decision: Mapping[str, Any] | None) -> list[Considered]:
    """The lines of a kept decision; none where it was not kept."""
    if decision is None:
        return []
    places = [
        Considered(
            name=one["provider"], model=one["model"], place=_place(number), kind="good", why=_sentence(one["reason"])
        )
        for number, one in enumerate(decision["candidates"], start=1)
    ]
    left_out = [
        Considered(name=one["provider"], model="", place=one["rule"].replace("_", " "), kind="plain", why=one["why"])
        for one in decision["removed"]
    ]
    return [*places, *left_out]


def _place(number: int) -> str:
    return "first" if number == 1 else f"then, {number}"


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def decision_table(lines: Any) -> rx.Component:
    """The table of `lines`, a Var of what `considered_of` gives."""
    return data_table(HEADS, rx.foreach(lines, _line), caption="Connections that were looked at, in order")


def _line(line: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.div(
                rx.el.span(line["name"], class_name="block break-words font-medium"),
                rx.el.span(line["model"], class_name=f"block break-words text-xs {theme.MUTED}"),
            )
        ),
        cell(state_badge(line["place"], line["kind"])),
        cell(rx.el.span(line["why"], class_name="break-words")),
    )
