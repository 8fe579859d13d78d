"""Whose turn it is: weighted fair queueing by virtual start times (Goyal, Vin and Cheng, "Start-time fair queueing",
SIGCOMM 1996). A client's request starts, in virtual time, when its last one has been paid for by its weight; the
earliest start goes first. A client that was idle starts now: it has lent its share, and is owed nothing for it.

Pure: no clock, no waiting. Costs are parts of what the provider gives in a window (1.0 is all of it).
"""

import heapq
from collections import deque
from itertools import count
from typing import Generic, Protocol, TypeVar

_FIRST_SWEEP = 1_000


class Asks(Protocol):
    """Who waits: its client, that client's weight, and what its request costs."""

    client: str
    weight: float
    share: float


T = TypeVar("T", bound=Asks)


class _Line(Generic[T]):
    """One client's requests, first come first served. `paid_until` is the virtual time up to which it has been served;
    `queued` is the share of all that wait."""

    __slots__ = ("is_listed", "paid_until", "queued", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[T] = deque()
        self.paid_until = 0.0
        self.queued = 0.0
        self.is_listed = False


class FairQueue(Generic[T]):
    """The requests that wait for one provider, and what each client was given."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line[T]] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = count()
        self._virtual = 0.0
        self._weights: dict[str, float] = {}
        self._sweep_at = _FIRST_SWEEP
        self.waiting = 0

    def part(self, client: str, weight: float) -> float:
        """The part that is a client's while all who wait now go on asking: 1.0 where it is alone."""
        others = sum(w for name, w in list(self._weights.items()) if name != client)
        return weight / (weight + others)

    @property
    def clients_waiting(self) -> dict[str, int]:
        """How many requests of which client wait."""
        return {client: len(self._lines[client].waiting) for client in self._weights}

    def is_light(self, ask: T) -> bool:
        """Whether the client has had much less than its fair share lately: less than a quarter."""
        line = self._lines.get(ask.client)
        return line is None or line.paid_until + 3 * ask.share / ask.weight <= self._virtual

    def served(self, client: str, weight: float, share: float) -> None:
        """Notes that a client's request was let through; `share` is what it costs."""
        line = self._line(client)
        start = max(self._virtual, line.paid_until)
        line.paid_until = start + share / weight
        self._virtual = max(self._virtual, start)

    def knows(self, client: str) -> bool:
        """Whether anything is charged to the client."""
        return client in self._lines

    def corrected(self, client: str, weight: float, more: float) -> None:
        """Charges what a request cost beyond what it was let through for, or gives it back."""
        line = self._lines.get(client)
        if line is not None:
            line.paid_until += more / weight

    def join(self, ask: T, *, is_first: bool = False) -> None:
        """Puts a request at the end of its client's line, or before it where it has waited already."""
        line = self._line(ask.client)
        if is_first:
            line.waiting.appendleft(ask)
        else:
            line.waiting.append(ask)
        line.queued += ask.share
        self._weights[ask.client] = ask.weight
        self.waiting += 1
        self._list(ask.client, line)

    def leave(self, ask: T) -> None:
        """Takes a request out, wherever it stands."""
        line = self._lines.get(ask.client)
        if line is not None and ask in line.waiting:
            line.waiting.remove(ask)
            self._gone(ask, line)

    def first(self) -> T | None:
        """The request whose turn it is; `take` lets it through."""
        while self._heap:
            start, _, client = self._heap[0]
            line = self._lines.get(client)
            if line is None or not line.waiting:
                heapq.heappop(self._heap)
                if line is not None:
                    line.is_listed = False
                continue
            now = max(self._virtual, line.paid_until)
            if now > start:  # it was served, or charged, since it was listed
                heapq.heapreplace(self._heap, (now, next(self._order), client))
                continue
            return line.waiting[0]
        return None

    def take(self) -> T | None:
        """Lets the first through and charges its client."""
        ask = self.first()
        if ask is None:
            return None
        heapq.heappop(self._heap)
        line = self._lines[ask.client]
        line.is_listed = False
        line.waiting.popleft()
        self._gone(ask, line)
        self.served(ask.client, ask.weight, ask.share)
        if line.waiting:
            self._list(ask.client, line)
        return ask

    def ahead(self, ask: T) -> float:
        """The share of a window that others will be given before `ask`, if it joins now: an estimate."""
        line = self._lines.get(ask.client)
        paid_until = self._virtual if line is None else max(self._virtual, line.paid_until)
        queued = 0.0 if line is None else line.queued
        start = paid_until + queued / ask.weight
        weights = sum(self._weights.values()) + (0.0 if ask.client in self._weights else ask.weight)
        before = (start - self._virtual) * weights
        # No more of the others can come before it than there is of them.
        others = sum(self._lines[client].queued for client in self._weights if client != ask.client)
        return min(before, others + queued)

    def _line(self, client: str) -> _Line[T]:
        line = self._lines.get(client)
        if line is None:
            if len(self._lines) >= self._sweep_at:
                self._sweep()
            line = self._lines[client] = _Line()
            line.paid_until = self._virtual
        return line

    def _list(self, client: str, line: _Line[T]) -> None:
        if not line.is_listed:
            line.is_listed = True
            heapq.heappush(self._heap, (max(self._virtual, line.paid_until), next(self._order), client))

    def _gone(self, ask: T, line: _Line[T]) -> None:
        line.queued = max(0.0, line.queued - ask.share)
        self.waiting -= 1
        if not line.waiting:
            line.queued = 0.0
            self._weights.pop(ask.client, None)

    def _sweep(self) -> None:
        """Forgets clients that wait for nothing and owe nothing."""
        self._lines = {
            client: line
            for client, line in self._lines.items()
            if line.waiting or line.is_listed or line.paid_until > self._virtual
        }
        self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._lines))
