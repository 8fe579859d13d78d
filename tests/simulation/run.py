"""Drives the watch over simulated months, in fake time, minute by minute where there is anything to look at.

A minute below all gates is not looked at: `Watch.is_worth_a_look` would say no, which a test holds both to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aiservice.services.abuse_baseline import PART_GATES, Expectation
from aiservice.services.abuse_evidence import weigh
from aiservice.services.abuse_features import Counts, Evidence, Hour, Level
from aiservice.services.abuse_ladder import ALERT_BANS, Step, by_group
from aiservice.services.abuse_watch import Watch
from tests.simulation.attacks import Attack, Maker
from tests.simulation.thresholds import FLOOD_FACTOR, FLUSH_SECONDS, GRACE_SECONDS, JUDGE_SECONDS
from tests.simulation.traffic import FEATURES, MINUTES, Month, benign_month, busiest_rate, habits_of
from tests.simulation.traffic import Counts as Grid

_GATED = ("requests", "repeated", "new_requests", "strange", "failures")
_ROWS = [FEATURES.index(name) for name in _GATED]
_TICKS = 60 // JUDGE_SECONDS


@dataclass(slots=True)
class Told:
    """One verdict: when (seconds of the month), how far, and why."""

    second: float
    level: Level
    evidence: tuple[Evidence, ...]
    expectation: Expectation | None
    """Where a minute gave it: what was expected then."""


@dataclass(slots=True)
class Outcome:
    """What an attacked month came to. `seconds` is from the first request to the first verdict; None: never."""

    kind: str
    client: str
    is_flood: bool
    seconds: float | None
    highest: Level
    told: list[Told] = field(default_factory=list)


class Run:
    """One client's month under watch."""

    def __init__(self, grid: Grid) -> None:
        """`grid` is (features, minutes)."""
        self.grid = grid
        sums = np.concatenate([np.zeros((len(FEATURES), 10), dtype=np.int64), np.cumsum(grid, axis=1)], axis=1)
        self.tens = sums[:, 10:] - sums[:, :-10]
        self.hours = grid.reshape(len(FEATURES), -1, 60).sum(axis=2).T.tolist()
        self.peak_minutes = grid[0].reshape(-1, 60).max(axis=1).tolist()
        self.peaks = self.tens[_ROWS].reshape(len(_ROWS), -1, 60).max(axis=2).T.tolist()
        self.watch = Watch()

    def verdicts(self, first_judged_hour: int = 0, end_minute: int = MINUTES) -> list[Told]:
        """Every verdict that says something new, until `end_minute`."""
        told: list[Told] = []
        for hour, sums in enumerate(self.hours):
            if hour * 60 >= end_minute:
                break
            is_tainted = False
            if hour >= first_judged_hour:
                for minute in self._worth_a_look(hour):
                    now = (minute + 1) * 60
                    _keep(told, self.watch.look(*self.at(minute), now=now), now, self.watch.expectation)
                is_tainted = self.watch.case.level >= Level.THROTTLE and self.watch.case.until > hour * 3600
            whole = Hour(Counts(*sums), self.peak_minutes[hour], self.peaks[hour][0], is_tainted)
            end = (hour + 1) * 3600
            if hour >= first_judged_hour:
                _keep(told, self.watch.end_hour(whole, end), end)
            else:
                self.watch.drift.add(self.watch.expectation, whole.total)
                self.watch.learn(whole)
        return told

    def at(self, minute: int) -> tuple[Counts, Counts]:
        """A whole minute, and the ten that end with it."""
        return Counts(*self.grid[:, minute].tolist()), Counts(*self.tens[:, minute].tolist())

    def _worth_a_look(self, hour: int) -> Sequence[int]:
        expectation = self.watch.expectation
        gates, share = expectation.gates, expectation.share
        peaks = self.peaks[hour]
        parts = [
            (row, PART_GATES[name], share[name])
            for row, name in enumerate(_GATED)
            if name in PART_GATES and peaks[row] >= PART_GATES[name]
        ]
        is_much = peaks[0] >= gates.ten_requests or peaks[-1] >= gates.ten_failures
        if not parts and not is_much and self.peak_minutes[hour] < gates.minute_requests:
            return ()
        minutes = slice(hour * 60, hour * 60 + 60)
        tens = self.tens[_ROWS, minutes]
        mask = (self.grid[0, minutes] >= gates.minute_requests) | (tens[0] >= gates.ten_requests)
        mask |= tens[-1] >= gates.ten_failures
        for row, least, usual in parts:
            mask |= tens[row] >= least + usual * tens[0]
        found: list[int] = (np.flatnonzero(mask) + hour * 60).tolist()
        return found


