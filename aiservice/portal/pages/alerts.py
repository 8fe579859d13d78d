"""Alerts: what happened that somebody should know of, with the figures behind it; acknowledged, muted, resolved."""

from typing import Any

import reflex as rx

from aiservice.errors import NotFound
from aiservice.portal import theme
from aiservice.portal.charts.alert_course import NO_COURSE, Course, course, course_of
from aiservice.portal.components.alert_rows import AlertRow, Fact, Share, filters_of, row_of, span_of
from aiservice.portal.components.browser import open_dialog
from aiservice.portal.components.filters import choices
from aiservice.portal.components.parts import badge, card, empty, skeleton, state_badge
from aiservice.portal.layout import portal_page
from aiservice.portal.layout.bell import BellState
from aiservice.portal.queries import FILTERS, url_of
from aiservice.portal.session.guard import allowed, handler, signed_in, tell
from aiservice.services.core import current_core
from aiservice.services.usage_series import Breakdown

PATH = "/alerts"
_PAGE_ROWS = 30
_MUTES = (("1 hour", 3_600), ("4 hours", 14_400), ("1 day", 86_400), ("7 days", 604_800))


class AlertsState(rx.State):
    """One page of the list: what is not resolved, or what is."""

    rows: list[AlertRow] = []
    is_past: bool = False
    first: int = 0
    total: int = 0
    course: Course = NO_COURSE
    changes: int = 0
    is_loaded: bool = False

    @handler("alert.list")
    async def load(self) -> None:
        """What the URL asks for: `state` "resolved" or nothing, `first` how many are passed over, `course` of which
        alert it is shown how the requests went."""
        asked = self.router.url.query_parameters
        first = asked.get("first", "")
        self.first = int(first) if first.isdecimal() and len(first) < 7 else 0
        self.is_past = asked.get("state") == "resolved"
        await _show(self)
        self.course = await _course_of(asked.get("course", ""))
        self.is_loaded = True

    @handler("alert.list")
    async def choose(self, is_past: bool) -> Any:
        return rx.redirect(url_of(PATH, {"state": "resolved" if is_past else ""}))

    @handler("alert.list")
    async def turn(self, by: int) -> Any:
        first = max(0, min(self.first + (1 if by > 0 else -1) * _PAGE_ROWS, max(0, self.total - 1)))
        kept = {"state": "resolved" if self.is_past else ""}
        return rx.redirect(url_of(PATH, kept, first=str(first) if first else ""))

    @handler("usage.get")
    async def show_course(self, alert_id: str) -> Any:
        """How the requests went that it is about; the address says of which, so that another tab shows it, too."""
        place = {"state": "resolved" if self.is_past else "", "first": str(self.first or "")}
        return rx.redirect(url_of(PATH, place, course=alert_id))

    @handler("alert.acknowledge")
    async def acknowledge(self, alert_id: str) -> None:
        await current_core().alerts.acknowledge(signed_in(), alert_id)
        await _changed(self, "Acknowledged: the others see that you are on it.")

    @handler("alert.resolve")
    async def resolve(self, alert_id: str) -> None:
        await current_core().alerts.resolve(signed_in(), alert_id)
        await _changed(self, "Resolved. If it happens again, it is a new alert.")

    @handler("alert.mute")
    async def mute(self, alert_id: str, seconds: int) -> None:
        await current_core().alerts.mute(signed_in(), alert_id, seconds)
        self.changes += 1
        await _changed(self, "Muted: no message goes out meanwhile." if seconds else "Not muted any more.")


