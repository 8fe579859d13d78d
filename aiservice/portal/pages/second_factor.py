"""The second step of a sign-in: a code, a passkey, or a recovery code when both are lost."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.factors import passkey_button
from aiservice.portal.components.parts import alert, field, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.session.cookie import read_ticket
from aiservice.portal.session.guard import handler
from aiservice.portal.session.redirects import safe_next
from aiservice.services.core import current_core

ACTION = "/auth/second-factor"


class SecondFactorState(rx.State):
    """What whoever's sign-in waits in this browser can show. The ticket itself stays in its cookie."""

    is_loaded: bool = False
    is_waiting: bool = False
    has_app: bool = False
    has_passkey: bool = False
    codes_left: int = 0
    next_path: str = "/"

    @handler(public=True)
    async def load(self) -> None:
        ticket = read_ticket(self.router_data.get("headers", {}).get("cookie", ""))
        waiting = await current_core().accounts.entrance.waiting(ticket)
        self.is_waiting = waiting is not None and waiting.standing.has_factor
        if waiting is not None:
            standing = waiting.standing
            self.has_app, self.has_passkey = standing.has_app, bool(standing.passkey_hosts)
            self.codes_left = standing.codes_left
        self.next_path = safe_next(self.router.url.query_parameters.get("next", "/"))
        self.is_loaded = True


page: Any = SecondFactorState  # in markup its attributes are Vars


@portal_page("/second-factor", title="One more step", on_load=SecondFactorState.load)
def second_factor() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.is_loaded,
            rx.cond(page.is_waiting, _steps(), alert("Nobody is signing in here, or it took too long.", kind="warn")),
            skeleton("h-40"),
        ),
        rx.el.a("Begin again", href="/sign-in", class_name=f"mt-4 inline-block text-sm {theme.LINK}"),
    )


def _steps() -> rx.Component:
    return rx.el.div(
        rx.cond(page.has_app, _code()),
        rx.cond(
            page.has_passkey,
            passkey_button(
                "Use your passkey",
                ask="/auth/ask-second-passkey",
                action="/auth/second-passkey",
                next=page.next_path,
                class_name=f"{theme.SECONDARY} w-full",
            ),
        ),
        rx.cond(page.codes_left > 0, _recovery()),
        rx.el.p(
            "Lost everything? An admin can reset your factors under Users; whoever runs the server can, with",
            class_name=theme.HINT,
        ),
        rx.el.code("python -m aiservice user reset-factors you@example.org", class_name=theme.SHELL),
        class_name="flex flex-col gap-4",
    )


def _code() -> rx.Component:
    return action_form(
        field(
            "Code from your authenticator app",
            "code",
            required=True,
            auto_focus=True,
            auto_complete="one-time-code",
            input_mode="numeric",
            max_length=9,
            placeholder="000 000",
        ),
        action=ACTION,
        submit="Continue",
        busy="Checking…",
        after="leave",
        next=page.next_path,
    )


def _recovery() -> rx.Component:
    return rx.el.details(
        rx.el.summary("Use a recovery code", class_name=f"w-fit cursor-pointer text-sm {theme.LINK}"),
        action_form(
            field(
                "Recovery code",
                "code",
                id="recovery-code",
                hint=f"You have {page.codes_left} left. Each works once.",
                required=True,
                auto_complete="off",
                placeholder="xxxxx-xxxxx",
                max_length=20,
            ),
            action=ACTION,
            submit="Continue with it",
            busy="Checking…",
            after="leave",
            next=page.next_path,
            class_name="mt-3 flex flex-col gap-4",
        ),
    )
