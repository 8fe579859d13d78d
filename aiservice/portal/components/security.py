"""The part of the account page about second factors: what one has, and what one can add, rename or take away."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, open_dialog
from aiservice.portal.components.factors import app_set_up, new_codes, passkey_add
from aiservice.portal.components.parts import alert, badge, card, cell, data_table, field, table_row

HEADS = ["Passkey", "For", "Made", "Last used", ""]
_PREFIX = "/auth/secrets/factors"


def security_card(state: Any) -> rx.Component:
    """`state` is the page's: what is shown, and `changed`, which is told after every change."""
    return card(
        rx.el.div(
            rx.cond(state.has_factor, None, _none_yet(state)),
            _app(state),
            _passkeys(state),
            rx.cond(state.has_factor, _codes(state)),
            class_name="flex flex-col gap-6",
        ),
        title="Second factor",
        actions=rx.cond(state.has_factor, badge("on", "good"), badge("off")),
    )


def _none_yet(state: Any) -> rx.Component:
    return alert(
        rx.cond(
            state.is_factor_asked_for,
            "An admin asks for a second factor: without one, your next sign-in begins with setting it up. ",
            "Your password alone opens this account. ",
        ),
        "Once you have an authenticator app or a passkey, the password alone is not enough any more.",
        kind="info",
    )


def _part(title: str, *content: Any) -> rx.Component:
    return rx.el.section(rx.el.h3(title, class_name="mb-2 text-sm font-semibold"), *content)


def _app(state: Any) -> rx.Component:
    paths = {"begin": f"{_PREFIX}/app", "prove": f"{_PREFIX}/app/prove"}
    is_on = rx.el.div(
        rx.el.p("On since ", state.app_since, ".", class_name="text-sm"),
        rx.el.div(
            app_set_up("Set up another app instead", class_name=theme.SECONDARY, on_done=state.changed, **paths),
            _remove(
                "Remove",
                title="Remove the authenticator app?",
                text="Its codes are refused from then on.",
                action=f"{_PREFIX}/app/remove",
                state=state,
            ),
            class_name="mt-3 flex flex-wrap items-start gap-2",
        ),
    )
    is_off = rx.el.div(
        rx.el.p(
            "An app on your phone that shows a new code every 30 seconds.", class_name=f"mb-3 text-sm {theme.MUTED}"
        ),
        app_set_up("Set up an app", class_name=theme.SECONDARY, on_done=state.changed, **paths),
    )
    return _part("Authenticator app", rx.cond(state.app_since != "", is_on, is_off))


def _passkeys(state: Any) -> rx.Component:
    return _part(
        "Passkeys",
        rx.cond(
            state.passkeys.length() > 0,
            data_table(HEADS, rx.foreach(state.passkeys, lambda row: _row(row, state)), caption="Passkeys"),
            rx.el.p(
                "Kept by this device, your phone or a security key. A passkey signs you in without a password.",
                class_name=f"text-sm {theme.MUTED}",
            ),
        ),
        rx.el.div(
            passkey_add(ask=f"{_PREFIX}/passkeys/ask", action=f"{_PREFIX}/passkeys", on_done=state.changed),
            class_name="mt-3 max-w-md",
        ),
    )


def _row(row: Any, state: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["name"], class_name="font-medium break-words"),
            rx.cond(row["is_synced"], badge("synced")),
            rx.cond(row["regressed"] != "", rx.el.span(row["regressed"], class_name="block text-xs")),
        ),
        cell(row["host"], class_name="break-all"),
        cell(row["made"], class_name="whitespace-nowrap"),
        cell(row["used"], class_name="whitespace-nowrap"),
        cell(
            rx.el.div(
                _rename(row, state),
                _remove(
                    "Remove",
                    title="Remove this passkey?",
                    text=f"'{row['name']}' is refused from then on. Delete it on the device too.",
                    action=f"{_PREFIX}/passkeys/remove",
                    state=state,
                    fixed={"id": row["id"]},
                ),
                class_name="flex flex-wrap justify-end gap-1 max-sm:justify-start",
            ),
        ),
        key=row["id"],
    )


def _rename(row: Any, state: Any) -> rx.Component:
    return open_dialog(
        action_form(
            field("Name", "name", row=row["id"], default_value=row["name"], required=True, max_length=60),
            action=f"{_PREFIX}/passkeys/rename",
            fixed={"id": row["id"]},
            submit="Rename",
            on_done=state.changed,
        ),
        label="Rename",
        title="Rename the passkey",
        close_signal=state.changes,
        class_name=theme.QUIET,
    )


def _remove(label: str, *, title: str, text: Any, action: str, state: Any, **form: Any) -> rx.Component:
    return open_dialog(
        action_form(
            rx.el.p(text, class_name=f"text-sm {theme.MUTED}"),
            action=action,
            submit="Remove it",
            submit_class=theme.DANGER,
            on_done=state.changed,
            **form,
        ),
        label=label,
        title=title,
        close_signal=state.changes,
        class_name=theme.QUIET,
    )


def _codes(state: Any) -> rx.Component:
    return _part(
        "Recovery codes",
        rx.el.p(
            rx.cond(state.codes_left > 0, f"{state.codes_left} of 10 are left. ", "None are left: make new ones. "),
            "Each signs you in once when your app or passkey is lost.",
            class_name=f"mb-3 text-sm {theme.MUTED}",
        ),
        new_codes(
            "Make new codes",
            action=f"{_PREFIX}/codes",
            text="The codes you have now stop working. Save the new ones in their place.",
            on_done=state.changed,
        ),
    )
