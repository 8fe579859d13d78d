"""The first factor of somebody who must have one: before anything else of the portal."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.factors import app_set_up, passkey_add
from aiservice.portal.components.parts import alert, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.session.cookie import read_ticket
from aiservice.portal.session.guard import handler
from aiservice.portal.session.redirects import safe_next
from aiservice.services.core import current_core


class FirstFactorState(rx.State):
    """Whether somebody's sign-in waits in this browser for a first factor."""

    is_loaded: bool = False
    is_waiting: bool = False
    next_path: str = "/"

    @handler(public=True)
    async def load(self) -> None:
        ticket = read_ticket(self.router_data.get("headers", {}).get("cookie", ""))
        waiting = await current_core().accounts.entrance.waiting(ticket)
        self.is_waiting = waiting is not None and not waiting.standing.has_factor
        self.next_path = safe_next(self.router.url.query_parameters.get("next", "/"))
        self.is_loaded = True


page: Any = FirstFactorState  # in markup its attributes are Vars


@portal_page("/first-factor", title="Set up a second factor", on_load=FirstFactorState.load)
def first_factor() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.is_loaded,
            rx.cond(page.is_waiting, _ways(), alert("Nobody is signing in here, or it took too long.", kind="warn")),
            skeleton("h-40"),
        ),
        rx.el.a("Begin again", href="/sign-in", class_name=f"mt-4 inline-block text-sm {theme.LINK}"),
    )


def _ways() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            "An admin asks for more than a password here. Set up one of these; it takes a minute.",
            class_name="text-sm",
        ),
        rx.el.section(
            rx.el.h2("An authenticator app", class_name=theme.H2),
            rx.el.p("On your phone: it shows a new code every 30 seconds.", class_name=f"mb-3 {theme.HINT}"),
            app_set_up("Set up an app", begin="/auth/begin-first-app", prove="/auth/first-app", next=page.next_path),
        ),
        rx.el.section(
            rx.el.h2("Or a passkey", class_name=theme.H2),
            rx.el.p("Kept by this device, your phone or a security key.", class_name=f"mb-3 {theme.HINT}"),
            passkey_add(ask="/auth/ask-first-passkey", action="/auth/first-passkey", next=page.next_path),
        ),
        class_name="flex flex-col gap-6",
    )
