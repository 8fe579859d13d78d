"""Random retries with an Idempotency-Key, by clients that leave, over two processes: one call each, one answer."""

import asyncio
import os
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.evidence import Evidence
from tests.process.conftest import Rig
from tests.process.nodes import workers_of
from tests.process.test_workers import two_workers, wait_for_successor

pytestmark = [pytest.mark.process, pytest.mark.redis]

_TOGETHER = 20
_PATIENCE_SECONDS = 40


@dataclass(slots=True, frozen=True)
class Attempt:
    """One of a schedule's requests: when it is sent, and when its client hangs up (None: it stays)."""

    after_seconds: float
    leaves_after_seconds: float | None


@dataclass(slots=True)
class Schedule:
    """A key, what is asked with it, and how often; `whole` and `partial` are the bodies that came back."""

    marker: str
    path: str
    body: dict[str, Any]
    attempts: list[Attempt]
    whole: list[bytes] = field(default_factory=list)
    partial: list[bytes] = field(default_factory=list)
    replayed: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def is_stream(self) -> bool:
        return self.body.get("stream") is True


def schedule_of(choose: random.Random, number: int) -> Schedule:
    """A schedule at random: one surface in three, streams and whole answers, two to six requests."""
    marker = f"retry-{number:05}"
    words = f"(words-{choose.randint(3, 25)}) (wait-{choose.choice([0, 2, 8, 20])}) {marker}"
    path = choose.choice(["/v1/chat/completions", "/v1/messages", "/ai-service"])
    body: dict[str, Any] = {"model": "mock-small", "stream": choose.random() < 0.6}
    if path == "/ai-service":
        body["input"] = words
    else:
        body |= {"messages": [{"role": "user", "content": words}], "max_tokens": 500}
    attempts = [
        Attempt(choose.uniform(0, 0.5), choose.uniform(0.005, 0.3) if choose.random() < 0.5 else None)
        for _ in range(choose.randint(2, 6))
    ]
    return Schedule(marker, path, body, attempts)


