"""The dialogs of the Keys page: make, edit, roll, see again, revoke. They take a row and the handlers to call."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, choose_button, confirm_button, open_dialog
from aiservice.portal.components.parts import checkbox, field, select_field

_SECRETS = "/auth/secrets/keys"
_ADDRESSES = "Addresses or networks (203.0.113.0/24), separated by spaces. Empty: from anywhere."


_NAMES = "Names, separated by spaces. Empty: all."
_LIMITS = [("Requests a minute", "rpm"), ("Tokens a minute", "tpm"), ("Requests at once", "concurrency")]
_PERIODS = [("month", "Month"), ("week", "Week"), ("day", "Day")]
_LIVES = [
    ("1h", "In an hour"),
    ("1d", "In a day"),
    ("7d", "In a week"),
    ("30d", "In a month"),
    ("90d", "In 3 months"),
    ("180d", "In 6 months"),
    ("365d", "In a year"),
]


def _option(value: Any, words: Any) -> rx.Component:
    return rx.el.option(words, value=value)


def create_key(page: Any) -> rx.Component:
    """`page` is the page's state: its clients, the client chosen first, and what the policy is."""
    return open_dialog(
        action_form(
            field("Name", "name", required=True, max_length=100, auto_complete="off", default_value="My key"),
            _bounds(page),
            rx.cond(
                page.retrieval != "off",
                checkbox(
                    "I can see it again",
                    "retrievable",
                    hint="You alone, with your password. Otherwise it is shown once.",
                    default_checked=page.retrieval == "on",
                ),
            ),
            action=_SECRETS,
            submit="Create key",
            busy="Creating…",
            after="reveal",
            on_done=page.changed,
        ),
        opens_at="create",
        label="Create key",
        title="Create a key",
        close_signal=page.changes,
    )


def _bounds(page: Any) -> rx.Component:
    """All that a new key needs not be told: it is folded away, and does not hold up who has no wish."""

    def wide(label: str, name: str, hint: str, **props: Any) -> rx.Component:
        return rx.el.div(field(label, name, hint=hint, auto_complete="off", **props), class_name="sm:col-span-2")

    numbers = [
        field(label, name, input_mode="numeric", placeholder="no limit", auto_complete="off") for label, name in _LIMITS
    ]
    return rx.el.details(
        rx.el.summary("Limits, scope and expiry", class_name=theme.FOLDED),
        rx.el.div(
            select_field(
                "Client",
                "client",
                rx.foreach(page.clients, lambda c: _option(c["value"], c["label"])),
                default_value=page.client,
            ),
            select_field("Expires", "expires_in", [_option("", page.default_end), *[_option(*one) for one in _LIVES]]),
            select_field("May", "scopes", [_option("", "Everything its client may"), _option("read", "Only read")]),
            field("Only these tasks", "tasks", hint=_NAMES, auto_complete="off", placeholder="chat embedding"),
            field("Only these providers", "connections", hint=_NAMES, auto_complete="off", placeholder="any"),
            field("Only these models", "models", hint=_NAMES, auto_complete="off", placeholder="any"),
            *numbers,
            field("Budget, USD", "budget", input_mode="decimal", placeholder="no budget", auto_complete="off"),
            select_field("In each", "budget_period", [_option(*one) for one in _PERIODS]),
            wide("Allowed addresses", "allow_ip", _ADDRESSES),
            rx.el.div(
                checkbox("A test key", "is_test", hint="It reaches the built-in sandbox only and costs nothing."),
                class_name="sm:col-span-2",
            ),
            class_name="mt-3 grid items-start gap-4 sm:grid-cols-2",
        ),
    )


def edit_key(page: Any, row: Any) -> rx.Component:
    ends = [("keep", "No change"), ("", "Never, or as the policy has it"), ("1", "In a day"), ("7", "In a week")]
    return open_dialog(
        action_form(
            field(
                "Name",
                "name",
                row=row["id"],
                required=True,
                max_length=100,
                auto_complete="off",
                default_value=row["name"],
            ),
            field(
                "Allowed addresses",
                "allow_ip",
                row=row["id"],
                hint=_ADDRESSES,
                auto_complete="off",
                default_value=row["networks"],
            ),
            field(
                "May",
                "scopes",
                row=row["id"],
                hint="Tasks, and read, separated by spaces. Empty: everything its client may.",
                auto_complete="off",
                default_value=row["scopes"],
            ),
            select_field(
                "Expires",
                "expires_in_days",
                [_option(*end) for end in [*ends, ("30", "In 30 days"), ("365", "In a year")]],
                row=row["id"],
            ),
            action=f"{_SECRETS}/update",
            fixed={"id": row["id"]},
            submit="Save",
            busy="Saving…",
            on_done=page.changed,
        ),
        label="Edit",
        title=f"Edit {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def see_again(page: Any, row: Any) -> rx.Component:
    return open_dialog(
        action_form(
            rx.el.p(
                "It is shown for a minute. That you looked is noted, and the admins see it.",
                class_name=f"text-sm {theme.MUTED}",
            ),
            field(
                "Your password",
                "password",
                row=row["id"],
                type="password",
                auto_complete="current-password",
                hint="Not needed again for five minutes after the last time.",
            ),
            action=f"{_SECRETS}/reveal",
            fixed={"id": row["id"]},
            submit="Show the key",
            after="reveal",
            on_done=page.changed,
        ),
        label="See again",
        title=f"See {row['name']} again",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def roll_key(page: Any, row: Any) -> rx.Component:
    overlaps = [("86400", "24 hours"), ("3600", "1 hour"), ("604800", "7 days"), ("0", "Not at all: end it now")]
    return open_dialog(
        action_form(
            rx.el.p(
                "You get a new secret now. Name, rights and history of the key stay.",
                rx.cond(
                    row["is_rolling"], f" It is being rolled already: {row['outgoing']}, which ends with this.", ""
                ),
                class_name=f"text-sm {theme.MUTED}",
            ),
            select_field(
                "The old secret works for another",
                "overlap_seconds",
                [_option(*one) for one in overlaps],
                row=row["id"],
            ),
            action=f"{_SECRETS}/roll",
            fixed={"id": row["id"]},
            submit="Roll",
            busy="Rolling…",
            after="reveal",
            on_done=page.changed,
        ),
        label="Roll",
        title=f"Roll {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def end_overlap(page: Any, row: Any) -> rx.Component:
    return confirm_button(
        "End overlap",
        title="End the overlap now?",
        text=f"Whatever still sends the old secret is refused at once: {row['outgoing']}.",
        confirm="End it",
        on_confirm=page.end_overlap(row["id"]),
    )


def revoke_key(page: Any, row: Any) -> rx.Component:
    return choose_button(
        "Revoke",
        title=f"Revoke {row['name']}?",
        text="Every request with it gets 401 within a second. This cannot be taken back.",
        choice="End its answers under way, too",
        confirm="Revoke",
        on_choose=lambda cuts_streams: page.revoke(row["id"], cuts_streams),
    )
