"""A provider with hidden limits and clients that ask for more than it gives, in fake time: drives the production
classes (`services/quota_lane.py`) as the gateway does, and beside them what others do."""

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from aiservice.services.quota_lane import Lane
from aiservice.services.quota_notes import SECOND_US
from aiservice.services.quota_turn import Turn

MINUTE_US = 60 * SECOND_US
WAIT_US = 2 * SECOND_US


class Provider(Protocol):
    """`take` says whether a call that arrives `now` is accepted; `change` sets new limits a minute."""

    def take(self, now: int, tokens: int) -> bool: ...

    def change(self, rpm: float, tpm: float) -> None: ...


@dataclass
class SlidingLog:
    """At most so much in any window, to the microsecond."""

    rpm: float
    tpm: float
    window_us: int = MINUTE_US
    _log: deque[tuple[int, int]] = field(default_factory=deque)
    _tokens: int = 0

    def take(self, now: int, tokens: int) -> bool:
        while self._log and self._log[0][0] <= now - self.window_us:
            self._tokens -= self._log.popleft()[1]
        if len(self._log) + 1 > self.rpm or self._tokens + tokens > self.tpm:
            return False
        self._log.append((now, tokens))
        self._tokens += tokens
        return True

    def change(self, rpm: float, tpm: float) -> None:
        self.rpm, self.tpm = rpm, tpm


@dataclass
class TokenBucket:
    """A bucket that fills up continuously; it holds `depth` of a minute's."""

    rpm: float
    tpm: float
    depth: float = 1.0
    _at: int = 0
    _left: list[float] = field(default_factory=list)

    def take(self, now: int, tokens: int) -> bool:
        full = [self.rpm * self.depth, self.tpm * self.depth]
        if not self._left:
            self._left = full[:]
        gained = (now - self._at) / MINUTE_US
        self._left = [
            min(most, left + rate * gained)
            for most, left, rate in zip(full, self._left, (self.rpm, self.tpm), strict=True)
        ]
        self._at = now
        if self._left[0] < 1 or self._left[1] < tokens:
            return False
        self._left = [self._left[0] - 1, self._left[1] - tokens]
        return True

    def change(self, rpm: float, tpm: float) -> None:
        self.rpm, self.tpm = rpm, tpm


@dataclass
class FixedWindow:
    """Counts anew at every full minute of its clock."""

    rpm: float
    tpm: float
    _number: int = -1
    _used: list[int] = field(default_factory=lambda: [0, 0])

    def take(self, now: int, tokens: int) -> bool:
        if now // MINUTE_US != self._number:
            self._number, self._used = now // MINUTE_US, [0, 0]
        if self._used[0] + 1 > self.rpm or self._used[1] + tokens > self.tpm:
            return False
        self._used = [self._used[0] + 1, self._used[1] + tokens]
        return True

    def change(self, rpm: float, tpm: float) -> None:
        self.rpm, self.tpm = rpm, tpm


@dataclass
class Demand:
    """One client: calls a minute (as they come, by chance), their tokens, its weight."""

    name: str
    per_minute: float
    input_tokens: int = 200
    output_tokens: int = 100
    weight: float = 1.0


@dataclass
class Seen:
    """What happened, by minute of the run."""

    accepted: dict[int, Counter[str]] = field(default_factory=dict)
    tokens: dict[int, Counter[str]] = field(default_factory=dict)
    refused_upstream: Counter[int] = field(default_factory=Counter)
    calls: Counter[int] = field(default_factory=Counter)
    turned_away: dict[int, Counter[str]] = field(default_factory=dict)
    waits_ms: dict[str, list[float]] = field(default_factory=dict)

    def add(self, book: dict[int, Counter[str]], minute: int, name: str, amount: int = 1) -> None:
        book.setdefault(minute, Counter())[name] += amount


class Policy(Protocol):
    """What stands between clients and provider."""

    def offer(self, world: "World", demand: Demand, turn: Turn) -> None: ...

    def answered(self, world: "World", demand: Demand, turn: Turn, *, is_accepted: bool) -> None: ...

    def settled(self, turn: Turn, tokens: tuple[int, int]) -> None: ...


