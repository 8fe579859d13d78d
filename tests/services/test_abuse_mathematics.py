"""The mathematics of the watch: bounds that hold, a baseline that nothing odd moves, steps that are taken in order."""

import math

from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from aiservice.kit.clock import DAY_US, MINUTE_US
from aiservice.services.abuse_baseline import Baseline
from aiservice.services.abuse_evidence import without_forgiven
from aiservice.services.abuse_familiar import Familiar, RawMinute
from aiservice.services.abuse_features import Counts, Evidence, Hour, Level
from aiservice.services.abuse_ladder import BLOCK_AFTER_SECONDS, QUARANTINE_AFTER_SECONDS, Case, decide
from aiservice.services.abuse_tails import least_surprising, surprise, weighted_median

few = given_settings(max_examples=60, deadline=None)


def exact_tail_bans(observed: int, mean: float, variance: float) -> float:
    """-log10 P(X >= observed) of the negative binomial itself."""
    size = 1 / variance
    q = mean / (mean + size)
    # The tail itself, term by term: one less what is below it has only twelve digits.
    tail = sum(
        math.exp(
            math.lgamma(n + size) - math.lgamma(size) - math.lgamma(n + 1) + size * math.log1p(-q) + n * math.log(q)
        )
        for n in range(observed, observed + 5_000)
    )
    return -math.log10(tail)


@few
@given(st.floats(0.5, 50), st.floats(0.02, 1), st.floats(1.1, 6))
def test_how_unlikely_is_never_overstated(mean: float, variance: float, times: float) -> None:
    observed = math.ceil(mean * times)
    assert surprise(observed, mean, variance) <= exact_tail_bans(observed, mean, variance) + 1e-6


@few
@given(st.floats(0.5, 8), st.floats(0.1, 1e5), st.floats(0.02, 1))
def test_the_least_surprising_count_is_the_first_that_is(bans: float, mean: float, variance: float) -> None:
    count = least_surprising(bans, mean, variance)
    assert surprise(count, mean, variance) >= bans
    assert surprise(count - 1, mean, variance) < bans


@few
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.1, 3)), min_size=1, max_size=40))
def test_half_of_the_weight_is_on_either_side_of_the_median(pairs: list[tuple[float, float]]) -> None:
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    middle, whole = weighted_median(values, weights), sum(weights)
    assert sum(weight for value, weight in pairs if value < middle) <= whole / 2 + 1e-9
    assert sum(weight for value, weight in pairs if value > middle) <= whole / 2 + 1e-9


def usual(requests: int, **more: int) -> Hour:
    return Hour(Counts(requests=requests, tokens=100 * requests, **more), requests // 20, requests // 4)


def weeks_of(requests: int, hours: int = 21 * 24) -> Baseline:
    baseline = Baseline()
    for _ in range(hours):
        baseline.learn(usual(requests))
    return baseline


def test_one_wild_hour_does_not_move_what_is_expected() -> None:
    calm, baseline = weeks_of(200).expect(), weeks_of(200, 13 * 24)
    baseline.learn(usual(50_000))
    for _ in range(8 * 24 - 1):
        baseline.learn(usual(200))
    assert baseline.expect().level == calm.level
    assert baseline.expect().top_hour["requests"] == calm.top_hour["requests"]


def test_a_tainted_hour_teaches_nothing() -> None:
    baseline = weeks_of(200)
    baseline.learn(usual(9_000)._replace(is_tainted=True))
    assert baseline.expect().top_minute == 10


def test_night_and_day_are_expected_apart() -> None:
    baseline = Baseline()
    for hour in range(21 * 24):
        baseline.learn(usual(4 if hour % 24 < 8 else 400))
    assert math.expm1(baseline.expect().level) < 10  # what comes next is midnight
    for hour in range(12):
        baseline.learn(usual(4 if hour < 8 else 400))
    assert math.expm1(baseline.expect().level) > 300


VOLUME = Evidence("requests", "volume", "minute", 900.0, 10.0, 8.0)
ELSEWHERE = Evidence("new addresses", "identity", "10 minutes", 900.0, 1.0, 4.0)
GUESSED = Evidence("failed authentications", "guessing", "10 minutes", 900.0, 22.0, 8.0)


def steps(evidence: list[Evidence], seconds: int, most: Level = Level.BLOCK) -> list[tuple[float, Level]]:
    case = Case()
    found = ((now, decide(case, evidence, float(now), most)) for now in range(0, seconds, 5))
    return [(now, step.level) for now, step in found if step is not None and step.is_new]


def test_the_answer_goes_one_step_after_the_other() -> None:
    taken = steps([VOLUME, ELSEWHERE, GUESSED], 3_600)
    assert [level for _, level in taken] == [Level.THROTTLE, Level.QUARANTINE, Level.BLOCK]
    assert taken[1][0] >= QUARANTINE_AFTER_SECONDS
    assert taken[2][0] >= taken[1][0] + BLOCK_AFTER_SECONDS


def test_it_never_goes_further_than_the_policy() -> None:
    for most in (Level.ALERT, Level.THROTTLE, Level.QUARANTINE):
        assert max(level for _, level in steps([VOLUME, ELSEWHERE, GUESSED], 3_600, most)) == most


def test_nobody_is_blocked_for_asking_much() -> None:
    loop = Evidence("repeated prompts", "content", "10 minutes", 8_000.0, 3.0, 6.5)
    many = Evidence("requests", "volume", "10 minutes", 9_000.0, 100.0, 8.0)
    assert max(level for _, level in steps([VOLUME, many, loop], 20_000)) is Level.QUARANTINE


def test_little_is_nothing() -> None:
    assert steps([VOLUME._replace(bans=4.0)], 3_600) == []


def test_it_begins_anew_after_it_has_ended() -> None:
    case = Case()
    first = decide(case, [VOLUME, ELSEWHERE], 0.0, Level.BLOCK)
    assert first is not None
    assert decide(case, [], first.until + 1, Level.BLOCK) is None
    assert case.level is Level.NONE


def test_what_was_forgiven_counts_again_only_when_it_is_much_more() -> None:
    forgiven = {"requests/minute": 900.0}
    assert without_forgiven([VOLUME._replace(observed=1_300.0), ELSEWHERE], forgiven) == [ELSEWHERE]
    assert len(without_forgiven([VOLUME._replace(observed=1_400.0)], forgiven)) == 1


def test_a_network_is_new_for_a_day_and_so_is_a_model() -> None:
    familiar = Familiar()
    familiar.see(0, {"home": 50}, {"small": 50})
    later = 2 * DAY_US
    familiar.see(later, {"home": 5, "there": 7}, {})
    raw = RawMinute(requests=12, networks={"home": 5, "there": 7}, models={"small": 9, "huge": 3})
    counts = familiar.counts(later, raw)
    assert (counts.new_requests, counts.arrivals, counts.strange) == (7, 1, 3)
    assert familiar.counts(later + DAY_US + MINUTE_US, raw).new_requests == 0


def test_a_model_that_is_hardly_ever_asked_for_stays_strange() -> None:
    familiar = Familiar()
    familiar.see(0, {}, {"small": 990, "huge": 10})
    raw = RawMinute(models={"small": 5, "huge": 4})
    assert familiar.counts(3 * DAY_US, raw).strange == 4