async def _course_of(alert_id: str) -> Course:
    """The course of its requests around the time that it fired; none where there is no such alert (any more)."""
    if not alert_id:
        return NO_COURSE
    core, me = current_core(), signed_in()
    try:
        view = await core.alerts.find(me, alert_id)
    except NotFound:
        return NO_COURSE
    begin, end = span_of(view)
    ours = {FILTERS[name]: value for name, value in filters_of(view).items()}
    series = await core.usage.series(me, begin - (end - begin) // 2, end, Breakdown(has_all=True, filters=ours))
    return course_of(view.id, series)


async def _changed(state: AlertsState, done: str) -> None:
    await tell(state, done)
    await _show(state)
    bell = await state.get_state(BellState)
    bell.count = await current_core().alerts.count(signed_in(), "open")
    bell.shown = str(bell.count)


async def _show(state: AlertsState) -> None:
    alerts, me = current_core().alerts, signed_in()
    wanted = "resolved" if state.is_past else "unresolved"
    state.total = await alerts.count(me, wanted)
    views = await alerts.list(me, wanted, first=state.first, limit=_PAGE_ROWS)
    state.rows = [row_of(view) for view in views]


page: Any = AlertsState  # in markup its attributes are Vars


@portal_page("/alerts", title="Alerts", icon="bell", place=27, on_load=AlertsState.load)
def alerts() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            choices(
                "Which alerts", [("Open", False, ~page.is_past), ("Resolved", True, page.is_past)], AlertsState.choose
            ),
            rx.cond(
                allowed("alert_rule.list"),
                rx.el.div(
                    rx.el.a("Rules", href="/alerts/rules", class_name=theme.SECONDARY),
                    rx.el.a("Channels and log", href="/alerts/channels", class_name=theme.SECONDARY),
                    class_name="flex flex-wrap gap-2",
                ),
            ),
            class_name="flex flex-wrap items-center justify-between gap-2",
        ),
        rx.cond(
            page.is_loaded,
            rx.cond(
                page.rows.length() > 0,
                rx.el.ul(rx.foreach(page.rows, _row), class_name="flex flex-col gap-3"),
                card(_nothing()),
            ),
            rx.el.div(skeleton("h-40"), custom_attrs={"aria-busy": "true"}),
        ),
        rx.cond(page.total > _PAGE_ROWS, _pager()),
        class_name="flex flex-col gap-4",
    )


def _nothing() -> rx.Component:
    where = rx.el.a("See what is watched", href="/alerts/rules", class_name=theme.SECONDARY)
    return rx.cond(
        page.is_past,
        empty("Nothing has been resolved yet", "Alerts that are over are kept here for 90 days."),
        empty(
            "Nothing is wrong",
            "Providers that do not answer, budgets, keys that expire and much else would show here.",
            rx.cond(allowed("alert_rule.list"), where),
        ),
    )


def _pager() -> rx.Component:
    return rx.el.div(
        rx.el.button(
            "Newer", type="button", on_click=AlertsState.turn(-1), disabled=page.first == 0, class_name=theme.SECONDARY
        ),
        rx.el.button(
            "Older",
            type="button",
            on_click=AlertsState.turn(1),
            disabled=page.first + _PAGE_ROWS >= page.total,
            class_name=theme.SECONDARY,
        ),
        class_name="flex justify-end gap-2",
    )


def _row(row: Any) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            state_badge(row["severity"], row["severity_kind"]),
            rx.el.span(row["title"], class_name="font-medium"),
            rx.cond(row["client"] != "", badge(row["client"])),
            rx.cond(row["muted"] != "", badge(row["muted"])),
            class_name="flex flex-wrap items-center gap-2",
        ),
        rx.el.p(row["words"], class_name="mt-2 text-sm wrap-anywhere"),
        rx.el.p(row["since"], class_name=f"mt-1 text-xs {theme.MUTED}"),
        rx.cond(row["detail"] != "", rx.el.p(row["detail"], class_name=f"text-xs wrap-anywhere {theme.MUTED}")),
        rx.cond(row["measured"] != "", _measure(row)),
        rx.cond(row["shares_of"] != "", _shares(row)),
        rx.cond(page.course["of"] == row["id"], course(page.course)),
        rx.cond((row["facts"].to(list).length() > 0) | (row["requests"] != ""), _evidence(row)),
        rx.cond(~row["is_resolved"], _actions(row)),
        key=row["id"],
        class_name=f"{theme.SURFACE} p-4",
    )


