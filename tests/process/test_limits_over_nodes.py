"""Three servers on one PostgreSQL and one Redis, offered five times the limit: what the provider itself saw of it.

One load has a team's limit of requests, shared by the keys of two clients; another has a key's limit of tokens. Windows
are the product's own minutes, so the long runs last for more than two of them.
"""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis import Redis

from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.settings import load_settings
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.process.nodes import Nodes, nodes
from tests.process.sliding import Arrival, arrivals, worst

pytestmark = [pytest.mark.process, pytest.mark.postgres, pytest.mark.redis]

SERVERS = 3
REQUESTS, TOKENS = 240, 10_000  # a minute
TOKENS_OF_ONE = 45  # the prompt and 14 to 54 words


@dataclass(slots=True)
class Offered:
    """Requests at a steady rate, each to the next server, and what became of them."""

    cluster: Nodes
    keys: list[str]
    marker: str
    per_second: float
    statuses: Counter[int | str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    async def run(self, seconds: float) -> None:
        """Offers for so long; a request that is late is offered all the same."""
        began, number, asked = time.monotonic(), 0, set[asyncio.Task[None]]()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            while (spent := time.monotonic() - began) < seconds:
                while number < spent * self.per_second:
                    task = asyncio.create_task(self._one(session, number))
                    asked.add(task)
                    task.add_done_callback(asked.discard)
                    number += 1
                await asyncio.sleep(0.01)
            await asyncio.gather(*asked)

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        server = self.cluster.servers[number % SERVERS]
        headers = {"authorization": f"Bearer {self.keys[number % len(self.keys)]}"}
        words = 14 + (number * 7) % 41  # 14 to 54, 34 on average: an answer's length is nobody's to know before
        body = chat(f"{self.marker} number {number} (words-{words})")
        began = time.monotonic()
        try:
            async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
                told = await answer.json(content_type=None)
                self.statuses[answer.status] += 1
                if answer.status != 200:
                    self.codes[told["error"]["code"]] += 1
        except (aiohttp.ClientError, json.JSONDecodeError) as error:
            self.statuses[type(error).__name__] += 1
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)


@dataclass(slots=True)
class Outcome:
    """Both loads as the clients and the provider saw them. Moments are microseconds UTC, 0 where nothing happened."""

    requests: list[Arrival]
    tokens: list[Arrival]
    statuses: dict[str, dict[int | str, int]]
    codes: dict[str, int]
    troubled_us: int = 0
    healed_us: int = 0


def run(cluster: Nodes, seconds: float, *, times: float = 5, trouble: "Trouble | None" = None) -> Outcome:
    """Offers `times` as much as each limit for so long, with Redis in trouble from one second on until another."""
    team_keys, token_key = asyncio.run(limited_keys(cluster))
    by_requests = Offered(cluster, team_keys, "counted-in-requests", times * REQUESTS / 60)
    by_tokens = Offered(cluster, [token_key], "counted-in-tokens", times * TOKENS / 60 / TOKENS_OF_ONE)
    moments = [0, 0]

    async def disturb() -> None:
        if trouble is None:
            return
        for place, (at, work) in enumerate(((trouble.at, trouble.begin), (trouble.until, trouble.end))):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            moments[place] = time.time_ns() // 1_000
            await asyncio.to_thread(work)

    async def everything() -> None:
        await asyncio.gather(by_requests.run(seconds), by_tokens.run(seconds), disturb())

    began = time.monotonic()
    asyncio.run(everything())
    served = cluster.mock.chats()
    return Outcome(
        arrivals(served, by_requests.marker),
        arrivals(served, by_tokens.marker),
        {load.marker: dict(load.statuses) for load in (by_requests, by_tokens)},
        dict(by_requests.codes + by_tokens.codes),
        *moments,
    )


@dataclass(slots=True, frozen=True)
class Trouble:
    """What befalls Redis, from second `at` to second `until`."""

    at: float
    begin: Callable[[], Any]
    until: float
    end: Callable[[], Any]


async def limited_keys(cluster: Nodes) -> tuple[list[str], str]:
    """The keys of two clients whose team has a limit of requests, and one with a limit of tokens."""
    environment = {name: text for name, text in cluster.operator.env.items() if name.startswith("AISERVICE_")}
    async with open_core(load_settings(environment, dotenv=None)) as core:
        await core.teams.create(OPERATOR, "flood")
        await core.limits.set_team(OPERATOR, "flood", {"requests/minute": REQUESTS})
        keys = []
        for name in ("left", "right"):
            await core.clients.create(OPERATOR, name, team="flood")
            keys.append((await core.keys.create(OPERATOR, name, "k")).key.reveal_text())
        by_tokens = await core.keys.create(OPERATOR, "test-client", "k", limits={"tokens/minute": TOKENS})
        return keys, by_tokens.key.reveal_text()


def check_answers(outcome: Outcome) -> None:
    """Whatever befell Redis, everybody got an answer or was told to come again, by the limit's name."""
    for statuses in outcome.statuses.values():
        assert set(statuses) <= {200, 429}, outcome.statuses
    assert set(outcome.codes) <= {"client_rpm_exceeded", "client_tpm_exceeded"}


