"""The windows in Redis against the list of everything that happened, on a clock that the test turns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from aiservice.kit.sliding_window import SlidingWindow
from aiservice.store.window_script import GIVE_BACK, HOLD, MARK, TAKE, TELL
from tests.harness.databases import RedisServer

pytestmark = pytest.mark.redis

MINUTE = 60_000_000
WINDOW, LEASES = "limit:w", "limit:l"
STEPS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3_000), st.integers(0, 3_000_000), st.integers(0, 150_000_000)), st.integers(1, 50)
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with RedisServer(Path(tmp_path_factory.mktemp("redis"))) as server:
        yield Redis(port=server.port, decode_responses=True)


def run(redis: Redis, script: str, now: int, keys: list[str], *arguments: object) -> Any:
    """The script itself, but for the clock it asks."""
    text = script.replace("redis.call('TIME')", f"{{{now // 1_000_000}, {now % 1_000_000}}}")
    return redis.eval(text, len(keys), *keys, *map(str, arguments))


def lasts_ms(redis: Redis, key: str) -> Any:
    return redis.eval("return redis.call('PTTL', KEYS[1])", 1, key)


def take(redis: Redis, now: int, tokens: int, limit: int) -> Any:
    return run(redis, TAKE, now, [WINDOW], 1, tokens, "req", MINUTE, "tokens", limit, MINUTE)


@given(start=st.integers(10**15, 2 * 10**15), steps=STEPS, limit=st.integers(50, 300))
@settings(max_examples=40, deadline=None)
def test_nothing_goes_over_and_every_wait_is_true(
    redis: Redis, start: int, steps: list[tuple[int, int]], limit: int
) -> None:
    redis.flushall()
    events: list[tuple[int, int]] = []
    now = start
    for pause, amount in steps:
        now += pause
        within = sum(n for at, n in events if at > now - MINUTE)
        longer = sum(n for at, n in events if at > now - MINUTE - MINUTE // 60)
        refused, wait, at, used, _ = take(redis, now, amount, limit)
        assert at == now
        if refused < 0:
            events.append((now, amount))
            assert within + amount <= used <= min(limit, longer + amount)
            continue
        assert longer + amount > limit
        assert 0 < wait <= MINUTE
        assert take(redis, now + wait - 1, amount, limit)[0] == 0
        assert take(redis, now + wait, amount, limit)[0] == -1
        now += wait
        events.append((now, amount))


@given(start=st.integers(10**15, 2 * 10**15), steps=STEPS, later=st.integers(0, MINUTE))
@settings(max_examples=40, deadline=None)
def test_what_a_worker_tells_counts_as_long_as_it_would_have(
    redis: Redis, start: int, steps: list[tuple[int, int]], later: int
) -> None:
    """Two workers' windows, whose clock is not Redis', told to a Redis that knows nothing."""
    redis.flushall()
    windows, events, now = [SlidingWindow(MINUTE), SlidingWindow(MINUTE)], [], 77
    for number, (pause, amount) in enumerate(steps):
        now += pause
        windows[number % 2].used(now)
        windows[number % 2].add(now, amount)
        events.append((now, amount))
    for window in windows:
        figures = [figure for part in window.parts(now) for figure in part]
        run(redis, TELL, start, [WINDOW], "tokens", 50, MINUTE, *figures)
    used = run(redis, TAKE, start + later, [WINDOW], 0, 0, "", MINUTE, "tokens", 50, MINUTE)[3]
    at = now + later
    assert used >= sum(amount for when, amount in events if when > at - MINUTE)
    assert used <= sum(amount for when, amount in events if when > at - MINUTE - 2 * MINUTE // 60)


def test_a_mark_stands_until_redis_forgets(redis: Redis) -> None:
    redis.flushall()
    assert [run(redis, MARK, 0, ["mark"], each) for each in ("a", "b")] == ["a", "a"]
    redis.flushall()
    assert run(redis, MARK, 0, ["mark"], "b") == "b"


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9_000_000), st.integers(0, 50), st.integers(0, 90)), min_size=1, max_size=40
    )
)
@settings(max_examples=40, deadline=None)
def test_corrections_leave_what_was_used(redis: Redis, steps: list[tuple[int, int, int]]) -> None:
    """Under-estimates count when they are known, over-estimates are given back where they were taken."""
    redis.flushall()
    now, events, held = 10**15, list[tuple[int, int]](), list[tuple[int, int]]()
    for pause, tokens, used in steps:
        now += pause
        take(redis, now, tokens, 10**9)
        held.append((now, tokens))
        at, taken = held.pop(used % len(held))
        run(redis, GIVE_BACK, now, [WINDOW], at, taken, used, "req", MINUTE, "tokens", 1, MINUTE)
        events += [(at, min(taken, used)), (now, max(0, used - taken))]
    standing = sum(n for at, n in events + held if at > now - MINUTE)
    total = run(redis, TAKE, now, [WINDOW], 0, 0, "", MINUTE, "tokens", 1, MINUTE)[3]
    longer = sum(n for at, n in events + held if at > now - MINUTE - MINUTE // 60)
    assert standing <= total <= longer
    assert run(redis, TAKE, now + 2 * MINUTE, [WINDOW], 0, 0, "", MINUTE, "tokens", 1, MINUTE)[3] == 0


def test_all_of_a_request_is_taken_or_nothing(redis: Redis) -> None:
    redis.flushall()
    limits = ("requests", 5, MINUTE, "concurrency", 1, 0)
    keys = [WINDOW, LEASES]
    assert run(redis, TAKE, 10**15, keys, 1, 0, "one", MINUTE, *limits)[0] == -1
    refused, _, _, used, _, held, _ = run(redis, TAKE, 10**15, keys, 1, 0, "two", MINUTE, *limits)
    assert (refused, used, held) == (1, 1, 1)
    run(redis, GIVE_BACK, 10**15, keys, 10**15, 0, 0, "one", MINUTE, *limits)
    assert run(redis, TAKE, 10**15, keys, 1, 0, "two", MINUTE, *limits)[0] == -1


def test_a_lease_ends_by_itself_unless_it_is_held(redis: Redis) -> None:
    redis.flushall()
    limits = ("concurrency", 2, 0)
    for lease in ("lost", "held"):
        assert run(redis, TAKE, 10**15, [LEASES], 1, 0, lease, 12_000_000, *limits)[0] == -1
    run(redis, HOLD, 10**15 + 8_000_000, [LEASES], 12_000_000, "held")
    assert run(redis, TAKE, 10**15 + 11_000_000, [LEASES], 1, 0, "new", 12_000_000, *limits)[0] == 0
    assert run(redis, TAKE, 10**15 + 13_000_000, [LEASES], 1, 0, "new", 12_000_000, *limits)[0] == -1
    assert redis.zrange(LEASES, 0, -1) == ["held", "new"]


def test_a_clock_that_steps_back_is_stuck_for_one_window_at_most(redis: Redis) -> None:
    redis.flushall()
    now = 2 * 10**15
    take(redis, now, 5, 5)
    assert take(redis, now - 5_000_000, 1, 5)[0] == 0
    assert take(redis, now - 3600 * 1_000_000, 5, 5)[0] == -1


def test_what_is_not_used_leaves_redis(redis: Redis) -> None:
    redis.flushall()
    run(redis, TAKE, 10**15, [WINDOW, LEASES], 1, 3, "x", MINUTE, "tokens", 9, MINUTE, "concurrency", 9, 0)
    assert 0 < lasts_ms(redis, WINDOW) <= 120_000
    assert 0 < lasts_ms(redis, LEASES) <= 120_000
