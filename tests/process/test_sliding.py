"""The checker of limits itself, against every window looked at by hand."""

from hypothesis import given
from hypothesis import strategies as st

from tests.process.sliding import MINUTE_US, Arrival, worst


def test_bursts_on_both_sides_of_a_minutes_edge_are_in_one_window() -> None:
    edge = 100 * MINUTE_US
    calls = [Arrival(edge - 250_000, 5) for _ in range(100)] + [Arrival(edge + 250_000, 5) for _ in range(100)]
    assert (worst(calls), worst(calls, in_tokens=True)) == (200, 1_000)
    assert worst(calls, until_us=edge) == worst(calls, since_us=edge) == 100


def test_what_is_a_whole_minute_old_counts_no_more() -> None:
    assert worst([Arrival(0, 1), Arrival(MINUTE_US, 1)]) == 1
    assert worst([Arrival(1, 1), Arrival(MINUTE_US, 1)]) == 2
    assert worst([]) == 0


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 9)), max_size=40))
def test_it_finds_the_worst_window_of_all(events: list[tuple[int, int]]) -> None:
    calls = [Arrival(at, tokens) for at, tokens in sorted(events)]
    windows = [[call for call in calls if end - 60 < call.at_us <= end] for end in range(361)]
    assert worst(calls, window_us=60) == max(len(window) for window in windows)
    assert worst(calls, in_tokens=True, window_us=60) == max(sum(call.tokens for call in one) for one in windows)
