"""Account: one's password and second factors, the browsers one is signed in with, and the colours of the page."""

from dataclasses import replace
from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import NotFound
from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button
from aiservice.portal.components.own_settings import (
    KindRow,
    kind_rows,
    portal_only_in,
    settings_form,
)
from aiservice.portal.components.parts import badge, card, cell, data_table, field, table_row, waiting
from aiservice.portal.components.scheme import scheme_switch
from aiservice.portal.components.security import security_card
from aiservice.portal.layout import portal_page
from aiservice.portal.layout.registry import OWN
from aiservice.portal.layout.shell import shortcut_switch
from aiservice.portal.moments import shown_day, shown_moment
from aiservice.portal.session.guard import acting_as, handler, signed_in, tell
from aiservice.services.accounts import SessionSummary
from aiservice.services.core import current_core
from aiservice.services.factors import PasskeyView

# Enough to tell one's own sessions apart; the whole name of a session never leaves the server.
_NAME_CHARACTERS = 16
_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari", "curl")
_NAMES = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")


class SessionRow(TypedDict):
    """A signed-in browser."""

    id: str
    browser: str
    user_agent: str
    address: str
    since: str
    seen: str
    is_this: bool


class PasskeyRow(TypedDict):
    """A passkey of the person's; `regressed` warns of one that may have been copied."""

    id: str
    name: str
    host: str
    is_synced: bool
    made: str
    used: str
    regressed: str


