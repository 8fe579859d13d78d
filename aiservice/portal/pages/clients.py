"""Clients: the parties that are metered and limited, in pages and searched on the server. For admins."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from reflex_components_core.react_router.dom import ReactRouterLink
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import BrokerError
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.browser import open_dialog
from aiservice.portal.components.parts import (
    alert,
    card,
    cell,
    data_table,
    empty,
    field,
    select_field,
    skeleton,
    state_badge,
    table_row,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_day, shown_moment
from aiservice.portal.queries import url_of
from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.client_list import Asked, ClientLine
from aiservice.services.core import current_core
from aiservice.services.limit_names import words_of

PATH = "/clients"
_KNOWN = {"q", "team", "state", "after"}
_SANCTIONS = {"throttle": "slowed down", "quarantine": "in quarantine", "block": "blocked"}


class ClientRow(TypedDict):
    """A client in the list."""

    id: str
    name: str
    owner: str
    team: str
    keys: str
    used: str
    spent: str
    requests: str
    bounds: str
    state: str
    state_kind: str


class Narrowing(ValidatedDict):
    """The form that narrows the list."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    q: str
    team: str
    state: str


class NewClient(ValidatedDict):
    """The form that makes a client; an empty owner or team is none."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    name: str
    owner: str
    team: str


class ClientsState(rx.State):
    """One page of the clients."""

    rows: list[ClientRow] = []
    teams: list[str] = []
    url: dict[str, str] = {}
    total: str = ""
    following: str = ""
    first: str = PATH
    problem: str = ""
    problem_id: str = ""
    changes: int = 0
    is_narrowed: bool = False
    is_loaded: bool = False

    @handler("client.create")
    async def load(self) -> None:
        self.url = {name: value for name, value in self.router.url.query_parameters.items() if name in _KNOWN}
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.rows, self.problem, self.problem_id = [], error.message, new_id("req")
        self.is_loaded = True

    @handler("client.create")
    async def narrow(self, form: Narrowing) -> Any:
        return rx.redirect(url_of(PATH, {name: str(value).strip()[:200] for name, value in form.items()}))

    @handler("client.create")
    async def create(self, form: NewClient) -> Any:
        made = await current_core().clients.create(
            signed_in(), form["name"], form["owner"].strip() or None, team=form["team"] or None
        )
        self.changes += 1
        return rx.redirect(f"{PATH}/{made.id}")


async def _show(state: ClientsState) -> None:
    core, me, url = current_core(), signed_in(), state.url
    asked = Asked(url.get("q", ""), url.get("team", ""), url.get("state", ""))
    found = await core.client_list.page(me, asked, after=url.get("after", "")[:200])
    state.rows = [_row(line) for line in found.lines]
    kept = {name: value for name, value in url.items() if name != "after"}
    state.first, state.is_narrowed = url_of(PATH, kept), any(kept.values())
    state.following = url_of(PATH, kept, after=found.following) if found.following else ""
    state.total = f"{found.total:,} client{'' if found.total == 1 else 's'}"
    state.teams = [team.name for team in await core.teams.list(me)]


def _row(line: ClientLine) -> ClientRow:
    client = line.client
    limits = [f"{amount:,} {words_of(name)}" for name, amount in client.limits.items()]
    narrowed = [
        f"only {len(names)} {what}{'' if len(names) == 1 else 's'}"
        for names, what in ((client.connections, "provider"), (client.models, "model"), (client.scopes, "task"))
        if names is not None
    ]
    state, kind = _state(line)
    unpriced = f", {line.unpriced:,} unpriced" if line.unpriced else ""
    return ClientRow(
        id=client.id,
        name=client.name,
        owner=client.owner_email or "nobody but admins",
        team=client.team or "",
        keys=f"{line.live_keys:,}",
        used=f"last used {shown_day(line.last_used_us)}" if line.last_used_us else "never used",
        spent=f"${line.cost_nano_usd / 1e9:,.2f}",
        requests=f"{line.requests:,} requests{unpriced}",
        bounds="\n".join((*limits, *line.budgets, *narrowed)) or "none of its own",
        state=state,
        state_kind=kind,
    )


def _state(line: ClientLine) -> tuple[str, str]:
    if line.client.is_disabled:
        return "disabled", "warn"
    if line.sanction:
        return f"{_SANCTIONS[line.sanction]} until {shown_moment(line.sanction_until_us, '%H:%M')}", "bad"
    return "active", "good"


HEADS = ["Client", "Keys", "Last 30 days", "Limits and budgets", "State"]
page: Any = ClientsState  # in markup its attributes are Vars


@portal_page(PATH, title="Clients", icon="stack", place=57, on_load=ClientsState.load)
def clients() -> rx.Component:
    waiting = rx.el.div(skeleton("h-96"), custom_attrs={"aria-busy": "true"})
    return rx.el.div(
        card(
            _narrowing(),
            rx.cond(
                page.is_loaded,
                rx.cond(page.problem != "", _problem(), rx.cond(page.rows.length() > 0, _table(), _nothing())),
                waiting,
            ),
            _pager(),
            title="Clients",
            actions=rx.fragment(rx.el.span(page.total, class_name=f"text-sm {theme.MUTED}"), _create()),
        ),
        class_name="flex flex-col gap-4",
    )


def _team_options(none: str) -> list[rx.Component]:
    return [rx.el.option(none, value=""), rx.foreach(page.teams, lambda name: rx.el.option(name, value=name))]


def _narrowing() -> rx.Component:
    states = [("", "Any state"), ("active", "Active"), ("disabled", "Disabled")]
    return rx.el.form(
        field("Name or owner", "q", type="search", default_value=page.url.get("q", ""), auto_complete="off"),
        select_field("Team", "team", _team_options("Any team"), default_value=page.url.get("team", "")),
        select_field(
            "State",
            "state",
            [rx.el.option(words, value=value) for value, words in states],
            default_value=page.url.get("state", ""),
        ),
        rx.el.button("Find", type="submit", class_name=theme.SECONDARY),
        on_submit=page.narrow,
        key=page.first + page.teams.length().to_string(),
        class_name="mb-4 grid grid-cols-1 items-end gap-3 sm:grid-cols-[1fr_10rem_10rem_auto]",
    )


def _create() -> rx.Component:
    return open_dialog(
        rx.el.form(
            field("Name", "name", id="new-name", required=True, max_length=100, auto_complete="off"),
            field(
                "Owner's e-mail (optional)",
                "owner",
                id="new-owner",
                type="email",
                auto_complete="off",
                hint="They see it, make its keys, and read what it uses. Empty: admins alone.",
            ),
            select_field("Team", "team", _team_options("No team"), id="new-team"),
            rx.el.button("Create", type="submit", class_name=f"{theme.PRIMARY} self-end"),
            on_submit=page.create,
            class_name="mt-4 flex flex-col gap-4",
        ),
        opens_at="new",
        label="New client",
        title="A new client",
        close_signal=page.changes,
    )


def _table() -> rx.Component:
    return data_table(HEADS, rx.foreach(page.rows, _line), caption="Clients by name")


def _line(row: Any) -> rx.Component:
    small = f"block text-xs {theme.MUTED}"
    return table_row(
        HEADS,
        cell(
            ReactRouterLink.create(row["name"], to=f"{PATH}/{row['id']}", class_name=f"wrap-anywhere {theme.LINK}"),
            rx.el.span(row["owner"], class_name=f"{small} break-all"),
            rx.el.span(row["team"], class_name=f"{small} empty:hidden"),
        ),
        cell(
            rx.el.span(row["keys"], class_name="block tabular-nums"),
            rx.el.span(row["used"], class_name=f"{small} whitespace-nowrap"),
        ),
        cell(
            rx.el.span(row["spent"], class_name="block tabular-nums"),
            rx.el.span(row["requests"], class_name=f"{small} tabular-nums whitespace-nowrap"),
        ),
        cell(rx.el.span(row["bounds"], class_name="block text-xs whitespace-pre-line")),
        cell(state_badge(row["state"], row["state_kind"])),
        key=row["id"],
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "No client like that",
            "None fits what the list was narrowed to.",
            ReactRouterLink.create("Show all clients", to=PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "No client yet",
            "Everybody who signs up gets one. Make one for a service here.",
            rx.el.a("New client", href="#new", class_name=theme.PRIMARY),
        ),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The clients could not be read. ", page.problem),
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
        custom_attrs={"aria-label": "Pages of clients"},
    )
