"""Sign-in: in which ways people come in here, and of whom a second factor is asked. For admins."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import card, cell, data_table, select_field, state_badge, table_row, waiting
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import Core, current_core
from aiservice.settings import PREFIX

_MOST_SHOWN = 50
_ASKED_OF = {"nobody": "Nobody", "admins": "Admins", "everybody": "Everybody"}
_SIGN_UP = {
    "open": "Anybody makes an account of their own.",
    "invite": "By an invitation that an admin makes under Users.",
    "closed": "Nobody signs up. Accounts are made on the command line.",
}


class WayRow(TypedDict):
    """A way in, and what it depends on; `kind` is "good" or "plain"."""

    name: str
    state: str
    kind: str
    why: str


class SignInRulesState(rx.State):
    """The rule, whom it will meet at their next sign-in, and the ways in."""

    is_loaded: bool = False
    rule: str = "nobody"
    without: list[str] = []
    more_without: int = 0
    ways: list[WayRow] = []

    @handler("sign_in.get_rule")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("sign_in.get_rule")
    async def changed(self, _answer: str) -> None:
        """After the rule was saved by its form."""
        await _show(self)
        await tell(self, f"Saved. From their next sign-in on, a second factor is asked of {self.rule}.")


async def _show(state: SignInRulesState) -> None:
    core, me = current_core(), signed_in()
    state.rule = await core.accounts.factors.rule(me)
    without = await core.accounts.factors.without_factor(me)
    state.without, state.more_without = without[:_MOST_SHOWN], max(0, len(without) - _MOST_SHOWN)
    links, is_required = await core.sso.ways()
    state.ways = _ways(core, len(links), is_required=is_required)


def _ways(core: Core, links: int, *, is_required: bool) -> list[WayRow]:
    settings = core.settings
    others = "off" if is_required else "on"
    where = f"On {settings.public_url}, and on localhost." if settings.public_url else "On https, and on localhost."
    mailed = core.accounts.forgotten.is_mailed
    by_mail = f"Needs {PREFIX}SMTP_URL and {PREFIX}PUBLIC_URL. Until then an admin makes reset links under Users."
    return [
        WayRow(
            name="Password",
            state=others,
            kind="plain" if is_required else "good",
            why="With a second factor where its person has one.",
        ),
        WayRow(
            name="Passkey",
            state=others,
            kind="plain" if is_required else "good",
            why=f"{where} Browsers allow them nowhere else.",
        ),
        WayRow(
            name="Single sign-on",
            state="required" if is_required else "on" if links else "off",
            kind="good" if links else "plain",
            why="Set up on the page Single sign-on.",
        ),
        WayRow(
            name="Sign-up",
            state=settings.signup,
            kind="good" if settings.signup == "open" else "plain",
            why=f"{_SIGN_UP[settings.signup]} Set by {PREFIX}SIGNUP.",
        ),
        WayRow(
            name="Reset link by mail",
            state="on" if mailed else "off",
            kind="good" if mailed else "plain",
            why="Whoever forgot their password asks for one at the sign-in page." if mailed else by_mail,
        ),
    ]


HEADS = ["Way", "State", "What it depends on"]
page: Any = SignInRulesState  # in markup its attributes are Vars


@portal_page("/sign-in-rules", title="Sign-in", icon="lock", place=62, on_load=SignInRulesState.load)
def sign_in_rules() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            card(_rule(), title="Second factor"),
            card(data_table(HEADS, rx.foreach(page.ways, _way), caption="Ways to sign in"), title="Ways in"),
            class_name="flex flex-col gap-5",
        ),
        waiting("h-64"),
    )


def _rule() -> rx.Component:
    return rx.el.div(
        action_form(
            select_field(
                "Must have one",
                "second_factor",
                [rx.el.option(words, value=name, selected=page.rule == name) for name, words in _ASKED_OF.items()],
                hint="Who has one is asked for it in any case. The others are led to set one up at their next "
                "sign-in, before anything else; sessions of now go on to their end.",
                key=page.rule,
            ),
            action="/auth/secrets/factors/rule",
            submit="Save",
            on_done=page.changed,
            class_name="flex max-w-md flex-col gap-4",
        ),
        rx.el.h3("Sign in with a password alone", class_name="mt-6 mb-2 text-sm font-semibold"),
        rx.cond(
            page.without.length() > 0,
            rx.el.ul(
                rx.foreach(page.without, lambda email: rx.el.li(email, class_name="break-all")),
                rx.cond(page.more_without > 0, rx.el.li(f"and {page.more_without} more", class_name=theme.MUTED)),
                class_name="grid gap-x-6 gap-y-1 text-sm sm:grid-cols-2",
            ),
            rx.el.p("Nobody: everybody has a second factor.", class_name=f"text-sm {theme.MUTED}"),
        ),
    )


def _way(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["name"], class_name="font-medium whitespace-nowrap"),
        cell(state_badge(row["state"], row["kind"])),
        cell(row["why"], class_name=f"break-words {theme.MUTED}"),
    )
