"""Alert channels: e-mail and signed webhooks, tried with one click, and the log of every message. For admins."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.alert_messages import MessageRow, message_of, message_table
from aiservice.portal.components.browser import action_form, confirm_button, open_dialog
from aiservice.portal.components.parts import (
    alert,
    card,
    cell,
    checkbox,
    data_table,
    empty,
    field,
    select_field,
    state_badge,
    table_row,
    waiting,
)
from aiservice.portal.layout import portal_page
from aiservice.portal.moments import shown_moment
from aiservice.portal.session.guard import handler, signed_in, tell, warn
from aiservice.services.alert_channels import ChannelView
from aiservice.services.core import current_core

_TIME = "%Y-%m-%d %H:%M:%S"


class ChannelRow(TypedDict):
    """A channel in the list."""

    id: str
    name: str
    kind: str
    address: str
    least: str
    state: str
    state_kind: str
    detail: str
    is_webhook: bool
    is_disabled: bool


class AlertChannelsState(rx.State):
    """The channels, and the messages of late."""

    rows: list[ChannelRow] = []
    messages: list[MessageRow] = []
    has_mail: bool = True
    testing: str = ""
    changes: int = 0
    is_loaded: bool = False

    @handler("alert_channel.list")
    async def load(self) -> None:
        await _show(self)
        self.is_loaded = True

    @handler("alert_channel.list")
    async def changed(self, channel_id: str) -> None:
        """After a form of this page has been taken and a secret has been seen."""
        self.changes += 1
        await _show(self)

    @handler("alert_channel.test")
    async def test(self, channel_id: str):  # type: ignore[no-untyped-def]
        self.testing = channel_id
        yield
        try:
            outcome = await current_core().alerts.test(signed_in(), channel_id)
            await (tell if outcome.is_delivered else warn)(self, f"Test: {outcome.words} ({outcome.ms} ms)")
        finally:
            self.testing = ""
        await _show(self)

    @handler("alert_channel.resend")
    async def send_again(self, delivery_id: str) -> None:
        await current_core().alerts.send_again(signed_in(), delivery_id)
        await tell(self, "It is sent again within a few seconds.")
        await _show(self)

    @handler("alert_channel.switch")
    async def switch(self, channel_id: str, is_on: bool) -> None:
        channels = current_core().alerts.channels
        await (channels.enable if is_on else channels.disable)(signed_in(), channel_id)
        await _show(self)

    @handler("alert_channel.remove")
    async def remove(self, channel_id: str) -> None:
        await current_core().alerts.channels.remove(signed_in(), channel_id)
        await _show(self)


async def _show(state: AlertChannelsState) -> None:
    alerts, me = current_core().alerts, signed_in()
    state.rows = [_row_of(view) for view in await alerts.channels.list(me)]
    state.messages = [message_of(view) for view in await alerts.deliveries(me, limit=50)]
    state.has_mail = alerts.channels.has_mail


def _row_of(view: ChannelView) -> ChannelRow:
    last = f"last message taken {shown_moment(view.delivered_us, _TIME)}" if view.delivered_us else "no message yet"
    return ChannelRow(
        id=view.id,
        name=view.name,
        kind=view.kind,
        address=view.address,
        least=view.min_severity.name.lower(),
        state="disabled" if view.is_disabled else "in use",
        state_kind="bad" if view.is_disabled else "good",
        detail=view.disabled_why if view.is_disabled else last,
        is_webhook=view.kind == "webhook",
        is_disabled=view.is_disabled,
    )


HEADS = ["Name", "To", "From severity", "State", ""]
page: Any = AlertChannelsState  # in markup its attributes are Vars


@portal_page("/alerts/channels", title="Alert channels", on_load=AlertChannelsState.load, below="/alerts")
def alert_channels() -> rx.Component:
    back = rx.el.a("Back to the alerts", href="/alerts", class_name=f"text-sm {theme.LINK}")
    return rx.el.div(back, rx.cond(page.is_loaded, _lists(), waiting("h-56", "h-72")), class_name="flex flex-col gap-4")


def _lists() -> rx.Component:
    return rx.fragment(
        card(
            rx.cond(
                page.rows.length() > 0,
                data_table(HEADS, rx.foreach(page.rows, _row), caption="Alert channels"),
                empty("Alerts are shown in the portal only", "Add e-mail or a webhook, so that somebody hears."),
            ),
            title="Channels",
            actions=_add(),
        ),
        card(
            rx.cond(
                page.messages.length() > 0,
                message_table(page),
                empty("Nothing was sent yet", "Try a channel with its Test button."),
            ),
            title="Messages",
        ),
    )


def _add() -> rx.Component:
    return open_dialog(
        action_form(
            select_field(
                "Kind",
                "kind",
                [rx.el.option("Webhook (Standard Webhooks)", value="webhook"), rx.el.option("E-mail", value="email")],
            ),
            field("Name", "name", required=True, auto_complete="off"),
            field(
                "To",
                "address",
                required=True,
                hint="A URL such as https://hooks.example.com/aiservice; or addresses, separated by commas. "
                "'admins' are all admins, 'owner' owns the client concerned.",
                auto_complete="off",
            ),
            select_field(
                "From which severity on",
                "severity",
                [rx.el.option(word, value=word) for word in ("info", "warning", "critical")],
                default_value="warning",
            ),
            field(
                "Secret (optional)",
                "secret",
                type="password",
                hint="For a webhook: whsec_… of the receiver's. Empty: one is made and shown once.",
                auto_complete="off",
            ),
            checkbox("The address may be private or loopback", "allow_private", hint="Plain http is allowed then."),
            rx.cond(~page.has_mail, alert("E-mail needs a mail server: set AISERVICE_SMTP_URL and restart.")),
            action="/auth/secrets/alert-channels",
            submit="Add channel",
            after="reveal",
            on_done=page.changed,
        ),
        label="Add channel",
        title="Tell somebody",
        close_signal=page.changes,
    )


def _row(row: Any) -> rx.Component:
    return table_row(
        HEADS,
        cell(
            rx.el.span(row["name"], class_name="block font-medium"),
            rx.el.span(row["kind"], class_name=f"text-xs {theme.MUTED}"),
        ),
        cell(row["address"], class_name="wrap-anywhere font-mono text-xs"),
        cell(row["least"]),
        cell(
            state_badge(row["state"], row["state_kind"]),
            rx.el.span(row["detail"], class_name=f"mt-1 block text-xs {theme.MUTED}"),
        ),
        cell(rx.el.div(*_row_actions(row), class_name="flex flex-wrap max-sm:-mx-3.5 sm:justify-end lg:flex-nowrap")),
        key=row["id"],
    )


def _row_actions(row: Any) -> list[rx.Component]:
    return [
        rx.el.button(
            rx.cond(page.testing == row["id"], "Sending…", "Send test"),
            type="button",
            on_click=page.test(row["id"]),
            disabled=page.testing != "",
            class_name=theme.QUIET,
            custom_attrs={"aria-label": f"Send test to {row['name']}"},
        ),
        rx.cond(row["is_webhook"], _new_secret(row)),
        rx.el.button(
            rx.cond(row["is_disabled"], "Enable", "Disable"),
            type="button",
            on_click=page.switch(row["id"], row["is_disabled"].bool()),
            class_name=theme.QUIET,
            custom_attrs={"aria-label": rx.cond(row["is_disabled"], "Enable ", "Disable ") + row["name"].to(str)},
        ),
        confirm_button(
            "Remove",
            title=f"Remove {row['name']}?",
            text="Its secret is destroyed, and what waits for it is not sent any more.",
            confirm="Remove",
            on_confirm=page.remove(row["id"]),
        ),
    ]


def _new_secret(row: Any) -> rx.Component:
    spans = [("1 hour", "1h"), ("24 hours", "24h"), ("7 days", "7d"), ("nothing: the old one ends now", "0")]
    return open_dialog(
        action_form(
            select_field(
                "Both secrets sign for",
                "overlap",
                id=f"overlap-{row['id']}",
                options=[rx.el.option(words, value=value) for words, value in spans],
                default_value="24h",
            ),
            action="/auth/secrets/alert-channels/secret",
            fixed={"id": row["id"]},
            submit="Make a new secret",
            after="reveal",
            on_done=page.changed,
        ),
        label="New secret",
        title=f"A new secret for {row['name']}",
        close_signal=page.changes,
        class_name=theme.QUIET,
    )
