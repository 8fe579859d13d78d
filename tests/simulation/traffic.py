"""A client's month without an attack: seasons, growth, and everything legitimate that looks alarming.

A `Month` holds, per minute, what the detector is told about a client. A network or model counts as new for a day after
it was first seen.
"""

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from tests.simulation.thresholds import DAYS

DAY = 1_440
WEEK = 7 * DAY
MINUTES = DAYS * DAY

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]
_KINDS = ("business", "consumer", "constant", "quiet", "batch", "developer")
_KIND_SHARES = (0.33, 0.2, 0.1, 0.15, 0.15, 0.07)
_NETWORKS = ("fixed", "office", "cloud", "roaming")
_NETWORK_SHARES = (0.5, 0.25, 0.15, 0.1)


def _none() -> Counts:
    return np.zeros(MINUTES, dtype=np.int64)


@dataclass(slots=True)
class Month:
    """Per minute: what was asked for, by the detector's names.

    `repeated` are requests with the minute's most frequent prompt, beyond its first; `new_requests` came from networks
    first seen less than a day before, `arrivals` are networks seen for the first time, `strange` are requests to models
    that are new or hardly ever asked for, `failures` failed authentications with the client's keys. Costs are nano USD.
    """

    requests: Counts = field(default_factory=_none)
    errors: Counts = field(default_factory=_none)
    tokens: Counts = field(default_factory=_none)
    cost: Counts = field(default_factory=_none)
    repeated: Counts = field(default_factory=_none)
    new_requests: Counts = field(default_factory=_none)
    arrivals: Counts = field(default_factory=_none)
    strange: Counts = field(default_factory=_none)
    failures: Counts = field(default_factory=_none)

    def add(self, other: "Month") -> None:
        """Adds what another party asks for with the same keys."""
        for each in fields(self):
            getattr(self, each.name)[:] += getattr(other, each.name)

    def matrix(self) -> Counts:
        """(features, minutes), in the order of the fields."""
        return np.stack([getattr(self, each.name) for each in fields(self)])


FEATURES = tuple(each.name for each in fields(Month))


@dataclass(slots=True)
class Habits:
    """How a client usually behaves; drawn once a client."""

    kind: str
    networks: str
    mean_rate: float
    tokens_a_request: float
    nano_usd_a_token: float
    error_share: float
    repeated_share: float
    rare_share: float
    spread: float
    """Overdispersion: the minute's rate varies by a gamma factor of this variance."""


def habits_of(rng: np.random.Generator) -> Habits:
    """A client as they come."""
    kind = str(rng.choice(_KINDS, p=_KIND_SHARES))
    low, high = {"quiet": (0.003, 0.05), "batch": (0.3, 8.0), "developer": (0.05, 1.0)}.get(kind, (0.5, 60.0))
    return Habits(
        kind,
        str(rng.choice(_NETWORKS, p=_NETWORK_SHARES)),
        _log_uniform(rng, low, high),
        _log_uniform(rng, 200, 6_000),
        _log_uniform(rng, 150, 15_000),
        _log_uniform(rng, 0.001, 0.06),
        float(rng.choice([0.0, 0.01, 0.15], p=[0.5, 0.35, 0.15])),
        float(rng.choice([0.0, 0.005, 0.02], p=[0.6, 0.3, 0.1])),
        _log_uniform(rng, 0.05, 0.8),
    )


def benign_month(rng: np.random.Generator, habits: Habits) -> Month:
    """A month of `habits`, with what happens to be in it."""
    month = Month()
    rate = _season(rng, habits) * _growth(rng) * _holidays(rng, habits)
    new_share = _new_share(rng, habits, month)
    errors = np.full(MINUTES, habits.error_share)
    repeated = np.full(MINUTES, habits.repeated_share)
    strange = _strange_share(rng, habits)
    events = _Events(rate, errors, repeated, new_share, month)
    _launches(rng, habits, events)
    _outages(rng, events)
    _load_test(rng, events)
    _forgotten_key(rng, habits, month)
    gamma = rng.gamma(1 / habits.spread, habits.spread, MINUTES)
    month.requests[:] = rng.poisson(rate * gamma)
    fill(rng, month, habits, errors=errors, repeated=repeated, new=new_share, strange=strange)
    return month


