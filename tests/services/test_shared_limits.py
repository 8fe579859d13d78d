"""Limits that workers count together: never over, whatever befalls Redis, and no request lost to it."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from aiservice.errors import RateLimited
from aiservice.principal import Limit, Principal
from aiservice.services.limiter import Grant, Limiter
from aiservice.services.shared_limits import SharedLimits
from tests.harness.databases import RedisServer
from tests.harness.evidence import Evidence
from tests.harness.waiting import until

pytestmark = pytest.mark.redis

WORKERS = 3


@dataclass
class Workers:
    """Several workers' limiters on one Redis, and what they let through: (when, tokens)."""

    limiters: list[Limiter]
    passed: list[tuple[float, int]] = field(default_factory=list)
    slowest: float = 0.0

    async def ask(self, number: int, who: Principal, tokens: int = 1) -> Grant | None:
        began = time.monotonic()
        try:
            grant = await self.limiters[number % WORKERS].admit(who, os.urandom(8).hex(), "chat", tokens, 0)
        except RateLimited:
            grant = None
        now = time.monotonic()
        self.slowest = max(self.slowest, now - began)
        if grant is not None:
            # When it was taken, by the clock that took it: Redis' and ours are one machine's.
            self.passed.append((grant.shared_us / 1e6 or time.time(), tokens))
        return grant

    async def flood(self, who: Principal, seconds: float, per_second: int, tokens: int = 1) -> None:
        """Offers requests at a steady rate, each worker in its turn."""
        began, number, asked = time.monotonic(), 0, []
        while (spent := time.monotonic() - began) < seconds:
            while number < spent * per_second:
                asked.append(asyncio.ensure_future(self._one(number, who, tokens)))
                number += 1
            await asyncio.sleep(0.002)
        await asyncio.gather(*asked)

    async def _one(self, number: int, who: Principal, tokens: int) -> None:
        grant = await self.ask(number, who, tokens)
        if grant is not None:
            grant.settle(tokens)

    def worst(self, window: float, since: float = 0.0, until: float = float("inf")) -> int:
        """The most that passed in any sliding window of so many seconds."""
        times = sorted(one for one in self.passed if since <= one[0] <= until)
        worst = total = first = 0
        for at, tokens in times:
            total += tokens
            while times[first][0] <= at - window:
                total -= times[first][1]
                first += 1
            worst = max(worst, total)
        return worst

    def all_up(self) -> bool:
        return all(one.shared is not None and one.shared.is_up for one in self.limiters)

    def all_down(self) -> bool:
        return all(one.shared is not None and not one.shared.is_up for one in self.limiters)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def workers(redis: RedisServer) -> AsyncIterator[Workers]:
    shared = [SharedLimits(redis.url, "test") for _ in range(WORKERS)]
    running = [asyncio.ensure_future(one.run()) for one in shared]
    limiters = [Limiter(one) for one in shared]
    for limiter in limiters:
        limiter.sharers = lambda: WORKERS
    cluster = Workers(limiters)
    try:
        await until(cluster.all_up)
        yield cluster
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def limited(*limits: tuple[str, str, int, int]) -> Principal:
    """Whoever has these limits: (name, measure, seconds, amount)."""
    return Principal("cli", "c", "key", "pub", limits=tuple(Limit("key", "key", *limit) for limit in limits))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so busy that Redis gets no turn for 100 ms is another test's matter."""
    monkeypatch.setattr("aiservice.store.redis_line.TIMEOUT_SECONDS", 5.0)


@pytest.mark.usefixtures("patient")
async def test_r10_three_workers_offered_five_times_the_limit_never_go_over(
    redis: RedisServer, evidence: Evidence
) -> None:
    who = limited(("requests/minute", "requests", 2, 400))
    async with workers(redis) as cluster:
        await cluster.flood(who, 5.0, per_second=1000)
        worst = cluster.worst(2.0)
        evidence.note(limit=400, worst=worst, passed=len(cluster.passed), slowest_ms=round(cluster.slowest * 1000, 1))
        assert worst <= 400
        assert len(cluster.passed) >= 0.9 * 400 * 2.5


@pytest.mark.usefixtures("patient")
async def test_r10_three_workers_offered_five_times_the_tokens_stay_under(redis: RedisServer) -> None:
    who = limited(("tokens/minute", "tokens", 2, 8_000))
    async with workers(redis) as cluster:
        await cluster.flood(who, 4.5, per_second=600, tokens=33)
        assert cluster.worst(2.0) <= 8_000
        assert sum(tokens for _, tokens in cluster.passed) >= 0.9 * 8_000 * 2.25


@pytest.mark.parametrize("how", ["killed", *(pytest.param(how, marks=pytest.mark.long) for how in ("hung", "paused"))])
async def test_r11_without_redis_each_worker_allows_its_part(redis: RedisServer, how: str, evidence: Evidence) -> None:
    limit, window = 300, 2.0
    who = limited(("requests/minute", "requests", 2, limit))
    client = Redis(port=redis.port)
    async with workers(redis) as cluster:
        load = asyncio.ensure_future(cluster.flood(who, 8.0, per_second=600))
        await asyncio.sleep(1.5)
        troubled = time.time()
        if how == "killed":
            redis.signal(signal.SIGKILL)
        elif how == "hung":
            redis.signal(signal.SIGSTOP)
        else:
            client.client_pause(2500)
        noticed = await until(cluster.all_down)
        await asyncio.sleep(max(0.0, troubled + 2.5 - time.time()))
        healed = time.time()
        if how == "killed":
            await asyncio.to_thread(redis.start)
        elif how == "hung":
            redis.signal(signal.SIGCONT)
        back = await until(cluster.all_up)
        await load
        switch = cluster.worst(window)
        after = cluster.worst(window, since=troubled + noticed, until=healed)
        evidence.note(how=how, noticed_ms=round(noticed * 1000), back_ms=round(back * 1000), switch=switch, after=after)
        assert noticed <= 0.25
        assert back <= 5.0
        assert switch <= 2 * limit
        assert after <= limit
        assert cluster.slowest <= 1.0, "0.25 s to notice, and what a busy machine adds"


