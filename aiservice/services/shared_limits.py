"""Limits counted together with the other workers, in Redis. One round trip a request; leases that end by themselves.

Fails open to each worker's part of the limit (`services/limiter.py`): no answer in 100 ms is none. A Redis that has
lost what it knew (flushed, or started anew) is noticed in a quarter of a second, and every worker tells it what it has
counted itself.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress

from aiservice.kit.sliding_window import SlidingWindow
from aiservice.principal import Limit
from aiservice.services.limit_counts import Taken
from aiservice.services.limit_plans import Plan, Said
from aiservice.store.redis_line import RedisLine, evaluation_head, name_of, packed
from aiservice.store.window_script import GIVE_BACK, HOLD, MARK, TAKE, TELL

LEASE_SECONDS = 12.0
_RENEW_SECONDS = 4.0
_LOOK_SECONDS = 0.25
_TOLD_AT_ONCE = 200  # windows: the loop has other work, too
_LEASE_US = b"%d" % int(LEASE_SECONDS * 1_000_000)
_SCRIPTS = (TAKE, GIVE_BACK, HOLD, TELL, MARK)
_TAKE, _GIVE_BACK, _HOLD, _TELL, _MARK = map(name_of, _SCRIPTS)

Windows = dict[bytes, tuple[Limit, SlidingWindow]]


class SharedLimits:
    """See `SharedCounts`."""

    def __init__(self, url: str, namespace: str) -> None:
        self.known: Callable[[], Windows] = dict
        """What this worker has counted itself, by the windows' names."""
        self._line = RedisLine(url, _SCRIPTS, self._on_up)
        self._prefix = f"aiservice:{namespace}:limit:".encode()
        self._missed: Windows = {}
        self._is_new = asyncio.Event()  # a connection: what it missed has to be told
        self._mark = b""
        self._held: dict[str, tuple[bytes, ...]] = {}  # lease -> the sets that it is in

    @property
    def is_up(self) -> bool:
        return self._line.is_up

    async def take(self, plan: Plan, tokens: int, lease: str) -> Taken | None:
        """Takes one request, or nothing; None where Redis did not answer."""
        return await self._ask(plan, b"1", tokens, lease)

    async def look(self, plan: Plan) -> Taken | None:
        """How the limits stand."""
        return await self._ask(plan, b"0", 0, "")

    def give_back(self, plan: Plan, taken_us: int, reserved: int, used: int, lease: str) -> None:
        """Corrects what was taken and ends the lease, soon. With Redis away that is lost; a lease ends by itself."""
        self._held.pop(lease, None)
        if reserved == used and not plan.slots:
            return
        said = plan.said or self._say(plan)
        changing = packed(b"%d" % taken_us, b"%d" % reserved, b"%d" % used, lease.encode())
        self._line.tell_packed(said.give_back + changing + said.rest)

    def missed(self, plan: Plan, tokens: int, lease: str) -> None:
        """Notes what was let through while Redis was away, so that it counts there when it is back: what was taken, and
        for as long as it is under way also its places."""
        if plan.slots:
            self._held[lease] = (plan.said or self._say(plan)).leases
        now = time.monotonic_ns() // 1_000
        for name, (limit, window, is_tokens) in zip(plan.names, plan.windows, strict=False):
            missed = self._missed.get(name)
            if missed is None:
                missed = self._missed[name] = limit, SlidingWindow(window.window_us)
            missed[1].used(now)
            missed[1].add(now, tokens if is_tokens else 1)

    def _on_up(self) -> None:
        self._is_new.set()

    async def run(self) -> None:
        """Until cancelled: keeps the connection, what is held, and Redis informed."""
        line = asyncio.create_task(self._line.run(), name="redis-limits")
        renew_at = time.monotonic() + _RENEW_SECONDS
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):  # wait_for would lose a cancellation at times (3.11)
                        await self._is_new.wait()
                await self._look()
                if time.monotonic() >= renew_at:
                    self._renew()
                    renew_at = time.monotonic() + _RENEW_SECONDS
        finally:
            line.cancel()
            await asyncio.gather(line, return_exceptions=True)

    async def _look(self) -> None:
        """Tells Redis what it missed while it was away, or, where it has lost what it knew, all that still counts."""
        is_new = self._is_new.is_set()
        self._is_new.clear()
        fresh = os.urandom(8).hex().encode()  # each time: the mark that is lost may have been ours
        mark = await self._line.ask(_MARK, (self._prefix + b"mark",), (fresh,))
        if mark is None:
            return
        has_lost = self._mark not in (b"", mark)
        self._mark = mark
        missed, self._missed = self._missed, {}
        told = self.known() if has_lost else missed
        if has_lost or is_new:
            self._renew()
        for number, (name, (limit, window)) in enumerate(told.items(), start=1):
            self._tell(name, limit, window)
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _tell(self, name: bytes, limit: Limit, window: SlidingWindow) -> None:
        parts = window.parts(time.monotonic_ns() // 1_000)
        if parts:
            words = [b"%d" % figure for part in parts for figure in part]
            self._line.tell(_TELL, (self._prefix + name,), (*_three(limit), *words))

    def _renew(self) -> None:
        leases: dict[bytes, list[bytes]] = {}
        for lease, keys in self._held.items():
            for key in keys:
                leases.setdefault(key, []).append(lease.encode())
        for key, held in leases.items():
            self._line.tell(_HOLD, (key,), (_LEASE_US, *held))

    async def _ask(self, plan: Plan, how: bytes, tokens: int, lease: str) -> Taken | None:
        said = plan.said or self._say(plan)
        reply = await self._line.ask_packed(said.take + packed(how, b"%d" % tokens, lease.encode()) + said.rest)
        if reply is None:
            return None
        refused, wait_us, at_us, *standing = reply
        if how == b"1" and refused < 0 and plan.slots:
            self._held[lease] = said.leases
        return Taken(refused, wait_us, at_us, tuple(standing))

    def _say(self, plan: Plan) -> Said:
        keys = tuple([self._prefix + name for name in plan.names])
        limits = (*(limit for limit, _, _ in plan.windows), *(limit for limit, _ in plan.slots))
        described = [word for limit in limits for word in _three(limit)]
        plan.said = Said(
            take=evaluation_head(_TAKE, keys, 4 + len(described)),
            give_back=evaluation_head(_GIVE_BACK, keys, 5 + len(described)),
            rest=packed(_LEASE_US, *described),
            leases=keys[len(plan.windows) :],
        )
        return plan.said


def _three(limit: Limit) -> tuple[bytes, bytes, bytes]:
    return limit.measure.encode(), b"%d" % limit.amount, b"%d" % (limit.window_seconds * 1_000_000)
