"""A forgotten password: a link by mail where mail is sent, and what to do where none is."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import alert, field, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler
from aiservice.services.core import current_core


class ForgotState(rx.State):
    """Whether a link can be mailed from here, whether one was just asked for, and whether a password opens anything."""

    is_loaded: bool = False
    is_mailed: bool = False
    is_sent: bool = False
    has_passwords: bool = True

    @handler(public=True)
    async def load(self) -> None:
        core = current_core()
        self.is_mailed = core.accounts.forgotten.is_mailed
        self.has_passwords = not (await core.sso.ways("/"))[1]
        self.is_sent = self.router.url.query_parameters.get("sent") == "yes"
        self.is_loaded = True


page: Any = ForgotState  # in markup its attributes are Vars


@portal_page("/forgot", title="Forgot your password?", on_load=ForgotState.load)
def forgot() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.is_loaded,
            rx.cond(
                page.is_mailed, rx.cond(page.is_sent, _sent(), _ask()), rx.cond(page.has_passwords, _no_mail(), _sso())
            ),
            skeleton("h-24"),
        ),
        rx.el.a("Back to sign in", href="/sign-in", class_name=f"mt-4 inline-block text-sm {theme.LINK}"),
    )


def _ask() -> rx.Component:
    return rx.el.div(
        rx.cond(
            page.has_passwords,
            rx.el.p(
                "We mail you a link to choose a new one. It works once, for 30 minutes.",
                class_name=f"mb-4 text-sm {theme.MUTED}",
            ),
            rx.el.div(_sso(), class_name="mb-4"),
        ),
        action_form(
            field("E-mail", "email", type="email", required=True, auto_complete="username", auto_focus=True),
            action="/auth/forgot",
            submit="Mail me a link",
            busy="One moment…",
            after="leave",
            next="/forgot?sent=yes",
        ),
    )


def _sent() -> rx.Component:
    return alert(
        rx.cond(
            page.has_passwords,
            "If there is an account with that address, a link is on its way to it. It works once, for 30 minutes. ",
            "If there is an account with that address, a mail is on its way to it that says how to sign in: by single "
            "sign-on, not with a password. ",
        ),
        "Nothing there? Look into the spam folder, or ask an admin.",
        kind="done",
    )


def _sso() -> rx.Component:
    return rx.el.p(
        "People come in by single sign-on here, and a password opens nothing. Go back to sign in, and use its button.",
        class_name="text-sm",
    )


def _no_mail() -> rx.Component:
    return rx.el.div(
        rx.el.p(
            "No mail is sent from here. Ask an admin for a reset link: they make one under Users.",
            class_name="text-sm",
        ),
        rx.el.p(
            "Whoever runs the server can set a new password too; it is read from standard input:",
            class_name=f"mt-4 {theme.HINT}",
        ),
        rx.el.code("python -m aiservice user reset-password --email you@example.org", class_name=f"mt-2 {theme.SHELL}"),
        rx.el.p(
            "For mail, set AISERVICE_SMTP_URL and AISERVICE_PUBLIC_URL.",
            class_name=f"mt-4 {theme.HINT}",
        ),
    )
