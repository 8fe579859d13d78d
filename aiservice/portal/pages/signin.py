"""Sign in, in any of the ways that the installation offers, and what to do when that does not work."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.factors import passkey_button
from aiservice.portal.components.parts import alert, field
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler
from aiservice.portal.session.redirects import safe_next
from aiservice.services.core import current_core
from aiservice.services.sign_in_ways import ways_to_sign_in


class WayRow(TypedDict):
    """A way to sign in beside the password."""

    kind: str
    label: str
    href: str


class SignInState(rx.State):
    """Where to go after signing in (the route checks it again), the ways there are, and whether anybody did."""

    next_path: str = "/"
    ways: list[WayRow] = []
    has_password: bool = True
    is_signup_open: bool = False
    is_unclaimed: bool = False

    @handler(public=True)
    async def load(self) -> None:
        self.next_path = safe_next(self.router.url.query_parameters.get("next", "/"))
        core = current_core()
        links, are_others_off = await core.sso.ways(self.next_path)
        ways = ways_to_sign_in(links, are_others_off=are_others_off)
        self.ways = [WayRow(kind=way.kind, label=way.label, href=way.href) for way in ways if way.kind != "password"]
        # One admin's password works all the same: who knows that asks for the form.
        self.has_password = len(self.ways) < len(ways) or "break-glass" in self.router.url.query_parameters
        self.is_signup_open = core.settings.signup == "open" and not are_others_off
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
        rx.cond(page.has_password, _password()),
        rx.cond(page.ways.length() > 0, _other_ways()),
        rx.cond(
            page.is_signup_open,
            rx.el.p(
                "No account yet? ",
                rx.el.a("Create one", href="/sign-up", class_name=theme.LINK),
                class_name=f"mt-4 {theme.HINT}",
            ),
        ),
    )


def _password() -> rx.Component:
    return rx.el.div(
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
        rx.el.a("Forgot your password?", href="/forgot", class_name=f"mt-4 inline-block w-fit text-sm {theme.LINK}"),
    )


def _other_ways() -> rx.Component:
    rule = f"h-px grow {theme.RULE}"
    return rx.el.div(
        rx.cond(
            page.has_password,
            rx.el.div(
                rx.el.span(class_name=rule),
                rx.el.span("or", class_name=f"text-sm {theme.MUTED}"),
                rx.el.span(class_name=rule),
                class_name="my-4 flex items-center gap-3",
            ),
        ),
        rx.el.div(rx.foreach(page.ways, _way), class_name="flex flex-col gap-2"),
    )


def _way(way: Any) -> rx.Component:
    return rx.cond(
        way["kind"] == "passkey",
        passkey_button(
            way["label"],
            ask="/auth/ask-passkey",
            action="/auth/passkey",
            next=page.next_path,
            class_name=f"{theme.SECONDARY} w-full",
        ),
        # Not a page of ours: the browser loads it, and goes on to somebody else.
        ReactRouterLink.create(
            way["label"],
            to=way["href"],
            reload_document=True,
            class_name=rx.cond(page.has_password, f"{theme.SECONDARY} w-full", f"{theme.PRIMARY} w-full"),
        ),
    )
