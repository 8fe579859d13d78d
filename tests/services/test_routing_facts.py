"""What a place's throughput is learned from: answers while they come, and for a while."""

import pytest

from aiservice.services.pulse import Pulse
from aiservice.services.routing_facts import KNOWN_SECONDS, Fact, Load
from aiservice.wire import Usage


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def fact(clock: _Clock) -> Fact:
    return Fact(clock)


def _streamed(
    fact: Fact, clock: _Clock, tokens: int, seconds: float, *, waited: float = 0.0, held: float = 0.0
) -> None:
    """An answer whose first event came after `waited` seconds, and the rest in so many more."""
    load = Load(fact, Pulse(clock.now), clock.now)
    clock.now += waited
    load.first_at, load.held_seconds = clock.now, held
    clock.now += seconds
    load.ended(Usage(10, tokens, source="reported"), 10, clock.now)


def test_the_wait_for_the_first_event_is_no_part_of_it(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 100, 2.0, waited=8.0)
    assert fact.tokens_per_second == 50


def test_an_answer_of_a_few_tokens_says_nothing_of_it(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 3, 2.0, waited=1.0)
    assert fact.tokens_per_second == 0
    assert list(fact.outputs) == [3]


def test_a_client_that_reads_slowly_makes_no_place_slow(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 100, 22.0, held=20.0)
    assert fact.tokens_per_second == 50


def test_what_came_in_one_piece_was_made_before(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 100, 0.001, waited=2.0)
    assert fact.tokens_per_second == pytest.approx(50, rel=0.01)


def test_a_whole_answer_is_as_quick_as_all_of_it(fact: Fact, clock: _Clock) -> None:
    load = Load(fact, Pulse(clock.now), clock.now)
    clock.now += 4
    load.ended(Usage(10, 100, source="reported"), 10, clock.now)
    assert fact.tokens_per_second == 25


def test_it_is_a_mean_that_one_answer_moves_little_and_one_given_up_halfway(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 100, 1.0)
    _streamed(fact, clock, 20, 1.0)
    assert fact.tokens_per_second == 90
    fact.crawled(10)
    assert fact.tokens_per_second == 50


def test_it_is_forgotten_so_that_a_slow_place_is_tried_again(fact: Fact, clock: _Clock) -> None:
    _streamed(fact, clock, 20, 10.0)
    clock.now += KNOWN_SECONDS - 1
    assert fact.tokens_per_second == 2
    clock.now += 2
    assert fact.tokens_per_second == 0
    _streamed(fact, clock, 100, 1.0)
    assert fact.tokens_per_second == 100, "the old figure is no part of the new one"


def test_a_stream_given_up_for_its_pace_was_late_by_its_first_event_alone(fact: Fact, clock: _Clock) -> None:
    load = Load(fact, Pulse(clock.now), clock.now)
    load.first_at = clock.now + 0.2
    clock.now += 9
    load.failed()
    assert fact.first.value == pytest.approx(0.2)
