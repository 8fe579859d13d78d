"""The simulator does what it says: it can be repeated, months have their clients' mean, attacks stay in their time."""

import numpy as np
import pytest

from tests.simulation import attacks, held_out
from tests.simulation.thresholds import LEARNING_DAYS
from tests.simulation.traffic import DAY, MINUTES, benign_month, habits_of

KINDS = {**attacks.KINDS, **held_out.KINDS}


def test_a_seed_gives_the_same_month_again() -> None:
    first, second = (np.random.default_rng(7) for _ in range(2))
    month = benign_month(first, habits_of(first))
    assert (month.matrix() == benign_month(second, habits_of(second)).matrix()).all()


def test_months_have_about_their_clients_mean() -> None:
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(20):
        habits = habits_of(rng)
        ratios.append(benign_month(rng, habits).requests.mean() / habits.mean_rate)
    assert 0.7 < np.median(ratios) < 2.0


def test_no_share_is_larger_than_the_whole() -> None:
    rng = np.random.default_rng(3)
    month = benign_month(rng, habits_of(rng))
    for part in (month.errors, month.repeated, month.new_requests, month.strange):
        assert (part <= month.requests).all()
        assert (part >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_stays_in_its_time_and_begins_after_the_learning(kind: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(3):
        attack = KINDS[kind](rng, habits_of(rng))
        outside = np.ones(MINUTES, dtype=bool)
        outside[attack.start : attack.end] = False
        assert attack.month.matrix().sum() > 0
        assert LEARNING_DAYS * DAY <= attack.start < attack.end <= MINUTES
        assert attack.month.requests[outside].sum() == attack.month.failures[outside].sum() == 0