@pytest.mark.usefixtures("patient")
async def test_r11_a_flushed_redis_is_told_again_what_its_workers_know(redis: RedisServer, evidence: Evidence) -> None:
    """The worst: the window is full of what came just now, and all of it is forgotten."""
    who = limited(("requests/minute", "requests", 4, 1_200))
    async with workers(redis) as cluster:
        await cluster.flood(who, 1.0, per_second=1_000)
        flushed = time.time()
        Redis(port=redis.port).flushall()
        await cluster.flood(who, 4.5, per_second=600)
        worst, after = cluster.worst(4.0), cluster.worst(4.0, since=flushed + 1.0)
        evidence.note(limit=1_200, worst=worst, after=after, passed=len(cluster.passed))
        assert worst <= 1_200 + 0.6 * 600, "what comes in the quarter second until it is noticed, on a busy machine"
        assert after <= 1_200
        assert len(cluster.passed) >= 0.8 * 1_200 * 5.5 / 4


async def test_what_is_told_again_leaves_the_window_when_it_would_have(redis: RedisServer) -> None:
    who = limited(("requests/minute", "requests", 3, 50))
    async with workers(redis) as cluster:
        began = time.monotonic()
        for number in range(50):
            assert await cluster.ask(number, who) is not None
        filled = time.monotonic()
        await asyncio.sleep(max(0.0, began + 1.5 - filled))
        Redis(port=redis.port).flushall()
        await asyncio.sleep(0.5)
        while await cluster.ask(0, who) is None:
            await asyncio.sleep(0.05)
        free = time.monotonic()
        assert free - began >= 3.0, "it was told again"
        assert free - filled < 4.4, "as old as it was: told as new it would hold until 4.5 s and more"


async def test_a_full_redis_is_as_good_as_none(redis: RedisServer) -> None:
    who = limited(("requests/minute", "requests", 60, 30), ("concurrency", "concurrency", 0, 9))
    async with workers(redis) as cluster:
        client = Redis(port=redis.port)
        client.config_set("maxmemory", "1mb")
        grants = [await cluster.ask(number, who) for number in range(9)]
        assert None not in grants


async def test_places_of_a_worker_that_died_come_back(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiservice.services.shared_limits._LEASE_US", b"1000000")
    who = limited(("concurrency", "concurrency", 0, 2))
    async with workers(redis) as cluster:
        dead = [await cluster.ask(0, who) for _ in range(2)]
        assert None not in dead
        assert await cluster.ask(1, who) is None
        await asyncio.sleep(1.1)
        grant = await cluster.ask(1, who)
        assert grant is not None
        grant.settle(0)
        await asyncio.sleep(0.05)
        assert await cluster.ask(2, who) is not None


async def test_places_held_for_long_are_held_again_even_after_a_flush(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiservice.services.shared_limits._LEASE_US", b"1000000")
    monkeypatch.setattr("aiservice.services.shared_limits._RENEW_SECONDS", 0.2)
    who = limited(("concurrency", "concurrency", 0, 1))
    async with workers(redis) as cluster:
        held = await cluster.ask(0, who)
        assert held is not None
        await asyncio.sleep(1.3)
        assert await cluster.ask(1, who) is None
        Redis(port=redis.port).flushall()
        await asyncio.sleep(0.3)
        assert await cluster.ask(1, who) is None
        held.settle(0)
        await asyncio.sleep(0.05)
        assert await cluster.ask(1, who) is not None


async def test_what_stands_is_what_all_workers_used(redis: RedisServer) -> None:
    who = limited(("tokens/minute", "tokens", 60, 1_000))
    async with workers(redis) as cluster:
        for number in range(3):
            grant = await cluster.ask(number, who, tokens=100)
            assert grant is not None
            grant.settle(40)
        await asyncio.sleep(0.05)
        assert [one.used for one in await cluster.limiters[0].look(who)] == [120]


async def test_places_given_while_redis_was_away_are_held_when_it_is_back(redis: RedisServer) -> None:
    who = limited(("concurrency", "concurrency", 0, 3))
    async with workers(redis) as cluster:
        redis.signal(signal.SIGSTOP)
        held = [await cluster.ask(number, who) for number in range(WORKERS)]  # one of three a worker
        assert None not in held
        redis.signal(signal.SIGCONT)
        await until(cluster.all_up)
        await asyncio.sleep(0.05)
        assert await cluster.ask(0, who) is None
        for grant in held:
            assert grant is not None
            grant.settle(0)
        await asyncio.sleep(0.05)
        assert await cluster.ask(0, who) is not None


async def test_what_redis_missed_counts_when_it_is_back(redis: RedisServer) -> None:
    who = limited(("requests/minute", "requests", 60, 30))
    async with workers(redis) as cluster:
        redis.signal(signal.SIGSTOP)
        first = [await cluster.ask(number, who) for number in range(WORKERS)]  # 100 ms late, and not lost
        assert None not in first
        await until(cluster.all_down)
        for number in range(40):
            await cluster.ask(number, who)
        redis.signal(signal.SIGCONT)
        await until(cluster.all_up)
        await asyncio.sleep(0.05)
        for number in range(40):
            await cluster.ask(number, who)
        assert len(cluster.passed) <= 30