def benign(seed: int) -> tuple[str, Month, list[Told]]:
    """A month without an attack: the client's kind, the month, and the verdicts, all of them false."""
    rng = np.random.default_rng(seed)
    habits = habits_of(rng)
    month = benign_month(rng, habits)
    return f"{habits.kind}, {habits.networks}", month, Run(month.matrix()).verdicts()


def attacked(seed: int, maker: Maker) -> tuple[Outcome, Month, Attack]:
    """A month with an attack in it, judged from the hour of the attack's first request on."""
    rng = np.random.default_rng(seed)
    habits = habits_of(rng)
    month = benign_month(rng, habits)
    attack = maker(rng, habits)
    first_second = _cut_first_minute(rng, attack)
    is_flood = attack.rate >= FLOOD_FACTOR * max(busiest_rate(month), 0.2)
    month.add(attack.month)
    run = Run(month.matrix())
    end = min(attack.end + GRACE_SECONDS // 60, MINUTES)
    told = run.verdicts(attack.start // 60, (end + 59) // 60 * 60)
    told = [each for each in told if first_second <= each.second <= end * 60]
    seconds = None
    if told:
        seen = _within(rng, run, attack, first_second, told[0])
        delay = rng.uniform(0, FLUSH_SECONDS) + rng.uniform(0, JUDGE_SECONDS)
        seconds = seen - first_second + delay
    highest = max((each.level for each in told), default=Level.NONE)
    client = f"{habits.kind}, {habits.networks}"
    return Outcome(attack.kind, client, is_flood, seconds, highest, told), month, attack


def _cut_first_minute(rng: np.random.Generator, attack: Attack) -> float:
    """Attacks do not begin with the minute: takes the part before a random second away; the second it begins at."""
    grid = attack.month.requests + attack.month.failures
    first = int(np.flatnonzero(grid)[0])
    into = rng.uniform(0, 60)
    keep = (60 - into) / 60
    for name in FEATURES:
        series = getattr(attack.month, name)
        if name != "arrivals" and series[first]:
            series[first] = (
                max(1, int(series[first] * keep)) if name in ("requests", "failures") else int(series[first] * keep)
            )
    return first * 60 + into


def _within(rng: np.random.Generator, run: Run, attack: Attack, first_second: float, told: Told) -> float:
    """When, of the minute that a verdict was given for, enough of it had been seen: the judge looks every few seconds.

    What the whole minute shows, its beginning may show already; an hour's verdict comes with the hour's end.
    """
    if told.expectation is None:
        return told.second
    minute = int(told.second // 60) - 1
    _, ten = run.at(minute)
    theirs = attack.month.matrix()[:, minute]
    others = run.grid[:, minute] - theirs
    begins = max(first_second - minute * 60, 0.0)
    for tick in range(1, _TICKS):
        now = tick * JUDGE_SECONDS
        share = max(0.0, (now - begins) / (60 - begins))
        part = rng.binomial(np.maximum(others, 0), now / 60) + rng.binomial(theirs, share)
        whole = run.grid[:, minute]
        seen = Counts(*part.tolist())
        ten_seen = Counts(*(np.array(ten) - whole + part).tolist())
        if sum(by_group(weigh(told.expectation, seen, ten_seen)).values()) >= ALERT_BANS:
            return minute * 60 + now
    return told.second


def _keep(told: list[Told], step: Step | None, second: float, expectation: Expectation | None = None) -> None:
    if step is not None and step.is_new:
        told.append(Told(second, step.level, step.evidence, expectation))
