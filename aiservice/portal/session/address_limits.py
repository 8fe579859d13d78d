"""How often an address may ask a sign-in route: slowapi counts, over all workers while Redis answers, and in this
worker's memory while it does not. A limiter that fails refuses the request.

slowapi is loaded when the first such route is asked: 2.6 MB, in the thread in which the limiter is asked anyway.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from aiservice.errors import RateLimited
from aiservice.kit.addresses import client_address, site_of
from aiservice.settings import Settings

if TYPE_CHECKING:
    from slowapi import Limiter

TIMEOUT_SECONDS = 0.1  # for Redis to count an attempt
Handler = Callable[[Request], Awaitable[Response]]


class AddressLimits:
    """Puts handlers behind a limit such as "30/minute"."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._made: Limiter | None = None
        self._admissions: dict[tuple[str, str], Callable[[Request], Response]] = {}

    def limited(self, handler: Handler, limit: str) -> Handler:
        """`handler` behind the limiter, which is asked in a thread: its Redis client waits, and the loop must not."""

        async def limited(request: Request) -> Response:
            seconds_left = await asyncio.to_thread(self._seconds_left, handler.__name__, limit, request)
            if seconds_left is not None:
                raise RateLimited(
                    "Too many requests from your address. Wait a moment.",
                    code="too_many_requests",
                    retry_after=seconds_left,
                )
            return await handler(request)

        return limited

    def _seconds_left(self, name: str, limit: str, request: Request) -> float | None:
        """Counts a request; None where it may go on, else how long its address waits."""
        from slowapi.errors import RateLimitExceeded  # noqa: PLC0415 - see above

        limiter, admit = self._admission(name, limit)
        try:
            admit(request)
        except RateLimitExceeded:
            within, keys = request.state.view_rate_limit
            reset_at, _ = limiter.limiter.get_window_stats(within, *keys)
            return max(1.0, round(reset_at - time.time(), 1))
        return None

    def _admission(self, name: str, limit: str) -> "tuple[Limiter, Callable[[Request], Response]]":
        with self._turn:
            if self._made is None:
                self._made = _limiter(self._settings)
            known = self._admissions.get((name, limit))
            if known is None:

                def admitted(request: Request) -> Response:
                    return Response()

                admitted.__name__ = name  # by which the limiter counts
                known = self._admissions[name, limit] = self._made.limit(limit)(admitted)
            return self._made, known


def _limiter(settings: Settings) -> "Limiter":
    """Counts in Redis where there is one, in this worker's memory where there is none or it does not answer."""
    from slowapi import Limiter  # noqa: PLC0415 - see above

    url = settings.redis_url
    options: dict[str, Any] = {}
    if url is not None:
        waits = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
        options = {"storage_options": waits, "in_memory_fallback_enabled": True, "key_prefix": "aiservice:sign-in:"}
    limiter = Limiter(
        key_func=partial(_address, settings),
        storage_uri=url or "memory://",
        strategy="moving-window",
        key_style="endpoint",
        **options,
    )
    limiter.enabled = True  # whatever slowapi finds in the environment
    return limiter


def _address(settings: Settings, request: Request) -> str:
    return site_of(client_address(request.scope, settings.trusted_proxies))
