"""Users: who may come in, and invitation links for those to come. For admins."""

from datetime import datetime
from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.clock import from_us
from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import badge, card, cell, data_table, field, select_field, table_row
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core


class UserRow(TypedDict):
    """A person in the list."""

    id: str
    email: str
    role: str
    is_disabled: bool
    is_me: bool
    seen: str


class UsersState(rx.State):
    """The list of people."""

    rows: list[UserRow] = []
    changes: int = 0
    is_loaded: bool = False

    @handler("person.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("person.invite")
    async def made_link(self, _user_id: str) -> None:
        """After a reset link has been seen: closes its dialog."""
        self.changes += 1

    @handler("person.disable")
    async def disable(self, user_id: str) -> None:
        await current_core().accounts.disable_user(signed_in(), user_id)
        await tell(self, "Disabled. All sessions of this person have ended.")
        await _show(self)

    @handler("person.enable")
    async def enable(self, user_id: str) -> None:
        await current_core().accounts.enable_user(signed_in(), user_id)
        await tell(self, "Enabled again.")
        await _show(self)


async def _show(state: UsersState) -> None:
    me = signed_in()
    people = await current_core().accounts.list_users(me)
    state.rows = [
        UserRow(
            id=person.user_id,
            email=person.email,
            role=person.role.value,
            is_disabled=person.is_disabled,
            is_me=person.user_id == me.user_id,
            seen=_day(from_us(person.last_seen_us)) if person.last_seen_us else "not lately",
        )
        for person in people
    ]


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


HEADS = ["E-mail", "Role", "State", "Last seen", ""]
page: Any = UsersState  # in markup its attributes are Vars


@portal_page("/users", title="Users", icon="people", place=60, on_load=UsersState.load)
def users() -> rx.Component:
    return rx.el.div(
        card(
            action_form(
                rx.el.div(
                    field("E-mail", "email", type="email", required=True, auto_complete="off"),
                    select_field(
                        "Role",
                        "role",
                        [rx.el.option("Developer", value="developer"), rx.el.option("Admin", value="admin")],
                    ),
                    class_name="grid gap-4 sm:grid-cols-[1fr_12rem]",
                ),
                action="/auth/secrets/invite",
                submit="Make an invitation link",
                after="reveal",
            ),
            title="Invite somebody",
        ),
        card(
            data_table(
                HEADS,
                rx.foreach(page.rows, _row),
                caption="Users",
            ),
            title="Users",
        ),
        class_name="flex flex-col gap-5",
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["email"], class_name="font-medium break-all"),
        cell(row["role"]),
        cell(rx.cond(row["is_disabled"], badge("disabled", "warn"), badge("active", "good"))),
        cell(row["seen"], class_name=theme.MUTED),
        cell(
            rx.cond(
                row["is_me"],
                rx.el.span("you", class_name=theme.MUTED),
                rx.cond(
                    row["is_disabled"],
                    rx.el.button("Enable", type="button", on_click=page.enable(row["id"]), class_name=theme.QUIET),
                    rx.el.div(
                        _reset_link(row),
                        _disable(row),
                        class_name="flex flex-wrap justify-end gap-1 max-sm:justify-start",
                    ),
                ),
            ),
            class_name="text-right max-sm:text-left",
        ),
    )


def _reset_link(row: Any) -> rx.Component:
    return open_dialog(
        action_form(
            rx.el.p(
                f"{row['email']} chooses a new password with it, within 30 minutes. Nothing changes until then.",
                class_name=f"text-sm {theme.MUTED}",
            ),
            action="/auth/secrets/reset-link",
            fixed={"id": row["id"]},
            submit="Make a reset link",
            after="reveal",
            on_done=page.made_link,
        ),
        label="Reset link",
        title="A link to a new password",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def _disable(row: Any) -> rx.Component:
    return confirm_button(
        "Disable",
        title="Disable this account?",
        text=f"{row['email']} is signed out everywhere at once. Keys of their clients are refused, and keys that they "
        "made for other clients, until somebody rolls those.",
        confirm="Disable",
        on_confirm=page.disable(row["id"]),
    )
