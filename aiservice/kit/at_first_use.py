"""An ASGI callable that is made when it is first asked for: what few installations use is no burden to all."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]


class AtFirstUse:
    """Stands in for what `make` gives. That is called in a thread, since it imports: the event loop goes on meanwhile.
    Where it raises, this request fails, and the next tries again."""

    def __init__(self, make: Callable[[], Asgi]) -> None:
        self._make = make
        self._made: Asgi | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if self._made is None:
            async with self._turn:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        await self._made(scope, receive, send)