def fill(
    rng: np.random.Generator,
    month: Month,
    habits: Habits,
    *,
    errors: Rates,
    repeated: Rates,
    new: Rates,
    strange: Rates,
) -> None:
    """What each request is like, where a month's `requests` are known; each rate is a share of requests per minute."""
    busy = np.flatnonzero(month.requests)
    asked = month.requests[busy]
    month.errors[busy] = rng.binomial(asked, np.clip(errors[busy], 0, 1))
    month.repeated[busy] = rng.binomial(np.maximum(asked - 1, 0), np.clip(repeated[busy], 0, 1))
    month.new_requests[busy] += rng.binomial(asked, np.clip(new[busy], 0, 1))
    month.strange[busy] = rng.binomial(asked, np.clip(strange[busy], 0, 1))
    answered = np.maximum(asked - month.errors[busy], 0)
    # The sum of n log-normal sizes, by a gamma of the same mean and variance.
    sizes = rng.gamma(np.maximum(answered, 1e-9) / 1.2, 1.2 * habits.tokens_a_request)
    month.tokens[busy] = sizes * (answered > 0)
    dearness = 1 + 9 * (month.strange[busy] / np.maximum(asked, 1)) * (rng.random() < 0.5)
    month.cost[busy] = month.tokens[busy] * habits.nano_usd_a_token * dearness


def busiest_rate(month: Month) -> float:
    """Mean requests per minute of the busiest hour."""
    return float(month.requests.reshape(-1, 60).sum(axis=1).max()) / 60


@dataclass(slots=True)
class _Events:
    rate: Rates
    errors: Rates
    repeated: Rates
    new_share: Rates
    month: Month


