"""An account of one's own, where the installation lets anybody sign up."""

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import field
from aiservice.portal.layout import portal_page


@portal_page("/sign-up", title="Create an account")
def sign_up() -> rx.Component:
    return rx.el.div(
        action_form(
            field("E-mail", "email", type="email", required=True, auto_complete="username", auto_focus=True),
            field(
                "Password",
                "password",
                hint="At least 8 characters.",
                type="password",
                required=True,
                min_length=8,
                auto_complete="new-password",
            ),
            action="/auth/sign-up",
            submit="Create the account",
            busy="Creating…",
            after="leave",
            next="/first-call",
        ),
        rx.el.p(
            "Have one already? ",
            rx.el.a("Sign in", href="/sign-in", class_name=theme.LINK),
            class_name=f"mt-4 {theme.HINT}",
        ),
    )
