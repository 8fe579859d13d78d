"""The five kinds of attack that the detector is made for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.simulation.thresholds import LEARNING_DAYS
from tests.simulation.traffic import DAY, MINUTES, Habits, Month, Rates, fill


@dataclass(slots=True)
class Attack:
    """What an attacker asks for, on top of the client's own month. Minutes of the month; `rate` is per minute, of
    requests or (stuffing) of failed authentications, at the beginning."""

    kind: str
    month: Month
    start: int
    end: int
    rate: float


Maker = Callable[[np.random.Generator, Habits], Attack]


def stolen_key(rng: np.random.Generator, habits: Habits) -> Attack:
    """Somebody else calls, from one to five networks never seen, mostly for other models, at whatever hour."""
    rate = max(2.0, habits.mean_rate * log_uniform(rng, 0.5, 20))
    span = _span(rng, 60, 2 * DAY)
    month = asked(rng, span, rate, spread=0.5)
    arrive(rng, month, span, int(rng.integers(1, 6)), within=60)
    strange = rng.uniform(0.6, 1.0) if rng.random() < 0.7 else 0.0
    describe(rng, month, habits, Manner(new=1.0, strange=strange, errors=rng.uniform(0, 0.2)))
    return Attack("stolen key", month, *span, rate)


def runaway_loop(rng: np.random.Generator, habits: Habits) -> Attack:
    """The client's own program asks the same again and again."""
    rate = max(20.0, habits.mean_rate * log_uniform(rng, 5, 50))
    span = _span(rng, 15, 360)
    month = asked(rng, span, rate, spread=0.02)
    errors = rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.6, 0.4])
    describe(rng, month, habits, Manner(repeated=rng.uniform(0.7, 1.0), errors=errors))
    return Attack("runaway loop", month, *span, rate)


def scraping(rng: np.random.Generator, habits: Habits) -> Attack:
    """Everything that can be asked is asked: no prompt twice, from the client's own networks or a few new ones."""
    rate = max(10.0, habits.mean_rate * log_uniform(rng, 4, 20))
    span = _span(rng, 60, DAY)
    month = asked(rng, span, rate, spread=0.05)
    is_from_new = rng.random() < 0.5
    if is_from_new:
        arrive(rng, month, span, int(rng.integers(1, 20)), within=60)
    describe(rng, month, habits, Manner(new=1.0 if is_from_new else 0.0, size=log_uniform(rng, 0.5, 3)))
    return Attack("scraping", month, *span, rate)


def slow_drip(rng: np.random.Generator, habits: Habits) -> Attack:
    """A little all the time, for days: as much again as the client uses, or twice that, evenly over day and night."""
    rate = max(0.03, habits.mean_rate * rng.uniform(0.6, 2.0))
    span = _span(rng, 5 * DAY, 12 * DAY)
    month = asked(rng, span, rate, spread=0.2)
    is_from_new = rng.random() < 0.6
    if is_from_new:
        arrive(rng, month, span, 1, within=60)
    manner = Manner(size=log_uniform(rng, 0.8, 2))
    describe(rng, month, habits, manner)
    if is_from_new:  # familiar after a day
        month.new_requests[span[0] : span[0] + DAY] = month.requests[span[0] : span[0] + DAY]
    return Attack("slow drip", month, *span, rate)


def credential_stuffing(rng: np.random.Generator, habits: Habits) -> Attack:
    """Old and guessed secrets of the client's keys are tried from many networks; one time in five one of them works."""
    rate = log_uniform(rng, 6, 200)
    span = _span(rng, 10, 360)
    month = Month()
    if rng.random() < 0.2:
        found = (span[0] + (span[1] - span[0]) // 2, span[1])
        month = asked(rng, found, max(2.0, habits.mean_rate), spread=0.5)
        arrive(rng, month, found, 1, within=5)
        describe(rng, month, habits, Manner(new=1.0))
    month.failures[span[0] : span[1]] += rng.poisson(rate, span[1] - span[0])
    return Attack("credential stuffing", month, *span, rate)


KINDS: dict[str, Maker] = {
    "stolen key": stolen_key,
    "runaway loop": runaway_loop,
    "scraping": scraping,
    "slow drip": slow_drip,
    "credential stuffing": credential_stuffing,
}


@dataclass(slots=True)
class Manner:
    """What an attacker's requests are like: shares of them, and `size` times the client's tokens a request."""

    new: float = 0.0
    strange: float = 0.0
    repeated: float = 0.0
    errors: float = 0.02
    size: float = 1.0


def asked(rng: np.random.Generator, span: tuple[int, int], rate: float, spread: float) -> Month:
    """A month with requests in `span` only, at a mean `rate` per minute."""
    month = Month()
    length = span[1] - span[0]
    month.requests[span[0] : span[1]] = rng.poisson(rate * rng.gamma(1 / spread, spread, length))
    return month


def arrive(rng: np.random.Generator, month: Month, span: tuple[int, int], networks: int, within: int) -> None:
    """New networks, the first at once, the others in the first `within` minutes."""
    month.arrivals[span[0]] += 1
    others = rng.integers(0, min(within, span[1] - span[0]), networks - 1)
    np.add.at(month.arrivals, span[0] + others, 1)


def describe(rng: np.random.Generator, month: Month, habits: Habits, manner: Manner) -> None:
    """Gives an attacker's requests their manner."""

    def every(share: float) -> Rates:
        return np.full(MINUTES, share)

    fill(
        rng,
        month,
        habits,
        errors=every(manner.errors),
        repeated=every(manner.repeated),
        new=every(manner.new),
        strange=every(manner.strange),
    )
    month.tokens[:] = month.tokens * manner.size
    month.cost[:] = month.cost * manner.size


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Between `low` and `high`, each doubling as likely as any other."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _span(rng: np.random.Generator, shortest: int, longest: int) -> tuple[int, int]:
    return span_of(rng, int(log_uniform(rng, shortest, longest)))


def span_of(rng: np.random.Generator, length: int) -> tuple[int, int]:
    """When an attack of `length` minutes begins and ends: after the learning, within the month."""
    start = int(rng.integers(LEARNING_DAYS * DAY, MINUTES - min(length, 12 * DAY)))
    return start, min(start + length, MINUTES)
