"""Overview: the last 24 hours in figures, what binds first, what is wrong, the newest requests; kept up to date by
itself."""

from dataclasses import dataclass
from typing import Any, TypedDict

import reflex as rx

from aiservice.errors import BrokerError
from aiservice.kit.ids import new_id
from aiservice.portal import theme
from aiservice.portal.charts.tiles import TILES, Tile, tile, tiles_of, tiles_skeleton
from aiservice.portal.components.health import HealthRow, health_table
from aiservice.portal.components.health import rows_of as health_rows
from aiservice.portal.components.parts import alert, badge, card, data_table, empty, skeleton, state_badge
from aiservice.portal.components.requests import REQUEST_HEADS, RequestRow, request_line, request_row
from aiservice.portal.components.sanctions import notices_of, sanction_notices
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_moment
from aiservice.portal.session.guard import allowed, handler, signed_in
from aiservice.portal.session.live import put, watch
from aiservice.services import health_views
from aiservice.services.core import current_core
from aiservice.services.nearest_limits import Nearest, nearest
from aiservice.services.request_log import LogFilter
from aiservice.services.rights import may
from aiservice.services.usage_day import Day

_RECENT, _ALERTS = 10, 3
_NEARLY, _FULL = 0.8, 1.0
_SEVERITIES = {"critical": "bad", "warning": "warn"}


class NearestRow(TypedDict):
    """A limit or budget and how full it is."""

    whose: str
    kind: str
    words: str
    used: str
    percent: int
    level: str
    frees: str
    href: str


class OpenAlert(TypedDict):
    """An alert that nobody has acknowledged."""

    title: str
    words: str
    severity: str
    kind: str
    since: str


@dataclass(slots=True, frozen=True)
class _Gathered:
    """What all of a person's open pages show."""

    day: Day
    rest: dict[str, Any]


class OverviewState(rx.State):
    """The figures of the last 24 hours."""

    tiles: list[Tile] = []
    nearest: list[NearestRow] = []
    alerts: list[OpenAlert] = []
    health: list[HealthRow] = []
    recent: list[RequestRow] = []
    notices: list[str] = []
    problem: str = ""
    problem_id: str = ""
    is_loaded: bool = False

    @handler("usage.get")
    async def load(self) -> None:
        self.problem = ""
        try:
            _show(self, await _gather())
        except BrokerError as error:
            self.problem, self.problem_id = error.message, new_id("req")
        self.is_loaded = True
        watch(self, _gather, _show)


async def _gather() -> _Gathered:
    core, me = current_core(), signed_in()
    rest = {
        "nearest": [_nearest_row(one) for one in await nearest(me, core.limit_standing, core.budgets)],
        "alerts": [_alert_row(one) for one in await core.alerts.list(me, "open", limit=_ALERTS)],
        "recent": [request_row(entry) for entry in (await core.requests.page(me, LogFilter(), _RECENT)).entries],
        "notices": notices_of(await core.sanctions.list(me, live_only=True)),
        "health": await _health() if may(me, "connection.health") else [],
    }
    return _Gathered(await core.usage.last_day(me), rest)


async def _health() -> list[HealthRow]:
    core, me = current_core(), signed_in()
    named = [(row.id, row.name, row.kind) for row in await core.connections.list(me)]
    return health_rows(health_views.seen(me, core.board), named)


def _show(state: OverviewState, found: _Gathered) -> None:
    put(state, tiles=tiles_of(found.day), **found.rest)


def _nearest_row(one: Nearest) -> NearestRow:
    return NearestRow(
        whose=one.whose,
        kind=f"{one.scope}'s {one.kind}",
        words=one.words,
        used=one.used,
        percent=min(100, int(one.share * 100)),
        level="bad" if one.share >= _FULL else "warn" if one.share >= _NEARLY else "good",
        frees=_frees(one),
        href="/limits" if one.kind == "limit" else "/budgets",
    )


def _frees(one: Nearest) -> str:
    if not one.share:
        return "all free"
    if one.frees_in_us is None:
        return "comes back bit by bit"
    seconds = -(-one.frees_in_us // 1_000_000)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"all free in {seconds // length} {unit}"
    return f"all free in {seconds} s"


def _alert_row(one: Any) -> OpenAlert:
    severity = one.severity.name.lower()
    return OpenAlert(
        title=one.title,
        words=one.words,
        severity=severity,
        kind=_SEVERITIES.get(severity, "plain"),
        since=shown_moment(one.first_us, "%b %d %H:%M"),
    )


page: Any = OverviewState  # in markup its attributes are Vars


@portal_page("/", title="Overview", icon="gauge", place=5, on_load=OverviewState.load)
def overview() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.cond(page.problem != "", _problem(), _full()),
        rx.el.div(
            tiles_skeleton(),
            skeleton("h-44"),
            skeleton("h-72"),
            class_name="flex flex-col gap-5",
            custom_attrs={"aria-busy": "true"},
        ),
    )


