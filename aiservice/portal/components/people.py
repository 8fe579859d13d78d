"""People and open invitations, as the Users page shows them."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import badge, cell, data_table, table_row
from aiservice.portal.moments import shown_moment
from aiservice.services.people_list import Invitation, PersonLine

HEADS = ["E-mail", "Role", "State", "Clients", "Last seen", ""]
_BUTTONS = "flex flex-wrap justify-end max-sm:-mx-3.5 max-sm:justify-start"
OPEN_HEADS = ["E-mail", "Role", "Made", "Ends", ""]


class UserRow(TypedDict):
    """A person in the list."""

    id: str
    email: str
    role: str
    other_role: str
    is_disabled: bool
    is_me: bool
    has_factor: bool
    clients: str
    seen: str


class InvitationRow(TypedDict):
    """An invitation that can still be used."""

    email: str
    role: str
    made: str
    ends: str


def user_row(one: PersonLine, my_id: str) -> UserRow:
    """The line of a person."""
    sessions = f", {one.sessions:,} session{'' if one.sessions == 1 else 's'}" if one.sessions else ""
    return UserRow(
        id=one.user_id,
        email=one.email,
        role=one.role.value,
        other_role="developer" if one.role.value == "admin" else "admin",
        is_disabled=one.is_disabled,
        is_me=one.user_id == my_id,
        has_factor=one.has_second_factor,
        clients=f"{one.clients:,}",
        seen=f"{_moment(one.last_seen_us)}{sessions}" if one.last_seen_us else "not lately",
    )


def invitation_row(one: Invitation) -> InvitationRow:
    """The line of an invitation."""
    return InvitationRow(
        email=one.email, role=one.role.value, made=_moment(one.created_us), ends=_moment(one.expires_us)
    )


def _moment(at_us: int) -> str:
    return shown_moment(at_us)


def user_table(page: Any) -> rx.Component:
    """`page` is the state: its `rows`, `changes`, and what is done with a person."""
    return data_table(HEADS, rx.foreach(page.rows, lambda row: _line(page, row)), caption="Users by e-mail address")


def _line(page: Any, row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["email"], class_name="font-medium break-all"),
        cell(row["role"]),
        cell(
            rx.cond(row["is_disabled"], badge("disabled", "warn"), badge("active", "good")),
            rx.cond(row["has_factor"], rx.el.span("second factor", class_name=f"mt-1 block text-xs {theme.MUTED}")),
        ),
        cell(row["clients"], class_name="tabular-nums"),
        cell(row["seen"], class_name=f"text-xs {theme.MUTED}"),
        cell(
            rx.cond(
                row["is_me"],
                rx.el.span("you", class_name=theme.MUTED),
                rx.el.div(_actions(page, row), class_name=f"{_BUTTONS} xl:flex-nowrap"),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )


def _actions(page: Any, row: Any) -> rx.Component:
    enable = rx.el.button(
        "Enable",
        type="button",
        on_click=page.enable(row["id"]),
        class_name=theme.QUIET,
        custom_attrs={"aria-label": f"Enable {row['email']}"},
    )
    return rx.cond(
        row["is_disabled"],
        enable,
        rx.fragment(
            _role(page, row), _reset_link(page, row), _factor(page, row), _sessions(page, row), _disable(page, row)
        ),
    )


def _role(page: Any, row: Any) -> rx.Component:
    return confirm_button(
        f"Make {row['other_role']}",
        title=f"Make {row['email']} {row['other_role']}?",
        text="They are signed out everywhere, and come back with the new role. The last admin stays one.",
        confirm="Change the role",
        on_confirm=page.change_role(row["id"], row["other_role"]),
    )


def _reset_link(page: Any, row: Any) -> rx.Component:
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


def _factor(page: Any, row: Any) -> rx.Component:
    return rx.cond(
        row["has_factor"],
        confirm_button(
            "Reset factor",
            title=f"Take the second factor of {row['email']} away?",
            text="They sign in with the password alone, or are led to make a new one. All their sessions end.",
            confirm="Take it away",
            on_confirm=page.reset_factor(row["id"]),
        ),
    )


def _sessions(page: Any, row: Any) -> rx.Component:
    return confirm_button(
        "Sign out",
        title=f"Sign {row['email']} out everywhere?",
        text="Every browser they are signed in with asks for the password again. Their keys go on.",
        confirm="Sign them out",
        on_confirm=page.end_sessions(row["id"]),
    )


def _disable(page: Any, row: Any) -> rx.Component:
    return confirm_button(
        "Disable",
        title="Disable this account?",
        text=f"{row['email']} is signed out everywhere at once. Keys of their clients are refused, and keys that they "
        "made for other clients, until somebody rolls those.",
        confirm="Disable",
        on_confirm=page.disable(row["id"]),
    )


def invitation_table(page: Any) -> rx.Component:
    """Open invitations: each can be made anew, which voids the link before, or taken back."""

    def row(one: Any) -> rx.Component:
        again = open_dialog(
            action_form(
                rx.el.p("The link before this one is worth nothing then.", class_name=f"text-sm {theme.MUTED}"),
                action="/auth/secrets/invite",
                fixed={"email": one["email"], "role": one["role"]},
                submit="Make a new link",
                after="reveal",
                on_done=page.made_link,
            ),
            label="New link",
            title=f"Another link for {one['email']}",
            close_signal=page.changes,
            class_name=theme.QUIET,
        )
        back = confirm_button(
            "Take back",
            title=f"Take the invitation of {one['email']} back?",
            text="Its link is worth nothing from now on.",
            confirm="Take it back",
            on_confirm=page.revoke(one["email"]),
        )
        return table_row(
            OPEN_HEADS,
            cell(one["email"], class_name="font-medium break-all"),
            cell(one["role"]),
            cell(one["made"], class_name=f"text-xs {theme.MUTED}"),
            cell(one["ends"], class_name=f"text-xs {theme.MUTED}"),
            cell(rx.el.div(again, back, class_name=_BUTTONS)),
            key=one["email"],
        )

    return data_table(OPEN_HEADS, rx.foreach(page.invitations, row), caption="Invitations that nobody has used yet")
