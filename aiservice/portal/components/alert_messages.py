"""The delivery log of alerts: every message to a channel, how its tries went, and one more try at once."""

from typing import Any, TypedDict

import reflex as rx

from aiservice.portal import theme
from aiservice.portal.components.parts import cell, data_table, state_badge, table_row
from aiservice.portal.moments import shown_moment
from aiservice.services.alerts import DeliveryView

_STATES = {"delivered": "good", "waiting": "warn", "failed": "bad", "dropped": "plain"}
_TIME = "%Y-%m-%d %H:%M:%S"
_EVENTS = {"alert.opened": "alert", "alert.resolved": "all-clear", "alert.test": "test"}
HEADS = ["When", "Channel", "What", "State", "Tries", ""]


class MessageRow(TypedDict):
    """A message in the log."""

    id: str
    at: str
    channel: str
    event: str
    words: str
    state: str
    state_kind: str
    tries: str
    next_try: str
    can_retry: bool


def message_of(view: DeliveryView) -> MessageRow:
    """The line of a message."""
    tries = len(view.attempts)
    last = view.attempts[-1]["words"] if view.attempts else "not tried yet"
    return MessageRow(
        id=view.id,
        at=f"{shown_moment(view.created_us, _TIME)}",
        channel=view.channel,
        event=_EVENTS.get(view.event, view.event),
        words=view.words,
        state=view.state,
        state_kind=_STATES.get(view.state, "plain"),
        tries=f"{tries} {'try' if tries == 1 else 'tries'}: {last}",
        next_try=f"next {shown_moment(view.next_us, _TIME)}" if view.next_us else "",
        can_retry=view.state != "delivered",
    )


def message_table(page: Any) -> rx.Component:
    """`page` is the state: its `messages`, and `send_again` for one of them."""
    return data_table(HEADS, rx.foreach(page.messages, lambda row: _line(page, row)), caption="Messages to channels")


def _line(page: Any, row: Any) -> rx.Component:
    again = rx.el.button(
        "Send again",
        type="button",
        on_click=page.send_again(row["id"]),
        class_name=theme.QUIET,
        custom_attrs={"aria-label": f"Send again to {row['channel']}: {row['words']}"},
    )
    return table_row(
        HEADS,
        cell(row["at"], class_name="text-xs whitespace-nowrap"),
        cell(row["channel"]),
        cell(
            rx.el.span(row["event"], class_name="block text-xs"),
            rx.el.span(row["words"], class_name=f"block text-xs wrap-anywhere {theme.MUTED}"),
        ),
        cell(state_badge(row["state"], row["state_kind"])),
        cell(
            rx.el.span(row["tries"], class_name="block text-xs"),
            rx.el.span(row["next_try"], class_name=f"block text-xs {theme.MUTED}"),
        ),
        cell(rx.cond(row["can_retry"], rx.el.div(again, class_name="max-sm:-mx-3.5"))),
    )