class World:
    """Runs demands against a provider through a policy. Calls arrive after `trip_ms` and end after a call's length."""

    def __init__(self, provider: Provider, policy: Policy, demands: list[Demand], seed: int) -> None:
        self.provider = provider
        self.policy = policy
        self.lane = getattr(policy, "lane", None) or Lane()
        self.demands = demands
        self.dice = random.Random(seed)
        self.now = 1_000 * MINUTE_US
        self.began = self.now
        self.seen = Seen()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    @property
    def minute(self) -> int:
        return (self.now - self.began) // MINUTE_US

    def at(self, after_us: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + max(after_us, 0), next(self._order), what))

    def run(self, minutes: float, changes: dict[float, tuple[float, float]] | None = None) -> Seen:
        for at_minute, limits in (changes or {}).items():
            self.at(int(at_minute * MINUTE_US), lambda limits=limits: self.provider.change(*limits))  # type: ignore[misc]
        for demand in self.demands:
            self._next_arrival(demand)
        end = self.began + int(minutes * MINUTE_US)
        while self._events and self._events[0][0] < end:
            self.now, _, what = heapq.heappop(self._events)
            what()
        return self.seen

    def send(self, demand: Demand, turn: Turn) -> None:
        """Lets the call out: the provider decides when it arrives, and its answer takes as long as answers take."""
        minute = self.minute
        self.seen.calls[minute] += 1
        tokens = (turn.input_tokens, max(1, int(self.dice.expovariate(1 / demand.output_tokens))))
        self.at(int(self.dice.uniform(5, 60) * 1_000), lambda: self._arrive(demand, turn, tokens, minute))

    def _arrive(self, demand: Demand, turn: Turn, tokens: tuple[int, int], minute: int) -> None:
        if self.provider.take(self.now, sum(tokens)):
            self.seen.add(self.seen.accepted, self.minute, demand.name)
            self.seen.add(self.seen.tokens, self.minute, demand.name, sum(tokens))
            self.at(int(self.dice.uniform(100, 600) * 1_000), lambda: self._answer(demand, turn, tokens))
        else:
            self.seen.refused_upstream[minute] += 1
            self.at(40_000, lambda: self.policy.answered(self, demand, turn, is_accepted=False))

    def _answer(self, demand: Demand, turn: Turn, tokens: tuple[int, int]) -> None:
        self.policy.answered(self, demand, turn, is_accepted=True)
        self.at(int(self.dice.uniform(100, 1_500) * 1_000), lambda: self.policy.settled(turn, tokens))

    def _next_arrival(self, demand: Demand) -> None:
        self.at(int(self.dice.expovariate(demand.per_minute) * MINUTE_US), lambda: self._come(demand))

    def _come(self, demand: Demand) -> None:
        self._next_arrival(demand)
        input_tokens = max(1, int(self.dice.uniform(0.5, 1.5) * demand.input_tokens))
        self.policy.offer(self, demand, Turn(self.lane, demand.name, demand.weight, input_tokens, demand.output_tokens))

    def turn_away(self, demand: Demand) -> None:
        self.seen.add(self.seen.turned_away, self.minute, demand.name)


