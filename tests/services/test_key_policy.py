"""How long a key may live, and which keys are forgotten ones."""

import dataclasses

import pytest
from sqlalchemy import text

from aiservice.errors import Unprocessable
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.keys import Keys
from aiservice.settings import SettingsError, load_settings
from tests.harness.clock import move_on
from tests.services.key_rig import DEVELOPER, Rig


def under(rig: Rig, **policy: int) -> Rig:
    """The same installation, started with a policy."""
    return dataclasses.replace(rig, keys=Keys(rig.db, rig.vault, rig.changes, KeyPolicy(**policy)))  # type: ignore[arg-type]


async def test_a_key_without_an_end_gets_the_default_one(rig: Rig) -> None:
    rig = under(rig, default_expiry_us=DAY_US)
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    assert abs((made.expires_us or 0) - now_us() - DAY_US) < 5 * SECOND_US
    longer = await rig.keys.create(DEVELOPER, "acme", "k", expires_in_seconds=2 * 86_400)
    assert (longer.expires_us or 0) - now_us() > DAY_US


async def test_no_secret_works_longer_than_the_policy_has_it_and_rolling_gives_a_new_one(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await rig.keys.create(DEVELOPER, "acme", "made before there was a rule")
    rig = under(rig, max_age_us=60 * SECOND_US)
    with pytest.raises(Unprocessable, match="1m at most"):
        await rig.keys.create(DEVELOPER, "acme", "k", expires_in_seconds=90)
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    assert made.expires_us is not None
    assert await rig.verify(made) == made.id
    assert (await rig.keys.list(DEVELOPER))[0].expires_us == made.expires_us
    move_on(monkeypatch, 61)
    assert rig.keys.cached(made.key.reveal()) is None
    assert [await rig.refusal(key) for key in (made, before)] == ["key_expired"] * 2
    assert [key.state for key in await rig.keys.list(DEVELOPER)] == ["expired"] * 2
    rolled = await rig.keys.roll(DEVELOPER, made.id, 0)
    assert await rig.verify(rolled) == made.id


async def test_idle_keys_are_those_that_work_and_were_not_used_for_long(rig: Rig) -> None:
    names = ("never used", "used long ago", "used", "revoked", "over", "young", "decoy")
    made = {name: await rig.keys.create(DEVELOPER, "acme", name) for name in names}
    long_ago = now_us() - 91 * DAY_US
    async with rig.db.write() as session:
        await session.execute(text(f"UPDATE client_key SET created_us = {long_ago} WHERE name <> 'young'"))
        await session.execute(text(f"UPDATE client_key SET last_used_us = {long_ago} WHERE name = 'used long ago'"))
        await session.execute(text(f"UPDATE client_key SET last_used_us = {now_us()} WHERE name = 'used'"))
        await session.execute(text(f"UPDATE client_key SET expires_us = {now_us() - 1} WHERE name = 'over'"))
    await rig.keys.revoke(DEVELOPER, made["revoked"].id)
    async with rig.db.write() as session:
        await session.execute(text("UPDATE client_key SET is_decoy = true WHERE name = 'decoy'"))
    idle = await rig.keys.list(DEVELOPER, idle_seconds=90 * 86_400)
    assert {key.name for key in idle} == {"never used", "used long ago"}
    assert {key.name for key in await rig.keys.list(DEVELOPER) if key.is_idle} == {"never used", "used long ago"}
    assert await rig.keys.list(DEVELOPER, idle_seconds=92 * 86_400) == []


def test_the_policy_is_read_from_the_settings() -> None:
    names = {"AISERVICE_MAX_KEY_AGE": "90d", "AISERVICE_DEFAULT_KEY_EXPIRY": "30d", "AISERVICE_KEY_RETRIEVAL": "off"}
    policy = KeyPolicy.of(load_settings(names, dotenv=None))
    assert policy == KeyPolicy("off", 90 * DAY_US, 30 * DAY_US)
    for bad in (
        {"AISERVICE_MAX_KEY_AGE": "soon"},
        {"AISERVICE_MAX_KEY_AGE": "0"},
        names | {"AISERVICE_MAX_KEY_AGE": "1d"},
    ):
        with pytest.raises(SettingsError):
            load_settings(bad, dotenv=None)
