"""Usage: a range, grouped and measured, as a chart and as a table of the same figures; all of it stands in the URL."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.charts.groups import Key, Line, Look, drawn, legend
from aiservice.portal.charts.usage_figures import GroupRow, Head, figures
from aiservice.portal.charts.usage_tables import groups_chart, groups_table, lines_table
from aiservice.portal.charts.usage_words import GROUP_WORDS, METRIC_WORDS, RANGE_WORDS
from aiservice.portal.components.browser import unfold, zone_switch
from aiservice.portal.components.filters import (
    Option,
    choices,
    chooser,
    download_link,
    filter_choosers,
    offered,
    options_of,
    span_form,
)
from aiservice.portal.components.parts import alert, card, empty, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import DEFAULT_TOP, FILTERS, RANGES, TOPS, UsageView, in_zone, url_of
from aiservice.portal.session.addresses import Ahead, arrived_at, go_on_at
from aiservice.portal.session.guard import allowed, handler, signed_in
from aiservice.portal.session.kept_choices import Choices, choices_later
from aiservice.services.core import current_core

_PATH = "/usage"
_CHOICES_SPAN_US = 90 * DAY_US
_NAMES = {*FILTERS, "range", "from", "to", "by", "sub", "metric", "roll", "top", "sum", "compare", "tz"}


class UsageState(rx.State):
    """One view of usage."""

    url: dict[str, str] = {}
    range_name: str = ""
    group_by: str = ""
    subgroup_by: str = ""
    metric: str = ""
    roll_up: str = "auto"
    top: str = DEFAULT_TOP
    is_cumulative: bool = False
    is_compared: bool = False
    zone: str = "UTC"
    typed_start: str = ""
    typed_end: str = ""
    rows: list[GroupRow] = []
    heads: list[Head] = []
    lines: list[Line] = []
    plot: dict[str, Any] = drawn([], [], Look())
    keys: list[Key] = []
    rectangles: list[dict[str, str]] = []
    summary: str = ""
    csv: str = ""
    json: str = ""
    options: dict[str, list[Option]] = {name: [] for name in FILTERS}
    problem: str = ""
    problem_id: str = ""
    has_data: bool = False
    is_kept: bool = True
    is_narrowed: bool = False
    is_loaded: bool = False
    _ahead: Ahead = []
    _choices: Choices = {}
    _choices_at: float = 0.0

    @handler("usage.get")
    async def load(self) -> None:
        self.url = arrived_at(self, _NAMES)
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.problem, self.problem_id = error.message, new_id("req")
        self.is_loaded = True
        choices_later(self, _CHOICES_SPAN_US, _offer)

    @handler("usage.get")
    async def choose(self, name: str, value: str) -> Any:
        """Changes one thing; the URL is where that is kept."""
        gone = {"from": "", "to": ""} if name == "range" else {}
        return go_on_at(self, _PATH, self.url, **gone, **({name: value} if name in _NAMES else {}))

    @handler("usage.get")
    async def choose_zone(self, name: str) -> Any:
        return go_on_at(self, _PATH, in_zone(self.url, name))

    @handler("usage.get")
    async def choose_span(self, form: dict[str, str]) -> Any:
        span = {name: form.get(name, "") for name in ("from", "to")}
        return go_on_at(self, _PATH, self.url, **span, range="", tz="" if self.zone == "UTC" else self.zone)


def _offer(state: UsageState, found: Choices) -> None:
    """What there is to narrow the figures by."""
    state.options = {name: options_of(found[column], state.url.get(name, "")) for name, column in FILTERS.items()}


async def _show(state: UsageState) -> None:
    core, me = current_core(), signed_in()
    view = UsageView.of(state.url)
    series = await core.usage.series(me, *view.span, view.asked)
    _show_controls(state, view)
    state.options = {name: offered(state.options[name], state.url.get(name, "")) for name in FILTERS}
    shown = figures(view, series, state.url)
    state.plot, state.rectangles = shown["plot"], shown["rectangles"]
    state.keys = legend(shown["plot"])
    state.heads, state.lines, state.rows = shown["heads"], shown["lines"], shown["rows"]
    state.summary, state.has_data, state.is_kept = shown["summary"], shown["has_data"], series.is_kept


def _show_controls(state: UsageState, view: UsageView) -> None:
    asked, zone = view.asked, view.zone
    state.range_name, state.metric, state.zone = view.range_name, asked.metric, zone.name
    state.group_by, state.subgroup_by = asked.group_by, asked.subgroup_by
    state.roll_up, state.top = asked.bucket or "auto", str(asked.top)
    state.is_cumulative, state.is_compared = view.is_cumulative, asked.is_compared
    # An end that nobody typed is now: written down to the minute, the form would leave this minute out.
    state.typed_start = f"{zone.moment(view.start_us):%Y-%m-%dT%H:%M}" if view.range_name == "custom" else ""
    state.typed_end = f"{zone.moment(view.end_us):%Y-%m-%dT%H:%M}" if state.url.get("to") else ""
    state.is_narrowed = bool(asked.filters)
    state.csv, state.json = (url_of(f"/auth/export/usage.{form}", state.url) for form in ("csv", "json"))


page: Any = UsageState  # in markup its attributes are Vars


@portal_page(_PATH, title="Usage", icon="chart", place=22, on_load=UsageState.load)
def usage() -> rx.Component:
    return rx.el.div(
        card(_controls(), title="What is shown", actions=_clear()),
        rx.cond(
            page.is_loaded,
            rx.cond(
                page.problem != "", _problem(), rx.cond(page.has_data, _figures(), card(_nothing(), title="No data"))
            ),
            rx.el.div(
                skeleton("h-96"),
                skeleton("h-64"),
                class_name="flex flex-col gap-5",
                custom_attrs={"aria-busy": "true"},
            ),
        ),
        class_name="flex flex-col gap-5",
    )


def _controls() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            choices(
                "Range",
                [(RANGE_WORDS[name], name, page.range_name == name) for name in RANGES],
                lambda name: page.choose("range", name),
            ),
            span_form(
                page.typed_start, page.typed_end, page.zone, page.choose_span, key=page.typed_start + page.typed_end
            ),
            class_name="flex flex-wrap items-end justify-between gap-3",
        ),
        rx.el.div(
            chooser("Measure", "metric", _options(METRIC_WORDS), page.metric, page.choose, first=""),
            chooser("Group by", "by", _groupings(), page.group_by, page.choose, first=""),
            chooser("Then by", "sub", _groupings(), page.subgroup_by, page.choose, first=""),
            chooser("Roll-up", "roll", _options(_ROLL_UPS), page.roll_up, page.choose, first=""),
            chooser("Shown by themselves", "top", _options(_TOP_WORDS), page.top, page.choose, first=""),
            class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5",
        ),
        rx.el.div(
            *filter_choosers(page.options, page.url, page.choose),
            class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5",
        ),
        class_name="flex flex-col gap-4",
    )


_ROLL_UPS = {"auto": "Automatic", "minute": "Minutes", "hour": "Hours", "day": "Days (of UTC)"}
_TOP_WORDS = {top: f"The largest {top}" for top in TOPS}


def _options(words: dict[str, str]) -> list[rx.Component]:
    return [rx.el.option(text, value=name) for name, text in words.items()]


def _groupings() -> list[rx.Component]:
    options = _options({name: words for name, words in GROUP_WORDS.items() if name != "user"})
    return [*options, rx.cond(allowed("usage.by_user"), rx.el.option(GROUP_WORDS["user"], value="user"))]


def _switch(words: str, name: str, is_on: Any) -> rx.Component:
    """A button that is pressed or not; what it says stands in the URL."""
    return rx.el.button(
        words,
        type="button",
        on_click=page.choose(name, rx.cond(is_on, "", "1")),
        class_name=rx.cond(is_on, f"{theme.CHOICE} {theme.CHOICE_ON}", f"{theme.CHOICE} {theme.CHOICE_OFF}"),
        custom_attrs={"aria-pressed": rx.cond(is_on, "true", "false")},
    )


def _clear() -> rx.Component:
    return rx.cond(
        page.url.length() > 0, ReactRouterLink.create("Back to the default", to=_PATH, class_name=theme.QUIET)
    )


def _figures() -> rx.Component:
    return rx.fragment(
        card(
            rx.cond(page.is_kept, None, _not_kept()),
            groups_chart(page.rectangles, page.plot, page.keys, summary=page.summary),
            unfold(
                "The chart's figures as a table",
                lines_table(page.heads, page.lines, summary=page.summary),
                class_name="mt-4",
            ),
            title="Over time",
            actions=rx.el.div(
                rx.el.div(
                    _switch("Add up", "sum", page.is_cumulative),
                    _switch("Compare with the period before", "compare", page.is_compared),
                    role="group",
                    class_name="flex flex-wrap gap-1",
                    custom_attrs={"aria-label": "How it is drawn"},
                ),
                zone_switch(page.zone, page.choose_zone),
                download_link(page.csv, "usage.csv"),
                download_link(page.json, "usage.json", "Download JSON"),
                class_name="flex flex-wrap items-center gap-2",
            ),
        ),
        card(
            groups_table(page.rows, is_compared=page.is_compared),
            title="In all",
        ),
    )


def _not_kept() -> rx.Component:
    return rx.el.div(
        alert(
            "By how they ended, only requests and errors are counted: what they used and cost is not kept like that. "
            "Choose another measure, or another grouping.",
            kind="info",
        ),
        class_name="mb-4",
    )


def _nothing() -> rx.Component:
    return rx.cond(
        page.is_narrowed,
        empty(
            "Nothing in this range fits",
            "No request was ever like that up to its end.",
            ReactRouterLink.create("Back to the default", to=_PATH, class_name=theme.PRIMARY),
        ),
        empty(
            "Nothing is known of this range",
            "Before the first request there is nothing to add up. Once a key of yours is used, its requests, tokens "
            "and cost are here.",
            rx.el.a("Make your first call", href="/first-call", class_name=theme.PRIMARY),
        ),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("Usage could not be read like that. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.div(
            rx.el.button("Try again", type="button", on_click=page.load, class_name=theme.SECONDARY),
            ReactRouterLink.create("Back to the default", to=_PATH, class_name=theme.QUIET),
            class_name="mt-3 flex flex-wrap gap-2",
        ),
        kind="error",
        role="alert",
    )
