"""What ends the giving out of a stream's rest before the stream's own end."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from aiservice.errors import BrokerError
from aiservice.gateway.admit import key_expired
from aiservice.gateway.exchange import Receive
from aiservice.kit.clock import DAY_US, SECOND_US, now_us


class Ending:
    """What ends the giving out before the stream's own end: its client leaves, or the broker says so (`stop`)."""

    def __init__(self, receive: Receive, key_ends_us: int | None) -> None:
        self.error: BrokerError | None = None
        self.has_left = False
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._watch(receive))
        self._at_end: asyncio.TimerHandle | None = None
        if key_ends_us is not None and (left_us := key_ends_us - now_us()) < DAY_US:  # no stream lasts as long
            loop = asyncio.get_running_loop()
            self._at_end = loop.call_later(max(0, left_us) / SECOND_US, self.stop, key_expired())

    def stop(self, why: BrokerError) -> None:
        self.error = why
        self._news.set()

    async def receive(self) -> MutableMapping[str, Any]:
        """As a server's: returns once it is over."""
        await self._news.wait()
        return {"type": "http.disconnect"}

    async def wait(self, seconds: float) -> None:
        """Returns once it is over, or after some seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    def close(self) -> None:
        self._task.cancel()
        if self._at_end is not None:
            self._at_end.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.has_left = True
        self._news.set()
