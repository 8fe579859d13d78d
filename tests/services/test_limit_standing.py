"""How limits stand, to whoever may see them: whose they are, what is used, and that looking takes nothing."""

import pytest

from aiservice.services.clients import Clients
from aiservice.services.limit_standing import LimitStanding
from aiservice.services.limiter import Limiter
from aiservice.services.limits import Limits
from aiservice.services.teams import Teams
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig


@pytest.fixture
async def limiter(rig: Rig) -> Limiter:
    """A team, a client and a key with limits, of which one request has been used."""
    await Teams(rig.db, rig.changes).create(ADMIN, "search")
    await Clients(rig.db, rig.changes).set_team(ADMIN, "acme", "search")
    limits, limiter = Limits(rig.db, rig.changes), Limiter()
    await limits.set_team(ADMIN, "search", {"requests/minute": 10, "concurrency": 4})
    await limits.set_client(ADMIN, "acme", {"tokens/day": 1_000})
    made = await rig.keys.create(DEVELOPER, "acme", "k", limits={"requests/hour": 7})
    await rig.keys.create(ADMIN, "narrow", "other")
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    await limiter.admit(principal, "req_1", "chat", 100, 20)
    return limiter


async def test_every_limit_stands_beside_its_holder(rig: Rig, limiter: Limiter) -> None:
    found = await LimitStanding(rig.db, limiter).of(ADMIN)
    stood = {
        (one.scope, one.name): [(s.limit.name, s.used, s.remaining) for s in one.standing] for one in found.holders
    }
    assert stood == {
        ("team", "search"): [("requests/minute", 1, 9), ("concurrency", 1, 3)],
        ("client", "acme"): [("tokens/day", 120, 880)],
        ("client", "narrow"): [],
        ("key", "k"): [("requests/hour", 1, 6)],
        ("key", "other"): [],
    }
    assert found.is_whole


async def test_a_developer_sees_the_own_and_a_stranger_nothing(rig: Rig, limiter: Limiter) -> None:
    of_developer = await LimitStanding(rig.db, limiter).of(DEVELOPER)
    assert [(one.scope, one.name) for one in of_developer.holders] == [
        ("team", "search"),
        ("client", "acme"),
        ("key", "k"),
    ]
    assert (await LimitStanding(rig.db, limiter).of(STRANGER)).holders == ()


async def test_keys_that_work_no_more_are_left_out(rig: Rig, limiter: Limiter) -> None:
    (key,) = [one for one in (await LimitStanding(rig.db, limiter).of(DEVELOPER)).holders if one.scope == "key"]
    await rig.keys.revoke(DEVELOPER, key.id)
    assert not [one for one in (await LimitStanding(rig.db, limiter).of(DEVELOPER)).holders if one.scope == "key"]


async def test_keys_with_limits_come_before_newer_ones_without(
    rig: Rig, limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiservice.services.limit_standing.MAX_KEYS", 1)
    found = await LimitStanding(rig.db, limiter).of(ADMIN)
    assert [one.name for one in found.holders if one.scope == "key"] == ["k"]
