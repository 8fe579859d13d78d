"""Teams: clients that share limits. For admins."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.portal import theme
from aiservice.portal.components.browser import confirm_button, open_dialog
from aiservice.portal.components.parts import card, cell, data_table, empty, field, select_field, table_row, waiting
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.limit_names import words_of


class TeamRow(TypedDict):
    """A team in the list."""

    id: str
    name: str
    clients: str
    limits: str
    is_empty: bool


class Choice(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class NewTeam(ValidatedDict):
    """The form that makes a team."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    name: str


class Renamed(ValidatedDict):
    """The form in the dialog that renames one."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    id: str
    new_name: str


class Move(ValidatedDict):
    """The form that puts a client into a team; an empty `team` is none."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    client: str
    team: str


class TeamsState(rx.State):
    """The teams, and the clients that could be in them."""

    rows: list[TeamRow] = []
    clients: list[Choice] = []
    changes: int = 0
    is_loaded: bool = False

    @handler("team.create")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("team.create")
    async def create(self, form: NewTeam) -> None:
        made = await current_core().teams.create(signed_in(), form["name"])
        await tell(self, f"Made the team {made.name}. Put clients into it, then set its limits.")
        await _show(self)

    @handler("team.rename")
    async def rename(self, form: Renamed) -> None:
        renamed = await current_core().teams.rename(signed_in(), form["id"], form["new_name"])
        self.changes += 1
        await tell(self, f"It is called {renamed.name} now.")
        await _show(self)

    @handler("team.delete")
    async def delete(self, team_id: str) -> None:
        await current_core().teams.delete(signed_in(), team_id)
        await tell(self, "Deleted.")
        await _show(self)

    @handler("client.team")
    async def move(self, form: Move) -> None:
        client = await current_core().clients.set_team(signed_in(), form["client"], form["team"] or None)
        await tell(self, f"{client.name} is in {f'the team {client.team}' if client.team else 'no team'} now.")
        await _show(self)


async def _show(state: TeamsState) -> None:
    core, me = current_core(), signed_in()
    clients = await core.clients.list(me)
    of_team: dict[str, list[str]] = {}
    for client in clients:
        if client.team is not None:
            of_team.setdefault(client.team, []).append(client.name)
    state.rows = [
        TeamRow(
            id=team.id,
            name=team.name,
            clients=_listed(of_team.get(team.name, [])),
            limits=", ".join(f"{amount:,} {words_of(name)}" for name, amount in team.limits.items()) or "none",
            is_empty=not team.clients,
        )
        for team in await core.teams.list(me)
    ]
    state.clients = [
        Choice(value=client.id, label=f"{client.name} ({client.team})" if client.team else client.name)
        for client in clients
    ]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(names[:5]) + more) or "none"


HEADS = ["Team", "Clients", "Limits", ""]
page: Any = TeamsState  # in markup its attributes are Vars


@portal_page("/teams", title="Teams", icon="team", place=55, on_load=TeamsState.load)
def teams() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(_list(), _move(), _create(), class_name="flex flex-col gap-5"),
        waiting("h-72", "h-40"),
    )


def _list() -> rx.Component:
    return card(
        rx.cond(
            page.rows.length() > 0,
            data_table(HEADS, rx.foreach(page.rows, _row), caption="Teams"),
            empty(
                "No teams yet",
                "Clients in a team share its limits, however many keys they have.",
                rx.el.a("Make a team", href="#make-a-team", class_name=theme.PRIMARY),
            ),
        ),
        title="Teams",
        actions=rx.el.a("Limits", href="/limits", class_name=theme.SECONDARY),
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["name"], class_name="font-medium break-words"),
        cell(row["clients"], class_name="break-words"),
        cell(row["limits"]),
        cell(
            rx.el.div(
                _rename(row),
                rx.cond(
                    row["is_empty"],
                    confirm_button(
                        "Delete",
                        title="Delete this team?",
                        text=f"{row['name']} has no clients, so nobody's limits change.",
                        confirm="Delete it",
                        on_confirm=page.delete(row["id"]),
                    ),
                ),
                class_name="flex flex-wrap justify-end gap-1 max-sm:justify-start",
            ),
            class_name="text-right max-sm:text-left",
        ),
        key=row["id"],
    )


def _rename(row: Any) -> rx.Component:
    return open_dialog(
        rx.el.form(
            rx.el.input(type="hidden", name="id", value=row["id"], read_only=True),
            rx.el.label(
                "New name",
                rx.el.input(
                    name="new_name",
                    default_value=row["name"],
                    required=True,
                    max_length=100,
                    auto_complete="off",
                    class_name=f"mt-1 {theme.INPUT}",
                ),
                class_name=theme.LABEL,
            ),
            rx.el.button("Rename", type="submit", class_name=f"{theme.PRIMARY} self-end"),
            on_submit=page.rename,
            class_name="mt-4 flex flex-col gap-4",
        ),
        label="Rename",
        title="Rename this team",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def _move() -> rx.Component:
    form = rx.el.form(
        select_field(
            "Client",
            "client",
            rx.foreach(page.clients, lambda one: rx.el.option(one["label"], value=one["value"])),
        ),
        select_field(
            "Team",
            "team",
            [
                rx.foreach(page.rows, lambda row: rx.el.option(row["name"], value=row["id"])),
                rx.el.option("No team", value=""),
            ],
        ),
        rx.el.button("Move", type="submit", class_name=f"{theme.PRIMARY} self-end"),
        on_submit=page.move,
        class_name="grid gap-4 sm:grid-cols-[1fr_1fr_auto]",
    )
    return rx.cond(page.rows.length() > 0, card(form, title="Put a client into a team"), rx.fragment())


def _create() -> rx.Component:
    return rx.el.div(
        card(
            rx.el.form(
                field("Name", "name", required=True, max_length=100, auto_complete="off", placeholder="search"),
                rx.el.button("Make a team", type="submit", class_name=f"{theme.PRIMARY} self-end"),
                on_submit=page.create,
                reset_on_submit=True,
                class_name="grid gap-4 sm:grid-cols-[1fr_auto]",
            ),
            title="New team",
        ),
        id="make-a-team",
    )
