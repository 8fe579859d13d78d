"""How many alerts are open, beside their place in the navigation. Looked at whenever a page is opened."""

import reflex as rx

from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.core import current_core

_MOST = 99


class BellState(rx.State):
    """What the signed-in person has not acknowledged yet."""

    count: int = 0
    shown: str = ""

    @handler("alert.list")
    async def look(self) -> None:
        self.count = await current_core().alerts.count(signed_in(), "open")
        self.shown = f"{_MOST}+" if self.count > _MOST else str(self.count)


def bell_watch() -> rx.Component:
    """Nothing to be seen: looks whenever a page is opened. The frame shows the count."""
    return rx.el.span(on_mount=BellState.look, hidden=True)
