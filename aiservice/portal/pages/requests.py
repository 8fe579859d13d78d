"""Requests: the log, newest first, narrowed by what stands in the URL, one of them open beside it. New ones are
announced and never move a row under the pointer."""

import time
from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.components.browser import zone_switch
from aiservice.portal.components.filters import Option, download_link, offered, options_of
from aiservice.portal.components.log_parts import live_tail, log_bars, peek
from aiservice.portal.components.log_states import clear_link, log_pager, log_problem, nothing_logged
from aiservice.portal.components.parts import card, skeleton
from aiservice.portal.components.request_detail import request_detail
from aiservice.portal.components.request_filters import request_filters
from aiservice.portal.components.request_log import PATH, BarRow, LogRow, bar_row, log_row, log_table
from aiservice.portal.layout import portal_page, registered_pages
from aiservice.portal.queries import FILTERS, RequestsView, in_zone, url_of
from aiservice.portal.session.addresses import Ahead, arrived_at, go_on_at
from aiservice.portal.session.guard import allowed, handler, signed_in
from aiservice.portal.session.kept_choices import Choices, choices_later, kept_choices
from aiservice.portal.session.live import put, unwatch, watch
from aiservice.portal.session.request_shown import RequestState, show_request
from aiservice.services.core import current_core
from aiservice.services.request_log import LogFilter

_PAGE_ROWS = 50
_FRESH_SECONDS = 60.0
_CHOICES_SPAN_US = 30 * DAY_US
_PLACE = ("before", "after", "peek")
_NAMES = {*FILTERS, "ended", "status", "cache", "tries", "id", "range", "from", "to", "tz", *_PLACE}
_UNNARROWED = {"tz", *_PLACE}


class RequestsState(rx.State):
    """One page of the log, what it was narrowed by, and which of its requests is open beside it."""

    rows: list[LogRow] = []
    bars: list[BarRow] = []
    bars_words: str = ""
    url: dict[str, str] = {}
    options: dict[str, list[Option]] = {name: [] for name in FILTERS}
    zone: str = "UTC"
    older: str = ""
    newer: str = ""
    newest: str = PATH
    export_csv: str = ""
    export_json: str = ""
    fresh: int = 0
    peek: str = ""
    problem: str = ""
    problem_id: str = ""
    has_any: bool = True
    has_span: bool = False
    is_narrowed: bool = False
    is_newest: bool = True
    is_loaded: bool = False
    _ahead: Ahead = []
    _seen_id: int = 0
    _listed_at: float = 0.0
    _choices: Choices = {}
    _choices_at: float = 0.0

    @handler("request.list")
    async def load(self) -> None:
        url = arrived_at(self, _NAMES)
        is_same_list = self.is_loaded and url != self.url and _listed(url) == _listed(self.url)
        is_fresh = not self.problem and time.monotonic() - self._listed_at < _FRESH_SECONDS
        self.url = url
        is_shown_anew = not (is_same_list and is_fresh)  # else only the sheet was opened, moved on or closed
        if is_shown_anew:
            await _try_to_show(self)
        await _show_peek(self)
        self.is_loaded = True
        _watch_news(self)
        if is_shown_anew and self.rows:
            choices_later(self, _CHOICES_SPAN_US, _offer)

    @handler("request.list")
    async def try_again(self) -> None:
        await _try_to_show(self)
        if self.rows:
            choices_later(self, _CHOICES_SPAN_US, _offer)

    @handler("request.list")
    async def choose(self, name: str, value: str) -> Any:
        """Narrows the list; the URL is where that is kept."""
        span = {"from": "", "to": ""} if name == "range" else {}
        return go_on_at(self, PATH, _kept(self.url), **({name: value, **span} if name in _NAMES else {}))

    @handler("request.list")
    async def choose_zone(self, name: str) -> Any:
        return go_on_at(self, PATH, in_zone(_kept(self.url), name))

    @handler("request.list")
    async def choose_span(self, form: dict[str, str]) -> Any:
        span = {name: form.get(name, "") for name in ("from", "to")}
        return go_on_at(self, PATH, _kept(self.url), range="", tz="" if self.zone == "UTC" else self.zone, **span)

    @handler("request.list")
    async def find(self, form: dict[str, str]) -> Any:
        """Opens the request with the id that was typed; any other text is looked for among all ids there are."""
        wanted = form.get("text_id", "").strip()
        is_ours = wanted.startswith("req_") and wanted.isascii() and wanted.replace("_", "").isalnum()
        return rx.redirect(f"{PATH}/{wanted[:60]}") if is_ours else go_on_at(self, PATH, _kept(self.url), id=wanted)

    @handler("request.list")
    async def show_new(self) -> Any:
        """Loads the newest page."""
        if not self.is_newest:
            return go_on_at(self, PATH, _kept(self.url))
        await _try_to_show(self)
        _watch_news(self)
        return None


def _kept(url: dict[str, str]) -> dict[str, str]:
    """What narrows the list, without the place in it."""
    return {name: value for name, value in url.items() if name not in _PLACE}


def _listed(url: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in url.items() if name != "peek"}


async def _try_to_show(state: RequestsState) -> None:
    state.fresh, state.problem, state._listed_at = 0, "", time.monotonic()
    try:
        await _show(state)
    except BrokerError as error:
        state.rows, state.bars, state.problem, state.problem_id = [], [], error.message, new_id("req")


