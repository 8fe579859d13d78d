"""How many alerts are open, beside their place in the navigation. Looked at whenever a page is opened."""

from typing import Any

import reflex as rx

from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.core import current_core

ALERTS = "/alerts"
_MOST = 99


class BellState(rx.State):
    """What the signed-in person has not acknowledged yet."""

    count: int = 0
    shown: str = ""

    @handler("alert.list")
    async def look(self) -> None:
        self.count = await current_core().alerts.count(signed_in(), "open")
        self.shown = f"{_MOST}+" if self.count > _MOST else str(self.count)


_bell: Any = BellState  # in markup its attributes are Vars


def bell() -> rx.Component:
    """The count, in words for screen readers too; nothing while there is nothing."""
    return rx.el.span(
        rx.cond(
            _bell.count > 0,
            rx.el.span(
                _bell.shown,
                rx.el.span(" open", class_name="sr-only"),
                class_name="rounded-full bg-red-700 px-1.5 py-0.5 text-xs font-semibold text-white",
            ),
        ),
        on_mount=BellState.look,
        class_name="ml-auto",
    )
