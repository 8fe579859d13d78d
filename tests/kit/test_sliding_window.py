"""The sliding window against the list of everything that happened."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.kit.sliding_window import PARTS, SlidingWindow

MINUTE = 60_000_000
STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3_000), st.integers(0, 3_000_000), st.integers(0, 150_000_000)), st.integers(1, 50)
    ),
    max_size=200,
)


@dataclass
class Everything:
    """What a limiter that forgets nothing would know."""

    events: list[tuple[int, int]] = field(default_factory=list)

    def within(self, now: int, window_us: int) -> int:
        return sum(amount for at, amount in self.events if at > now - window_us)


@given(start=st.integers(0, 10**15), steps=STEPS, limit=st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_nothing_goes_over_and_little_is_refused_early(start: int, steps: list[tuple[int, int]], limit: int) -> None:
    window, everything, now = SlidingWindow(MINUTE), Everything(), start
    for pause, amount in steps:
        now += pause
        used = window.used(now)
        assert used >= everything.within(now, MINUTE)
        assert used <= everything.within(now, MINUTE + MINUTE // PARTS)
        if used + amount <= limit:
            window.add(now, amount)
            everything.events.append((now, amount))
            assert everything.within(now, MINUTE) <= limit


@given(steps=STEPS, limit=st.integers(50, 300))
@settings(max_examples=150, deadline=None)
def test_the_wait_is_true_to_the_microsecond(steps: list[tuple[int, int]], limit: int) -> None:
    window, now = SlidingWindow(MINUTE), 5 * MINUTE
    for pause, amount in steps:
        now += pause
        if window.used(now) + amount <= limit:
            window.add(now, amount)
            continue
        wait = window.wait_us(now, amount, limit)
        assert 0 < wait <= MINUTE
        assert window.used(now + wait - 1) + amount > limit
        assert window.used(now + wait) + amount <= limit
        now += wait


@given(steps=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(0, 50), st.integers(0, 50)), max_size=100))
@settings(max_examples=150, deadline=None)
def test_what_is_given_back_is_given_back_where_it_was_taken(steps: list[tuple[int, int, int]]) -> None:
    """Reservations settle in another order than they were made in; the sum never falls below what truly stands."""
    window, everything, now = SlidingWindow(MINUTE), Everything(), 0
    held: list[tuple[int, int, int]] = []
    for pause, amount, back in steps:
        now += pause
        assert window.used(now) >= everything.within(now, MINUTE)
        held.append((window.add(now, amount), now, amount))
        everything.events.append((now, amount))
        part, at, taken = held.pop(back % len(held))
        window.used(now)
        window.give_back(part, min(back, taken))
        everything.events.remove((at, taken))
        everything.events.append((at, taken - min(back, taken)))
    assert window.used(now) >= everything.within(now, MINUTE)
    assert window.used(now + 2 * MINUTE) == 0


def test_a_client_at_exactly_its_rate_is_never_refused() -> None:
    window, limit = SlidingWindow(MINUTE), 60
    for second in range(600):
        now = 10**15 + second * 1_000_000 + 300_000
        assert window.used(now) + 1 <= limit
        window.add(now, 1)


def test_a_clock_that_steps_back_is_stuck_for_one_window_at_most() -> None:
    window = SlidingWindow(MINUTE)
    now = 10**15
    window.used(now)
    window.add(now, 5)
    assert window.used(now - 5_000_000) == 5
    assert window.used(now - 3600 * 1_000_000) == 0
    window.add(now - 3600 * 1_000_000, 2)
    assert window.used(now - 3600 * 1_000_000 + MINUTE) == 0
    assert window.used(now + 3600 * 1_000_000) == 0


def test_it_says_when_it_will_be_empty() -> None:
    window = SlidingWindow(MINUTE)
    assert window.empty_in_us(7) == 0
    window.used(7)
    window.add(7, 1)
    window.used(1_000_007)
    window.add(1_000_007, 1)
    assert window.empty_in_us(2_000_007) == 59_000_000
    assert window.used(61_000_007) == 0
    assert window.empty_in_us(61_000_007) == 0


@given(start=st.integers(0, 10**15), steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_its_parts_are_what_it_holds_and_when(start: int, steps: list[tuple[int, int]]) -> None:
    window, now = SlidingWindow(MINUTE), start
    for pause, amount in steps:
        now += pause
        window.used(now)
        window.add(now, amount)
        parts = window.parts(now)
        assert sum(sum_ for sum_, _ in parts) == window.used(now)
        ages = [age for _, age in parts]
        assert ages == sorted(ages, reverse=True)
        assert ages[-1] == 0 and ages[0] < MINUTE
