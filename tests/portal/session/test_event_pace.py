"""T-61: the pace of one socket's events."""

from aiservice.portal.session.event_pace import AT_ONCE, EVENTS_PER_SECOND, MOST_WAITING, EventPace


def test_t61_some_events_pass_at_once_then_they_wait_their_turn_and_then_they_are_dropped() -> None:
    pace = EventPace(clock=lambda: 100.0)
    waits = [pace.wait_seconds("a") for _ in range(1_000)]
    assert max(wait or 0 for wait in waits[:AT_ONCE]) < 1e-6
    assert abs((waits[AT_ONCE + 49] or 0) - 50 / EVENTS_PER_SECOND) < 1e-6
    assert sum(wait is not None for wait in waits) in (AT_ONCE + MOST_WAITING, AT_ONCE + MOST_WAITING - 1)
    assert pace.wait_seconds("b") == 0.0


def test_t61_a_socket_that_was_quiet_may_begin_anew() -> None:
    now = [0.0]
    pace = EventPace(clock=lambda: now[0])
    while pace.wait_seconds("a") is not None:
        pass
    now[0] += 60
    assert pace.wait_seconds("a") == 0.0
