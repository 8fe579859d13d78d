"""An account made from an invitation link."""

import reflex as rx

from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import field
from aiservice.portal.layout import portal_page


@portal_page("/invite", title="Accept your invitation")
def invite() -> rx.Component:
    return action_form(
        field(
            "Choose a password",
            "password",
            hint="At least 8 characters. Your account has the address that was invited.",
            type="password",
            required=True,
            min_length=8,
            auto_complete="new-password",
            auto_focus=True,
        ),
        action="/auth/invite",
        submit="Create my account",
        busy="Creating…",
        after="leave",
        next="/first-call",
        from_query=["token"],
    )