def _season(rng: np.random.Generator, habits: Habits) -> Rates:
    minute = np.arange(MINUTES)
    hour = (minute % DAY) / 60
    weekday = (minute // DAY) % 7
    shift = rng.normal(0, 1.5)
    if habits.kind == "batch":
        return _batches(rng, habits)
    if habits.kind == "developer":
        return _sessions(rng, habits)
    if habits.kind == "consumer":
        day = np.exp(rng.uniform(0.6, 1.6) * np.cos((hour - 20 - shift) / 24 * 2 * np.pi))
        week = np.where(weekday >= 5, rng.uniform(1.0, 1.8), 1.0)
    elif habits.kind in ("business", "quiet"):
        day = 0.04 + np.exp(-(((hour - 13 - shift) / rng.uniform(3.0, 4.5)) ** 2) * 1.2)
        week = np.where(weekday >= 5, rng.uniform(0.02, 0.4), 1.0)
    else:
        day, week = np.ones(MINUTES), np.ones(MINUTES)
    # Days differ by themselves, and so do hours.
    daily = np.repeat(rng.lognormal(0, 0.12, DAYS), DAY)
    hourly = np.repeat(rng.lognormal(0, 0.12, DAYS * 24), 60)
    shape = day * week * daily * hourly
    return np.asarray(habits.mean_rate * shape / shape.mean())


def _batches(rng: np.random.Generator, habits: Habits) -> Rates:
    rate = np.full(MINUTES, habits.mean_rate * 0.02)
    every = int(rng.choice([60, DAY, DAY, WEEK], p=[0.2, 0.3, 0.3, 0.2]))
    length = {60: rng.integers(3, 20), DAY: rng.integers(10, 180), WEEK: rng.integers(60, 600)}[every]
    begin = int(rng.integers(0, every))
    for start in range(begin, MINUTES, every):
        size = rng.lognormal(0, 0.3)
        late = int(rng.exponential(10)) if every > 60 else int(rng.integers(0, 3))
        if rng.random() < 0.03:  # it did not run
            continue
        rate[start + late : start + late + int(length)] += habits.mean_rate * every / length * size * 0.98
    return rate


def _sessions(rng: np.random.Generator, habits: Habits) -> Rates:
    rate = np.full(MINUTES, habits.mean_rate * 0.01)
    for day in range(DAYS):
        for _ in range(rng.poisson(0.4 if day % 7 >= 5 else 2.5)):
            start = day * DAY + int(np.clip(rng.normal(14 * 60, 200), 0, DAY - 1))
            length = int(rng.exponential(50)) + 5
            rate[start : start + length] += habits.mean_rate * rng.lognormal(0, 0.8) * 12
    return rate


def _growth(rng: np.random.Generator) -> Rates:
    a_month = rng.choice([rng.normal(0.05, 0.1), rng.uniform(0.3, 1.2)], p=[0.85, 0.15])
    return np.asarray((1 + max(a_month, -0.5)) ** (np.arange(MINUTES) / MINUTES))


def _holidays(rng: np.random.Generator, habits: Habits) -> Rates:
    factor = np.ones(MINUTES)
    if rng.random() < 0.4:
        day = int(rng.integers(0, DAYS))
        low, high = (1.3, 2.5) if habits.kind == "consumer" else (0.05, 0.5)
        factor[day * DAY : (day + int(rng.integers(1, 4))) * DAY] = rng.uniform(low, high)
    return factor


def _new_share(rng: np.random.Generator, habits: Habits, month: Month) -> Rates:
    """The share of requests from networks younger than a day; in the first day all are."""
    share = np.zeros(MINUTES)
    a_day, weight = {"fixed": (0.02, 0.3), "office": (0.3, 0.15), "cloud": (3.0, 0.08), "roaming": (12.0, 0.02)}[
        habits.networks
    ]
    for start in np.flatnonzero(rng.random(MINUTES) < a_day / DAY):
        month.arrivals[start] += 1
        taken = min(weight * rng.lognormal(0, 0.5), 1.0)
        share[start : start + DAY] = 1 - (1 - share[start : start + DAY]) * (1 - taken)
    moves = rng.poisson({"fixed": 0.03, "office": 0.03, "cloud": 1.0, "roaming": 0.03}[habits.networks])
    for start in rng.integers(0, MINUTES, moves):  # to another datacentre, or another provider of access
        month.arrivals[start] += int(rng.integers(1, 5))
        share[start : start + DAY] = np.maximum(share[start : start + DAY], rng.uniform(0.5, 1.0))
    month.arrivals[0] += 3
    share[:DAY] = 1.0
    return share


def _strange_share(rng: np.random.Generator, habits: Habits) -> Rates:
    share = np.full(MINUTES, habits.rare_share)
    for start in rng.integers(0, MINUTES, rng.poisson(0.4)):  # a new model is tried, and at times moved to
        share[start : start + DAY] = rng.choice([rng.uniform(0.01, 0.2), 1.0], p=[0.6, 0.4])
    share[:DAY] = 1.0
    return share


def _launches(rng: np.random.Generator, habits: Habits, on: _Events) -> None:
    for start in rng.integers(0, MINUTES, rng.poisson(0.3)):
        peak, lasts = _log_uniform(rng, 1.0, 7.0), _log_uniform(rng, 3 * 60, 3 * DAY)
        stays = rng.choice([0.0, rng.uniform(0.1, 0.6)], p=[0.6, 0.4])
        after = np.arange(MINUTES - start)
        rise = np.minimum(after / rng.uniform(1, 45), 1.0)
        on.rate[start:] *= 1 + peak * rise * (stays + (1 - stays) * np.exp(-after / lasts))
        on.errors[start : start + 240] += rng.uniform(0, 0.05)
        if habits.networks in ("cloud", "roaming"):  # more machines
            on.month.arrivals[start : start + 60] += rng.poisson(0.1, len(on.month.arrivals[start : start + 60]))
            on.new_share[start : start + DAY] = np.maximum(on.new_share[start : start + DAY], rng.uniform(0.2, 0.6))


def _outages(rng: np.random.Generator, on: _Events) -> None:
    """A provider fails, or a deployment is broken: errors, and clients that try again with the same prompt."""
    for start in rng.integers(0, MINUTES, rng.poisson(0.7)):
        end = start + int(_log_uniform(rng, 5, 180))
        bad = rng.uniform(0.2, 1.0)
        on.errors[start:end] = bad
        on.rate[start:end] *= 1 + bad * rng.uniform(0.1, 2.0)
        on.repeated[start:end] = np.maximum(on.repeated[start:end], bad * rng.uniform(0.05, 0.3))


def _load_test(rng: np.random.Generator, on: _Events) -> None:
    """Somebody tries how much it takes, with a handful of prompts, from where they always call."""
    for start in rng.integers(0, MINUTES, rng.poisson(0.05)):
        end = start + int(rng.integers(5, 40))
        on.rate[start:end] = on.rate[start:end] * rng.uniform(5, 20) + rng.uniform(5, 60)
        on.repeated[start:end] = rng.uniform(0.1, 0.9)


def _forgotten_key(rng: np.random.Generator, habits: Habits, month: Month) -> None:
    """A key was rolled or revoked and one program still uses the old one; and people paste keys wrongly."""
    for start in rng.integers(0, MINUTES, rng.poisson(0.25)):
        end = min(start + int(_log_uniform(rng, 10, 3 * DAY)), MINUTES)
        a_minute = min(habits.mean_rate * rng.uniform(0.05, 0.5), 3.0) + 0.02
        month.failures[start:end] += rng.poisson(a_minute, end - start)
    stray = rng.integers(0, MINUTES, rng.poisson(1.5))
    month.failures[stray] += rng.integers(1, 4, len(stray))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
