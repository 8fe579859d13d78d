"""Sign in, and what to do when that does not work."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import alert, field
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler
from aiservice.services.core import current_core


class SignInState(rx.State):
    """Where to go after signing in (the route checks it again), whether one may sign up, and whether anybody did."""

    next_path: str = "/"
    is_signup_open: bool = False
    is_unclaimed: bool = False

    @handler(public=True)
    async def load(self) -> None:
        asked = self.router.url.query_parameters.get("next", "/")
        self.next_path = asked if asked.startswith("/") and not asked.startswith(("//", "/\\")) else "/"
        core = current_core()
        self.is_signup_open = core.settings.signup == "open"
        self.is_unclaimed = not await core.accounts.has_admin()


page: Any = SignInState  # in markup its attributes are Vars


@portal_page("/sign-in", title="Sign in", on_load=SignInState.load)
def sign_in() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.is_unclaimed,
            alert(
                "There is no admin yet. Open the link that the server printed when it started (/setup?token=…): it "
                "makes the first account. It works for an hour; a restart prints a new one.",
            ),
        ),
        action_form(
            field("E-mail", "email", type="email", required=True, auto_complete="username", auto_focus=True),
            field("Password", "password", type="password", required=True, auto_complete="current-password"),
            action="/auth/sign-in",
            submit="Sign in",
            busy="Signing in…",
            after="leave",
            next=SignInState.next_path,
            class_name=rx.cond(page.is_unclaimed, "mt-4 flex flex-col gap-4", "flex flex-col gap-4"),
        ),
        rx.cond(
            page.is_signup_open,
            rx.el.p(
                "No account yet? ",
                rx.el.a("Create one", href="/sign-up", class_name=theme.LINK),
                class_name=f"mt-4 {theme.HINT}",
            ),
        ),
        rx.el.details(
            rx.el.summary("Forgot your password?", class_name=f"w-fit cursor-pointer {theme.LINK}"),
            rx.el.p(
                "No mail is sent from here. Ask an admin for a reset link: they make one under Users.",
                class_name=theme.HINT,
            ),
            rx.el.p(
                "Whoever runs the server can set a new password too; it is read from standard input:",
                class_name=f"mt-2 {theme.HINT}",
            ),
            rx.el.code(
                "python -m aiservice user reset-password --email you@example.org", class_name=f"mt-2 {theme.SHELL}"
            ),
            class_name="mt-4 text-sm",
        ),
    )