class AccountState(rx.State):
    """The person's own sessions and second factors."""

    sessions: list[SessionRow] = []
    is_loaded: bool = False
    app_since: str = ""
    passkeys: list[PasskeyRow] = []
    codes_left: int = 0
    has_factor: bool = False
    is_factor_asked_for: bool = False
    changes: int = 0
    time_zone: str = "UTC"
    digest: str = "never"
    kinds: list[KindRow] = []
    has_mail: bool = False
    turn: int = 0

    @handler("session.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True
        if self.router.url.query_parameters.get("changed") == "password":
            await tell(self, "Your password is changed. Every other browser of yours has been signed out.")

    @handler("factor.list")
    async def changed(self, _answer: str) -> None:
        """After a factor was added, renamed or taken away: closes the dialog and shows what there is now."""
        self.changes += 1
        await tell(self, "Changed. Browsers that are signed in stay so; you can sign them out below.")
        await _show(self)

    @handler("account.settings")
    async def save_settings(self, form: dict[str, str]) -> None:
        """The time zone and which alerts come by mail; every time on this page is shown anew."""
        me, digest = signed_in(), form.get("digest", "")
        made = await current_core().own_settings.set(
            me,
            time_zone=form.get("time_zone", "").strip(),
            portal_only=portal_only_in(form),
            digest="daily" if digest == "daily" else "never",
        )
        with acting_as(replace(me, time_zone=made.time_zone)):
            await _show(self)
        await tell(self, "Saved. Times are shown in " + made.time_zone.replace("_", " ") + " from now on.")

    @handler("session.end")
    async def end(self, session_id: str) -> None:
        """Signs one browser out."""
        await _end(session_id)
        await tell(self, "That browser is signed out.")
        await _show(self)

    @handler("session.end")
    async def end_others(self) -> None:
        """Signs out every browser but this one."""
        me = signed_in()
        for session in await current_core().accounts.sessions_of(me):
            if session.session_hash != me.session_hash:
                await current_core().accounts.revoke_session(me, session.session_hash)
        await tell(self, "Every other browser of yours is signed out.")
        await _show(self)


async def _end(session_id: str) -> None:
    me = signed_in()
    for session in await current_core().accounts.sessions_of(me):
        if _name_of(session) == session_id:
            await current_core().accounts.revoke_session(me, session.session_hash)
            return
    raise NotFound("There is no such session: it has ended by itself.")


async def _show(state: AccountState) -> None:
    me = signed_in()
    sessions = await current_core().accounts.sessions_of(me)
    state.sessions = [_row_of(session, is_this=session.session_hash == me.session_hash) for session in sessions]
    factors = await current_core().accounts.factors.of(me)
    state.app_since = "" if factors.app_since_us is None else shown_day(factors.app_since_us)
    state.passkeys = [_passkey_row(passkey) for passkey in factors.passkeys]
    state.codes_left = factors.codes_left
    state.has_factor = bool(state.app_since or state.passkeys)
    state.is_factor_asked_for = factors.is_asked_for
    own = await current_core().own_settings.get(me)
    state.time_zone, state.digest, state.kinds = own.time_zone, own.digest, kind_rows(own)
    state.has_mail = current_core().alerts.mail is not None
    state.turn += 1


def _passkey_row(passkey: PasskeyView) -> PasskeyRow:
    went_back = passkey.regressed_us
    return PasskeyRow(
        id=passkey.id,
        name=passkey.name,
        host=passkey.rp_id,
        is_synced=passkey.is_synced,
        made=shown_day(passkey.created_us),
        used=shown_moment(passkey.last_used_us) if passkey.last_used_us else "never",
        regressed=f"Its counter went back on {shown_day(went_back)}: there may be a copy of it." if went_back else "",
    )


def _row_of(session: SessionSummary, *, is_this: bool) -> SessionRow:
    return SessionRow(
        id=_name_of(session),
        browser=browser_name(session.user_agent),
        user_agent=session.user_agent,
        address=session.address,
        since=shown_moment(session.created_us),
        seen=shown_moment(session.last_seen_us),
        is_this=is_this,
    )


def _name_of(session: SessionSummary) -> str:
    return session.session_hash[:_NAME_CHARACTERS]


def browser_name(user_agent: str) -> str:
    """What a person calls the browser of this User-Agent: only a hint, since anybody can send any."""
    browser = next((name for name in _BROWSERS if f"{name}/" in user_agent), "")
    system = next((name for name in _SYSTEMS if name in user_agent), "")
    known = _NAMES.get(browser, browser)
    return " on ".join(part for part in (known, system) if part) or "A program without a name"


HEADS = ["Browser", "Address", "Signed in", "Last seen", ""]
page: Any = AccountState  # in markup its attributes are Vars


@portal_page("/account", title="Account", icon="person", place=70, group=OWN, on_load=AccountState.load)
def account() -> rx.Component:
    return rx.cond(page.is_loaded, _cards(), waiting("h-96", "h-48", "h-40"))


def _cards() -> rx.Component:
    return rx.el.div(
        card(_change_password(), title="Password"),
        security_card(page),
        card(
            data_table(HEADS, rx.foreach(page.sessions, _row), caption="Signed-in browsers"),
            title="Signed-in browsers",
            actions=rx.cond(page.sessions.length() > 1, _sign_out_others()),
        ),
        card(
            rx.el.p(
                "Programs that manage clients, keys and the rest act for you with an access token of yours.",
                class_name=f"mb-3 max-w-prose text-sm {theme.MUTED}",
            ),
            ReactRouterLink.create("Access tokens", to="/account/tokens", class_name=theme.SECONDARY),
            title="Programs",
        ),
        card(settings_form(page), title="Time zone and notifications"),
        card(
            rx.el.p("Kept in this browser only.", class_name=f"mb-3 text-sm {theme.MUTED}"),
            scheme_switch(has_words=True),
            title="Colours",
        ),
        card(
            rx.el.p("Kept in this browser only. Ctrl K stays on.", class_name=f"mb-3 text-sm {theme.MUTED}"),
            shortcut_switch(),
            title="Keyboard shortcuts",
        ),
        class_name="flex flex-col gap-5",
    )


def _change_password() -> rx.Component:
    return action_form(
        field("Current password", "current", type="password", required=True, auto_complete="current-password"),
        field(
            "New password",
            "password",
            hint="At least 8 characters. Every other browser of yours is signed out.",
            type="password",
            required=True,
            min_length=8,
            auto_complete="new-password",
        ),
        action="/auth/change-password",
        submit="Change the password",
        busy="Changing…",
        after="leave",
        next="/account?changed=password",
        class_name="flex max-w-md flex-col gap-4",
    )


def _sign_out_others() -> rx.Component:
    return confirm_button(
        "Sign out all others",
        title="Sign out every other browser?",
        text="This one stays signed in. Keys go on working: they are not part of a session.",
        confirm="Sign them out",
        on_confirm=page.end_others,
        class_name=theme.SECONDARY,
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(rx.el.span(row["browser"], title=row["user_agent"], class_name="font-medium")),
        cell(row["address"], class_name="font-mono text-xs"),
        cell(row["since"], class_name="whitespace-nowrap"),
        cell(row["seen"], class_name="whitespace-nowrap"),
        cell(
            rx.cond(
                row["is_this"],
                badge("this browser", "good"),
                confirm_button(
                    "Sign out",
                    title="Sign this browser out?",
                    text=f"{row['browser']}, at {row['address']}: whoever uses it has to sign in again.",
                    confirm="Sign it out",
                    on_confirm=page.end(row["id"]),
                ),
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )
