"""Sign in."""

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import field
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler


class SignInState(rx.State):
    """Where to go after signing in; the route checks it again."""

    next_path: str = "/"

    @handler(public=True)
    async def load(self) -> None:
        asked = self.router.url.query_parameters.get("next", "/")
        self.next_path = asked if asked.startswith("/") and not asked.startswith(("//", "/\\")) else "/"


@portal_page("/sign-in", title="Sign in", on_load=SignInState.load)
def sign_in() -> rx.Component:
    return rx.el.div(
        action_form(
            field("E-mail", "email", type="email", required=True, auto_complete="username"),
            field("Password", "password", type="password", required=True, auto_complete="current-password"),
            action="/auth/sign-in",
            submit="Sign in",
            busy="Signing in…",
            after="leave",
            next=SignInState.next_path,
        ),
        rx.el.p(
            "Forgotten? Whoever runs this service resets it with ",
            rx.el.code("python -m aiservice user reset-password"),
            ".",
            class_name=f"mt-4 {theme.HINT}",
        ),
    )
