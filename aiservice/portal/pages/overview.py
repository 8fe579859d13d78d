"""Overview: the last 24 hours in figures, a chart, and the newest requests, kept up to date by themselves."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.clock import HOUR_US, from_us, now_us
from aiservice.kit.money import to_usd_text
from aiservice.portal import theme
from aiservice.portal.charts.usage import bars, figure, usage_chart
from aiservice.portal.components.parts import badge, card, data_table, empty, skeleton, tile
from aiservice.portal.components.requests import REQUEST_HEADS, RequestRow, request_line, request_row
from aiservice.portal.components.sanctions import notices_of, sanction_notices
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in
from aiservice.portal.session.live import watch
from aiservice.services.core import current_core
from aiservice.services.request_log import LogFilter

_HOURS = 24
_RECENT = 10


class Tile(TypedDict):
    """One figure with its name and a word about it."""

    name: str
    value: str
    note: str


class OverviewState(rx.State):
    """The figures of the last 24 hours."""

    tiles: list[Tile] = []
    rectangles: list[dict[str, str]] = []
    plot: dict[str, Any] = figure([], [], [])
    summary: str = ""
    recent: list[RequestRow] = []
    notices: list[str] = []
    is_loaded: bool = False

    @handler()
    async def load(self) -> None:
        await _show(self)
        watch(self, _show)


async def _show(state: OverviewState) -> None:
    core, me = current_core(), signed_in()
    now = now_us()
    start = now // HOUR_US * HOUR_US - (_HOURS - 1) * HOUR_US
    sums = await core.usage.tiles(me, start)
    state.tiles = _tiles(sums)
    series = await core.usage.series(me, start, now + 1, bucket="hour")
    points = series.groups[0].points if series.groups else []
    counts = [point.requests if point else 0 for point in points]
    failed = [point.errors if point else 0 for point in points]
    labels = [f"{from_us(at):%H:%M}" for at in series.starts_us]
    state.rectangles = bars(counts)
    state.plot = figure(labels, [a - b for a, b in zip(counts, failed, strict=True)], failed)
    state.summary = (
        f"Requests per hour over the last {_HOURS} hours (UTC): {sum(counts):,} in all, "
        f"{sum(failed):,} failed, at most {max([*counts, 0]):,} in one hour."
    )
    state.recent = [request_row(entry) for entry in (await core.requests.page(me, LogFilter(), _RECENT)).entries]
    state.notices = notices_of(await core.sanctions.list(me, live_only=True))
    state.is_loaded = True


def _tiles(sums: Any) -> list[Tile]:
    rate = f"{sums.errors / sums.requests:.1%} of requests" if sums.requests else "no requests"
    unpriced = f"{sums.unpriced:,} requests have no price" if sums.unpriced else "at the providers' list prices"
    p50, p95 = sums.p50_ms, sums.p95_ms
    return [
        Tile(name="Requests", value=f"{sums.requests:,}", note="last 24 hours"),
        Tile(name="Failed", value=f"{sums.errors:,}", note=rate),
        Tile(name="Tokens", value=f"{sums.tokens:,}", note=f"{sums.input_tokens:,} in, {sums.output_tokens:,} out"),
        Tile(name="Cost", value=f"${to_usd_text(sums.cost_nano_usd)}", note=unpriced),
        Tile(
            name="Latency",
            value="none yet" if p50 is None else f"{p50:,.0f} ms",
            note="" if p95 is None else f"p50; p95 is {p95:,.0f} ms",
        ),
    ]


page: Any = OverviewState  # in markup its attributes are Vars


@portal_page("/", title="Overview", icon="gauge", place=20, on_load=OverviewState.load)
def overview() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        rx.el.div(
            sanction_notices(page.notices),
            rx.el.div(
                rx.foreach(page.tiles, tile),
                class_name="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-5",
            ),
            card(
                usage_chart(page.rectangles, page.plot, summary=page.summary),
                title="Requests",
                actions=badge("live", "good"),
            ),
            card(
                rx.cond(
                    page.recent.length() > 0,
                    data_table(REQUEST_HEADS, rx.foreach(page.recent, request_line), caption="Newest requests"),
                    empty(
                        "No request yet",
                        "The first one shows up here by itself.",
                        rx.el.a("Make your first call", href="/first-call", class_name=theme.PRIMARY),
                    ),
                ),
                title="Newest requests",
            ),
            class_name="flex flex-col gap-5",
        ),
        rx.el.div(skeleton("h-24"), skeleton("h-72"), class_name="flex flex-col gap-5"),
    )
