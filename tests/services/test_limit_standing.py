"""How limits stand, to whoever may see them: whose they are, what is used, and that looking takes nothing."""

import pytest
from sqlalchemy import text

from aiservice.kit.clock import now_us
from aiservice.services.clients import Clients
from aiservice.services.limit_standing import LimitStanding
from aiservice.services.limiter import Limiter
from aiservice.services.limits import Limits
from aiservice.services.teams import Teams
from aiservice.store import keys as key_store
from aiservice.tables import ClientKey
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig
from tests.services.usage_rows import plan_of


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


async def _put_keys(rig: Rig, count: int) -> None:
    """Keys of `acme` (three of four) and `narrow`, by age `k00000`…: each tenth has limits, each fifteenth was revoked,
    each fourteenth has expired."""
    at = now_us()
    keys = [
        ClientKey(
            id=f"key_{n:05}",
            client_id="cli_2" if n % 4 == 0 else "cli_1",
            name=f"k{n:05}",
            limits={"requests/minute": n} if n % 10 == 0 else None,
            created_us=at,
            revoked_us=at if n % 15 == 1 else None,
            expires_us={2: at - 1, 3: at + 60_000_000}.get(n % 14),
        )
        for n in range(1, count + 1)
    ]
    async with rig.db.write() as session:
        session.add_all(keys)


def _expected(count: int, *, of_acme: bool) -> list[str]:
    live = [n for n in range(count, 0, -1) if n % 15 != 1 and n % 14 != 2 and not (of_acme and n % 4 == 0)]
    return [f"k{n:05}" for n in [n for n in live if n % 10 == 0] + [n for n in live if n % 10]]


@pytest.mark.parametrize("owner", [None, DEVELOPER.user_id])
async def test_keys_with_limits_come_first_and_then_the_newest_however_many_are_asked_for(
    rig: Rig, owner: str | None
) -> None:
    await _put_keys(rig, 60)
    every = _expected(60, of_acme=owner is not None)
    limited = sum(int(name[1:]) % 10 == 0 for name in every)
    async with rig.db.read() as session:
        for most in (1, limited - 1, limited, limited + 1, len(every), 200):
            found = await key_store.limitable(session, owner, now_us(), most)
            assert [name for _, name, _, _ in found] == every[:most]
    for key_id, name, client, limits in found:
        number = int(name[1:])
        assert (key_id, client) == (f"key_{number:05}", "narrow" if number % 4 == 0 else "acme")
        assert limits == ({"requests/minute": number} if number % 10 == 0 else None)


async def test_no_key_is_sorted_to_find_those_with_limits_and_the_newest(rig: Rig) -> None:
    await _put_keys(rig, 6_000)
    if not rig.db.is_sqlite:
        async with rig.db.write() as session:
            await session.execute(text("ANALYZE client_key"))
            await session.execute(text("ANALYZE client"))
    for is_limited, index in ((True, "ix_client_key_limited"), (False, "ix_client_key_unlimited")):
        plan = await plan_of(rig.db, key_store.limitable_query(None, now_us(), 200, is_limited=is_limited))
        assert index in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort" not in plan
