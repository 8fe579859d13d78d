"""A new password, set with a reset link that an admin made."""

import reflex as rx

from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import field
from aiservice.portal.layout import portal_page


@portal_page("/reset", title="Set a new password")
def reset() -> rx.Component:
    return action_form(
        field(
            "New password",
            "password",
            hint="At least 8 characters. Every other browser of yours is signed out.",
            type="password",
            required=True,
            min_length=8,
            auto_complete="new-password",
            auto_focus=True,
        ),
        action="/auth/reset",
        submit="Set the password",
        busy="Setting…",
        after="leave",
        next="/",
        from_query=["token"],
    )
