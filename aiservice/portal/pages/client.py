"""One client at its own address: what it uses and spends, what it may do, and its keys. For admins."""

from typing import Any, TypedDict

import reflex as rx
from pydantic import ConfigDict
from reflex_components_core.react_router.dom import ReactRouterLink
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import InvalidRequest, NotFound
from aiservice.portal import theme
from aiservice.portal.components.browser import choose_button
from aiservice.portal.components.parts import (
    card,
    cell,
    data_table,
    empty,
    field,
    skeleton,
    state_badge,
    table_row,
    tile,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_moment
from aiservice.portal.queries import url_of
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.client_list import ClientLine
from aiservice.services.client_views import ClientView
from aiservice.services.clients import Bounds
from aiservice.services.core import current_core
from aiservice.services.key_views import KeyView
from aiservice.services.limit_names import words_of

_BELOW = "/clients"
_MOST_KEYS = 50
_STATES = {"throttle": "slowed down", "quarantine": "in quarantine", "block": "blocked"}


class Fact(TypedDict):
    """One figure about the client."""

    name: str
    value: str
    note: str


class KeyLine(TypedDict):
    """A key of the client."""

    name: str
    hint: str
    used: str
    state: str
    state_kind: str


class Link(TypedDict):
    """Where more of the client is."""

    words: str
    url: str


class BoundsForm(ValidatedDict, total=False):
    """What the client may do at most; an empty list is all."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    connections: str
    models: str
    scopes: str
    networks: str
    weight: str
    team: str


class ClientState(rx.State):
    """The client that the URL names."""

    client_id: str = ""
    name: str = ""
    state: str = ""
    state_kind: str = ""
    facts: list[Fact] = []
    keys: list[KeyLine] = []
    links: list[Link] = []
    form: dict[str, str] = {}
    teams: list[str] = []
    is_disabled: bool = False
    is_found: bool = False
    is_loaded: bool = False

    @handler("client.change")
    async def load(self) -> None:
        self.client_id = self.router.url.path.rstrip("/").rpartition("/")[2][:80]
        self.is_found = False
        try:
            await _show(self)
        except NotFound:
            self.keys = []
        self.is_loaded = True

    @handler("client.change")
    async def save(self, form: BoundsForm) -> None:
        clients, me, team = current_core().clients, signed_in(), form.get("team", "")
        weight = form.get("weight", "").strip()
        if not (weight.isascii() and weight.isdecimal() and len(weight) < 6):
            raise InvalidRequest("The weight is a whole number from 1 to 1000.", param="weight")
        bounds = Bounds(
            connections=_list(form.get("connections", "")),
            models=_list(form.get("models", "")),
            scopes=_list(form.get("scopes", "")),
            networks=_list(form.get("networks", "")),
            weight=int(weight),
        )
        view = await clients.update(me, self.client_id, **bounds)
        if (view.team or "") != team:
            await clients.set_team(me, self.client_id, team or None)
        await tell(self, "Saved. Its keys are as narrow within a second.")
        await _show(self)

    @handler("client.disable")
    async def disable(self, cuts_streams: bool) -> None:
        await current_core().clients.disable(signed_in(), self.client_id, cuts_streams=cuts_streams)
        await tell(self, "Disabled. Every key of it is refused within a second.")
        await _show(self)

    @handler("client.enable")
    async def enable(self) -> None:
        await current_core().clients.enable(signed_in(), self.client_id)
        await tell(self, "Enabled again.")
        await _show(self)


async def _show(state: ClientState) -> None:
    core, me = current_core(), signed_in()
    view = await core.clients.find(me, state.client_id)
    line = await core.client_list.one(me, view.id)
    keys = await core.keys.list(me, view.id, limit=_MOST_KEYS)
    state.client_id, state.name, state.is_found, state.is_disabled = view.id, view.name, True, view.is_disabled
    state.state, state.state_kind = _state(view, line)
    state.facts = _facts(view, line)
    state.keys = [_key(key) for key in keys]
    state.teams = [team.name for team in await core.teams.list(me)]
    state.form = {
        "id": view.id,
        "connections": ", ".join(view.connections or ()),
        "models": ", ".join(view.models or ()),
        "scopes": ", ".join(view.scopes or ()),
        "networks": ", ".join(view.networks or ()),
        "weight": str(view.weight),
        "team": view.team or "",
    }
    state.links = [
        Link(words="Its requests", url=url_of("/requests", {"client": view.id})),
        Link(words="Its usage", url=url_of("/usage", {"client": view.id})),
        Link(words="What was changed of it", url=url_of("/audit", {"subject": view.id})),
        Link(words="Limits", url="/limits"),
        Link(words="Budgets", url="/budgets"),
        Link(words="Abuse policy", url="/abuse"),
    ]


def _state(view: ClientView, line: ClientLine | None) -> tuple[str, str]:
    if view.is_disabled:
        return "disabled", "warn"
    if line is not None and line.sanction:
        return f"{_STATES[line.sanction]} until {shown_moment(line.sanction_until_us)}", "bad"
    return "active", "good"


def _facts(view: ClientView, line: ClientLine | None) -> list[Fact]:
    limits = [f"{amount:,} {words_of(name)}" for name, amount in view.limits.items()]
    bounds = [*limits, *(line.budgets if line is not None else ())]
    requests, cost = (0, 0) if line is None else (line.requests, line.cost_nano_usd)
    unpriced = f"and {line.unpriced:,} calls without a price" if line is not None and line.unpriced else "in 30 days"
    return [
        Fact(name="Requests", value=f"{requests:,}", note="in 30 days"),
        Fact(name="Spent", value=f"${cost / 1e9:,.2f}", note=unpriced),
        Fact(
            name="Owner",
            value=(view.owner_email or "nobody").partition("@")[0],
            note=view.owner_email or "admins alone",
        ),
        Fact(name="Limits and budgets", value=f"{len(bounds)}", note=", ".join(bounds) or "none of its own"),
    ]


def _key(key: KeyView) -> KeyLine:
    is_live = key.state in ("active", "rolling")
    return KeyLine(
        name=key.name,
        hint=f"ais_…{key.secrets[-1].public_id}" if key.secrets else key.id,
        used=shown_moment(key.last_used_us) if key.last_used_us else "never",
        state=key.state,
        state_kind="good" if is_live else "plain",
    )


def _list(text: str) -> list[str] | None:
    """What was written into a field for several; None where that is nothing."""
    return text.replace(",", " ").split() or None


HEADS = ["Key", "Last used", "State"]
page: Any = ClientState  # in markup its attributes are Vars


@portal_page("/clients/[client]", title="Client", below=_BELOW, on_load=ClientState.load)
def client() -> rx.Component:
    waiting = rx.el.div(skeleton("h-24"), skeleton("h-64"), class_name="grid gap-4", custom_attrs={"aria-busy": "true"})
    missing = empty(
        "There is no such client",
        "Clients are never deleted: the address is not whole.",
        ReactRouterLink.create("All clients", to=_BELOW, class_name=theme.PRIMARY),
    )
    return rx.el.div(
        rx.el.p(ReactRouterLink.create("All clients", to=_BELOW, class_name=theme.LINK), class_name="text-sm"),
        rx.cond(page.is_loaded, rx.cond(page.is_found, _content(), card(missing)), waiting),
        class_name="flex flex-col gap-4",
    )


def _content() -> rx.Component:
    return rx.fragment(
        card(
            rx.el.nav(
                rx.foreach(
                    page.links,
                    lambda link: ReactRouterLink.create(link["words"], to=link["url"], class_name=theme.LINK),
                ),
                class_name="flex flex-wrap gap-x-4 gap-y-2 text-sm",
                custom_attrs={"aria-label": "More of this client"},
            ),
            title=page.name,
            actions=rx.fragment(state_badge(page.state, page.state_kind), _switch()),
        ),
        rx.el.div(rx.foreach(page.facts, tile), class_name="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4"),
        card(_form(), title="What it may do at most"),
        card(
            rx.cond(
                page.keys.length() > 0,
                data_table(HEADS, rx.foreach(page.keys, _line), caption="Keys of this client"),
                empty(
                    "No key yet",
                    "Its owner makes one, or you do.",
                    ReactRouterLink.create("Keys", to="/keys", class_name=theme.PRIMARY),
                ),
            ),
            title="Keys",
        ),
    )


def _switch() -> rx.Component:
    return rx.cond(
        page.is_disabled,
        rx.el.button("Enable", type="button", on_click=page.enable, class_name=theme.SECONDARY),
        choose_button(
            "Disable",
            title=f"Disable {page.name}?",
            text="Every key of it is refused within a second, until somebody enables it again.",
            choice="Cut its answers under way, too",
            confirm="Disable",
            on_choose=page.disable,
            class_name=theme.SECONDARY,
        ),
    )


def _form() -> rx.Component:
    several = "Separated by commas. Empty: all."
    form = page.form
    off: dict[str, Any] = {"auto_complete": "off", "spell_check": False}
    teams = [rx.el.option("No team", value=""), rx.foreach(page.teams, lambda name: rx.el.option(name, value=name))]
    return rx.el.form(
        field("Provider connections", "connections", default_value=form["connections"], hint=several, **off),
        field("Models", "models", default_value=form["models"], hint=several, **off),
        field(
            "Tasks, or read",
            "scopes",
            default_value=form["scopes"],
            hint="chat, embedding …; read may look and not ask. Empty: all.",
            **off,
        ),
        field(
            "Addresses",
            "networks",
            default_value=form["networks"],
            hint="Where it may call from, such as 203.0.113.0/24. Empty: anywhere.",
            **off,
        ),
        rx.el.div(
            field(
                "Weight, 1 to 1000",
                "weight",
                default_value=form["weight"],
                hint="Its share, against other clients, while a provider gives too little for all.",
                input_mode="numeric",
                auto_complete="off",
            ),
            rx.el.label(
                "Team",
                rx.el.select(*teams, name="team", default_value=form["team"], class_name=f"mt-1 {theme.INPUT}"),
                class_name=theme.LABEL,
            ),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        rx.el.button("Save", type="submit", class_name=f"{theme.PRIMARY} self-start"),
        on_submit=page.save,
        key=form["id"] + page.teams.length().to_string(),
        class_name="flex flex-col gap-4",
    )


def _line(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["name"], class_name="block font-medium wrap-anywhere"),
            rx.el.span(row["hint"], class_name=f"block font-mono text-xs {theme.MUTED}"),
        ),
        cell(row["used"], class_name="text-xs tabular-nums"),
        cell(state_badge(row["state"], row["state_kind"])),
    )