def _measure(row: Any) -> rx.Component:
    """Value and threshold on one scale; the words say the same."""
    return rx.el.div(
        rx.el.p(row["measured"], class_name="text-xs tabular-nums"),
        rx.el.div(
            rx.el.div(class_name=theme.BAR_FILLS["bad"], style={"width": row["width"]}),
            rx.el.div(class_name="absolute inset-y-0 w-0.5 bg-slate-900 dark:bg-white", style={"left": row["mark"]}),
            class_name=f"relative mt-1 max-w-md {theme.BAR}",
            custom_attrs={"aria-hidden": "true"},
        ),
        class_name="mt-2",
    )


def _shares(row: Any) -> rx.Component:
    """Whose part in the figure was the largest."""
    return rx.el.div(
        rx.el.p("Largest shares of ", row["shares_of"], class_name=f"text-xs {theme.MUTED}"),
        rx.el.ul(rx.foreach(row["shares"].to(list[Share]), _share), class_name="mt-1 flex flex-col gap-1"),
        class_name="mt-3",
    )


def _share(part: Any) -> rx.Component:
    bar = rx.el.div(
        rx.el.div(class_name=theme.BAR_FILLS["plain"], style={"width": part["width"]}),
        class_name=f"max-w-24 shrink-0 {theme.BAR}",
        custom_attrs={"aria-hidden": "true"},
    )
    return rx.el.li(
        rx.el.span(part["by"], class_name=f"w-16 shrink-0 {theme.MUTED}"),
        bar,
        rx.el.span(part["share"], class_name="w-10 shrink-0 text-right tabular-nums"),
        rx.el.a(
            part["name"],
            href=part["requests"],
            class_name=f"inline-flex min-h-6 min-w-0 items-center wrap-anywhere {theme.LINK}",
        ),
        class_name="flex items-center gap-2 text-xs",
    )


def _evidence(row: Any) -> rx.Component:
    return rx.el.details(
        rx.el.summary("Evidence", class_name=f"cursor-pointer text-sm {theme.FOCUS}"),
        rx.el.dl(
            rx.foreach(row["facts"].to(list[Fact]), _fact_line),
            class_name="mt-2 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1 text-xs",
        ),
        rx.cond(
            row["requests"] != "",
            rx.el.div(
                rx.el.a("See these requests", href=row["requests"], class_name=f"text-sm {theme.LINK}"),
                rx.el.button(
                    "Show how they went",
                    type="button",
                    on_click=page.show_course(row["id"]),
                    class_name=theme.QUIET,
                ),
                class_name="mt-2 flex flex-wrap items-center gap-2",
            ),
        ),
        class_name="mt-2",
    )


def _fact_line(fact: Any) -> rx.Component:
    return rx.fragment(
        rx.el.dt(fact["name"], class_name=theme.MUTED),
        rx.el.dd(fact["value"], class_name="font-mono wrap-anywhere"),
    )


def _actions(row: Any) -> rx.Component:
    return rx.el.div(
        rx.cond(
            row["is_open"],
            rx.el.button(
                "Acknowledge", type="button", on_click=page.acknowledge(row["id"]), class_name=theme.SECONDARY
            ),
        ),
        rx.cond(
            row["muted"] != "",
            rx.el.button("Unmute", type="button", on_click=page.mute(row["id"], 0), class_name=theme.QUIET),
            open_dialog(
                rx.el.p(
                    "No message goes out meanwhile. What is still open then is told then.",
                    class_name=f"text-sm {theme.MUTED}",
                ),
                rx.el.div(
                    *[
                        rx.el.button(
                            words, type="button", on_click=page.mute(row["id"], seconds), class_name=theme.SECONDARY
                        )
                        for words, seconds in _MUTES
                    ],
                    class_name="mt-4 flex flex-wrap gap-2",
                ),
                label="Mute",
                title="Mute this alert for",
                close_signal=page.changes,
                class_name=theme.QUIET,
            ),
        ),
        rx.el.button("Resolve", type="button", on_click=page.resolve(row["id"]), class_name=theme.QUIET),
        class_name="mt-3 flex flex-wrap gap-1",
    )
