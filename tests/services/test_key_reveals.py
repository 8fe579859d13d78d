"""K-03: keys that can be shown again, to whom, how often, and what is left of a copy that was destroyed."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest
from sqlalchemy import text

from aiservice.errors import BrokerError, Unprocessable
from aiservice.kit import crypto
from aiservice.kit.clock import DAY_US, HOUR_US, MINUTE_US, now_us
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import key_reveals
from aiservice.services.alert_notes import AlertNotes
from aiservice.services.key_copies import PURPOSE
from aiservice.services.key_policy import KeyPolicy
from aiservice.services.key_reveals import KeyReveals
from aiservice.services.keys import Keys, NewKey
from aiservice.services.vault import PEPPER_VERSION
from aiservice.tables import PortalSession
from tests.harness.clock import move_on
from tests.services.key_rig import ADMIN, DEVELOPER, STRANGER, Rig

ME = dataclasses.replace(DEVELOPER, session_hash="session-of-dev")
BOSS = Person("usr_9", "boss@example.com", Role.ADMIN, session_hash="session-of-boss")
Act = Callable[[Rig, NewKey], Awaitable[object]]


@pytest.fixture
async def confirmed(rig: Rig) -> Rig:
    """The developer has just said their password again."""
    async with rig.db.write() as session:
        for who in (ME, dataclasses.replace(STRANGER, session_hash="session-of-stranger")):
            session.add(
                PortalSession(
                    id_hash=who.session_hash,
                    user_id=who.user_id,
                    created_us=now_us(),
                    last_seen_us=now_us(),
                    expires_us=now_us() + DAY_US,
                    confirmed_us=now_us(),
                )
            )
    return rig


def reveals(rig: Rig) -> KeyReveals:
    return KeyReveals(rig.db, rig.keys, AlertNotes(rig.db))


def under(rig: Rig, retrieval: Literal["off", "opt_in", "on"]) -> Rig:
    return dataclasses.replace(rig, keys=Keys(rig.db, rig.vault, rig.changes, KeyPolicy(retrieval)))


async def refused(rig: Rig, who: Person, key: NewKey) -> tuple[int, str]:
    with pytest.raises(BrokerError) as raised:
        await reveals(rig).reveal(who, key.id)
    return raised.value.status, raised.value.code


async def copies(rig: Rig) -> int:
    async with rig.db.read() as session:
        query = text("SELECT count(*) FROM sealed_secret WHERE purpose = 'client_key_copy'")
        return int(await session.scalar(query) or 0)


async def test_k03_a_retrievable_key_is_shown_again_to_whoever_made_it(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    shown = await reveals(confirmed).reveal(ME, made.id)
    assert shown.key.reveal_text() == made.key.reveal_text()
    assert (shown.name, shown.client) == ("k", "acme")
    assert made.key.reveal_text() not in repr(shown)


@pytest.mark.parametrize(
    ("retrieval", "asked", "is_kept"),
    [
        ("opt_in", None, 0),
        ("opt_in", True, 1),
        ("opt_in", False, 0),
        ("on", None, 1),
        ("on", False, 0),
        ("off", None, 0),
    ],
)
async def test_k03_the_policy_says_which_keys_are_kept(
    confirmed: Rig, retrieval: Literal["off", "opt_in", "on"], asked: bool | None, is_kept: int
) -> None:
    rig = under(confirmed, retrieval)
    await rig.keys.create(ME, "acme", "k", is_retrievable=asked)
    await rig.keys.create(OPERATOR, "acme", "nobody's account")
    assert await copies(rig) == is_kept


async def test_k03_where_keys_are_shown_once_none_is_kept_and_none_is_shown(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    off = under(confirmed, "off")
    with pytest.raises(Unprocessable):
        await off.keys.create(ME, "acme", "k", is_retrievable=True)
    assert await refused(off, ME, made) == (422, "key_retrieval_off")
    assert await off.keys.tidy_copies() == 1
    assert await copies(off) == 0
    assert await refused(confirmed, ME, made) == (404, "shown_once")


async def test_k03_nobody_else_sees_it_not_even_an_admin(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    assert await refused(confirmed, ADMIN, made) == (403, "not_your_copy")
    assert await refused(confirmed, BOSS, made) == (403, "not_your_copy")
    assert await refused(confirmed, STRANGER, made) == (404, "key_not_found")
    once = await confirmed.keys.create(ME, "acme", "shown once")
    assert await refused(confirmed, ME, once) == (404, "shown_once")


@pytest.mark.parametrize("confirmed_ago", [None, 5 * MINUTE_US + 1_000_000])
async def test_t68_without_a_password_said_within_five_minutes_nothing_is_shown_and_nothing_is_counted(
    confirmed: Rig, confirmed_ago: int | None
) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    at = "NULL" if confirmed_ago is None else str(now_us() - confirmed_ago)
    async with confirmed.db.write() as session:
        await session.execute(text(f"UPDATE portal_session SET confirmed_us = {at}"))
    assert await refused(confirmed, ME, made) == (403, "step_up_required")
    assert await refused(confirmed, dataclasses.replace(ME, session_hash=""), made) == (403, "step_up_required")
    async with confirmed.db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM key_reveal")) == 0


async def test_k03_the_sixth_look_in_an_hour_is_refused(confirmed: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    tries = await asyncio.gather(*(reveals(confirmed).reveal(ME, made.id) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in tries) == 5
    assert await refused(confirmed, ME, made) == (429, "reveal_limited")
    later = now_us() + HOUR_US + 1_000_000
    async with confirmed.db.write() as session:
        await session.execute(text(f"UPDATE portal_session SET confirmed_us = {later}"))
    monkeypatch.setattr(key_reveals, "now_us", lambda: later)
    assert (await reveals(confirmed).reveal(ME, made.id)).id == made.id


async def test_k03_the_twenty_first_look_in_a_day_is_refused_whoever_looks(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    async with confirmed.db.write() as session:
        for number in range(20):
            values = f"'usr_{number}x', 'key_x', 'x', {now_us() - 2 * HOUR_US}"
            await session.execute(text(f"INSERT INTO key_reveal (user_id, key_id, public_id, at_us) VALUES ({values})"))
    assert await refused(confirmed, ME, made) == (429, "reveal_limited")
    await reveals(confirmed).purge()
    assert await refused(confirmed, ME, made) == (429, "reveal_limited")


async def _roll(rig: Rig, made: NewKey) -> object:
    return await rig.keys.roll(ADMIN, made.id, 60)


async def _revoke(rig: Rig, made: NewKey) -> object:
    return await rig.keys.revoke(ADMIN, made.id)


@pytest.mark.parametrize("act", [_roll, _revoke])
async def test_k03_rolling_and_revoking_destroy_the_copy(confirmed: Rig, act: Act) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    await reveals(confirmed).reveal(ME, made.id)
    await act(confirmed, made)
    assert await copies(confirmed) == 0
    assert await refused(confirmed, ME, made) == (404, "shown_once")


async def test_k03_the_copy_of_a_key_that_is_over_is_destroyed(confirmed: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True, expires_in_seconds=60)
    await confirmed.keys.create(ME, "acme", "lives", is_retrievable=True)
    move_on(monkeypatch, 61)
    assert await refused(confirmed, ME, made) == (404, "shown_once")
    assert await confirmed.keys.tidy_copies() == 1
    assert await copies(confirmed) == 1


async def test_k03_whoever_rolls_a_retrievable_key_can_see_the_new_secret(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    rolled = await confirmed.keys.roll(ME, made.id)
    assert (await reveals(confirmed).reveal(ME, made.id)).key.reveal_text() == rolled.key.reveal_text()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE key_secret SET copy_owner_id = 'usr_2'",
        "UPDATE client_key SET client_id = 'cli_2'",
        "UPDATE sealed_secret SET row_id = (SELECT public_id FROM key_secret s JOIN client_key k ON k.id = s.key_id "
        "WHERE k.name = 'other') WHERE purpose = 'client_key_copy'",
    ],
)
async def test_k03_a_copy_opens_for_its_own_tenant_row_and_owner_alone(confirmed: Rig, change: str) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    other = await confirmed.keys.create(ME, "acme", "other")
    async with confirmed.db.write() as session:
        await session.execute(text("UPDATE client SET owner_id = NULL"))
        await session.execute(text(change))
        await session.execute(text("UPDATE key_secret SET copy_owner_id = 'usr_2' WHERE copy_owner_id IS NOT NULL"))
        await session.execute(text("UPDATE key_secret SET copy_owner_id = 'usr_2' WHERE key_id = :k"), {"k": other.id})
    thief = Person(STRANGER.user_id, STRANGER.email, Role.ADMIN, session_hash="session-of-stranger")
    for key in (made, other):
        status, code = await refused(confirmed, thief, key)
        assert (status, code) in {(503, "secret_integrity"), (503, "secret_missing")}


async def test_k03_the_database_and_the_pepper_give_no_key(confirmed: Rig) -> None:
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    pepper = confirmed.vault.pepper(PEPPER_VERSION)
    async with confirmed.db.read() as session:
        query = text(f"SELECT wrapped_dek, sealed, bound FROM sealed_secret WHERE purpose = '{PURPOSE}'")
        ((wrapped, sealed, bound),) = (await session.execute(query)).all()
    secret = made.key.reveal()
    assert not any(secret[at : at + 12] in bytes(sealed) for at in range(len(secret) - 11))
    for key in (pepper, pepper[::-1], bytes(32)):
        for envelope in (wrapped, sealed):
            with pytest.raises(crypto.BadEnvelope):
                crypto.unseal(key, bytes(envelope), bytes(bound))


async def test_a_look_is_told_to_the_clients_owner_and_the_admins(confirmed: Rig) -> None:
    alerts = AlertNotes(confirmed.db)
    made = await confirmed.keys.create(ME, "acme", "k", is_retrievable=True)
    await KeyReveals(confirmed.db, confirmed.keys, alerts).reveal(ME, made.id)
    (said,) = alerts._waiting
    assert (said.kind, said.subject, said.client_id) == ("key_revealed", made.id, "cli_1")
    assert made.key.reveal_text() not in repr(said)
