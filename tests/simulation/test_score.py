"""What was promised of the watch before there was one (`thresholds.py`), on seeds that nothing was adjusted to."""

import numpy as np
import pytest

from aiservice.services.abuse_features import Counts
from tests.harness.evidence import Evidence
from tests.simulation import attacks
from tests.simulation.run import Run, attacked
from tests.simulation.score import BenignScore, flood_median, score_kinds
from tests.simulation.thresholds import (
    ATTACKS_A_KIND,
    BENIGN_CLIENT_MONTHS,
    FALSE_ALERTS_PER_CLIENT_MONTH,
    FALSE_BLOCKS_PER_1000_CLIENT_MONTHS,
    FALSE_HINDRANCES_PER_1000_CLIENT_MONTHS,
    MEDIAN_FLOOD_SECONDS,
    RECALL,
    TUNING_SEEDS,
)
from tests.simulation.traffic import DAY, benign_month, habits_of


def test_a_minute_that_is_skipped_is_one_that_is_not_worth_a_look() -> None:
    """The simulator looks at whole hours at once where the judge looks at each minute: both must agree."""
    rng = np.random.default_rng(11)
    run = Run(benign_month(rng, habits_of(rng)).matrix())
    run.verdicts(end_minute=10 * DAY)
    hour = 10 * 24
    looked = set(run._worth_a_look(hour))
    for minute in range(hour * 60, hour * 60 + 60):
        assert run.watch.is_worth_a_look(*run.at(minute)) == (minute in looked)


def test_floods_are_found_within_a_minute_and_few_clients_are_hindered(seed: int) -> None:
    """The long score in small: what it must not be worse than by far."""
    base = _fresh(seed)
    benign = BenignScore()
    for number in range(20):
        benign.add(base + number)
    outcomes = [attacked(base + 5_000 + number, attacks.runaway_loop)[0] for number in range(12)]
    assert benign.at_least("block") == 0
    assert sum(each.seconds is not None for each in outcomes) >= 11
    floods = [each for each in outcomes if each.is_flood]
    assert not floods or (flood_median(floods) or 0) <= 2 * MEDIAN_FLOOD_SECONDS


def test_nothing_is_seen_where_nothing_is_asked() -> None:
    run = Run(np.zeros((len(Counts._fields), 28 * DAY), dtype=np.int64))
    assert run.verdicts() == []


@pytest.mark.long
def test_the_watch_keeps_what_was_promised_before_it_was_made(seed: int, evidence: Evidence) -> None:
    base = _fresh(seed)
    benign = BenignScore()
    for number in range(BENIGN_CLIENT_MONTHS):
        benign.add(base + number)
    kinds = score_kinds(base, ATTACKS_A_KIND, benign.static_limit)
    tuned = [outcome for kind in kinds[: len(attacks.KINDS)] for outcome in kind.outcomes]
    recall = sum(each.seconds is not None for each in tuned) / len(tuned)
    flood_seconds = flood_median([each for each in tuned if each.is_flood])
    per_thousand = 1_000 / benign.months
    evidence.note(
        benign_client_months=benign.months,
        false_alerts_per_client_month=round(benign.alerts / benign.months, 3),
        false_alerts_wanted=FALSE_ALERTS_PER_CLIENT_MONTH,
        false_hindrances_per_1000=round(benign.at_least("throttle") * per_thousand, 2),
        false_hindrances_wanted=FALSE_HINDRANCES_PER_1000_CLIENT_MONTHS,
        false_quarantines_per_1000=round(benign.at_least("quarantine") * per_thousand, 2),
        false_blocks_per_1000=round(benign.at_least("block") * per_thousand, 2),
        recall=round(recall, 4),
        flood_median_seconds=flood_seconds,
        static_limit_a_minute=benign.static_limit,
        static_false_alerts_per_client_month=round(benign.static[benign.static_limit] / benign.months, 3),
        day_on_week_false_alerts_per_client_month=round(benign.day_on_week / benign.months, 3),
        kinds=[kind.row() for kind in kinds],
    )
    assert recall >= RECALL
    assert benign.at_least("block") * per_thousand <= FALSE_BLOCKS_PER_1000_CLIENT_MONTHS
    assert flood_seconds is not None
    assert flood_seconds <= MEDIAN_FLOOD_SECONDS


def _fresh(seed: int) -> int:
    """Where this run's seeds begin: beyond all that were used while the detector was adjusted."""
    return TUNING_SEEDS.stop + 10_000_000 * (1 + seed % 100_000)
