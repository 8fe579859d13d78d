"""The card on which a decoy key is made."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, open_dialog
from aiservice.portal.components.parts import card, field, select_field


def decoy_card(clients: rx.Component, changes: Any, on_made: Any) -> rx.Component:
    """`clients` are the options of a select; `changes` closes the dialog when it changes."""
    return card(
        rx.el.p(
            "A decoy looks like any key and is refused like an unknown one. Put it where no key should be taken from: "
            "a repository, a backup, a wiki. Whoever uses it raises a critical alert with their address.",
            class_name=f"mb-4 max-w-prose text-sm {theme.MUTED}",
        ),
        open_dialog(
            action_form(
                field("Where it will be", "name", required=True, max_length=100, auto_complete="off"),
                # Reflex reads a form's fields by their ids: this one may not have that of the policy's form.
                select_field("Client", "client", clients, id="decoy-client"),
                action="/auth/secrets/keys",
                fixed={"is_decoy": "true"},
                submit="Make a decoy",
                after="reveal",
                on_done=on_made,
            ),
            label="Make a decoy",
            title="Make a decoy key",
            close_signal=changes,
            class_name=theme.SECONDARY,
        ),
        title="Decoy keys",
    )
