"""The same question asked of two workers at once: one call where Redis is there, and nobody waits where it is not."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.harness.databases import RedisServer
from tests.harness.waiting import until
from tests.mock.server import MockProvider

pytestmark = [pytest.mark.redis, pytest.mark.sqlite_only("claims are in Redis")]
CHAT = "/v1/chat/completions"
TTL = {"x-aiservice-cache-ttl": "300"}
RESULT = "x-aiservice-cache"


@dataclass
class Pair:
    """Two workers of one server, with their Redis."""

    one: Gateway
    other: Gateway
    redis: RedisServer
    mock: MockProvider

    async def both(self, body: Any, times: int = 1, **more: Any) -> list[Reply]:
        """What both are asked at once, `times` each; the first a moment before the second."""
        workers = (self.one, self.other)
        tasks = []
        for worker in workers:
            tasks += [asyncio.create_task(ask(worker, body, **more)) for _ in range(times)]
            await asyncio.sleep(0.05)
        return await asyncio.gather(*tasks)


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-mock", "messages": [{"role": "user", "content": text}], **more}


async def ask(gateway: Gateway, body: object, **more: Any) -> Reply:
    return await gateway.post(CHAT, body, headers={**TTL, **more.pop("headers", {})}, **more)


def results(replies: list[Reply]) -> list[str]:
    return [reply.headers[RESULT] for reply in replies]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server
        server.signal(signal.SIGCONT)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests is not a Redis that is away."""
    monkeypatch.setattr("aiservice.store.shared.TIMEOUT_SECONDS", 5.0)


@pytest.fixture
async def pair(installed: Settings, redis: RedisServer, mock: MockProvider) -> AsyncIterator[Pair]:
    settings = replace(installed, redis_url=redis.url, coalesce_wait=3.0)
    async with AsyncExitStack() as stack:
        cores = [await stack.enter_async_context(open_core(settings, is_serving=True))]
        node = cores[0].cluster._node.node_id
        cores.append(await stack.enter_async_context(open_core(settings, is_serving=True, node_id=node)))
        first = cores[0]
        await first.clients.create(OPERATOR, "app")
        key = (await first.keys.create(OPERATOR, "app", "first")).key.reveal_text()
        options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-mock"]}
        await first.connections.add(
            OPERATOR, "openai-compatible", "mock", mock.base_url, Secret(PROVIDER_KEY), **options
        )
        workers = []
        for core in cores:
            await core.changes.catch_up()
            await until(lambda core=core: "mock" in {view.name for view in core.connections.snapshot()})  # type: ignore[misc]
            in_flight = InFlight()
            workers.append(Gateway(build_gateway(core, in_flight, portal, portal), core, in_flight, key, mock))
        yield Pair(workers[0], workers[1], redis, mock)
        for core in cores:
            await core.cache.settled()


@pytest.mark.parametrize("is_stream", [False, pytest.param(True, marks=pytest.mark.long)], ids=["whole", "stream"])
async def test_one_call_for_all_who_ask_at_once_whichever_worker_they_ask(
    patient: None, pair: Pair, is_stream: bool
) -> None:
    replies = await pair.both(asked("(words-20) (wait-15) hello", stream=is_stream), times=20)
    assert pair.mock.record.calls == 1
    assert sorted(results(replies)) == ["coalesced"] * 39 + ["miss"]
    assert {reply.status for reply in replies} == {200}
    texts = {reply.body if is_stream else reply.json()["choices"][0]["message"]["content"] for reply in replies}
    assert len(texts) <= 1 + is_stream, "a stream's first says what it used"
    rows = {row.request_id: row for row in await pair.other.rows()}
    assert sorted(row.output_tokens for row in rows.values())[:19] == [0] * 19
    assert {row.cost_nano_usd for row in rows.values() if not row.output_tokens} == {0}
    assert pair.one.core.cache.claims is not None
    assert pair.one.core.cache.claims.held == 0


@pytest.mark.long
async def test_what_it_took_of_its_callers_limits_is_given_back(patient: None, pair: Pair) -> None:
    await pair.one.core.limits.set_client(OPERATOR, "app", {"tokens/minute": 10_000})
    for worker in (pair.one, pair.other):
        await worker.core.changes.catch_up()
    replies = await pair.both(asked("(words-20) (wait-15) hello", max_tokens=2_000))
    assert results(replies) == ["miss", "coalesced"]
    left = int((await pair.other.get("/ai-service/limits")).json()["limits"][0]["remaining"])
    assert left > 9_900, "what both have used together: one answer"


@pytest.mark.long
async def test_two_clients_with_one_body_do_not_wait_for_each_other(pair: Pair) -> None:
    await pair.one.core.clients.create(OPERATOR, "another app")
    stranger = (await pair.one.core.keys.create(OPERATOR, "another app", "first")).key.reveal_text()
    await pair.other.core.changes.poll_once()
    body = asked("(words-20) (wait-15) hello")
    replies = await asyncio.gather(ask(pair.one, body), ask(pair.other, body, key=stranger))
    assert (results(list(replies)), pair.mock.record.calls) == (["miss", "miss"], 2)


@pytest.mark.long
async def test_where_the_other_fails_it_asks_itself(pair: Pair) -> None:
    replies = await pair.both(asked("(wait-300) (status-500) hello"))
    assert {reply.status for reply in replies} == {502}
    assert pair.mock.record.calls == 2, "a failure is told to nobody but who asked"


@pytest.mark.long
async def test_what_may_not_be_kept_is_asked_by_each(pair: Pair) -> None:
    body = asked("(words-20) (wait-15) hello", stream=True)
    replies = await pair.both(body, headers={"cache-control": "no-cache"})
    assert (results(replies), pair.mock.record.calls) == (["miss", "miss"], 2)


@pytest.mark.parametrize("how", ["stopped", pytest.param("killed", marks=pytest.mark.long)])
async def test_where_redis_goes_away_meanwhile_it_asks_itself(pair: Pair, how: str) -> None:
    body = asked("(words-20) (wait-100) hello")  # two seconds
    first = asyncio.create_task(ask(pair.one, body))
    await asyncio.sleep(0.2)
    second = asyncio.create_task(ask(pair.other, body))
    await asyncio.sleep(0.2)
    assert pair.mock.record.calls == 1
    pair.redis.signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
    began = time.monotonic()
    await pair.one.asked(2)
    assert time.monotonic() - began < 1.2
    replies = await asyncio.gather(first, second)
    assert ({reply.status for reply in replies}, results(list(replies))) == ({200}, ["miss", "miss"])


@pytest.mark.long
async def test_nobody_waits_longer_than_the_bound(pair: Pair) -> None:
    body = asked("(words-20) (wait-250) hello")  # five seconds, and the bound is three
    began = time.monotonic()
    replies = await pair.both(body)
    assert results(replies) == ["miss", "miss"]
    assert pair.mock.record.calls == 2
    assert time.monotonic() - began < 9