async def ask(url: str, key: str, schedule: Schedule, leaves_after: float | None = None) -> bool:
    """Asks once, over a connection of its own, so that either process may get it. Whether the answer came whole."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": schedule.marker}
    got = bytearray()
    try:
        async with (
            asyncio.timeout(leaves_after),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.post(url + schedule.path, json=schedule.body, headers=headers) as answer,
        ):
            async for piece in answer.content.iter_any():
                got += piece
            if answer.status != 200:
                schedule.refused.append(f"{answer.status} {got[:200]!r}")
                return False
            schedule.replayed += answer.headers.get("idempotent-replayed") == "true"
    except (TimeoutError, aiohttp.ClientError):
        schedule.partial.append(bytes(got))
        return False
    schedule.whole.append(bytes(got))
    return True


async def run(url: str, key: str, schedule: Schedule, turn: asyncio.Semaphore) -> None:
    """All requests of a schedule, and then retries until an answer has come whole twice."""
    async with turn:

        async def later(attempt: Attempt) -> None:
            await asyncio.sleep(attempt.after_seconds)
            await ask(url, key, schedule, attempt.leaves_after_seconds)

        await asyncio.gather(*map(later, schedule.attempts))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for _ in range(2):
                while not await ask(url, key, schedule):
                    await asyncio.sleep(0.2)


def calls_by_marker(rig: Rig, schedules: list[Schedule]) -> dict[str, list[str | None]]:
    """How each call that the provider was asked for ended, by the schedule that it was made for."""
    ends: dict[str, list[str | None]] = {schedule.marker: [] for schedule in schedules}
    for call in rig.mock.chats():
        text = str(call.body["messages"][-1]["content"])
        ends[text.rpartition(" ")[2]].append(call.end)
    return ends


def unequal(schedules: list[Schedule]) -> list[str]:
    """Schedules whose whole answers differ, or whose broken-off ones are no beginning of them."""
    return [
        schedule.marker
        for schedule in schedules
        if len(set(schedule.whole)) != 1 or not all(schedule.whole[0].startswith(part) for part in schedule.partial)
    ]


@pytest.mark.parametrize("count", [60, pytest.param(1_000, marks=pytest.mark.long)])
async def test_t74_random_retries_over_two_processes_are_one_call_each_and_the_same_bytes(
    count: int, tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    schedules = [schedule_of(choose, number) for number in range(count)]
    turn = asyncio.Semaphore(_TOGETHER)
    with two_workers(tmp_path) as rig:
        await asyncio.gather(*(run(rig.server.url, rig.key, schedule, turn) for schedule in schedules))
        ends = calls_by_marker(rig, schedules)
        await asyncio.sleep(1.0)  # the flush
        rows = rig.installation.ledger()
    evidence.note(
        schedules=count,
        requests=sum(len(one.whole) + len(one.partial) + len(one.refused) for one in schedules),
        hung_up=sum(len(one.partial) for one in schedules),
        replayed=sum(one.replayed for one in schedules),
        calls=sum(map(len, ends.values())),
        keys_with_one_call=sum(len(found) == 1 for found in ends.values()),
        unequal=unequal(schedules),
        rows=len(rows),
    )
    assert [one.refused for one in schedules if one.refused] == []
    assert {marker: found for marker, found in ends.items() if len(found) != 1} == {}
    assert unequal(schedules) == []
    assert sorted({row["outcome"] for row in rows.values()}) == ["finished"]
    assert len(rows) == count


@pytest.mark.long
@pytest.mark.parametrize(("count", "kills"), [(40, 1), (400, 8)])
async def test_t74_after_kill_9_of_a_process_a_key_has_one_answer_and_calls_again_only_those_that_were_cut(
    count: int, kills: int, tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    choose = random.Random(seed)
    schedules = [schedule_of(choose, number) for number in range(count)]
    turn = asyncio.Semaphore(_TOGETHER)
    with two_workers(tmp_path) as rig:
        running = asyncio.gather(*(run(rig.server.url, rig.key, schedule, turn) for schedule in schedules))
        for _ in range(kills):
            await asyncio.sleep(choose.uniform(0.4, 1.2))
            victim = choose.choice(workers_of(rig.server))
            os.kill(victim, signal.SIGKILL)
            await asyncio.to_thread(wait_for_successor, rig.server, victim)
        await running
        ends = calls_by_marker(rig, schedules)
        for _ in range(40):
            rows = rig.installation.ledger()
            if len(rows) >= sum(map(len, ends.values())):
                break
            await asyncio.sleep(0.5)
        await asyncio.to_thread(rig.server.kill)  # all of it: what was answered is answered again, and asked of nobody
        await asyncio.to_thread(rig.server.start)
        for schedule in schedules[:20]:
            assert await ask(rig.server.url, rig.key, schedule), schedule.refused
        assert calls_by_marker(rig, schedules) == ends
        assert len(rig.installation.ledger()) == len(rows)
    again = {marker: found for marker, found in ends.items() if len(found) != 1}
    interrupted = sum(row["outcome"] == "interrupted" for row in rows.values())
    evidence.note(
        schedules=count,
        kills=kills,
        calls=sum(map(len, ends.values())),
        keys_called_again=len(again),
        rows=len(rows),
        interrupted_rows=interrupted,
        different_whole_answers=[one.marker for one in schedules if len(set(one.whole)) != 1],
    )
    assert [one.marker for one in schedules if len(set(one.whole)) != 1] == []
    assert all(1 <= len(found) <= 1 + kills for found in ends.values()), again
    # An answer and its settlement are kept in one step: a call that was made again is one that nobody was given whole.
    finished = sum(row["outcome"] == "finished" for row in rows.values())
    assert (finished, finished + interrupted) == (count, len(rows))
    assert len(again) <= kills * _TOGETHER
