"""Users: who may come in, and invitation links for those to come. For admins; searched and paged on the server."""

from typing import Any

import reflex as rx
from pydantic import ConfigDict
from reflex_components_core.react_router.dom import ReactRouterLink
from typing_extensions import TypedDict

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.browser import action_form
from aiservice.portal.components.parts import alert, card, empty, field, select_field, waiting
from aiservice.portal.components.people import (
    InvitationRow,
    UserRow,
    invitation_row,
    invitation_table,
    user_row,
    user_table,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import url_of
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.principal import Role
from aiservice.services.core import current_core
from aiservice.services.people_list import Asked

PATH = "/users"
_KNOWN = {"q", "role", "state", "after"}


class Narrowing(TypedDict):
    """The form that narrows the list."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    q: str
    role: str
    state: str


class UsersState(rx.State):
    """One page of the people, and the invitations that are open."""

    rows: list[UserRow] = []
    invitations: list[InvitationRow] = []
    url: dict[str, str] = {}
    total: str = ""
    following: str = ""
    first: str = PATH
    problem: str = ""
    problem_id: str = ""
    changes: int = 0
    is_loaded: bool = False

    @handler("person.list")
    async def load(self) -> None:
        self.url = {name: value for name, value in self.router.url.query_parameters.items() if name in _KNOWN}
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.rows, self.problem, self.problem_id = [], error.message, new_id("req")
        self.is_loaded = True

    @handler("person.list")
    async def narrow(self, form: Narrowing) -> Any:
        return rx.redirect(url_of(PATH, {name: str(value).strip()[:200] for name, value in form.items()}))

    @handler("person.invite")
    async def made_link(self, _user_id: str) -> None:
        """After a link has been seen: closes its dialog, and shows the invitation."""
        self.changes += 1
        await _show(self)

    @handler("person.role")
    async def change_role(self, user_id: str, role: str) -> None:
        if role not in set(Role):
            raise InvalidRequest("'role' must be admin or developer.", param="role")
        await current_core().accounts.set_role(signed_in(), user_id, Role(role))
        await tell(self, f"They are {role} now, and signed out everywhere.")
        await _show(self)

    @handler("factor.reset")
    async def reset_factor(self, user_id: str) -> None:
        await current_core().accounts.factors.reset(signed_in(), user_id)
        await tell(self, "Taken away. All sessions of this person have ended.")
        await _show(self)

    @handler("session.end_all")
    async def end_sessions(self, user_id: str) -> None:
        await current_core().accounts.end_sessions(signed_in(), user_id)
        await tell(self, "Signed out everywhere.")
        await _show(self)

    @handler("person.disable")
    async def disable(self, user_id: str) -> None:
        await current_core().accounts.disable_user(signed_in(), user_id)
        await tell(self, "Disabled. All sessions of this person have ended.")
        await _show(self)

    @handler("person.enable")
    async def enable(self, user_id: str) -> None:
        await current_core().accounts.enable_user(signed_in(), user_id)
        await tell(self, "Enabled again.")
        await _show(self)

    @handler("person.uninvite")
    async def revoke(self, email: str) -> None:
        await current_core().people_list.revoke_invitation(signed_in(), email)
        await tell(self, f"Taken back. The link for {email} is worth nothing now.")
        await _show(self)


async def _show(state: UsersState) -> None:
    people, me, url = current_core().people_list, signed_in(), state.url
    asked = Asked(url.get("q", ""), url.get("role", ""), url.get("state", ""))
    found = await people.page(me, asked, after=url.get("after", "")[:400])
    state.rows = [user_row(line, me.user_id) for line in found.lines]
    state.invitations = [invitation_row(one) for one in await people.invitations(me)]
    kept = {name: value for name, value in url.items() if name != "after"}
    state.first = url_of(PATH, kept)
    state.following = url_of(PATH, kept, after=found.following) if found.following else ""
    state.total = f"{found.total:,} user{'' if found.total == 1 else 's'}"


page: Any = UsersState  # in markup its attributes are Vars


@portal_page(PATH, title="Users", icon="people", place=60, on_load=UsersState.load)
def users() -> rx.Component:
    return rx.cond(page.is_loaded, _cards(), waiting("h-56", "h-96"))


def _cards() -> rx.Component:
    return rx.el.div(
        card(_invite(), title="Invite somebody"),
        rx.cond(page.invitations.length() > 0, card(invitation_table(page), title="Open invitations")),
        card(
            _narrowing(),
            rx.cond(page.problem != "", _problem(), rx.cond(page.rows.length() > 0, user_table(page), _nothing())),
            _pager(),
            title="Users",
            actions=rx.el.span(page.total, class_name=f"text-sm {theme.MUTED}"),
        ),
        class_name="flex flex-col gap-5",
    )


def _invite() -> rx.Component:
    return action_form(
        rx.el.div(
            field("E-mail", "email", type="email", required=True, auto_complete="off"),
            select_field(
                "Role",
                "role",
                [rx.el.option("Developer", value="developer"), rx.el.option("Admin", value="admin")],
            ),
            class_name="grid gap-4 sm:grid-cols-[1fr_12rem]",
        ),
        action="/auth/secrets/invite",
        submit="Make an invitation link",
        after="reveal",
        on_done=page.made_link,
    )


def _narrowing() -> rx.Component:
    roles = [("", "Everybody"), ("admin", "Admins"), ("developer", "Developers")]
    states = [("", "All"), ("active", "Active"), ("disabled", "Disabled")]

    def chooser(label: str, name: str, choices: list[tuple[str, str]]) -> rx.Component:
        options = [rx.el.option(words, value=value) for value, words in choices]
        return select_field(label, name, options, id=f"find-{name}", default_value=page.url.get(name, ""))

    return rx.el.form(
        field(
            "Address contains",
            "q",
            id="find-q",
            type="search",
            default_value=page.url.get("q", ""),
            auto_complete="off",
        ),
        chooser("Who", "role", roles),
        chooser("Which", "state", states),
        rx.el.button("Find", type="submit", class_name=theme.SECONDARY),
        on_submit=page.narrow,
        key=page.first,
        class_name="mb-4 grid grid-cols-1 items-end gap-3 sm:grid-cols-[1fr_10rem_10rem_auto]",
    )


def _nothing() -> rx.Component:
    return empty(
        "Nobody like that",
        "No account fits what the list was narrowed to.",
        ReactRouterLink.create("Show everybody", to=PATH, class_name=theme.PRIMARY),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The users could not be read. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.button("Try again", type="button", on_click=page.load, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )


def _pager() -> rx.Component:
    return rx.el.nav(
        rx.cond(
            page.url.get("after", "") != "", ReactRouterLink.create("First", to=page.first, class_name=theme.SECONDARY)
        ),
        rx.cond(page.following != "", ReactRouterLink.create("More", to=page.following, class_name=theme.SECONDARY)),
        class_name="mt-4 flex justify-end gap-2",
        custom_attrs={"aria-label": "Pages of users"},
    )