def _full() -> rx.Component:
    return rx.el.div(
        sanction_notices(page.notices),
        rx.cond(page.recent.length() == 0, _begin()),
        rx.el.section(
            rx.el.div(
                rx.el.h2("Last 24 hours", class_name=theme.H2),
                badge("live", "good"),
                class_name="mb-3 flex items-center gap-2",
            ),
            rx.el.div(rx.foreach(page.tiles, tile), class_name=TILES),
        ),
        rx.el.div(
            card(_nearest_list(), title="What binds first", actions=_to("/limits", "All limits")),
            card(_alert_list(), title="Open alerts", actions=_to("/alerts", "All alerts")),
            class_name="grid gap-5 lg:grid-cols-2",
        ),
        rx.cond(
            allowed("connection.health") & (page.health.length() > 0),
            card(health_table(page.health), title="Providers", actions=_to("/providers", "All providers")),
        ),
        rx.cond(
            page.recent.length() > 0,
            card(
                data_table(REQUEST_HEADS, rx.foreach(page.recent, request_line), caption="Newest requests"),
                title="Newest requests",
                actions=_to("/requests", "All requests"),
            ),
        ),
        class_name="flex flex-col gap-5",
    )


def _to(href: str, words: str) -> rx.Component:
    return rx.el.a(words, href=href, class_name=f"text-sm {theme.LINK}")


def _begin() -> rx.Component:
    return card(
        empty(
            "No request yet",
            "Your key is one page away. The first request shows up here by itself, within two seconds of its end.",
            rx.el.a("Make your first call", href="/first-call", class_name=theme.PRIMARY),
        ),
    )


def _nearest_list() -> rx.Component:
    return rx.cond(
        page.nearest.length() > 0,
        rx.el.ul(rx.foreach(page.nearest, _nearest_item), class_name="flex flex-col gap-4"),
        rx.el.p(
            "No limit and no budget is set for your clients and keys: only what providers allow binds.",
            class_name=f"text-sm {theme.MUTED}",
        ),
    )


def _nearest_item(row: Any) -> rx.Component:
    fill = rx.match(
        row["level"], ("warn", theme.BAR_FILLS["warn"]), ("bad", theme.BAR_FILLS["bad"]), theme.BAR_FILLS["good"]
    )
    meter = {
        "role": "meter",  # Reflex knows no such role
        "aria-label": f"Used of {row['words']} of {row['whose']}",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": row["percent"],
        "aria-valuetext": row["used"],
    }
    return rx.el.li(
        rx.el.div(
            rx.el.a(row["whose"], href=row["href"], class_name=f"text-sm font-medium wrap-anywhere {theme.LINK}"),
            badge(row["kind"]),
            rx.el.span(row["words"], class_name=f"text-xs {theme.MUTED}"),
            class_name="mb-1.5 flex flex-wrap items-center gap-x-2 gap-y-1",
        ),
        rx.el.div(
            rx.el.div(class_name=fill, style={"width": f"{row['percent']}%"}),
            class_name=theme.BAR,
            custom_attrs=meter,
        ),
        rx.el.div(
            rx.el.span(f"{row['used']} ({row['percent']}%)"),
            rx.el.span(row["frees"]),
            class_name=f"mt-1 flex flex-wrap justify-between gap-x-3 text-xs tabular-nums {theme.MUTED}",
        ),
    )


def _alert_list() -> rx.Component:
    return rx.cond(
        page.alerts.length() > 0,
        rx.el.ul(rx.foreach(page.alerts, _alert_item), class_name="flex flex-col gap-3"),
        rx.el.p("Nothing needs you.", class_name=f"text-sm {theme.MUTED}"),
    )


def _alert_item(row: Any) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            state_badge(row["severity"], row["kind"]),
            rx.el.a(row["title"], href="/alerts", class_name=f"text-sm font-medium {theme.LINK}"),
            rx.el.span(row["since"], class_name=f"text-xs {theme.MUTED}"),
            class_name="flex flex-wrap items-center gap-x-2 gap-y-1",
        ),
        rx.el.p(row["words"], class_name=f"mt-1 text-sm wrap-anywhere {theme.MUTED}"),
    )


def _problem() -> rx.Component:
    return alert(
        rx.el.p("The overview could not be read. ", page.problem),
        rx.el.p("Request ", page.problem_id, class_name="mt-1 text-xs opacity-80"),
        rx.el.button("Try again", type="button", on_click=page.load, class_name=f"mt-3 {theme.SECONDARY}"),
        kind="error",
        role="alert",
    )
