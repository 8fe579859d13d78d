"""The simulation's promise over HTTP and in real time: a gateway, a provider whose hidden limit changes, ten clients,
one of them greedy. The windows are shorter than a minute, so that some of them fit into a test."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from aiservice.principal import OPERATOR
from aiservice.services.quota_notes import SECOND_US
from tests.gateway.conftest import Gateway
from tests.harness.evidence import Evidence
from tests.mock.limits import Limits
from tests.services.quota_world import jain

Phases = dict[int, int]  # from which window on, requests a window


@dataclass(slots=True)
class Watched(Limits):
    """A limit that notes in which window of the test it took and refused, and who was served."""

    phases: Phases = field(default_factory=dict)
    windows: int = 0
    began: float = field(default_factory=time.monotonic)
    taken_in: Counter[int] = field(default_factory=Counter)
    refused_in: Counter[int] = field(default_factory=Counter)
    served: dict[int, Counter[str]] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def take(self, tokens: int) -> float:
        self.rpm = self.given(self.window)
        wait = Limits.take(self, tokens)
        (self.refused_in if wait else self.taken_in)[self.window] += 1
        return wait

    @property
    def window(self) -> int:
        return int((time.monotonic() - self.began) / self.window_seconds)

    def given(self, window: int) -> int:
        return self.phases[max(at for at in self.phases if at <= window)]

    def figures(self, names: list[str]) -> dict[str, float]:
        """Over the windows that are in none of the two after the start or a change."""
        judged = [w for w in range(self.windows) if all(not at <= w < at + 2 for at in self.phases)]
        taken, refused = (sum(counts[w] for w in judged) for counts in (self.taken_in, self.refused_in))
        served = [float(sum(self.served.get(w, Counter())[name] for w in judged)) for name in names]
        return {
            "refused_upstream": round(refused / max(taken + refused, 1), 4),
            "utilisation": round(taken / sum(self.given(w) for w in judged), 4),
            "jain": round(jain(served), 4),
        }


async def _run(gateway: Gateway, limits: Watched, seed: int) -> dict[str, float]:
    """Nine clients that want more than their share of what is given at first, and one that six times its share."""
    assert gateway.mock is not None
    gateway.mock.limits = limits
    gateway.core.quotas.window_us = int(limits.window_seconds * SECOND_US)
    names = ["greedy", *(f"c{n}" for n in range(9))]
    keys = {}
    for name in names:
        await gateway.core.clients.create(OPERATOR, name)
        keys[name] = (await gateway.core.keys.create(OPERATOR, name, "first")).key.reveal_text()
    body = {"model": "gpt-mock", "messages": [{"role": "user", "content": "(words-2) (wait-25) hi"}]}
    limits.began = time.monotonic()

    async def ask(name: str) -> None:
        answer = await gateway.post("/v1/chat/completions", body, key=keys[name])
        limits.statuses[answer.status] += 1
        if answer.status == 200:
            limits.served.setdefault(limits.window, Counter())[name] += 1

    async def keep_asking(name: str, per_second: float, dice: random.Random) -> None:
        asked: set[asyncio.Task[None]] = set()
        while limits.window < limits.windows:
            await asyncio.sleep(dice.expovariate(per_second))
            asked.add(asyncio.create_task(ask(name)))
            asked = {task for task in asked if not task.done()}
        await asyncio.gather(*asked)

    fair = limits.phases[0] / limits.window_seconds / 10
    rates = {name: fair * (6.0 if name == "greedy" else 1.6) for name in names}
    await asyncio.gather(*(keep_asking(n, rate, random.Random(f"{seed}{n}")) for n, rate in rates.items()))
    return limits.figures(names)


async def test_a_hidden_limit_is_found_and_shared_over_http(gateway: Gateway, seed: int) -> None:
    limits = Watched(is_hidden=True, window_seconds=1.8, phases={0: 64}, windows=4)
    found = await _run(gateway, limits, seed)
    assert limits.statuses[200] + limits.statuses[429] >= 0.98 * limits.statuses.total(), "no errors of its making"
    assert found["refused_upstream"] <= 0.1, "so short a window has few calls, and a round trip is a part of it"
    assert found["utilisation"] >= 0.7
    assert found["jain"] >= 0.8


@pytest.mark.long
async def test_hidden_limits_are_found_kept_and_shared_over_http(
    gateway: Gateway, evidence: Evidence, seed: int
) -> None:
    limits = Watched(is_hidden=True, window_seconds=10.0, phases={0: 200, 4: 100, 8: 300}, windows=12)
    found = await _run(gateway, limits, seed)
    by_window = [f"{limits.taken_in[w]}+{limits.refused_in[w]}/{limits.given(w)}" for w in range(limits.windows)]
    evidence.note(**found, taken_and_refused_by_window=by_window, statuses=dict(limits.statuses))
    assert set(limits.statuses) <= {200, 429}
    assert found["refused_upstream"] < 0.01
    assert found["utilisation"] >= 0.95
    assert found["jain"] >= 0.95