@pytest.mark.long
def test_t80_three_nodes_and_two_clients_keys_are_no_way_round_a_limit(tmp_path: Path, evidence: Evidence) -> None:
    """Seconds of fifteen times the limit use up at once what a minute may have, and not one request more."""
    with nodes(tmp_path, servers=SERVERS, workers=1) as cluster:
        outcome = run(cluster, 5.0, times=15)
        requests, tokens = worst(outcome.requests), worst(outcome.tokens, in_tokens=True)
        evidence.note(requests=requests, tokens=tokens, statuses=outcome.statuses)
        check_answers(outcome)
        assert requests == REQUESTS
        assert 0.9 * TOKENS <= tokens <= 1.05 * TOKENS


@pytest.mark.long
def test_r10_no_sliding_minute_over_three_nodes_holds_more_than_the_limit(tmp_path: Path, evidence: Evidence) -> None:
    seconds = 135.0
    with nodes(tmp_path, servers=SERVERS, workers=1) as cluster:
        outcome = run(cluster, seconds)
        requests, tokens = worst(outcome.requests), worst(outcome.tokens, in_tokens=True)
        used = {
            "requests": round(len(outcome.requests) / (REQUESTS * 3), 3),
            "tokens": round(sum(call.tokens for call in outcome.tokens) / (TOKENS * 3), 3),
        }
        evidence.note(
            limits={"requests": REQUESTS, "tokens": TOKENS},
            worst={"requests": requests, "tokens": tokens},
            over={"requests": over(requests, REQUESTS), "tokens": over(tokens, TOKENS)},
            used_of_three_minutes=used,
            statuses=outcome.statuses,
            seconds=seconds,
        )
        check_answers(outcome)
        assert requests <= 1.01 * REQUESTS
        assert tokens <= 1.05 * TOKENS
        assert used["requests"] >= 0.95, "135 s are the beginnings of three minutes"
        assert used["tokens"] >= 0.9


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed", "hung", "flushed"])
def test_r11_redis_in_trouble_over_three_nodes(tmp_path: Path, how: str, evidence: Evidence) -> None:
    with nodes(tmp_path, servers=SERVERS, workers=1) as cluster:
        redis = cluster.redis
        if how == "flushed":
            trouble = Trouble(15, Redis(port=redis.port).flushall, 16, lambda: None)
        elif how == "killed":
            trouble = Trouble(15, redis.kill, 75, redis.start)
        else:
            trouble = Trouble(15, lambda: redis.signal(signal.SIGSTOP), 75, lambda: redis.signal(signal.SIGCONT))
        outcome = run(cluster, 80.0 if how == "flushed" else 136.0, trouble=trouble)
        figures = {
            name: around(calls, outcome, in_tokens=name == "tokens")
            for name, calls in (("requests", outcome.requests), ("tokens", outcome.tokens))
        }
        evidence.note(limits={"requests": REQUESTS, "tokens": TOKENS}, worst=figures, statuses=outcome.statuses)
        check_answers(outcome)
        for name, limit, more in (("requests", REQUESTS, 1.01), ("tokens", TOKENS, 1.05)):
            assert figures[name]["anywhere"] <= 2 * limit
            assert figures[name]["after_the_trouble"] <= more * limit
            assert figures[name]["after_it_is_back"] <= more * limit


def around(calls: list[Arrival], outcome: Outcome, *, in_tokens: bool) -> dict[str, int]:
    """The worst minute at all; of what came while Redis was away and known to be; of what came since it counted
    again, 5 s at most after it came back."""
    noticed, back = outcome.troubled_us + 250_000, outcome.healed_us + 5_000_000
    return {
        "anywhere": worst(calls, in_tokens=in_tokens),
        "after_the_trouble": worst(calls, in_tokens=in_tokens, since_us=noticed, until_us=outcome.healed_us),
        "after_it_is_back": worst(calls, in_tokens=in_tokens, since_us=back),
    }


@pytest.mark.long
def test_a_killed_nodes_places_come_back_by_the_end_of_their_leases(tmp_path: Path, evidence: Evidence) -> None:
    with nodes(tmp_path, servers=SERVERS, workers=1) as cluster:
        key = cluster.operator.command("key", "create", "--client", "test-client", "--concurrency", "3")["key"]
        evidence.note(seconds=asyncio.run(seconds_until_free(cluster, key)))


async def seconds_until_free(cluster: Nodes, key: str) -> float:
    """Three streams hold all places on one node, which is killed: how long until another node gives all three."""
    headers = {"authorization": f"Bearer {key}"}

    async def hold(session: aiohttp.ClientSession, server: int) -> aiohttp.ClientResponse:
        body = chat("holding (words-400) (wait-100)", is_stream=True)
        return await session.post(f"{cluster.servers[server].url}/v1/chat/completions", json=body, headers=headers)

    async with aiohttp.ClientSession() as session:
        held = [await hold(session, 0) for _ in range(3)]
        assert [one.status for one in held] == [200, 200, 200]
        refused = await hold(session, 1)
        assert (refused.status, (await refused.json())["error"]["code"]) == (429, "client_concurrency_exceeded")
        cluster.servers[0].kill()
        killed = time.monotonic()
        taken = 0
        while taken < 3:
            assert time.monotonic() - killed < 14, "a lease lasts 12 s, and there are tries between"
            answer = await hold(session, 1 + taken % 2)
            taken += answer.status == 200
            await asyncio.sleep(0.2)
        spent = round(time.monotonic() - killed, 1)
        assert (await hold(session, 2)).status == 429
        return spent


def over(most: int, limit: int) -> float:
    """By which part of it a limit was passed; negative where something was left."""
    return round(most / limit - 1, 4)
