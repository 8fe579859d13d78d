"""What a page shows a moment later than the rest, because reading it takes longer: the tab's events do not wait for it,
as they would for what is left of a handler."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import reflex as rx

from aiservice.portal.session.guard import acting_as, signed_in
from aiservice.portal.session.pushes import Place, push
from aiservice.principal import Person
from aiservice.services.core import current_core

log = logging.getLogger(__name__)

_Gather = Callable[[], Coroutine[Any, Any, Any]]
_Show = Callable[[Any, Any], None]

_later: "Later | None" = None


def show_later(state: rx.State, gather: _Gather, show: _Show) -> None:
    """Calls `gather()` as the signed-in person and then `show(state, gathered)`, after the event that is under way; in
    place of what the same tab was to be shown later and has not been yet."""
    if _later is None:
        raise RuntimeError("the portal is not open in this process")
    _later.begin(Place.of(state), signed_in(), gather, show)


class Later:
    """The tasks of one app, at most one a tab. `run` is a lifespan task of the app whose pages they are for."""

    def __init__(self, app: rx.App) -> None:
        self._app = app
        self._context = contextvars.copy_context()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        global _later  # noqa: PLW0603 - handlers that Reflex calls have no other way to it
        # Not that of an event: what Reflex keeps in it ends with that.
        self._context, _later = contextvars.copy_context(), self
        try:
            yield
        finally:
            _later = None
            tasks = list(self._under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, place: Place, person: Person, gather: _Gather, show: _Show) -> None:
        before = self._under_way.get(place.token)
        if before is not None:
            before.cancel()
        work = self._bring(place, person, gather, show)
        task = asyncio.get_running_loop().create_task(work, name="show-later", context=self._context.copy())
        self._under_way[place.token] = task
        task.add_done_callback(partial(self._end, place.token))

    def _end(self, token: str, task: asyncio.Task[None]) -> None:
        if self._under_way.get(token) is task:
            del self._under_way[token]

    async def _bring(self, place: Place, person: Person, gather: _Gather, show: _Show) -> None:
        try:
            with acting_as(person):
                found = await gather()
            # Meanwhile they may have signed out, or may see something else now.
            if await current_core().accounts.peek(place.session_hash) == person:
                await push(self._app, place, lambda state: show(state, found))
        except Exception:  # the page is there without it, and asks again when it is opened again
            log.exception("a page was not shown what takes longer to read")
