"""Keys: made, shown once, rolled with an overlap, revoked. The secret itself never reaches this page's state."""

from typing import Any, TypedDict

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.clock import SECOND_US
from aiservice.kit.durations import format_duration
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.browser import zone_switch
from aiservice.portal.components.filters import chooser
from aiservice.portal.components.key_dialogs import create_key
from aiservice.portal.components.key_rows import KeyRow, key_table, row_of
from aiservice.portal.components.parts import alert, card, empty, skeleton
from aiservice.portal.components.sanctions import notices_of, sanction_notices
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import KeysView, url_of, zone_in_url
from aiservice.portal.session.addresses import Ahead, arrived_at, go_on_at
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.key_listing import MOST_COUNTED

PATH = "/keys"
_PAGE_ROWS = 50
_PLACE = ("before", "after")
_NAMES = {"q", "state", "client", "tz", *_PLACE}
_STATES = [
    ("working", "Working"),
    ("rolling", "Being rolled"),
    ("idle", "Unused for 90 days"),
    ("leaked", "Leaked"),
    ("expired", "Expired"),
    ("revoked", "Revoked"),
]


class Option(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class KeysState(rx.State):
    """One page of the list of keys, and what it was narrowed by."""

    rows: list[KeyRow] = []
    url: dict[str, str] = {}
    total: str = ""
    older: str = ""
    newer: str = ""
    zone: str = "UTC"
    clients: list[Option] = []
    client: str = ""
    retrieval: str = ""
    default_end: str = ""
    notices: list[str] = []
    changes: int = 0
    problem: str = ""
    problem_id: str = ""
    is_narrowed: bool = False
    is_loaded: bool = False
    _ahead: Ahead = []

    @handler("key.list")
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        self.url = arrived_at(self, _NAMES)
        self.client = (await core.clients.personal(me)).id
        policy = core.keys.policy
        self.retrieval = policy.retrieval
        self.default_end = "Never" if policy.default_expiry_us is None else f"In {_duration(policy.default_expiry_us)}"
        self.clients = [Option(value=client.id, label=client.name) for client in await core.clients.list(me)]
        await _try_to_show(self)
        self.is_loaded = True

    @handler("key.list")
    async def try_again(self) -> None:
        await _try_to_show(self)

    @handler("key.list")
    async def choose(self, name: str, value: str) -> Any:
        """Narrows the list; the URL is where that is kept."""
        return go_on_at(self, PATH, _kept(self.url), **({name: value} if name in _NAMES else {}))

    @handler("key.list")
    async def choose_zone(self, name: str) -> Any:
        return go_on_at(self, PATH, self.url, tz=zone_in_url(name))

    @handler("key.list")
    async def search(self, form: dict[str, str]) -> Any:
        return go_on_at(self, PATH, _kept(self.url), q=form.get("q", "").strip())

    @handler("key.list")
    async def changed(self, key_id: str) -> None:
        """After a key was made or rolled and its secret has been seen."""
        self.changes += 1
        await _try_to_show(self)

    @handler("key.end_overlap")
    async def end_overlap(self, key_id: str) -> None:
        await current_core().keys.end_overlap(signed_in(), key_id)
        await tell(self, "The old secret is refused from now on.")
        await _try_to_show(self)

    @handler("key.revoke")
    async def revoke(self, key_id: str, cuts_streams: bool = False) -> None:
        await current_core().keys.revoke(signed_in(), key_id, cuts_streams=cuts_streams)
        cut = " Its answers under way have ended." if cuts_streams else ""
        await tell(self, f"Revoked. Requests with this key get 401 from now on.{cut}")
        await _try_to_show(self)


def _kept(url: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in url.items() if name not in _PLACE}


async def _try_to_show(state: KeysState) -> None:
    state.problem = ""
    try:
        await _show(state)
    except BrokerError as error:
        state.rows, state.problem, state.problem_id = [], error.message, new_id("req")


async def _show(state: KeysState) -> None:
    core, me, view, kept = current_core(), signed_in(), KeysView.of(state.url), _kept(state.url)
    page = await core.key_listing.page(me, view.asked, _PAGE_ROWS, before=view.before, after=view.after)
    state.rows = [row_of(line, me, view.zone) for line in page.lines]
    state.zone = view.zone.name
    state.total = _counted(page.total)
    state.older = url_of(PATH, kept, before=page.next_before) if page.next_before else ""
    state.newer = url_of(PATH, kept, after=page.next_after) if page.next_after else ""
    state.is_narrowed = bool(kept.keys() - {"tz"})
    state.notices = notices_of(await core.sanctions.list(me, live_only=True))


def _counted(total: int | None) -> str:
    if total is None:
        return "more than one page"
    return f"{total:,}{'+' if total == MOST_COUNTED else ''} key{'' if total == 1 else 's'}"


def _duration(duration_us: int) -> str:
    return format_duration(duration_us // SECOND_US)


page: Any = KeysState  # in markup its attributes are Vars


@portal_page(
    PATH,
    title="Keys",
    icon="key",
    place=30,
    on_load=KeysState.load,
    actions=(("Create a key", "/keys#create"),),
)
def keys() -> rx.Component:
    return rx.el.div(sanction_notices(page.notices), _list(), class_name="flex flex-col gap-5")


def _list() -> rx.Component:
    waiting = rx.el.div(
        skeleton("h-14"),
        skeleton("h-[36rem]"),
        class_name="flex flex-col gap-3",
        custom_attrs={"aria-busy": "true"},
    )
    rows = rx.cond(page.rows.length() > 0, key_table(page), _nothing())
    shown = rx.el.div(_filters(), rx.cond(page.problem != "", _problem(), rows), _pager())
    return card(
        rx.cond(page.is_loaded, shown, waiting),
        title="Client keys",
        actions=create_key(page),
    )


def _filters() -> rx.Component:
    search = rx.el.form(
        rx.el.label("Search", html_for="key-search", class_name=f"text-xs font-medium {theme.MUTED}"),
        rx.el.div(
            rx.el.input(
                id=rx.Var.create("key-search"),
                name="q",
                type="search",
                placeholder="name, client, owner, ais_live_…",
                default_value=page.url.get("q", ""),
                auto_complete="off",
                class_name=theme.INPUT,
            ),
            rx.el.button("Search", type="submit", class_name=theme.SECONDARY),
            class_name="mt-0.5 flex gap-2",
        ),
        on_submit=page.search,
        key=page.url.get("q", ""),
        class_name="min-w-0 grow basis-64",
    )
    states = [rx.el.option(words, value=value) for value, words in _STATES]
    clients = rx.foreach(page.clients, lambda one: rx.el.option(one["label"], value=one["value"]))
    return rx.el.div(
        search,
        chooser("State", "state", states, page.url.get("state", ""), page.choose),
        rx.el.div(chooser("Client", "client", [clients], page.url.get("client", ""), page.choose), class_name="w-40"),
        zone_switch(page.zone, page.choose_zone),
        class_name="mb-4 flex flex-wrap items-end gap-3",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "No key is like that",
            "None fits what the list was narrowed to.",
            ReactRouterLink.create("Show all keys", to=PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "No key yet",
            "A key lets a program call the API in a client's name.",
            # The dialog in the card's head: a second one would have fields of the same ids, and labels for the first.
            rx.el.a("Create a key", href="#create", class_name=theme.PRIMARY),
        ),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The keys could not be read like that. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.div(
            rx.el.button("Try again", type="button", on_click=page.try_again, class_name=theme.SECONDARY),
            ReactRouterLink.create("Show all keys", to=PATH, class_name=theme.SECONDARY),
            class_name="mt-3 flex flex-wrap gap-2",
        ),
        kind="error",
        role="alert",
    )


def _pager() -> rx.Component:
    return rx.cond(
        page.rows.length() > 0,
        rx.el.nav(
            rx.el.span(page.total, class_name=f"mr-auto text-sm {theme.MUTED}"),
            rx.cond(page.newer != "", ReactRouterLink.create("Newest", to=PATH, class_name=theme.SECONDARY)),
            rx.cond(page.newer != "", ReactRouterLink.create("Newer", to=page.newer, class_name=theme.SECONDARY)),
            rx.cond(page.older != "", ReactRouterLink.create("Older", to=page.older, class_name=theme.SECONDARY)),
            class_name="mt-4 flex items-center justify-end gap-2",
            custom_attrs={"aria-label": "Pages of keys"},
        ),
    )
