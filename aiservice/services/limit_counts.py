"""What the limiter asks of whoever counts for all workers together (`services/shared_limits.py`)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from aiservice.kit.sliding_window import SlidingWindow
from aiservice.principal import Limit
from aiservice.services.limit_plans import Plan


class Taken(NamedTuple):
    """What the shared store says: `refused` is the place of the limit that refused in the plan's `names`, or -1;
    `at_us` its clock; `standing` as in `Plan`."""

    refused: int
    wait_us: int
    at_us: int
    standing: tuple[int, ...]


class SharedCounts(Protocol):
    """Where workers count together. Every answer may be None: nobody answered in time, or at all."""

    known: Callable[[], dict[bytes, tuple[Limit, SlidingWindow]]]
    """What this worker has counted itself, by name: for a store that has lost what it knew."""

    @property
    def is_up(self) -> bool: ...

    async def take(self, plan: Plan, tokens: int, lease: str) -> Taken | None: ...

    async def look(self, plan: Plan) -> Taken | None: ...

    def give_back(self, plan: Plan, taken_us: int, reserved: int, used: int, lease: str) -> None: ...

    def missed(self, plan: Plan, tokens: int, lease: str) -> None: ...

    async def run(self) -> None: ...
