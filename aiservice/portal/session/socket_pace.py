"""How many sockets of pages there may be, and how fast what they send is read (T-61): by socket, by session and by
address some messages at once, then so many a second. What comes faster is not dropped: the socket is not read on until
its turn, so that what is sent waits in the sender's own buffers and costs nothing here. A page never sends as much, a
key that is held down (30 a second) waits first after four seconds, a script that floods waits at once.

In memory, per worker: a socket is in one worker for its life. Fails open: nothing here waits for anything else.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_MOST_REMEMBERED = 10_000


@dataclass(slots=True, frozen=True)
class Allowance:
    """What one socket, or all of one session or of one address, may do. The last may be a whole company behind one
    proxy that is not trusted."""

    per_second: float
    at_once: float
    sockets: int


# An event that loads a page takes some 5 to 20 ms of a processor: one socket has at most a fifth of one or so.
SOCKET = Allowance(per_second=20, at_once=40, sockets=1)
SESSION = Allowance(per_second=40, at_once=200, sockets=200)
ADDRESS = Allowance(per_second=100, at_once=1_000, sockets=2_000)


class SocketPace:
    """GCRA: a number for each socket, session and address, when its next message would be due at the steady pace."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._due: OrderedDict[object, float] = OrderedDict()
        self._open: Counter[str] = Counter()

    @contextmanager
    def opened(self, receive: Receive, *, session: str, address: str) -> Iterator[Receive | None]:
        """Counts a socket while it is open, and gives `receive` at the pace; None: there are too many already.

        `session` may be "", for a browser that shows none.
        """
        shared = [(f"address {address}", ADDRESS), *([(f"session {session}", SESSION)] if session else [])]
        if any(self._open[name] >= allowance.sockets for name, allowance in shared):
            yield None
            return
        socket = object()
        self._open.update(name for name, _ in shared)
        try:
            yield self._paced(receive, [*shared, (socket, SOCKET)])
        finally:
            self._due.pop(socket, None)
            for name, _ in shared:
                self._open[name] -= 1
                if self._open[name] <= 0:
                    del self._open[name]

    def wait_seconds(self, who: object, allowance: Allowance) -> float:
        """How long the message that just came waits, where `who` is held to `allowance`."""
        now = self._clock()
        due = max(self._due.get(who, now), now) + 1 / allowance.per_second
        self._due[who] = due
        self._due.move_to_end(who)
        if len(self._due) > _MOST_REMEMBERED:
            self._due.popitem(last=False)
        return max(0.0, due - now - allowance.at_once / allowance.per_second)

    def _paced(self, receive: Receive, held: list[tuple[Any, Allowance]]) -> Receive:
        async def paced() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "websocket.receive":
                wait = max(self.wait_seconds(who, allowance) for who, allowance in held)
                if wait:
                    await asyncio.sleep(wait)
            return message

        return paced
