"""Guessing is slowed per address and over all, in bounded memory."""

import pytest

from aiservice.services import failure_limiter
from aiservice.services.failure_limiter import FailureLimiter, network_of


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_twenty_failures_a_minute_and_then_a_wait(clock: list[float]) -> None:
    limiter = FailureLimiter()
    for _ in range(20):
        assert limiter.wait_seconds("192.0.2.1") == 0
        limiter.record("192.0.2.1")
        clock[0] += 1
    assert limiter.wait_seconds("192.0.2.1") == 40
    assert limiter.wait_seconds("192.0.2.2") == 0
    clock[0] += 40
    assert limiter.wait_seconds("192.0.2.1") == 0


def test_a_flood_from_many_addresses_leaves_each_of_them_one_try(clock: list[float]) -> None:
    limiter = FailureLimiter()
    for number in range(1000):
        limiter.record(f"10.0.{number // 250}.{number % 250}")
    assert limiter.wait_seconds("10.0.0.1") == 60
    assert limiter.wait_seconds("192.0.2.1") == 0
    clock[0] += 61
    assert limiter.wait_seconds("10.0.0.1") == 0


def test_memory_is_bounded() -> None:
    limiter = FailureLimiter()
    for number in range(20_000):
        limiter.record(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limiter._failures) == failure_limiter.MAX_ADDRESSES


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unix", "unix"),
    ],
)
def test_one_ipv6_network_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


def test_workers_that_hear_each_other_have_one_allowance(clock: list[float]) -> None:
    here, there = FailureLimiter(), FailureLimiter()
    here.tell, there.tell = there.hear, here.hear
    for number in range(20):
        assert here.wait_seconds("192.0.2.1") == there.wait_seconds("192.0.2.1") == 0
        (here if number % 2 else there).record("192.0.2.1")
    assert here.wait_seconds("192.0.2.1") == there.wait_seconds("192.0.2.1") == 60


def test_r11_workers_that_do_not_hear_each_other_have_a_part_each(clock: list[float]) -> None:
    limiter = FailureLimiter()
    limiter.sharers = lambda: 4
    for _ in range(5):
        assert limiter.wait_seconds("192.0.2.1") == 0
        limiter.record("192.0.2.1")
    assert limiter.wait_seconds("192.0.2.1") == 60
