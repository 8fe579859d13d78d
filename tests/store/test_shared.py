"""Redis as it is shared: what is told arrives, what is kept may be lost, and its death is noticed and harms nobody."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aiservice.store.shared import Shared
from tests.harness.databases import RedisServer
from tests.harness.evidence import Evidence
from tests.harness.waiting import until

pytestmark = pytest.mark.redis

Heard = list[tuple[str, bytes]]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@asynccontextmanager
async def listening(redis: RedisServer, namespace: str = "one") -> AsyncIterator[tuple[Shared, Heard, list[float]]]:
    """A process's `Shared` that runs, what it heard, and when Redis came up for it."""
    shared, heard, ups = Shared(redis.url, namespace), Heard(), list[float]()
    running = asyncio.create_task(
        shared.run(("news",), lambda topic, text: heard.append((topic, text)), lambda: ups.append(time.monotonic()))
    )
    try:
        await until(lambda: bool(ups))
        yield shared, heard, ups
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await shared.close()


async def test_what_is_told_is_heard_by_the_same_installation_alone(redis: RedisServer) -> None:
    async with listening(redis) as (here, _, _), listening(redis) as (_, heard, _), listening(redis, "two") as other:
        here.tell("news", b"42")
        await until(lambda: heard == [("news", b"42")])
        assert other[1] == []


async def test_a_command_line_tells_without_listening(redis: RedisServer) -> None:
    async with listening(redis) as (_, heard, _):
        passing = Shared(redis.url, "one")
        passing.tell("news")
        await passing.close()
        await until(lambda: heard == [("news", b"")], 1)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_r11_a_dead_or_hanging_redis_is_noticed_at_once_and_never_waited_for(
    how: signal.Signals, redis: RedisServer, evidence: Evidence
) -> None:
    async with listening(redis) as (shared, heard, ups):
        await until(lambda: shared.is_up)
        before = len(ups)
        redis.signal(how)
        noticed = await until(lambda: not shared.is_up, 1)
        began = time.monotonic()
        assert await shared.get("page") is None
        assert not await shared.put("page", b"newer", 60)
        shared.tell("news", b"lost")
        assert time.monotonic() - began < 0.01
        evidence.note(noticed_seconds=noticed)
        assert noticed <= 0.25 + 0.25, "the second figure is for a machine that has much else to do"
        if how is signal.SIGSTOP:
            redis.signal(signal.SIGCONT)
        else:
            redis.wait()
            redis.start()
        assert await until(lambda: shared.is_up, 5) <= 5
        assert len(ups) > before
        shared.tell("news", b"after")
        await until(lambda: ("news", b"after") in heard, 2)
        assert ("news", b"lost") not in heard, "nothing is repeated later"


async def test_r11_a_full_redis_is_no_reason_to_stop_hearing(redis: RedisServer) -> None:
    async with listening(redis) as (shared, heard, _):
        for name, value in (("maxmemory-policy", "noeviction"), ("maxmemory", "1")):
            await shared._redis.config_set(name, value)
        assert not await shared.put("page", b"state", 60)
        assert shared.is_up
        shared.tell("news")
        await until(lambda: bool(heard), 1)


async def test_r11_flushed_keys_are_simply_gone(redis: RedisServer) -> None:
    async with listening(redis) as (shared, _, _):
        await shared.put("page", b"state", 60)
        assert await shared.get("page") == b"state"
        await shared._redis.flushall()
        assert await shared.get("page") is None
        assert shared.is_up


async def test_a_burst_of_news_is_bounded(redis: RedisServer) -> None:
    async with listening(redis) as (shared, heard, _):
        for number in range(5000):
            shared.tell("news", b"%d" % number)
        await until(lambda: bool(heard) and heard[-1][1] == b"4999")
        assert len(heard) <= 1001
