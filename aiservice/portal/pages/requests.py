"""Requests: the log, newest first, narrowed by what stands in the URL. New ones are announced and never move a row."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.browser import zone_switch
from aiservice.portal.components.filters import Option, chooser, download_link, filter_choosers, options_of, span_form
from aiservice.portal.components.parts import (
    alert,
    card,
    empty,
    skeleton,
)
from aiservice.portal.components.request_log import ENDING_WORDS, PATH, STATUSES, LogRow, log_row, log_table
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import FILTERS, RequestsView, in_zone, url_of
from aiservice.portal.session.guard import SessionState, handler, signed_in
from aiservice.portal.session.live import watch
from aiservice.services.core import current_core

_PAGE_ROWS = 50
_CHOICES_SINCE_US = 30 * DAY_US
_NAMES = {*FILTERS, "ended", "status", "from", "to", "tz", "before"}


class RequestsState(rx.State):
    """One page of the log, and what it was narrowed by."""

    rows: list[LogRow] = []
    url: dict[str, str] = {}
    options: dict[str, list[Option]] = {name: [] for name in FILTERS}
    zone: str = "UTC"
    older: str = ""
    newest: str = PATH
    export: str = ""
    fresh: str = ""
    problem: str = ""
    problem_id: str = ""
    has_any: bool = True
    is_narrowed: bool = False
    is_loaded: bool = False
    _fresh: int = 0
    _seen_id: int = 0

    @handler()
    async def load(self) -> None:
        self.url = {name: value for name, value in self.router.url.query_parameters.items() if name in _NAMES}
        self._fresh, self.fresh, self.problem = 0, "", ""
        try:
            await _show(self)
        except BrokerError as error:
            self.rows, self.problem, self.problem_id = [], error.message, new_id("req")
        self.is_loaded = True
        watch(self, _count_new)

    @handler()
    async def choose(self, name: str, value: str) -> Any:
        """Narrows the list; the URL is where that is kept."""
        return rx.redirect(url_of(PATH, _kept(self), **({name: value} if name in _NAMES else {})))

    @handler()
    async def choose_zone(self, name: str) -> Any:
        return rx.redirect(url_of(PATH, in_zone(_kept(self), name)))

    @handler()
    async def choose_span(self, form: dict[str, str]) -> Any:
        span = {name: form.get(name, "") for name in ("from", "to")}
        return rx.redirect(url_of(PATH, _kept(self), **span))

    @handler()
    async def find(self, form: dict[str, str]) -> Any:
        """Opens the request with the id that was typed."""
        wanted = form.get("request_id", "").strip()
        if wanted.isascii() and wanted.replace("_", "").replace("-", "").isalnum():
            return rx.redirect(f"{PATH}/{wanted[:60]}")
        return None

    @handler()
    async def show_new(self) -> Any:
        """Loads the newest page."""
        if self.url.get("before"):
            return rx.redirect(url_of(PATH, _kept(self)))
        await _show(self)
        self._fresh, self.fresh = 0, ""
        return None


def _kept(state: RequestsState) -> dict[str, str]:
    return {name: value for name, value in state.url.items() if name != "before"}


async def _show(state: RequestsState) -> None:
    core, me = current_core(), signed_in()
    view = RequestsView.of(state.url)
    seen_id = await core.requests.newest_id()
    page = await core.requests.page(me, view.asked, _PAGE_ROWS, view.before)
    names = await core.requests.key_names(sorted({entry.key_id for entry in page.entries}))
    state.rows = [log_row(entry, names, view.zone, state.url.get("tz", "")) for entry in page.entries]
    state.zone, state._seen_id = view.zone.name, seen_id
    state.older = url_of(PATH, state.url, before=page.next_before) if page.next_before else ""
    state.newest, state.export = url_of(PATH, _kept(state)), url_of("/auth/export/requests.csv", _kept(state))
    state.is_narrowed = bool(_kept(state).keys() - {"tz"})
    found = await core.usage.choices(me, now_us() - _CHOICES_SINCE_US)
    state.options = {name: options_of(found[column], state.url.get(name, "")) for name, column in FILTERS.items()}
    state.has_any = bool(state.rows) or bool(state.options["task"])


async def _count_new(state: RequestsState) -> None:
    core, me = current_core(), signed_in()
    if state.problem or state.url.get("to"):
        return
    newest = await core.requests.newest_id()
    if newest == state._seen_id:
        return
    state._fresh += await core.requests.settled_after(me, RequestsView.of(state.url).asked, state._seen_id)
    state._seen_id = newest
    if state._fresh:
        state.fresh = f"{state._fresh:,} new request{'' if state._fresh == 1 else 's'}"


page: Any = RequestsState  # in markup its attributes are Vars


@portal_page(PATH, title="Requests", icon="list", place=25, on_load=RequestsState.load)
def requests() -> rx.Component:
    return rx.el.div(
        card(_filters(), title="Narrow it down", actions=_clear()),
        card(
            _bar(),
            rx.cond(
                page.is_loaded,
                rx.cond(
                    page.problem != "", _problem(), rx.cond(page.rows.length() > 0, log_table(page.rows), _nothing())
                ),
                rx.el.div(skeleton("h-96"), custom_attrs={"aria-busy": "true"}),
            ),
            _pager(),
        ),
        class_name="flex flex-col gap-5",
    )


def _filters() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            *filter_choosers(page.options, page.url, page.choose),
            chooser(
                "Ended",
                "ended",
                [rx.el.option(words, value=value) for value, words in ENDING_WORDS],
                page.url.get("ended", ""),
                page.choose,
            ),
            chooser(
                "Status",
                "status",
                [rx.el.option(status, value=status) for status in STATUSES],
                page.url.get("status", ""),
                page.choose,
            ),
            class_name="grid grid-cols-2 gap-3 sm:grid-cols-4 lg:grid-cols-7",
        ),
        rx.el.div(
            span_form(page.url.get("from", ""), page.url.get("to", ""), page.zone, page.choose_span, key=page.newest),
            rx.el.form(
                rx.el.div(
                    rx.el.label("Request id", html_for="request_id", class_name=f"text-xs font-medium {theme.MUTED}"),
                    rx.el.input(
                        id="request_id",
                        name="request_id",
                        placeholder="req_…",
                        auto_complete="off",
                        class_name=f"mt-0.5 {theme.INPUT}",
                    ),
                ),
                rx.el.button("Open", type="submit", class_name=theme.SECONDARY),
                on_submit=page.find,
                class_name="flex items-end gap-2",
            ),
            class_name="mt-4 flex flex-wrap items-end justify-between gap-4",
        ),
    )


def _clear() -> rx.Component:
    return rx.cond(
        page.is_narrowed, ReactRouterLink.create("Clear all", to=PATH, class_name=theme.QUIET), rx.fragment()
    )


def _bar() -> rx.Component:
    """Above the rows and as high with news as without: they never move what the pointer is on."""
    return rx.el.div(
        rx.el.div(
            rx.cond(
                page.fresh != "",
                rx.el.button("↑ ", page.fresh, type="button", on_click=page.show_new, class_name=theme.PRIMARY),
                rx.el.span("Newest first; new ones are announced here.", class_name=f"text-sm {theme.MUTED}"),
            ),
            class_name="flex min-h-9 items-center",
            custom_attrs={"aria-live": "polite"},
        ),
        rx.el.div(
            rx.cond(SessionState.is_admin, rx.el.a("Kept bodies", href="/payloads", class_name=theme.SECONDARY)),
            zone_switch(page.zone, page.choose_zone),
            rx.cond(
                (page.export != "") & (page.problem == ""),
                download_link(page.export, "requests.csv"),
            ),
            class_name="flex flex-wrap items-center gap-2",
        ),
        class_name="mb-3 flex flex-wrap items-center justify-between gap-2",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "No request is like that",
            "Nothing in the log fits what it was narrowed to.",
            ReactRouterLink.create("Show all requests", to=PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "No request yet",
            "Every request that is sent with a key of yours is listed here, with what it cost and how it went.",
            rx.el.a("Make your first call", href="/first-call", class_name=theme.PRIMARY),
        ),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The log could not be read like that. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        ReactRouterLink.create("Show all requests", to=PATH, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )


def _pager() -> rx.Component:
    return rx.el.nav(
        rx.cond(
            page.url.get("before", "") != "",
            ReactRouterLink.create("Newest", to=page.newest, class_name=theme.SECONDARY),
        ),
        rx.cond(page.older != "", ReactRouterLink.create("Older", to=page.older, class_name=theme.SECONDARY)),
        class_name="mt-4 flex items-center justify-end gap-2 empty:hidden",
        custom_attrs={"aria-label": "Pages of the log"},
    )
