"""R-12: further attempts are at most a fifth of the requests, in any ten seconds."""

from hypothesis import given
from hypothesis import strategies as st

from aiservice.services.retry_budget import LEAST, PART, RetryBudget


class _Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_quiet_night_has_ten_and_a_busy_second_a_fifth() -> None:
    budget = RetryBudget(_Clock())
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    for _ in range(100):
        budget.asked(50.0)
    assert sum(budget.spend() for _ in range(50)) == 10


def test_half_of_it_is_for_failures_alone() -> None:
    budget = RetryBudget(_Clock())
    assert [budget.is_half_left and budget.spend() for _ in range(7)] == [True] * 5 + [False] * 2
    assert budget.spend()


def test_what_was_spent_comes_back_after_ten_seconds() -> None:
    clock = _Clock()
    budget = RetryBudget(clock)
    while budget.spend():
        pass
    clock.now += 11
    assert budget.spend()
    clock.now += 3_600
    assert budget.figures == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.floats(0, 4)), max_size=60))
def test_r12_in_no_ten_seconds_are_there_more_than_a_fifth(history: list[tuple[int, int, float]]) -> None:
    clock = _Clock()
    budget = RetryBudget(clock)
    asked: list[float] = []
    further: list[float] = []
    for requests, wishes, pause in history:
        clock.now += pause
        for _ in range(requests):
            budget.asked(clock.now)
            asked.append(clock.now)
        for _ in range(wishes):
            if budget.spend():
                further.append(clock.now)
                spent = sum(at > clock.now - 10 for at in further)
                assert spent <= max(LEAST, sum(at > clock.now - 10 for at in asked) // PART)
