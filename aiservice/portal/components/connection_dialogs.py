"""What is asked about one connection: a new key, and what its provider does with data, as an admin states it."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, open_dialog
from aiservice.portal.components.parts import checkbox, field
from aiservice.services.connection_rules import Stated


class DataForm(TypedDict, total=False):
    """The form; a box that is not ticked is not there."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    id: str
    data_collection: str
    is_zdr: str
    region: str


def stated_in(form: DataForm) -> Stated:
    """What the form states, for the service."""
    return {
        "data_collection": form.get("data_collection", ""),
        "is_zdr": "is_zdr" in form,
        "region": form.get("region", "").strip(),
    }


def data_dialog(row: Any, *, on_submit: Any, close_signal: Any) -> rx.Component:
    """States it for the connection of a row."""
    choices = [
        rx.el.option("Nobody has said", value=""),
        rx.el.option("May learn from it", value="allow"),
        rx.el.option("Does not learn from it", value="deny"),
    ]
    form = rx.el.form(
        rx.el.input(type="hidden", name="id", value=row["id"], read_only=True),
        # No ids: each row has such a form, and its labels hold their fields.
        rx.el.label(
            "What it is sent",
            rx.el.select(
                *choices, name="data_collection", default_value=row["data_collection"], class_name=f"mt-1 {theme.INPUT}"
            ),
            class_name=theme.LABEL,
        ),
        checkbox("It keeps nothing (zero data retention)", "is_zdr", default_checked=row["is_zdr"]),
        rx.el.label(
            "Region where it works, such as eu or us-east-1",
            rx.el.input(
                name="region", default_value=row["region"], auto_complete="off", class_name=f"mt-1 {theme.INPUT}"
            ),
            class_name=theme.LABEL,
        ),
        rx.el.p("Preferences and requests ask for providers by this.", class_name=theme.HINT),
        rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-end"),
        on_submit=on_submit,
        class_name="mt-4 flex flex-col gap-4",
    )
    return open_dialog(
        form,
        label="Data",
        title=f"What {row['name']} does with data",
        close_signal=close_signal,
        class_name=theme.QUIET,
    )


def key_dialog(row: Any, *, on_done: Any, close_signal: Any) -> rx.Component:
    """Gives the connection of a row another key."""
    return open_dialog(
        action_form(
            field("New key", "secret", type="password", required=True, auto_complete="off"),
            action="/auth/secrets/connections/key",
            fixed={"id": row["id"]},
            submit="Seal this key",
            busy="Sealing…",
            on_done=on_done,
        ),
        label="Set key",
        title=f"A new key for {row['name']}",
        close_signal=close_signal,
        class_name=theme.QUIET,
    )
