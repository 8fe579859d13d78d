"""`python -m tests.bench.limits`: what limits add to a request, in this process's CPU, without anything around them.

Check, admission, settlement and the answer's headers, 64 requests at once; in memory, and where Redis counts (whose own
CPU is not in it). Least of several rounds.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.principal import Limit, Principal
from aiservice.services.limit_names import KINDS
from aiservice.services.limiter import Limiter
from aiservice.services.shared_limits import SharedLimits
from tests.harness.databases import RedisServer

_AT_ONCE, _TURNS, _ROUNDS = 64, 30, 8
_NAMES = ("requests/minute", "tokens/minute", "concurrency")
_ROWS = (("none", (), ()), ("key: requests", ("key",), _NAMES[:1]), ("key: all three", ("key",), _NAMES))
_THREE_LEVELS = ("key, client, team: all three", ("key", "client", "team"), _NAMES)


def limits_of(scopes: tuple[str, ...], names: tuple[str, ...]) -> tuple[Limit, ...]:
    """Limits that refuse nothing."""
    return tuple(Limit(scope, f"{scope}_1", name, *KINDS[name], 10**9) for scope in scopes for name in names)


async def request(limiter: Limiter, who: Principal, number: int) -> None:
    """What the gateway asks of the limits for one request."""
    if not who.limits:
        await asyncio.sleep(0)
        return
    limiter.check(who)
    grant = await limiter.admit(who, f"req_{number}", "chat", 100, 200)
    await asyncio.sleep(0)
    grant.settle(150, 50)
    headers_of_caller(limiter, who)


async def microseconds(limiter: Limiter, who: Principal) -> float:
    """CPU of one request, the harness's own included."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_TURNS):
            await asyncio.gather(*(request(limiter, who, number) for number in range(_AT_ONCE)))
        best = min(best, (time.process_time() - began) * 1e6 / _TURNS / _AT_ONCE)
    return best


async def measure(url: str) -> None:
    shared = SharedLimits(url, "bench")
    running = asyncio.create_task(shared.run())
    while not shared.is_up:
        await asyncio.sleep(0.01)
    for title, limiter in (("in memory", Limiter()), ("in Redis", Limiter(shared))):
        nothing = 0.0
        for name, scopes, names in (*_ROWS, _THREE_LEVELS):
            took = await microseconds(limiter, Principal("cli_1", "c", name, "p", limits=limits_of(scopes, names)))
            nothing = nothing or took
            print(f"{title:10} {name:30} {took - nothing:6.1f} µs")
    running.cancel()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
        asyncio.run(measure(redis.url))


if __name__ == "__main__":
    main()
