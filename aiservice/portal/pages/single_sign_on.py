"""Single sign-on: the providers by which people come in, a test that shows what they say, and whether anything else
opens a session. For admins."""

from typing import Any

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button
from aiservice.portal.components.parts import alert, card, empty, waiting
from aiservice.portal.components.single_sign_on import ProviderRow, add_dialog, provider_card, row_of
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.sso_sign_in import callback_path

_MOST_NAME = 32


class SingleSignOnState(rx.State):
    """The providers and the rule. `changes` counts what was saved: it closes dialogs. `redirect_uri` is that of the
    name in the form that adds one."""

    is_loaded: bool = False
    rows: list[ProviderRow] = []
    is_required: bool = False
    break_glass: str = ""
    has_public_url: bool = True
    redirect_uri: str = ""
    changes: int = 0

    @handler("sso.list")
    async def load(self) -> None:
        settings = current_core().settings
        self.has_public_url = settings.public_url is not None
        _name(self, "work")
        await _show(self)
        self.is_loaded = True

    @handler("sso.change")
    async def named(self, name: str) -> None:
        _name(self, name)

    @handler("sso.change")
    async def changed(self, _answer: str) -> None:
        """After a form was saved."""
        self.changes += 1
        await _show(self)
        await tell(self, "Saved. Test the sign-in before you switch it on.")

    @handler("sso.check")
    async def check(self, name: str) -> None:
        found = await current_core().sso.check(signed_in(), name)
        more = "It can be signed out of, too." if found.has_sign_out else "It has no page for signing out."
        keys = "a key" if found.keys == 1 else f"{found.keys} keys"
        await tell(self, f"{name} answers, with {keys} that can be used. {more}")

    @handler("sso.switch")
    async def switch(self, name: str, is_enabled: bool) -> None:
        await current_core().sso.switch(signed_in(), name, is_enabled=is_enabled)
        await tell(self, "It is on the sign-in page." if is_enabled else "It is off the sign-in page.")
        await _show(self)

    @handler("sso.change")
    async def remove(self, name: str) -> None:
        await current_core().sso.remove(signed_in(), name)
        await tell(self, "Removed.")
        await _show(self)

    @handler("sso.require")
    async def require(self, is_required: bool) -> None:
        await current_core().sso.rules.require(signed_in(), is_required=is_required)
        await tell(self, "Single sign-on is required." if is_required else "People may come in in other ways, too.")
        await _show(self)


def _name(state: SingleSignOnState, name: str) -> None:
    public = current_core().settings.public_url or ""
    state.redirect_uri = public.rstrip("/") + callback_path(name.strip()[:_MOST_NAME])


async def _show(state: SingleSignOnState) -> None:
    sso, me = current_core().sso, signed_in()
    state.rows = [row_of(one) for one in await sso.list(me)]
    rule = await sso.rules.policy(me)
    state.is_required, state.break_glass = rule.is_required, rule.break_glass


page: Any = SingleSignOnState  # in markup its attributes are Vars


@portal_page("/single-sign-on", title="Single sign-on", icon="lock", place=63, on_load=SingleSignOnState.load)
def single_sign_on() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            rx.cond(
                page.has_public_url,
                rx.fragment(),
                alert(
                    "AISERVICE_PUBLIC_URL is not set. Set it to the address that people open, and restart: providers "
                    "send people back to it. Until then none can be switched on.",
                    kind="warn",
                ),
            ),
            rx.cond(page.rows.length() > 0, _providers(), _none()),
            rx.cond(page.rows.length() > 0, _rule()),
            class_name="flex flex-col gap-5",
        ),
        waiting("h-72", "h-40"),
    )


def _none() -> rx.Component:
    return card(
        empty(
            "No provider yet",
            "People who are known to Keycloak, Entra ID, Google, Okta or any other OpenID provider come in without a "
            "password of their own here.",
            add_dialog(page),
        ),
    )


def _providers() -> rx.Component:
    return rx.el.div(
        rx.foreach(page.rows, lambda row: rx.el.div(provider_card(row, page), key=row["id"])),
        rx.el.div(add_dialog(page, theme.SECONDARY), class_name="flex justify-end"),
        class_name="flex flex-col gap-5",
    )


def _rule() -> rx.Component:
    return card(
        rx.el.p(
            rx.cond(
                page.is_required,
                "Single sign-on is required: no password, passkey, link or sign-up opens a session.",
                "Passwords and passkeys open a session, too.",
            ),
            class_name="text-sm",
        ),
        rx.el.p(
            rx.cond(
                page.break_glass != "",
                rx.el.span("The password of ", page.break_glass, " works in any case, on /sign-in?break-glass."),
                "Nobody's password works then. The server's command line names one admin: sso break-glass --email …",
            ),
            class_name=f"mt-1 text-sm break-words {theme.MUTED}",
        ),
        rx.el.div(
            rx.cond(
                page.is_required,
                rx.el.button(
                    "Let people in in other ways, too",
                    type="button",
                    on_click=page.require(False),
                    class_name=theme.SECONDARY,
                ),
                confirm_button(
                    "Require single sign-on",
                    title="Require single sign-on?",
                    text="From now on nothing else opens a session. Sessions there are go on to their end. If the "
                    "provider is away, the way back in is on the server: python -m aiservice sso require off",
                    confirm="Require it",
                    on_confirm=page.require(True),
                    class_name=theme.SECONDARY,
                ),
            ),
            class_name="mt-4",
        ),
        title="Other ways in",
    )
