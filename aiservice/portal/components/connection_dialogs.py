"""What is asked about one connection: a new key, and what its provider does with data, as an admin states it."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, open_dialog
from aiservice.portal.components.parts import alert, checkbox, field, select_field
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


_NUMERIC: dict[str, Any] = {"input_mode": "numeric", "auto_complete": "off"}


def add_dialog(page: Any, usual_kind: str) -> rx.Component:
    """One more connection. `page` is the state: its kinds, what it says of the chosen one, and `changed`."""
    kinds = rx.foreach(page.kinds, lambda one: rx.el.option(one["title"], value=one["kind"]))
    return open_dialog(
        action_form(
            select_field("Kind", "kind", kinds, default_value=usual_kind, on_change=page.choose_kind),
            field(
                "Name", "name", hint="Lower case; how clients pin it: name/model.", required=True, auto_complete="off"
            ),
            field(
                "Address",
                "base_url",
                hint=page.address_hint,
                auto_complete="off",
                spell_check=False,
            ),
            field(
                "Key",
                "secret",
                type="password",
                auto_complete="off",
                hint=page.key_hint,
            ),
            field(
                "Models (optional)",
                "models",
                hint="Separated by commas; empty: asked of the provider.",
                auto_complete="off",
            ),
            rx.el.details(
                rx.el.summary("Share and limits", class_name="cursor-pointer text-sm font-medium"),
                rx.el.div(
                    field("Weight, 1 to 1000", "weight", default_value="1", **_NUMERIC),
                    field("Requests a minute", "rpm", **_NUMERIC),
                    field("Tokens a minute", "tpm", hint="Empty: found out in use.", **_NUMERIC),
                    class_name="mt-3 grid gap-4 sm:grid-cols-3",
                ),
            ),
            checkbox(
                "The address may be private or loopback",
                "allow_private",
                hint="For a server in your own network, such as Ollama or vLLM; plain http is allowed then.",
            ),
            alert("The key is tried against the provider before anything is stored."),
            action="/auth/secrets/connections",
            submit="Test and add",
            busy="Testing…",
            on_done=page.changed,
        ),
        label="Add provider",
        title="Add a provider",
        close_signal=page.changes,
    )


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
            field("New key", "secret", row=row["id"], type="password", required=True, auto_complete="off"),
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
