"""T-80: ways round a limit that are none: other keys, other clients of the team, the window's edge, IPv6 addresses.

Other nodes: tests/process/test_limits_over_nodes.py.
"""

import asyncio

import pytest

from aiservice.errors import RateLimited
from aiservice.principal import Limit, Principal
from aiservice.services import limiter as limiter_module
from aiservice.services.failure_limiter import FailureLimiter
from aiservice.services.limiter import Limiter

SECOND = 1_000_000


def caller(key: str, client: str, *limits: Limit) -> Principal:
    return Principal(client, client, key, key, limits=limits)


def rpm(scope: str, subject: str, amount: int) -> Limit:
    return Limit(scope, subject, "requests/minute", "requests", 60, amount)


async def passed(limiter: Limiter, *callers: Principal, tries: int) -> int:
    """How many of the requests get through that the callers make in turn."""
    count = 0
    for number in range(tries):
        try:
            grant = await limiter.admit(callers[number % len(callers)], f"req_{number}", "chat", 1, 0)
        except RateLimited:
            continue
        grant.settle(1)
        count += 1
    return count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The limiter's own clock, in microseconds: a minute's edge comes at 60 s."""
    now = [600 * SECOND]
    monkeypatch.setattr(limiter_module, "_now", lambda: now[0])
    return now


async def test_t80_more_keys_of_a_client_get_no_more() -> None:
    keys = [caller(f"key_{n}", "cli_1", rpm("client", "cli_1", 10)) for n in range(20)]
    assert await passed(Limiter(), *keys, tries=100) == 10


async def test_t80_more_clients_of_a_team_get_no_more() -> None:
    keys = [caller(f"key_{n}", f"cli_{n}", rpm("team", "tea_1", 10)) for n in range(20)]
    assert await passed(Limiter(), *keys, tries=100) == 10


async def test_t80_a_rolled_or_remade_limit_forgets_nothing() -> None:
    limiter = Limiter()
    await passed(limiter, caller("key_1", "cli_1", rpm("client", "cli_1", 10)), tries=10)
    assert await passed(limiter, caller("key_1", "cli_1", rpm("client", "cli_1", 11)), tries=10) == 1
    assert await passed(limiter, caller("key_2", "cli_1", rpm("client", "cli_1", 11)), tries=10) == 0


async def test_t80_the_windows_edge_gives_nothing_twice(clock: list[int]) -> None:
    """A quarter of a second before a minute's edge, and on behind it: a fixed window would give twice the limit."""
    limiter, who = Limiter(), caller("key_1", "cli_1", rpm("key", "key_1", 100))
    clock[0] = 660 * SECOND - 250_000
    assert await passed(limiter, who, tries=500) == 100
    for _ in range(10):
        clock[0] += 100_000
        assert await passed(limiter, who, tries=50) == 0
    clock[0] += 58 * SECOND
    assert await passed(limiter, who, tries=50) == 0, "59 s after them all hundred still count"
    clock[0] += 2 * SECOND
    assert await passed(limiter, who, tries=500) == 100


async def test_t80_at_once_is_at_once_over_all_keys_of_the_team() -> None:
    limiter, limit = Limiter(), Limit("team", "tea_1", "concurrency", "concurrency", 0, 3)
    keys = [caller(f"key_{n}", f"cli_{n}", limit) for n in range(10)]
    asked = await asyncio.gather(
        *(limiter.admit(who, who.key_id, "chat", 1, 0) for who in keys), return_exceptions=True
    )
    refused = [one for one in asked if isinstance(one, RateLimited)]
    assert len(refused) == 7
    assert "The team's limit of 3 requests at once" in refused[0].message


def test_t80_the_addresses_of_one_ipv6_network_have_one_allowance_of_failures() -> None:
    failures = FailureLimiter()
    for number in range(40):
        failures.record(f"2001:db8:1:2::{number:x}")
    assert failures.wait_seconds("2001:db8:1:2:ffff::1") > 0
    assert failures.wait_seconds("2001:db8:1:3::1") == 0


@pytest.mark.parametrize("narrow", ["key", "client", "team"])
async def test_the_narrowest_of_three_limits_decides_and_is_named(narrow: str) -> None:
    limits = [rpm(scope, scope, 5 if scope == narrow else 50) for scope in ("key", "client", "team")]
    limiter, who = Limiter(), caller("key", "client", *limits)
    assert await passed(limiter, who, tries=20) == 5
    with pytest.raises(RateLimited) as raised:
        await limiter.admit(who, "req_last", "chat", 1, 0)
    words = {"key": "This key's", "client": "This client's", "team": "The team's"}
    assert raised.value.message.startswith(f"{words[narrow]} limit of 5 requests a minute is used up.")
