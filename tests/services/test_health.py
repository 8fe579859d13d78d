"""The circuit breaker's promises, with a clock of the test's own."""

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.services.health import PROBE_SECONDS, ConnectionHealth
from aiservice.services.health_views import merged, picture
from aiservice.services.pulse import MOST_WAITING_OUT, SILENT
from aiservice.services.routing_facts import Load, RoutingFacts
from aiservice.wire import AttemptFailure, Blame


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _down(code: str = "upstream_connect_failed", status: int | None = None) -> AttemptFailure:
    return AttemptFailure(502, code, "", Blame.FAILOVER, upstream_status=status)


def _opened() -> tuple[ConnectionHealth, _Clock]:
    clock = _Clock()
    health = ConnectionHealth(clock)
    for _ in range(5):
        assert health.wait_seconds("a") == 0
        health.failed("a", _down())
    return health, clock


def test_r13_five_failures_in_a_row_open_it_and_no_other_connection() -> None:
    health, _ = _opened()
    assert health.wait_seconds("a") == PROBE_SECONDS
    assert health.wait_seconds("b") == 0
    assert health.open_connections() == {"a": "upstream_connect_failed"}


def test_r13_two_seconds_of_failures_open_it_but_one_failure_does_not() -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    health.failed("a", _down())
    clock.now += 60
    assert health.wait_seconds("a") == 0
    health.failed("a", _down())
    assert health.wait_seconds("a") > 0


def test_r13_one_request_in_five_seconds_tries_it_and_its_success_closes_it() -> None:
    health, clock = _opened()
    for _ in range(3):
        clock.now += PROBE_SECONDS
        assert [health.wait_seconds("a") == 0 for _ in range(20)] == [True] + [False] * 19
        health.failed("a", _down())
    clock.now += PROBE_SECONDS
    assert health.wait_seconds("a") == 0
    health.succeeded("a")
    assert [health.wait_seconds("a") for _ in range(20)] == [0.0] * 20
    assert health.open_connections() == {}


def test_a_success_between_failures_keeps_it_closed() -> None:
    health = ConnectionHealth(_Clock())
    for _ in range(20):
        health.failed("a", _down())
        health.failed("a", _down())
        health.succeeded("a")
    assert health.wait_seconds("a") == 0


@pytest.mark.parametrize(
    ("code", "status", "opens"),
    [
        ("provider_failed", 503, True),
        ("provider_failed", 529, True),
        ("provider_failed", 500, False),
        ("provider_quota_exhausted", 429, False),
        ("upstream_auth_failed", 401, False),
        ("context_length_exceeded", 400, False),
        ("upstream_truncated", 200, True),
        ("upstream_first_byte_timeout", None, True),
        ("sealed", None, False),
    ],
)
def test_only_signs_that_the_provider_is_down_count(code: str, status: int | None, opens: bool) -> None:
    health = ConnectionHealth(_Clock())
    for _ in range(9):
        health.failed("a", _down(code, status))
    assert ("a" in health.open_connections()) is opens


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 7)), max_size=200))
def test_r13_whatever_happens_no_two_probes_of_an_open_breaker_are_closer_than_five_seconds(
    history: list[tuple[bool, float]],
) -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    last_probe: float | None = None
    for is_good, pause in history:
        clock.now += pause
        was_open = bool(health.open_connections())
        if health.wait_seconds("a"):
            continue
        if was_open:
            assert last_probe is None or clock.now - last_probe >= PROBE_SECONDS - 1e-6
            last_probe = clock.now
        if is_good:
            health.succeeded("a")
            last_probe = None
        else:
            health.failed("a", _down())


