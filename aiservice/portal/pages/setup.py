"""The first admin's account, made with the link that the server prints at its first start."""

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import alert, field
from aiservice.portal.layout import portal_page


@portal_page("/setup", title="Set up aiservice")
def setup() -> rx.Component:
    return rx.el.div(
        alert("You are making the first account: an admin, who adds providers and invites everybody else."),
        action_form(
            field("E-mail", "email", type="email", required=True, auto_complete="username", auto_focus=True),
            field(
                "Password",
                "password",
                hint="At least 8 characters; a long sentence is better than a short puzzle.",
                type="password",
                required=True,
                min_length=8,
                auto_complete="new-password",
            ),
            action="/auth/setup",
            submit="Create the account",
            busy="Creating…",
            after="leave",
            next="/first-call",
            from_query=["token"],
            class_name="mt-4 flex flex-col gap-4",
        ),
        rx.el.p(
            "Done already? ",
            rx.el.a("Sign in", href="/sign-in", class_name=theme.LINK),
            class_name=f"mt-4 {theme.HINT}",
        ),
    )
