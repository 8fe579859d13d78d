"""Keeps an in-memory copy of something in step with the change feed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiservice.store.session import DATABASE_ERRORS

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)


class Reload:
    """Runs `load` on the event loop when asked to, never twice at once; many requests during one run become one more.

    While the database is away the copy stays as it is and the load is tried again.
    """

    def __init__(self, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._is_wanted = False
        self._task: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Asks for a reload; returns at once. Must be called on the event loop."""
        self._is_wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def settled(self) -> None:
        """Waits until everything asked for so far is loaded."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while self._is_wanted:
            self._is_wanted = False
            try:
                await self._load()
            except DATABASE_ERRORS as error:
                log.warning("A change could not be read (%s); trying again.", type(error).__name__)
                self._is_wanted = True
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
