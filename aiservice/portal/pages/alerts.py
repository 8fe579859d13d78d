"""Alerts: what happened that somebody should know of, with the figures behind it; acknowledged, muted, resolved."""

from typing import Any, TypedDict
from urllib.parse import quote

import reflex as rx

from aiservice.kit.clock import from_us, iso
from aiservice.portal import theme
from aiservice.portal.components.browser import open_dialog
from aiservice.portal.components.filters import choices
from aiservice.portal.components.parts import badge, card, empty, skeleton, state_badge
from aiservice.portal.layout import portal_page
from aiservice.portal.layout.bell import BellState
from aiservice.portal.session.guard import allowed, handler, signed_in, tell
from aiservice.services.alert_notes import Severity
from aiservice.services.alerts import AlertView
from aiservice.services.core import current_core

_PAGE_ROWS = 30
_LOOKS = {Severity.CRITICAL: "bad", Severity.WARNING: "warn", Severity.INFO: "plain"}
_FILTERS = {"client": "client", "key": "key", "connection": "provider", "task": "task", "model": "model"}
_MUTES = (("1 hour", 3_600), ("4 hours", 14_400), ("1 day", 86_400), ("7 days", 604_800))


class Fact(TypedDict):
    """A figure behind an alert."""

    name: str
    value: str


class AlertRow(TypedDict):
    """An alert in the list."""

    id: str
    title: str
    words: str
    severity: str
    severity_kind: str
    client: str
    since: str
    detail: str
    muted: str
    is_open: bool
    is_resolved: bool
    facts: list[Fact]
    requests: str


class AlertsState(rx.State):
    """One page of the list: what is not resolved, or what is."""

    rows: list[AlertRow] = []
    is_past: bool = False
    first: int = 0
    total: int = 0
    changes: int = 0
    is_loaded: bool = False

    @handler("alert.list")
    async def load(self) -> None:
        self.first, self.is_past = 0, False
        await _show(self)
        self.is_loaded = True

    @handler("alert.list")
    async def choose(self, is_past: bool) -> None:
        self.is_past, self.first = is_past, 0
        await _show(self)

    @handler("alert.list")
    async def turn(self, by: int) -> None:
        if by in (-1, 1):
            self.first = max(0, min(self.first + by * _PAGE_ROWS, max(0, self.total - 1)))
            await _show(self)

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
    state.rows = [_row_of(view) for view in views]


def _row_of(view: AlertView) -> AlertRow:
    detail = ""
    if view.resolved_us is not None:
        detail = f"Resolved {_at(view.resolved_us)}" + (f" by {view.resolved_by}" if view.resolved_by else " by itself")
    elif view.acknowledged_us is not None:
        detail = f"{view.acknowledged_by} is on it since {_at(view.acknowledged_us)}"
    times = f", {view.count:,} times, last {_at(view.last_us)}" if view.count > 1 else ""
    return AlertRow(
        id=view.id,
        title=view.title,
        words=view.words,
        severity=view.severity.name.lower(),
        severity_kind=_LOOKS[view.severity],
        client=view.client or "",
        since=f"Since {_at(view.first_us)}{times}",
        detail=detail,
        muted=f"muted until {_at(view.muted_until_us)}" if view.muted_until_us else "",
        is_open=view.state == "open",
        is_resolved=view.state == "resolved",
        facts=[
            Fact(name=name.replace("_", " "), value=_fact(name, value))
            for name, value in view.evidence.items()
            if value not in (None, "")
        ],
        requests=_requests(view),
    )


def _at(at_us: int) -> str:
    return f"{from_us(at_us):%Y-%m-%d %H:%M} UTC"


def _fact(name: str, value: object) -> str:
    if name.endswith("_us") and isinstance(value, int):
        return iso(value) or ""
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)[:300]


def _requests(view: AlertView) -> str:
    """Where the requests are that it is about."""
    scope = str(view.evidence.get("scope", ""))
    return f"/requests?{_FILTERS[scope]}={quote(view.subject)}" if scope in _FILTERS and view.subject else ""


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
        rx.cond(row["facts"].to(list).length() > 0, _evidence(row)),
        rx.cond(~row["is_resolved"], _actions(row)),
        class_name=f"{theme.SURFACE} p-4",
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
            rx.el.a("See these requests", href=row["requests"], class_name=f"mt-2 inline-block text-sm {theme.LINK}"),
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
