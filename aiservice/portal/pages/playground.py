"""Playground: a question to one place or two at once, with what came of it and why it went there."""

import asyncio
from typing import Any, TypedDict

import reflex as rx

from aiservice.errors import InvalidRequest, NotFound
from aiservice.portal import theme
from aiservice.portal.components.decision import Considered, considered_of, decision_table
from aiservice.portal.components.parts import skeleton
from aiservice.portal.components.playground import playground
from aiservice.portal.layout import portal_page
from aiservice.portal.session.guard import handler, signed_in
from aiservice.services.core import current_core

# The ledger has a request a moment after its answer has ended.
_TRIES, _BETWEEN_SECONDS = 10, 0.15
_MAX_CLIENTS = 500


class ClientChoice(TypedDict):
    """A client that the person may call as."""

    id: str
    name: str


class PlaygroundState(rx.State):
    """Who may be called as, and why the last requests went where they went. What is asked stays in the browser."""

    clients: list[ClientChoice] = []
    chosen: str = ""
    first: list[Considered] = []
    beside: list[Considered] = []
    is_loaded: bool = False

    @handler("playground.run")
    async def load(self) -> None:
        core, me = current_core(), signed_in()
        own = await core.clients.personal(me)
        views = [view for view in await core.clients.list(me) if not view.is_disabled][:_MAX_CLIENTS]
        self.clients = [ClientChoice(id=view.id, name=view.name) for view in views]
        self.chosen = own.id if not own.is_disabled or not views else views[0].id
        self.first, self.beside = [], []
        self.is_loaded = True

    @handler("playground.run")
    async def ran(self, side: int, request_id: str) -> None:
        """A request of this page has ended (or, with "", begun)."""
        if side not in (0, 1) or len(request_id) > 60:
            raise InvalidRequest("The page sent other arguments than this action takes. Reload it.")
        lines = await _decision_of(request_id) if request_id else []
        if side == 0:
            self.first = lines
        else:
            self.beside = lines


async def _decision_of(request_id: str) -> list[Considered]:
    core, me = current_core(), signed_in()
    for _ in range(_TRIES):
        try:
            entry = await core.requests.one(me, request_id)
        except NotFound:
            await asyncio.sleep(_BETWEEN_SECONDS)
            continue
        return considered_of(await core.decisions.find(entry.decision))
    return []


page: Any = PlaygroundState  # in markup its attributes are Vars


@portal_page("/playground", title="Playground", icon="play", place=15, on_load=PlaygroundState.load)
def playground_page() -> rx.Component:
    return rx.cond(
        page.is_loaded,
        playground(
            _why(page.first, "Why the first went there"),
            _why(page.beside, "Why the other went there"),
            clients=page.clients,
            chosen=page.chosen,
            on_ran=page.ran,
        ),
        rx.el.div(
            skeleton("h-96"), skeleton("h-48"), class_name="flex flex-col gap-5", custom_attrs={"aria-busy": "true"}
        ),
    )


def _why(lines: Any, caption: str) -> rx.Component:
    return rx.el.div(
        rx.cond(
            lines.length() > 0,
            rx.fragment(
                rx.el.h3("Why it went there", class_name=f"mb-2 text-sm font-medium {theme.MUTED}"),
                decision_table(lines, caption=caption),
            ),
        ),
    )
