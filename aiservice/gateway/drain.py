"""Leaves without hurting anybody: on SIGTERM, no new requests, up to 30 s for those under way, then the truth.

Granian stops accepting at once and waits for streams without bound, and runs the lifespan's end only after them. So
the worker takes SIGTERM itself, drains, and then sends itself SIGINT, which Granian still handles.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable

from aiservice.gateway.admit import InFlight

_TICK_SECONDS = 0.05
_SETTLE_SECONDS = 2.5  # for the last error events to leave and be settled
_GRACE_SECONDS = 1.0  # for Granian to close what is left

log = logging.getLogger(__name__)


class Drain:
    """The drain of one worker, which first says so to the others (`leave`). A second SIGTERM ends the wait at once."""

    def __init__(self, in_flight: InFlight, limit_seconds: float, leave: Callable[[], Awaitable[None]]) -> None:
        self._in_flight = in_flight
        self._limit_seconds = limit_seconds
        self._leave = leave
        self._task: asyncio.Task[None] | None = None
        self._is_urgent = False

    def install(self) -> None:
        """Takes over SIGTERM in the running loop's process."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.begin)

    def begin(self) -> None:
        """Starts to drain; called again, hurries."""
        if self._task is not None:
            self._is_urgent = True
            return
        self._in_flight.is_draining = True
        self._task = asyncio.get_running_loop().create_task(self._run(), name="drain")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        log.info("Shutting down: %d requests under way.", self._in_flight.count)
        leaving = loop.create_task(self._say_goodbye())
        await self._wait(began + self._limit_seconds, is_patient=True)
        stopped = self._in_flight.stop_all()
        if stopped:
            log.warning("%d answers were ended by the shutdown.", stopped)
        await self._wait(loop.time() + _SETTLE_SECONDS, is_patient=False)
        leaving.cancel()
        # What does not end by itself now never will; everything that counts is in the journal.
        loop.call_later(_GRACE_SECONDS, os._exit, 0)
        os.kill(os.getpid(), signal.SIGINT)

    async def _say_goodbye(self) -> None:
        try:
            await self._leave()
        except Exception as error:  # noqa: BLE001 - whatever it is, the shutdown goes on
            log.warning("The others were not told of the shutdown (%s); they will notice.", type(error).__name__)

    async def _wait(self, until: float, *, is_patient: bool) -> None:
        """Returns when nothing is under way, at `until` (loop time), or, if patient, when somebody hurries us."""
        loop = asyncio.get_running_loop()
        for _ in range(100_000):
            if not self._in_flight.count or loop.time() >= until or (is_patient and self._is_urgent):
                return
            await asyncio.sleep(_TICK_SECONDS)
