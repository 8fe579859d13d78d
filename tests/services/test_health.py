"""The circuit breaker's promises, with a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.services.health import PROBE_SECONDS, ConnectionHealth
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
    assert (health.wait_seconds("a") > 0) is opens


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
