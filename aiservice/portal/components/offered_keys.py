"""Provider keys that stand in the server's environment: offered for import, and labelled where they are in use."""

from collections.abc import Iterable
from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, open_dialog
from aiservice.portal.components.parts import badge, card, cell, data_table, field, table_row
from aiservice.services.environment_keys import OfferedKey

HEADS = ["Variable", "For", "Key", ""]


class OfferedRow(TypedDict):
    """A variable that is set; `used` names the connections that have its key."""

    variable: str
    kind: str
    address: str
    key: str
    used: str


def offered_rows(offered: Iterable[OfferedKey]) -> list[OfferedRow]:
    """The rows for what `services.environment_keys` offers."""
    return [
        OfferedRow(
            variable=one.variable,
            kind=one.kind,
            address=one.base_url or "the vendor's own address",
            key=f"…{one.hint}" if one.hint else "set",
            used=", ".join(one.used_by),
        )
        for one in offered
    ]


def offered_card(page: Any) -> rx.Component:
    """`page` is the state: its `offered` rows, `changes`, and `changed` for the connection that was made."""
    return card(
        rx.el.p(
            "Found where this server runs. None is used until it is imported; a copy is sealed then.",
            class_name=f"mb-3 text-sm {theme.MUTED}",
        ),
        data_table(HEADS, rx.foreach(page.offered, lambda row: _line(page, row)), caption="Keys of the environment"),
        title="From the environment",
    )


def _line(page: Any, row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["variable"], class_name="font-mono text-xs break-all"),
        cell(
            rx.el.span(row["kind"], class_name="block"),
            rx.el.span(row["address"], class_name=f"block text-xs wrap-anywhere {theme.MUTED}"),
        ),
        cell(row["key"], class_name="font-mono text-xs"),
        cell(
            rx.cond(
                row["used"] != "",
                rx.el.span(badge("in use", "good"), " by ", row["used"], class_name="text-xs"),
                _import(page, row),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["variable"],
    )


def _import(page: Any, row: Any) -> rx.Component:
    return open_dialog(
        action_form(
            field(
                "Name",
                "name",
                row=row["variable"],
                default_value=row["kind"],
                required=True,
                auto_complete="off",
                hint="Lower case; how clients pin it: name/model.",
            ),
            action="/auth/secrets/connections/import",
            fixed={"variable": row["variable"]},
            submit="Test and import",
            busy="Testing…",
            on_done=page.changed,
        ),
        label="Import",
        title=f"Import {row['variable']}",
        close_signal=page.changes,
        class_name=theme.SECONDARY,
    )
