"""Usage: a range, grouped and measured, as a chart and as a table of the same figures; all of it stands in the URL."""

from typing import Any

import reflex as rx
from reflex_components_core.react_router.dom import ReactRouterLink

from aiservice.errors import BrokerError
from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.charts.groups import Line, stacked
from aiservice.portal.charts.usage_figures import GROUP_WORDS, METRIC_WORDS, RANGE_WORDS, GroupRow, figures
from aiservice.portal.charts.usage_tables import groups_chart, groups_table, lines_table
from aiservice.portal.components.browser import zone_switch
from aiservice.portal.components.filters import (
    Option,
    choices,
    chooser,
    download_link,
    filter_choosers,
    options_of,
    span_form,
)
from aiservice.portal.components.parts import alert, card, empty, skeleton
from aiservice.portal.layout import portal_page
from aiservice.portal.queries import FILTERS, METRICS, RANGES, UsageView, in_zone, url_of
from aiservice.portal.session.guard import SessionState, handler, signed_in
from aiservice.services.core import current_core

_PATH = "/usage"
_CHOICES_SINCE_US = 90 * DAY_US
_NAMES = {*FILTERS, "range", "from", "to", "by", "metric", "tz"}


class UsageState(rx.State):
    """One view of usage."""

    url: dict[str, str] = {}
    range_name: str = ""
    group_by: str = ""
    metric: str = ""
    zone: str = "UTC"
    typed_start: str = ""
    typed_end: str = ""
    rows: list[GroupRow] = []
    heads: list[str] = []
    lines: list[Line] = []
    plot: dict[str, Any] = stacked([], [])
    rectangles: list[dict[str, str]] = []
    summary: str = ""
    export: str = ""
    options: dict[str, list[Option]] = {name: [] for name in FILTERS}
    problem: str = ""
    problem_id: str = ""
    has_data: bool = False
    is_narrowed: bool = False
    is_loaded: bool = False

    @handler()
    async def load(self) -> None:
        self.url = {name: value for name, value in self.router.url.query_parameters.items() if name in _NAMES}
        self.problem = ""
        try:
            await _show(self)
        except BrokerError as error:
            self.problem, self.problem_id = error.message, new_id("req")
        self.is_loaded = True

    @handler()
    async def choose(self, name: str, value: str) -> Any:
        """Changes one thing; the URL is where that is kept."""
        gone = {"from": "", "to": ""} if name == "range" else {}
        return rx.redirect(url_of(_PATH, self.url, **gone, **({name: value} if name in _NAMES else {})))

    @handler()
    async def choose_zone(self, name: str) -> Any:
        return rx.redirect(url_of(_PATH, in_zone(self.url, name)))

    @handler()
    async def choose_span(self, form: dict[str, str]) -> Any:
        span = {name: form.get(name, "") for name in ("from", "to")}
        return rx.redirect(url_of(_PATH, self.url, **span, range=""))


async def _show(state: UsageState) -> None:
    core, me = current_core(), signed_in()
    view = UsageView.of(state.url)
    series = await core.usage.series(
        me,
        *view.span,
        filters=view.filters,
        group_by=view.group_by,
        rank=view.rank,
        measures=[METRICS[view.metric]],
    )
    found = await core.usage.choices(me, now_us() - _CHOICES_SINCE_US)
    state.range_name, state.group_by, state.metric, state.zone = (
        view.range_name,
        view.group_by,
        view.metric,
        view.zone.name,
    )
    state.typed_start, state.typed_end = (
        f"{view.zone.moment(at):%Y-%m-%dT%H:%M}" for at in (view.start_us, view.end_us)
    )
    state.is_narrowed = bool(view.filters)
    state.export = url_of("/auth/export/usage.csv", state.url)
    state.options = {name: options_of(found[column], state.url.get(name, "")) for name, column in FILTERS.items()}
    shown = figures(view, series, state.url)
    state.plot, state.rectangles = shown["plot"], shown["rectangles"]
    state.heads, state.lines, state.rows = shown["heads"], shown["lines"], shown["rows"]
    state.summary, state.has_data = shown["summary"], shown["has_data"]


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
            rx.el.span("Measure", class_name=f"text-xs font-medium {theme.MUTED}"),
            choices(
                "Measure",
                [(METRIC_WORDS[name], name, page.metric == name) for name in METRICS],
                lambda name: page.choose("metric", name),
            ),
            class_name="flex flex-wrap items-center gap-2",
        ),
        rx.el.div(
            _group_chooser(),
            *filter_choosers(page.options, page.url, page.choose),
            class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6",
        ),
        class_name="flex flex-col gap-4",
    )


def _group_chooser() -> rx.Component:
    options = [rx.el.option(words, value=name) for name, words in GROUP_WORDS.items() if name != "user"]
    for_admins = rx.cond(SessionState.is_admin, rx.el.option(GROUP_WORDS["user"], value="user"))
    return chooser("Group by", "by", [*options, for_admins], page.group_by, page.choose, first="")


def _clear() -> rx.Component:
    return rx.cond(
        page.url.length() > 0, ReactRouterLink.create("Back to the default", to=_PATH, class_name=theme.QUIET)
    )


def _figures() -> rx.Component:
    return rx.fragment(
        card(
            groups_chart(page.rectangles, page.plot, summary=page.summary),
            rx.el.details(
                rx.el.summary(
                    "The chart's figures as a table", class_name=f"w-fit cursor-pointer text-sm {theme.LINK}"
                ),
                lines_table(page.heads, page.lines, summary=page.summary),
                class_name="mt-4",
            ),
            title="Over time",
            actions=rx.el.div(
                zone_switch(page.zone, page.choose_zone),
                download_link(page.export, "usage.csv"),
                class_name="flex flex-wrap items-center gap-2",
            ),
        ),
        card(
            groups_table(page.rows),
            title="In all",
        ),
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
        ReactRouterLink.create("Back to the default", to=_PATH, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )
