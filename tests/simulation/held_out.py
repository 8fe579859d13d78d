"""Two kinds of attack that the detector is never adjusted to: they are only scored, at the end."""

import numpy as np

from tests.simulation.attacks import Attack, Maker, Manner, arrive, describe, log_uniform, span_of
from tests.simulation.traffic import DAY, Habits, Month


def resold_key(rng: np.random.Generator, habits: Habits) -> Attack:
    """A key is passed on: a crowd, each asking little, growing over hours, with another continent's day."""
    span = span_of(rng, int(log_uniform(rng, DAY, 5 * DAY)))
    length = span[1] - span[0]
    after = np.arange(length)
    peak = max(3.0, habits.mean_rate * log_uniform(rng, 1, 5))
    rise = np.minimum(after / rng.uniform(6 * 60, 2 * DAY), 1.0)
    day = 1 + 0.7 * np.cos((span[0] + after - rng.uniform(0, DAY)) / DAY * 2 * np.pi)
    month = Month()
    rate = peak * (0.1 + 0.9 * rise) * day
    month.requests[span[0] : span[1]] = rng.poisson(rate)
    arrive(rng, month, span, int(log_uniform(rng, 10, 200)), within=length)
    describe(rng, month, habits, Manner(new=rng.uniform(0.5, 0.9), strange=rng.choice([0.0, 0.8])))
    return Attack("resold key", month, *span, float(rate[0]))


def swollen_answers(rng: np.random.Generator, habits: Habits) -> Attack:
    """Somebody who writes to the client's own application makes each request many times as long and as dear."""
    span = span_of(rng, int(log_uniform(rng, 60, DAY)))
    month = Month()
    more = log_uniform(rng, 7, 30)
    # As many requests as ever: theirs are a quarter more, each of them swollen.
    rate = max(0.5, habits.mean_rate * 0.25)
    month.requests[span[0] : span[1]] = rng.poisson(rate, span[1] - span[0])
    describe(rng, month, habits, Manner(size=more * 4))
    return Attack("swollen answers", month, *span, rate)


KINDS: dict[str, Maker] = {"resold key": resold_key, "swollen answers": swollen_answers}