class Aligned:
    """Ours, as `gateway/quota_turns.py` does it: at once, or in turn within the bounded wait, or turned away; a call
    that was refused asks again, once, where that can be within the wait."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self._waiting: dict[Turn, tuple[Demand, int]] = {}
        self._asked: dict[Turn, int] = {}
        self._wakes_at = 0

    def offer(self, world: World, demand: Demand, turn: Turn) -> None:
        self._asked[turn] = world.now
        if self.lane.enter(turn, world.now):
            self._go(world, demand, turn)
        else:
            self._wait(world, demand, turn, world.now + WAIT_US, is_again=False)

    def _wait(self, world: World, demand: Demand, turn: Turn, until: int, *, is_again: bool) -> None:
        if self.lane.expected_wait_us(turn, world.now) > until - world.now:
            self._asked.pop(turn, None)
            world.turn_away(demand)
            return
        self.lane.join(turn, is_again=is_again)
        self._waiting[turn] = (demand, until)
        world.at(until - world.now, lambda: self._give_up(world, turn))
        self._release(world)

    def _give_up(self, world: World, turn: Turn) -> None:
        if self._waiting.get(turn, (None, 0))[1] == world.now:
            demand, _ = self._waiting.pop(turn)
            self.lane.leave(turn)
            self._asked.pop(turn, None)
            world.turn_away(demand)

    def _release(self, world: World) -> None:
        released, again_us = self.lane.release(world.now)
        for turn in released:
            demand, _ = self._waiting.pop(turn)
            self._go(world, demand, turn)
        if again_us:
            at = world.now + max(again_us, 1_000)
            if not world.now < self._wakes_at <= at:
                self._wakes_at = at
                world.at(at - world.now, lambda: self._wake(world, at))

    def _wake(self, world: World, at: int) -> None:
        if self._wakes_at == at:
            self._wakes_at = 0
            self._release(world)

    def _go(self, world: World, demand: Demand, turn: Turn) -> None:
        world.seen.waits_ms.setdefault(demand.name, []).append((world.now - self._asked[turn]) / 1_000)
        world.send(demand, turn)

    def answered(self, world: World, demand: Demand, turn: Turn, *, is_accepted: bool) -> None:
        if is_accepted:
            self.lane.accepted(turn, (), world.now)
            self._asked.pop(turn, None)
        else:
            self.lane.refused(turn, None, (), world.now)
            asked = self._asked.pop(turn)
            again = Turn(turn.lane, turn.client, turn.weight, turn.input_tokens, turn.output_tokens)
            self._asked[again] = asked
            self._wait(world, demand, again, max(asked + WAIT_US, world.now), is_again=True)
        self._release(world)

    def settled(self, turn: Turn, tokens: tuple[int, int]) -> None:
        self.lane.settled(turn, *tokens)


class CooldownOnly:
    """What most brokers do: everything goes, and after a 429 nothing does for `seconds`."""

    def __init__(self, seconds: float = 5.0) -> None:
        self._cooldown_us = int(seconds * SECOND_US)
        self._until = 0

    def offer(self, world: World, demand: Demand, turn: Turn) -> None:
        if world.now < self._until:
            world.turn_away(demand)
        else:
            world.send(demand, turn)

    def answered(self, world: World, demand: Demand, turn: Turn, *, is_accepted: bool) -> None:
        if not is_accepted:
            self._until = world.now + self._cooldown_us
            world.turn_away(demand)

    def settled(self, turn: Turn, tokens: tuple[int, int]) -> None:
        pass


class StaticLimits:
    """A limit a minute as somebody wrote it down once, first come first served; a 429 goes to the client."""

    def __init__(self, rpm: float, tpm: float) -> None:
        self._own = SlidingLog(rpm, tpm)

    def offer(self, world: World, demand: Demand, turn: Turn) -> None:
        if self._own.take(world.now, turn.input_tokens + turn.output_tokens):
            world.send(demand, turn)
        else:
            world.turn_away(demand)

    def answered(self, world: World, demand: Demand, turn: Turn, *, is_accepted: bool) -> None:
        if not is_accepted:
            world.turn_away(demand)

    def settled(self, turn: Turn, tokens: tuple[int, int]) -> None:
        pass


def jain(amounts: list[float]) -> float:
    """Jain's fairness index: 1.0 where all have the same, 1/n where one has all."""
    return sum(amounts) ** 2 / (len(amounts) * sum(a * a for a in amounts)) if any(amounts) else 0.0


def ten_clients(fair: float, *, greedy: float = 10.0, **more: int) -> list[Demand]:
    """Nine that want a third more than their fair share of calls a minute, and one that wants ten times it."""
    return [Demand("greedy", fair * greedy, **more)] + [Demand(f"c{n}", fair * 1.35, **more) for n in range(9)]


def minutes_outside(changes: dict[float, tuple[float, float]], minutes: int, *, first: float = 0.0) -> list[int]:
    """The minutes that are in none of the two windows after the start or a change."""
    starts = [first, *changes]
    return [m for m in range(minutes) if not any(at <= m < at + 2 for at in starts)]


def figures(seen: Seen, limits: dict[int, tuple[float, float]], judged: list[int]) -> dict[str, float]:
    """The promise's numbers over the minutes `judged`; `limits` says what the provider gave in each."""
    accepted = sum(sum(seen.accepted.get(m, Counter()).values()) for m in judged)
    tokens = sum(sum(seen.tokens.get(m, Counter()).values()) for m in judged)
    used = max(accepted / sum(limits[m][0] for m in judged), tokens / sum(limits[m][1] for m in judged))
    calls, refused = sum(seen.calls[m] for m in judged), sum(seen.refused_upstream[m] for m in judged)
    names = {name for m in judged for name in seen.tokens.get(m, Counter())}
    by_client = [float(sum(seen.tokens.get(m, Counter())[name] for m in judged)) for name in names]
    by_client += [0.0] * (10 - len(by_client))
    return {
        "refused_upstream": round(refused / max(calls, 1), 4),
        "utilisation": round(used, 4),
        "jain": round(jain(by_client), 4),
    }
