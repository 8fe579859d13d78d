"""Alert rules: what is watched, from which value on, and who is told. For admins."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.kit.durations import format_duration
from aiservice.portal import theme
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import (
    card,
    cell,
    data_table,
    field,
    select_field,
    state_badge,
    table_row,
    waiting,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in, tell
from aiservice.services.alert_metrics import METRICS, SCOPES
from aiservice.services.alert_rules import RuleView
from aiservice.services.core import current_core


class RuleRow(TypedDict):
    """A rule in the list; the last fields are what its form begins with."""

    id: str
    name: str
    watches: str
    condition: str
    severity: str
    channels: str
    state: str
    state_kind: str
    is_on: bool
    is_builtin: bool
    is_measured: bool
    metric: str
    direction: str
    threshold: str
    scope: str
    subject: str
    window: str
    lasting: str
    no_data: str
    named: str


class AlertRulesState(rx.State):
    """The list of rules."""

    rows: list[RuleRow] = []
    changes: int = 0
    is_loaded: bool = False

    @handler("alert_rule.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("alert_rule.list")
    async def changed(self, rule_id: str) -> None:
        """After a form of this page has been taken."""
        self.changes += 1
        await tell(self, "Saved. It is looked at every 15 seconds, from now on.")
        await _show(self)

    @handler("alert_rule.switch")
    async def switch(self, rule_id: str, is_on: bool) -> None:
        await current_core().alerts.rules.switch(signed_in(), rule_id, is_on=is_on)
        await _show(self)

    @handler("alert_rule.remove")
    async def remove(self, rule_id: str) -> None:
        await current_core().alerts.rules.remove(signed_in(), rule_id)
        await tell(self, "Removed. What it had found is resolved.")
        await _show(self)


async def _show(state: AlertRulesState) -> None:
    state.rows = [_row_of(view) for view in await current_core().alerts.rules.list(signed_in())]


def _row_of(view: RuleView) -> RuleRow:
    unit = METRICS[view.metric].unit if view.is_measured else ""
    threshold = f"{view.threshold or 0:g}"
    window, lasting = format_duration(view.window_seconds), format_duration(view.for_seconds)
    condition = "when it happens"
    if view.is_measured:
        over = "" if view.metric == "key_expiry" else f" in {window}"
        condition = f"{'below' if view.is_below else 'above'} {threshold} {unit}".rstrip() + over
        condition += f", for {lasting}" if view.for_seconds else ""
    of_what = "all together" if view.scope == "all" else f"each {view.scope}"
    return RuleRow(
        id=view.id,
        name=view.name,
        watches=f"{METRICS[view.metric].title}, {view.subject or of_what}" if view.is_measured else "An event",
        condition=condition,
        severity=view.severity.name.lower() if view.is_measured else "as noted",
        channels="all" if view.channels is None else ", ".join(view.channels),
        state="off" if view.is_disabled else "on",
        state_kind="plain" if view.is_disabled else "good",
        is_on=not view.is_disabled,
        is_builtin=view.is_builtin,
        is_measured=view.is_measured,
        metric=view.metric,
        direction="below" if view.is_below else "above",
        threshold=threshold,
        scope=view.scope,
        subject=view.subject,
        window=window,
        lasting=lasting,
        no_data=view.no_data,
        named=", ".join(view.channels or ()),
    )


HEADS = ["Name", "Watches", "Alarms", "Severity", "Channels", "State", ""]
page: Any = AlertRulesState  # in markup its attributes are Vars


@portal_page("/alerts/rules", title="Alert rules", on_load=AlertRulesState.load, below="/alerts")
def alert_rules() -> rx.Component:
    return rx.el.div(
        rx.el.a("Back to the alerts", href="/alerts", class_name=f"text-sm {theme.LINK}"),
        card(
            rx.cond(
                page.is_loaded,
                data_table(HEADS, rx.foreach(page.rows, _row), caption="Alert rules"),
                waiting("h-96"),
            ),
            title="Rules",
            actions=_add(),
        ),
        class_name="flex flex-col gap-4",
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(row["name"], class_name="font-medium"),
        cell(row["watches"], class_name="text-xs"),
        cell(row["condition"], class_name="text-xs"),
        cell(row["severity"], class_name="whitespace-nowrap"),
        cell(row["channels"], class_name="text-xs wrap-anywhere"),
        cell(state_badge(row["state"], row["state_kind"])),
        cell(
            rx.el.div(
                rx.cond(row["is_measured"], _change(row)),
                rx.el.button(
                    rx.cond(row["is_on"], "Switch off", "Switch on"),
                    type="button",
                    on_click=page.switch(row["id"], ~row["is_on"].bool()),
                    class_name=theme.QUIET,
                    custom_attrs={
                        "aria-label": rx.cond(row["is_on"], "Switch off ", "Switch on ") + row["name"].to(str)
                    },
                ),
                rx.cond(
                    ~row["is_builtin"],
                    confirm_button(
                        "Remove",
                        title=f"Remove {row['name']}?",
                        text="It is watched no longer. What it had found is resolved.",
                        confirm="Remove",
                        on_confirm=page.remove(row["id"]),
                    ),
                ),
                class_name="flex flex-wrap max-sm:-mx-3.5 sm:justify-end lg:flex-nowrap",
            )
        ),
        key=row["id"],
    )


def _add() -> rx.Component:
    metrics = [rx.el.option(metric.title, value=metric.name) for metric in METRICS.values()]
    return open_dialog(
        action_form(
            field("Name", "name", required=True, auto_complete="off"),
            select_field("Watch", "metric", metrics),
            *_terms(),
            action="/auth/secrets/alert-rules",
            submit="Add rule",
            on_done=page.changed,
        ),
        label="Add rule",
        title="Watch something",
        close_signal=page.changes,
    )


def _change(row: Any) -> rx.Component:
    return open_dialog(
        action_form(
            *_terms(row),
            action="/auth/secrets/alert-rules",
            fixed={"name": row["id"], "metric": row["metric"]},
            key=page.changes,  # a form that was taken begins with what is stored now
            submit="Save",
            on_done=page.changed,
        ),
        label="Change",
        title=f"Change {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )


def _terms(row: Any = None) -> list[rx.Component]:
    """The fields that a new and a changed rule share, with the values of the one to change."""

    def given(name: str, otherwise: str) -> dict[str, Any]:
        beside = {} if row is None else {"id": f"{name}-{row['id']}"}
        return {"default_value": otherwise if row is None else row[name], **beside}

    severities = ("info", "warning", "critical")

    def options(*values: str) -> list[rx.Component]:
        return [rx.el.option(value, value=value) for value in values]

    return [
        rx.el.div(
            select_field("Alarm", "direction", options("above", "below"), **given("direction", "above")),
            field("Threshold", "threshold", required=True, input_mode="decimal", **given("threshold", "20")),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        rx.el.div(
            select_field("Of", "scope", options(*SCOPES), **given("scope", "client")),
            field("Only this one (optional)", "subject", **given("subject", "")),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        rx.el.div(
            field("Measured over", "window", required=True, hint="5m, 1h, 1d", **given("window", "5m")),
            field("Lasting", "for", required=True, hint="0s: at once", **given("lasting", "0s")),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        rx.el.div(
            select_field("Without data", "no_data", options("ok", "alert", "keep"), **given("no_data", "ok")),
            select_field("Severity", "severity", options(*severities), **given("severity", "warning")),
            class_name="grid gap-4 sm:grid-cols-2",
        ),
        field("Channels (optional)", "channels", hint="Names, separated by commas; empty: all.", **given("named", "")),
    ]
