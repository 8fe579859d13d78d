"""Claims in Redis: one holder at a time, for as long as it is alive, and nobody in the way when Redis is gone."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aiservice.services import answer_claims
from aiservice.services.answer_claims import AnswerClaims, Standing, answer_name
from aiservice.store.shared import Shared
from tests.harness.databases import RedisServer
from tests.harness.waiting import until

pytestmark = [pytest.mark.redis, pytest.mark.sqlite_only("claims are in Redis")]
KEY = b"key-1"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server
        server.signal(signal.SIGCONT)


@pytest.fixture
async def workers(redis: RedisServer) -> AsyncIterator[list[AnswerClaims]]:
    shared = [Shared(redis.url, "one") for _ in range(3)]
    found = [AnswerClaims(each) for each in shared]
    yield found
    for claims, each in zip(found, shared, strict=True):
        for key in tuple(claims._held):
            claims.give_back(key)
        await claims.settled()
        await each.close()


async def test_of_many_who_ask_at_once_one_holds_the_claim(workers: list[AnswerClaims]) -> None:
    standings = await asyncio.gather(*(worker.take(KEY) for worker in workers for _ in range(5)))
    assert standings.count(Standing.OURS) == 1
    assert sum(worker.held for worker in workers) == 1
    assert await workers[1].take(b"key-2") is Standing.OURS


async def test_what_is_given_back_is_the_next_ones(workers: list[AnswerClaims]) -> None:
    one, other, _ = workers
    assert (await one.take(KEY), await other.look(KEY)) == (Standing.OURS, True)
    one.give_back(KEY)
    await one.settled()
    assert await other.look(KEY) is False
    assert await other.take(KEY) is Standing.OURS


async def test_it_is_given_back_when_the_answer_is_there_and_not_before(workers: list[AnswerClaims]) -> None:
    one, other, _ = workers
    await one.take(KEY)
    kept = asyncio.get_running_loop().create_future()
    one.give_back(KEY, kept)
    await asyncio.sleep(0.02)
    assert await other.look(KEY) is True
    await one._shared.put(answer_name(KEY), b"sealed", 60)
    kept.set_result(None)
    await one.settled()
    assert await other.look(KEY) == b"sealed"
    assert await other.take(KEY) is Standing.ANSWERED


async def test_a_call_that_takes_long_keeps_its_claim_and_a_dead_process_loses_it(
    workers: list[AnswerClaims], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_claims, "_MILLISECONDS", b"300")
    monkeypatch.setattr(answer_claims, "RENEW_SECONDS", 0.1)
    one, other, _ = workers
    await one.take(KEY)
    await asyncio.sleep(0.6)
    assert await other.look(KEY) is True
    assert one._renewing is not None
    one._renewing.cancel()  # as a kill does
    await asyncio.sleep(0.4)
    assert await other.take(KEY) is Standing.OURS
    one.give_back(KEY)
    await one.settled()
    assert await workers[2].look(KEY) is True, "who has lost it takes nothing from who has it now"


async def test_nobody_renews_what_nobody_holds(workers: list[AnswerClaims]) -> None:
    one = workers[0]
    await one.take(KEY)
    one.give_back(KEY)
    renewing = one._renewing
    assert renewing is not None
    await until(renewing.done)


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_without_redis_nobody_is_held_up(workers: list[AnswerClaims], redis: RedisServer, how: str) -> None:
    await workers[0].take(KEY)
    redis.signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    began = time.monotonic()
    assert await workers[1].look(KEY) is None
    assert await workers[1].take(b"key-2") is None
    assert time.monotonic() - began < 0.5
    workers[0].give_back(KEY)
    await workers[0].settled()


async def test_many_commands_at_once_are_no_outage(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiservice.store.shared.TIMEOUT_SECONDS", 5.0)
    shared = Shared(redis.url, "one")
    assert all(await asyncio.gather(*(shared.put(f"name-{number}", b"value", 60) for number in range(200))))
    assert (shared.failures, shared.is_up) == (0, True)
    await shared.close()