async def _show(state: RequestsState) -> None:
    core, me = current_core(), signed_in()
    view, listed, kept = RequestsView.of(state.url), _listed(state.url), _kept(state.url)
    state.zone, seen_id = view.zone.name, await core.requests.newest_id()
    page = await core.requests.page(me, view.asked, _PAGE_ROWS, view.before, view.after)
    names = await core.requests.key_names(sorted({entry.key_id for entry in page.entries}))
    state.rows = [log_row(entry, names, view.zone, listed) for entry in page.entries]
    await _show_bars(state, view)
    state._seen_id, state.is_newest = seen_id, not page.next_after
    state.older = url_of(PATH, kept, before=page.next_before) if page.next_before else ""
    state.newer = url_of(PATH, kept, after=page.next_after) if page.next_after else ""
    state.newest, state.has_span = url_of(PATH, kept), bool(kept.get("from") or kept.get("to"))
    state.export_csv = url_of("/auth/export/requests.csv", kept)
    state.export_json = url_of("/auth/export/requests.json", kept)
    state.is_narrowed = bool(kept.keys() - _UNNARROWED)
    state.options = {name: offered(state.options[name], state.url.get(name, "")) for name in FILTERS}
    state.has_any = True
    if not state.rows:
        # Whether nothing was found or there is nothing yet.
        _offer(state, await kept_choices(state, _CHOICES_SPAN_US))


def _offer(state: RequestsState, found: Choices) -> None:
    """What there is to narrow the list by."""
    state.options = {name: options_of(found[column], state.url.get(name, "")) for name, column in FILTERS.items()}
    state.has_any = bool(state.rows) or bool(state.options["task"])


async def _show_bars(state: RequestsState, view: RequestsView) -> None:
    """The span that was asked for; else the last day, or month, where there was nothing in that day."""
    requests, me, span = current_core().requests, signed_in(), view.span()
    found = await requests.bars(me, view.asked, span)
    if not found.requests and view.asked.start_us is None:
        found = await requests.bars(me, view.asked, (span[1] - 30 * DAY_US, span[1]))
    is_of_days = found.width_us >= DAY_US
    state.bars = [bar_row(bar, view.zone, is_of_days=is_of_days) for bar in found.bars] if found.requests else []
    state.bars_words = (
        f"{found.requests:,} requests, {found.errors:,} failed, since {view.zone.show(found.bars[0].start_us)[:16]}"
    )


async def _show_peek(state: RequestsState) -> None:
    shown = await state.get_state(RequestState)
    wanted = state.url.get("peek", "")
    if wanted and (wanted != shown.shown_id or wanted != state.peek):
        await show_request(shown, wanted, RequestsView.of({"tz": state.url.get("tz", "")}).zone)
    state.peek = wanted


class _News:
    """How many requests have come since a list was shown that would be in it; counted on from where it was last."""

    def __init__(self, asked: LogFilter, seen_id: int) -> None:
        self._asked = asked
        self._seen_id = seen_id
        self._count = 0

    async def count(self) -> int:
        requests = current_core().requests
        newest = await requests.newest_id()
        if newest != self._seen_id:
            self._count += await requests.settled_after(signed_in(), self._asked, self._seen_id)
            self._seen_id = newest
        return self._count


def _watch_news(state: RequestsState) -> None:
    if state.problem or state.url.get("to"):
        unwatch(state)
    else:
        watch(state, _News(RequestsView.of(state.url).asked, state._seen_id).count, _show_news)


def _show_news(state: RequestsState, count: int) -> None:
    put(state, fresh=count)


page: Any = RequestsState  # in markup its attributes are Vars


@portal_page(PATH, title="Requests", icon="list", place=25, on_load=RequestsState.load)
def requests() -> rx.Component:
    return rx.el.div(
        card(request_filters(page), title="Narrow it down", actions=clear_link(page)),
        card(
            rx.cond(
                page.is_loaded,
                rx.el.div(_bars(), _bar(), rx.cond(page.problem != "", log_problem(page), _rows()), log_pager(page)),
                rx.el.div(
                    skeleton("h-28"),
                    skeleton("h-9"),
                    skeleton("h-[40rem]"),
                    class_name="flex flex-col gap-3",
                    custom_attrs={"aria-busy": "true"},
                ),
            ),
        ),
        _sheet(),
        class_name="flex flex-col gap-5",
    )


def _bars() -> rx.Component:
    """How many there were when; as high while there is nothing, so that nothing jumps."""
    return rx.cond(
        page.bars.length() > 0,
        rx.el.div(
            rx.el.p(page.bars_words, class_name=f"mb-2 text-sm {theme.MUTED}"),
            log_bars(page.bars, label="Requests over time"),
            class_name="mb-4",
        ),
    )


def _bar() -> rx.Component:
    """Above the rows and as high with news as without: they never move what the pointer is on."""
    return rx.el.div(
        live_tail(page.fresh, is_newest=page.is_newest, on_show=page.show_new),
        rx.el.div(
            rx.cond(allowed("client.payloads"), rx.el.a("Kept bodies", href="/payloads", class_name=theme.SECONDARY)),
            zone_switch(page.zone, page.choose_zone),
            rx.cond(
                (page.export_csv != "") & (page.problem == ""),
                rx.el.div(
                    download_link(page.export_csv, "requests.csv"),
                    download_link(page.export_json, "requests.json", "JSON"),
                    class_name="flex gap-2",
                ),
            ),
            class_name="flex flex-wrap items-center gap-2",
        ),
        class_name="mb-3 flex flex-wrap items-center justify-between gap-2",
    )


def _rows() -> rx.Component:
    return rx.cond(page.rows.length() > 0, log_table(page.rows, page.peek), nothing_logged(page))


def _sheet() -> rx.Component:
    shown: Any = RequestState
    whole = ReactRouterLink.create("Its own page", to=f"{PATH}/{shown.shown_id}", class_name=theme.SECONDARY)
    has_playground = any(one.route == "/playground" for one in registered_pages())
    return peek(request_detail(shown, head=whole, has_playground=has_playground), rows=page.rows, shown=shown.shown_id)
