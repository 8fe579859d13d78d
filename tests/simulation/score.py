"""Scores the watch, and two simpler ways beside it, over months of fresh seeds.

The simpler ways: a fixed number of requests in a minute, the same for all, chosen as the lowest of a list that keeps
to the false alerts that are allowed; and "the last day against the mean of the seven before", more than three times it,
told when the day is over.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiservice.services.abuse_features import Level
from tests.simulation import attacks, held_out
from tests.simulation.attacks import Attack, Maker
from tests.simulation.run import Outcome, attacked, benign
from tests.simulation.thresholds import FALSE_ALERTS_PER_CLIENT_MONTH, GRACE_SECONDS
from tests.simulation.traffic import DAY, MINUTES, Month

STATIC_CANDIDATES = (30, 60, 120, 250, 500, 1_000, 2_000, 4_000)
_APART_MINUTES = 360
_TIMES_THE_MEAN = 3.0


@dataclass(slots=True)
class BenignScore:
    """False verdicts over `months`; how many months saw at least each level."""

    months: int = 0
    alerts: int = 0
    months_at: dict[str, int] = field(default_factory=dict)
    static: dict[int, int] = field(default_factory=lambda: dict.fromkeys(STATIC_CANDIDATES, 0))
    day_on_week: int = 0

    def add(self, seed: int) -> None:
        """Runs one benign month."""
        _, month, told = benign(seed)
        self.months += 1
        self.alerts += len(told)
        highest = max((each.level for each in told), default=Level.NONE)
        for level in Level:
            if Level.NONE < level <= highest:
                self.months_at[level.name.lower()] = self.months_at.get(level.name.lower(), 0) + 1
        for limit in STATIC_CANDIDATES:
            self.static[limit] += _incidents(np.flatnonzero(month.requests > limit).tolist(), _APART_MINUTES)
        self.day_on_week += len(_loud_days(month))

    def at_least(self, level: str) -> int:
        return self.months_at.get(level, 0)

    @property
    def static_limit(self) -> int:
        """The lowest fixed limit that keeps to the false alerts that are allowed."""
        allowed = FALSE_ALERTS_PER_CLIENT_MONTH * self.months
        return next((limit for limit, count in self.static.items() if count <= allowed), STATIC_CANDIDATES[-1])


@dataclass(slots=True)
class KindScore:
    """How the attacks of one kind were found, and by the simpler ways."""

    kind: str
    outcomes: list[Outcome] = field(default_factory=list)
    static_seconds: list[float | None] = field(default_factory=list)
    day_seconds: list[float | None] = field(default_factory=list)

    def add(self, seed: int, maker: Maker, static_limit: int) -> None:
        """Runs one attacked month."""
        outcome, month, attack = attacked(seed, maker)
        self.outcomes.append(outcome)
        self.static_seconds.append(_first(np.flatnonzero(month.requests > static_limit).tolist(), attack))
        self.day_seconds.append(_first([(day + 1) * DAY - 1 for day in _loud_days(month)], attack))

    def row(self) -> dict[str, Any]:
        """A line of the table."""
        floods = [each for each in self.outcomes if each.is_flood]
        return {
            "kind": self.kind,
            "attacks": len(self.outcomes),
            "recall": _share(each.seconds is not None for each in self.outcomes),
            "median_seconds": _median(each.seconds for each in self.outcomes),
            "floods": len(floods),
            "flood_recall": _share(each.seconds is not None for each in floods),
            "flood_median_seconds": flood_median(floods),
            "slowed_or_more": _share(each.highest >= Level.THROTTLE for each in self.outcomes),
            "blocked": _share(each.highest >= Level.BLOCK for each in self.outcomes),
            "static_recall": _share(each is not None for each in self.static_seconds),
            "static_median_seconds": _median(self.static_seconds),
            "day_on_week_recall": _share(each is not None for each in self.day_seconds),
            "day_on_week_median_seconds": _median(self.day_seconds),
        }


def score_kinds(base_seed: int, attacks_a_kind: int, static_limit: int) -> list[KindScore]:
    """Every kind, the tuned five first and the two held out after them."""
    scores = []
    for place, (kind, maker) in enumerate({**attacks.KINDS, **held_out.KINDS}.items()):
        score = KindScore(kind)
        for number in range(attacks_a_kind):
            score.add(base_seed + 1_000_000 * (place + 1) + number, maker, static_limit)
        scores.append(score)
    return scores


def flood_median(outcomes: Sequence[Outcome]) -> float | None:
    """Of floods; one that was missed counts as infinitely long."""
    if not outcomes:
        return None
    return round(statistics.median(each.seconds if each.seconds is not None else 1e9 for each in outcomes), 1)


def _loud_days(month: Month) -> list[int]:
    days = month.requests.reshape(-1, DAY).sum(axis=1)
    costs = month.cost.reshape(-1, DAY).sum(axis=1)
    return [
        day
        for day in range(7, MINUTES // DAY)
        if any(series[day] > _TIMES_THE_MEAN * max(series[day - 7 : day].mean(), 1.0) for series in (days, costs))
    ]


def _first(minutes: Sequence[int], attack: Attack) -> float | None:
    """Seconds from the attack's beginning to the end of the first of `minutes` in it or its grace."""
    for minute in minutes:
        if attack.start <= minute <= attack.end + GRACE_SECONDS // 60:
            return float((minute + 1 - attack.start) * 60)
    return None


def _incidents(minutes: Sequence[int], apart: int) -> int:
    return sum(1 for place, minute in enumerate(minutes) if not place or minute - minutes[place - 1] > apart)


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return round(sum(counted) / len(counted), 4) if counted else 0.0


def _median(seconds: Iterable[float | None]) -> float | None:
    found = [each for each in seconds if each is not None]
    return round(statistics.median(found), 1) if found else None
