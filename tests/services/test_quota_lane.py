"""One provider's limits and turns, step by step on a clock of the test's own."""

from hypothesis import given
from hypothesis import strategies as st

from aiservice.services.call_window import CallWindow
from aiservice.services.fair_queue import FairQueue
from aiservice.services.quota_lane import Lane
from aiservice.services.quota_notes import SECOND_US
from aiservice.services.quota_turn import Turn
from aiservice.wire import QuotaNote

MINUTE_US = 60 * SECOND_US
NOW = 10_000 * MINUTE_US


def _go(lane: Lane, now: int, client: str = "a", tokens: int = 10) -> Turn | None:
    turn = Turn(lane, client, 1.0, tokens, 0)
    return turn if lane.enter(turn, now) else None


def _taken(lane: Lane, now: int, *notes: QuotaNote, client: str = "a", tokens: int = 10) -> bool:
    turn = _go(lane, now, client, tokens)
    if turn is not None:
        lane.accepted(turn, notes, now)
        lane.settled(turn, tokens, 0)
    return turn is not None


def test_nothing_known_lets_everything_through() -> None:
    lane = Lane()
    assert all(_taken(lane, NOW + n) for n in range(5_000))
    assert lane.is_free


def test_a_refusal_shows_the_limit_and_it_is_kept() -> None:
    lane = Lane(seed=1)
    assert all(_taken(lane, NOW + n * 1_000) for n in range(100))
    refused = _go(lane, NOW + 100_000)
    assert refused is not None
    lane.refused(refused, None, (), NOW + 140_000)
    assert {bound.measure: bound.limit for bound in lane.bounds} == {
        "requests": 100,
        "tokens": 1000,
        "input_tokens": 1000,
    }
    assert _go(lane, NOW + 200_000) is None, "it is left alone for a moment"
    trial = _go(lane, NOW + 2 * SECOND_US)
    assert trial is not None, "then one call is tried"
    assert _go(lane, NOW + 2 * SECOND_US) is None, "and no other before it has come back"


def test_what_is_told_wins_and_others_use_of_it_counts() -> None:
    lane = Lane()
    assert _taken(lane, NOW, QuotaNote("requests", 60, 100, 49, 60.0))
    at_once = sum(_taken(lane, NOW + 1 + n) for n in range(100))
    assert 30 <= at_once <= 36, "50 are somebody else's; of the rest a part goes as it comes"
    evenly = sum(_taken(lane, NOW + n * SECOND_US // 4) for n in range(1, 120))
    assert 10 <= evenly < 60, "and the others evenly, while what others used goes"


def test_a_told_limit_that_changes_is_believed_at_once() -> None:
    lane = Lane()
    _taken(lane, NOW, QuotaNote("requests", 60, 10, 9))
    assert [bound.limit for bound in lane.bounds] == [10]
    _taken(lane, NOW + 1, QuotaNote("requests", 60, 1_000, 998))
    assert [bound.limit for bound in lane.bounds] == [1_000]


def test_a_told_limit_is_not_believed_against_refusals() -> None:
    lane = Lane(seed=1)
    _taken(lane, NOW, QuotaNote("requests", 60, 1_000, 999))
    for n in range(20):
        _taken(lane, NOW + n)
    refused = _go(lane, NOW + 30)
    assert refused is not None
    lane.refused(refused, None, (), NOW + 40)
    assert next(bound for bound in lane.bounds if bound.measure == "requests").limit == 21


def test_a_days_quota_holds_everything_until_the_time_that_is_told() -> None:
    lane = Lane()
    turn = _go(lane, NOW)
    assert turn is not None
    lane.refused(turn, 600.0, (QuotaNote("requests", 86_400, 50, 0),), NOW)
    assert _go(lane, NOW + 599 * SECOND_US) is None
    assert lane.hold_us <= NOW + 3_600 * SECOND_US, "never longer than an hour without a try"


def test_workers_share_what_is_configured() -> None:
    lane = Lane()
    lane.configure(100, None, 4)
    assert sum(_taken(lane, NOW + n * SECOND_US // 2) for n in range(119)) == 25
    lane.configure(None, None, 4)
    assert lane.is_free


def test_what_was_learned_is_forgotten_when_it_matters_to_nobody() -> None:
    lane = Lane(seed=1)
    for n in range(50):
        _taken(lane, NOW + n)
    refused = _go(lane, NOW + 60)
    assert refused is not None
    lane.refused(refused, None, (), NOW + 70)
    assert _taken(lane, NOW + 5 * SECOND_US)
    for minute in range(30):
        lane.forget_old(NOW + minute * MINUTE_US)
    assert lane.is_free


def test_a_shorter_window_is_a_pace_and_a_pause() -> None:
    lane = Lane()
    _taken(lane, NOW, QuotaNote("requests", 10, 60, 0, 4.0))
    assert [bound.limit for bound in lane.bounds] == [360]
    assert _go(lane, NOW + 3 * SECOND_US) is None
    assert _go(lane, NOW + 5 * SECOND_US) is not None


@given(st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(0, 9), st.integers(0, 9)), max_size=200))
def test_the_window_never_counts_less_than_is_true(calls: list[tuple[int, int, int]]) -> None:
    window = CallWindow(MINUTE_US)
    now, log = NOW, []
    for step, input_tokens, output_tokens in calls:
        now += step
        window.move(now)
        window.add(now, input_tokens, output_tokens)
        log.append((now, input_tokens + output_tokens))
        inside = [tokens for at, tokens in log if at > now - MINUTE_US]
        longer = [tokens for at, tokens in log if at > now - MINUTE_US - 2 * SECOND_US]
        assert len(inside) <= window.totals[0] <= len(longer)
        assert sum(inside) <= window.totals[1] <= sum(longer)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), min_size=1, max_size=60))
def test_everybody_who_waits_has_a_turn_and_one_clients_own_stay_in_order(asks: list[tuple[str, int]]) -> None:
    lane, queue = Lane(), FairQueue[Turn]()
    waiting = []
    for client, share in asks:
        turn = Turn(lane, client, 1.0, 1, 0)
        turn.share = share / 100
        queue.join(turn)
        waiting.append(turn)
    taken = []
    while (turn_ := queue.take()) is not None:
        taken.append(turn_)
    assert queue.waiting == 0
    for client in "abc":
        assert [t for t in taken if t.client == client] == [t for t in waiting if t.client == client]


def test_two_that_ask_the_same_take_turns_and_a_heavier_one_goes_oftener() -> None:
    lane, queue = Lane(), FairQueue[Turn]()
    for client, weight in (("heavy", 3.0), ("light", 1.0)):
        for _ in range(12):
            turn = Turn(lane, client, weight, 1, 0)
            turn.share = 0.01
            queue.join(turn)
    first = [queue.take() for _ in range(8)]
    assert sum(turn is not None and turn.client == "heavy" for turn in first) == 6


def test_who_leaves_is_passed_over() -> None:
    lane, queue = Lane(), FairQueue[Turn]()
    turns = [Turn(lane, client, 1.0, 1, 0) for client in "ab"]
    for turn in turns:
        queue.join(turn)
    queue.leave(turns[0])
    assert queue.take() is turns[1]
    assert queue.take() is None
