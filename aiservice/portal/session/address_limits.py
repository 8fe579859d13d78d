"""How often an address may ask a sign-in route: slowapi counts, over all workers while Redis answers, and in this
worker's memory while it does not. A limiter that fails refuses the request.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from starlette.requests import Request
from starlette.responses import Response

from aiservice.errors import RateLimited
from aiservice.kit.addresses import client_address, site_of
from aiservice.settings import Settings

TIMEOUT_SECONDS = 0.1  # for Redis to count an attempt
Handler = Callable[[Request], Awaitable[Response]]


class AddressLimits:
    """Puts handlers behind a limit such as "30/minute"."""

    def __init__(self, settings: Settings) -> None:
        self._limiter = _limiter(settings)

    def limited(self, handler: Handler, limit: str) -> Handler:
        """`handler` behind the limiter, which is asked in a thread: its Redis client waits, and the loop must not."""

        def admitted(request: Request) -> Response:
            return Response()

        admitted.__name__ = handler.__name__  # by which the limiter counts
        admit = self._limiter.limit(limit)(admitted)

        async def limited(request: Request) -> Response:
            try:
                await asyncio.to_thread(admit, request)
            except RateLimitExceeded as exc:
                raise RateLimited(
                    "Too many requests from your address. Wait a moment.",
                    code="too_many_requests",
                    retry_after=await asyncio.to_thread(self._seconds_left, request),
                ) from exc
            return await handler(request)

        return limited

    def _seconds_left(self, request: Request) -> float:
        limit, keys = request.state.view_rate_limit
        reset_at, _ = self._limiter.limiter.get_window_stats(limit, *keys)
        return max(1.0, round(reset_at - time.time(), 1))


def _limiter(settings: Settings) -> Limiter:
    """Counts in Redis where there is one, in this worker's memory where there is none or it does not answer."""
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
