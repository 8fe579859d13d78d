"""Limits as people set them: who may, what is refused, and that they reach the principal."""

import pytest

from aiservice.errors import BrokerError
from aiservice.principal import Limit
from aiservice.services.limits import Limits
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig


@pytest.fixture
def limits(rig: Rig) -> Limits:
    return Limits(rig.db, rig.changes)


async def test_a_key_carries_its_own_limits_and_its_clients(rig: Rig, limits: Limits) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k", limits={"requests/minute": 60, "concurrency": 2})
    await limits.set_client(ADMIN, "acme", {"tokens/day": 1_000_000})
    await rig.changes.poll_once()
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert principal.limits == (
        Limit("key", made.id, "requests/minute", "requests", 60, 60),
        Limit("key", made.id, "concurrency", "concurrency", 0, 2),
        Limit("client", "cli_1", "tokens/day", "tokens", 86_400, 1_000_000),
    )


async def test_a_changed_limit_reaches_a_known_key(rig: Rig, limits: Limits) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).limits == ()
    await limits.set_key(DEVELOPER, made.id, {"requests/minute": 5})
    await rig.changes.poll_once()
    assert rig.keys.cached(made.key.reveal()) is None
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).limits[0].amount == 5
    await limits.clear_key(DEVELOPER, made.id)
    await rig.changes.poll_once()
    assert (await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)).limits == ()


async def test_setting_leaves_the_others_and_clearing_takes_the_named(rig: Rig, limits: Limits) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k", limits={"requests/minute": 60})
    stored = await limits.set_key(ADMIN, made.id, {"tokens/minute": 100, "concurrency": 3})
    assert stored.amounts == {"requests/minute": 60, "tokens/minute": 100, "concurrency": 3}
    stored = await limits.clear_key(ADMIN, made.id, ["requests/minute", "concurrency"])
    assert stored.amounts == {"tokens/minute": 100}
    assert (await limits.of_key(DEVELOPER, made.id)).amounts == {"tokens/minute": 100}
    assert (await rig.keys.list(DEVELOPER))[0].limits == {"tokens/minute": 100}


async def test_only_an_admin_limits_a_client(limits: Limits) -> None:
    for work in (limits.set_client(DEVELOPER, "acme", {"concurrency": 1}), limits.clear_client(DEVELOPER, "acme")):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.code == "admin_only"
    assert (await limits.of_client(DEVELOPER, "acme")).amounts == {}


async def test_a_stranger_finds_neither_the_key_nor_the_client(rig: Rig, limits: Limits) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    for work in (
        limits.of_key(STRANGER, made.id),
        limits.set_key(STRANGER, made.id, {"concurrency": 1}),
        limits.clear_key(STRANGER, made.id),
        limits.of_client(STRANGER, "acme"),
    ):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.status == 404
    for ref in ("acme", "nobody"):
        with pytest.raises(BrokerError) as raised:
            await limits.set_client(STRANGER, ref, {"concurrency": 1})
        assert raised.value.code == "admin_only"


async def test_a_key_stays_within_its_client(rig: Rig, limits: Limits) -> None:
    await limits.set_client(ADMIN, "acme", {"requests/minute": 100})
    made = await rig.keys.create(DEVELOPER, "acme", "k", limits={"requests/minute": 100})
    for work in (
        limits.set_key(DEVELOPER, made.id, {"requests/minute": 101}),
        rig.keys.create(DEVELOPER, "acme", "k2", limits={"requests/minute": 101}),
    ):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.code == "wider_than_client"


@pytest.mark.parametrize("amounts", [{"requests/minutes": 1}, {"requests/minute": 0}, {"concurrency": 10**13}])
async def test_what_is_no_limit_is_refused(limits: Limits, amounts: dict[str, int]) -> None:
    with pytest.raises(BrokerError) as raised:
        await limits.set_client(ADMIN, "acme", amounts)
    assert raised.value.status == 422
