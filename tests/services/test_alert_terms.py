"""When a rule fires and resolves, over any course of values."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.clock import MINUTE_US, SECOND_US
from aiservice.services.alert_terms import Course, NoData, Terms, Verdict, judge, recovers_at

values = st.one_of(st.none(), st.floats(-1e6, 1e6))
terms_of_any_kind = st.builds(
    Terms,
    threshold=st.floats(0, 1e6),
    is_below=st.booleans(),
    for_seconds=st.integers(0, 600),
    no_data=st.sampled_from(NoData),
    has_band=st.booleans(),
)
looks = st.lists(st.tuples(st.integers(0, 600), values), max_size=40)


def run(terms: Terms, course_of_values: list[tuple[int, float | None]]) -> list[tuple[int, Verdict]]:
    """The verdicts that are not nothing, with their times in seconds."""
    course, at = Course(), 0
    found: list[tuple[int, Verdict]] = []
    for step, value in course_of_values:
        at += step
        course, verdict = judge(terms, course, value, at * SECOND_US)
        if verdict is not Verdict.NOTHING:
            found.append((at, verdict))
    return found


@given(terms=terms_of_any_kind, values=looks)
def test_firing_and_resolving_alternate(terms: Terms, values: list[tuple[int, float | None]]) -> None:
    verdicts = [verdict for _, verdict in run(terms, values)]
    assert verdicts == [Verdict.RESOLVE if place % 2 else Verdict.FIRE for place in range(len(verdicts))]


@given(terms=terms_of_any_kind, values=looks)
def test_between_two_verdicts_lies_at_least_the_time_asked_for(
    terms: Terms, values: list[tuple[int, float | None]]
) -> None:
    times = [at for at, _ in run(terms, [(0, None), *values])]
    assert all(later - sooner >= terms.for_seconds for sooner, later in pairwise(times))


@given(terms=terms_of_any_kind, steps=st.lists(st.integers(0, 600), max_size=30))
def test_without_data_the_mode_alone_decides(terms: Terms, steps: list[int]) -> None:
    verdicts = [verdict for _, verdict in run(terms, [(step, None) for step in steps])]
    lasts = bool(steps) and sum(steps[1:]) >= terms.for_seconds
    assert verdicts == ([Verdict.FIRE] if terms.no_data is NoData.ALERT and lasts else [])


@given(terms=terms_of_any_kind, inside=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=30))
def test_a_value_that_trembles_inside_the_band_makes_one_alert(terms: Terms, inside: list[float]) -> None:
    if not terms.has_band or terms.threshold < 1:
        return
    bad = terms.threshold * (0.5 if terms.is_below else 2)
    good = recovers_at(terms)
    trembling = [(60, terms.threshold + (good - terms.threshold) * share) for share in inside]
    assert len(run(terms, [(0, bad), (terms.for_seconds, bad), *trembling])) == 1


def test_a_short_peak_does_not_fire() -> None:
    terms = Terms(20, for_seconds=300)
    assert run(terms, [(0, 50), (240, 50), (30, 5), (60, 50), (299, 50)]) == []
    assert run(terms, [(0, 50), (300, 50)]) == [(300, Verdict.FIRE)]


def test_what_is_exactly_at_the_threshold_is_not_beyond_it() -> None:
    assert run(Terms(20), [(0, 20.0)]) == []
    assert run(Terms(1, is_below=True), [(0, 1.0)]) == []
    assert run(Terms(1, is_below=True), [(0, 0.0)]) == [(0, Verdict.FIRE)]


def test_a_clock_that_goes_back_neither_fires_nor_raises() -> None:
    course, _ = judge(Terms(20, for_seconds=60), Course(), 50, 10 * MINUTE_US)
    course, verdict = judge(Terms(20, for_seconds=60), course, 50, 5 * MINUTE_US)
    assert (verdict, course.turned_us) == (Verdict.NOTHING, 5 * MINUTE_US)
