"""Keeps what streams that can be resumed have said so far: a few times a second, all of a worker's together.

A stream that is over before the first look costs nothing here. Fails open: what cannot be kept now is kept later.
"""

import asyncio
import logging

from aiservice.gateway.shared_answer import SharedAnswer
from aiservice.services.resumption import Resumption

EVERY_SECONDS = 0.25

log = logging.getLogger(__name__)


class StreamParts:
    """One object a worker; its task runs while there are streams to keep."""

    def __init__(self, resumption: Resumption) -> None:
        self._resumption = resumption
        self._streams: dict[str, SharedAnswer] = {}
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def watch(self, stream: SharedAnswer) -> None:
        """Keeps what the stream says from now on."""
        self._streams[stream.request_id] = stream
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="stream parts")

    def drop(self, stream: SharedAnswer) -> None:
        """Keeps nothing more of it."""
        self._streams.pop(stream.request_id, None)

    async def forget(self, stream: SharedAnswer) -> None:
        """Keeps nothing more of it; returns when nothing of it is being written."""
        self.drop(stream)
        async with self._turn:
            return

    async def _run(self) -> None:
        while self._streams:
            await asyncio.sleep(EVERY_SECONDS)
            async with self._turn:
                try:
                    await self._write()
                except Exception:
                    log.exception("What streams have said could not be kept; it is tried again.")

    async def _write(self) -> None:
        found = [(stream, *said) for stream in self._streams.values() if (said := stream.unkept_part()) is not None]
        if found:
            are_kept = await self._resumption.keep([part for _, part, _ in found])
            for stream, _, pieces in found:
                stream.part_written(pieces if are_kept else 0)