class _Task:
    """Stands for a request's task."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


def _begin(health: ConnectionHealth, *, is_movable: bool = True) -> tuple[Load, _Task]:
    task = _Task()
    fact = RoutingFacts().of(("a", "m"))
    return health.begin("a", fact, cast("asyncio.Task[None]", task), health.clock(), is_movable=is_movable), task


def _answer(health: ConnectionHealth, clock: _Clock, seconds: float) -> None:
    waiter, _ = _begin(health)
    clock.now += seconds
    del waiter.pulse.waiting[waiter]
    health.answered(waiter, "m", is_stream=False)


@pytest.mark.parametrize("code", ["upstream_auth_failed", "upstream_quota_exhausted"])
def test_a_dead_key_is_left_alone_for_its_model_after_three_refusals_and_told(code: str) -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    told: list[tuple[str, str, str]] = []
    health.tell_dead_key = lambda *said: told.append(said)
    for _ in range(3):
        assert health.wait_seconds("a", "m") == 0
        health.failed("a", _down(code, 403), "m")
    assert health.wait_seconds("a", "m") == 30
    assert health.wait_seconds("a", "another model") == 0
    assert told == [("a", "m", code)] * 3


def test_ten_failures_of_its_own_in_a_row_open_a_model_and_one_answer_closes_it() -> None:
    health = ConnectionHealth(_Clock())
    for _ in range(9):
        health.failed("a", _down("provider_failed", 500), "m")
    assert health.wait_seconds("a", "m") == 0
    health.failed("a", _down("provider_failed", 500), "m")
    assert health.wait_seconds("a", "m") == PROBE_SECONDS
    health.succeeded("a", "m")
    assert health.wait_seconds("a", "m") == 0


def test_a_silent_provider_keeps_five_waiters_and_the_rest_go_on_elsewhere() -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    for _ in range(200):
        health.budget.asked(clock.now)
        _answer(health, clock, 0.01)
    waiting = []
    for number in range(120):
        waiting.append(_begin(health, is_movable=number != 30))
        clock.now += 0.01
    moved = [number for number, (waiter, task) in enumerate(waiting) if waiter.is_moved and task.cancelled == 1]
    assert health.open_connections() == {"a": SILENT}
    assert moved[0] == MOST_WAITING_OUT
    assert 30 not in moved
    assert len(moved) == health.budget.figures[1] == 40, "a fifth of the requests and no more"


def test_no_more_than_five_wait_a_silent_provider_out_who_finds_it_out_among_them() -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    for _ in range(1_000):
        health.budget.asked(clock.now)
    for _ in range(30):
        _answer(health, clock, 0.01)
    waiting = []
    while not health.open_connections():
        waiting.append(_begin(health)[0])
        clock.now += 0.01
    assert sum(not waiter.is_moved for waiter in waiting) == MOST_WAITING_OUT
    assert waiting[-1].is_moved


def test_slow_answers_are_no_silence() -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    for _ in range(30):
        _answer(health, clock, 3.0)
    for _ in range(60):
        _begin(health)
        clock.now += 0.1
    assert health.open_connections() == {}


def test_a_provider_of_which_little_is_known_is_given_its_time() -> None:
    clock = _Clock()
    health = ConnectionHealth(clock)
    for _ in range(60):
        _begin(health)
        clock.now += 1
    assert health.open_connections() == {}


def test_a_probe_is_waited_for_twice_as_long_as_the_one_before() -> None:
    health, clock = _opened()
    waits = []
    for _ in range(3):
        clock.now += PROBE_SECONDS
        assert health.wait_seconds("a") == 0
        waits.append(health.probe_seconds("a", ""))
    assert waits == [2.0, 4.0, 8.0]


def test_what_people_see_of_two_workers_adds_up() -> None:
    clock = _Clock()
    one, other = ConnectionHealth(clock), ConnectionHealth(clock)
    for _ in range(3):
        _answer(one, clock, 0.1)
    other.failed("a", _down(), "m")
    seen = merged([one.said(), other.said()])["a"]
    assert (seen["attempts"], seen["success_rate"], seen["p50_ms"]) == (4, 0.75, 100)
    assert seen["last_error"] == {"code": "upstream_connect_failed", "model": "m", "seconds_ago": 0}
    assert seen["breaker"] is None


def test_an_open_breaker_says_why_and_when_it_is_tried_again() -> None:
    health, clock = _opened()
    clock.now += 2
    told = picture(health.pulse("a"), clock.now)["breaker"]
    assert told == {
        "code": "upstream_connect_failed",
        "status": None,
        "why": "it cannot be reached",
        "failures": 5,
        "failing_seconds": 0.0,
        "open_seconds": 2,
        "next_try_seconds": 3.0,
    }
