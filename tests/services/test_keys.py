"""Client keys: made once, seen never, rolled with an overlap, refused at once when revoked."""

import asyncio
import dataclasses
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from aiservice.errors import NotFound, PermissionDenied, Unauthenticated, Unprocessable
from aiservice.kit.clock import now_us
from aiservice.kit.keyformat import parse
from aiservice.kit.secret import Secret
from aiservice.services.keys import Keys, NewKey
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.harness.clock import move_on
from tests.services.key_rig import ADDRESS, ADMIN, DEVELOPER, STRANGER, Rig, start

DAY_SECONDS = 86_400


async def test_a_new_key_is_verified_as_its_client(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "first", scopes=["chat", "read"], models=["gpt-5"])
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert (principal.client_id, principal.client_name, principal.key_id) == ("cli_1", "acme", made.id)
    assert principal.scopes == frozenset({"chat", "read"})
    assert principal.models == frozenset({"gpt-5"})
    assert principal.connections is None
    assert principal.public_id == parse(made.key.reveal_text())
    assert rig.keys.cached(made.key.reveal()) == principal


async def test_a_key_never_seen_before_is_not_cached(rig: Rig) -> None:
    made = await rig.keys.create(ADMIN, "cli_1", "first")
    assert rig.keys.cached(made.key.reveal()) is None


async def test_rights_are_those_that_key_and_client_share(rig: Rig, database: Database) -> None:
    made = await rig.keys.create(ADMIN, "narrow", "k", models=["a", "b"])
    async with database.write() as session:
        await session.execute(text("UPDATE client SET allowed_models = '[\"b\", \"c\"]' WHERE id = 'cli_2'"))
    principal = await rig.keys.verify(made.key.reveal_text(), address=ADDRESS)
    assert principal.models == frozenset({"b"})
    assert principal.connections == frozenset({"x"})


@pytest.mark.parametrize("wider", [{"models": ["a", "z"]}, {"connections": ["y"]}])
async def test_no_key_is_wider_than_its_client(rig: Rig, wider: dict[str, list[str]]) -> None:
    with pytest.raises(PermissionDenied, match="may not use"):
        await rig.keys.create(ADMIN, "narrow", "k", models=wider.get("models"), connections=wider.get("connections"))


@pytest.mark.parametrize(
    "call",
    [
        lambda keys, key: keys.create(STRANGER, "acme", "k"),
        lambda keys, key: keys.create(STRANGER, "cli_1", "k"),
        lambda keys, key: keys.list(STRANGER, "acme"),
        lambda keys, key: keys.roll(STRANGER, key.id),
        lambda keys, key: keys.end_overlap(STRANGER, key.id),
        lambda keys, key: keys.revoke(STRANGER, key.id),
        lambda keys, key: keys.revoke(STRANGER, parse(key.key.reveal_text()) or ""),
        lambda keys, key: keys.update(STRANGER, key.id, name="mine"),
    ],
)
async def test_a_foreign_key_or_client_does_not_exist(rig: Rig, call: Callable[[Keys, NewKey], object]) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "first")
    with pytest.raises(NotFound):
        await call(rig.keys, made)  # type: ignore[misc]
    assert await rig.verify(made) == made.id
    assert await rig.keys.list(STRANGER) == []
    assert [key.name for key in await rig.keys.list(DEVELOPER)] == ["first"]


@pytest.mark.parametrize(
    "values",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"scopes": ["no-such-task"]},
        {"scopes": []},
        {"models": [""]},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": float("nan")},
        {"expires_in_seconds": 1e12},
    ],
)
async def test_values_that_make_no_sense_are_refused(rig: Rig, values: dict[str, object]) -> None:
    with pytest.raises(Unprocessable):
        await rig.keys.create(ADMIN, "acme", **({"name": "k"} | values))  # type: ignore[arg-type]


async def test_a_key_expires_to_the_second_even_from_the_cache(rig: Rig) -> None:
    made = await rig.keys.create(ADMIN, "acme", "short", expires_in_seconds=1)
    assert await rig.verify(made) == made.id
    assert rig.keys.cached(made.key.reveal()) is not None
    await asyncio.sleep(max(0.0, ((made.expires_us or 0) - now_us()) / 1e6))
    assert rig.keys.cached(made.key.reveal()) is None
    assert await rig.refusal(made) == "key_expired"
    assert (await rig.keys.list(ADMIN, "acme"))[0].state == "expired"


async def test_rolling_leaves_both_secrets_working_until_the_overlap_ends(rig: Rig) -> None:
    old = await rig.keys.create(DEVELOPER, "acme", "k")
    new = await rig.keys.roll(DEVELOPER, old.id)
    assert new.id == old.id
    assert await rig.verify(old) == await rig.verify(new) == old.id
    shown = (await rig.keys.list(DEVELOPER))[0]
    assert shown.state == "rolling"
    assert len(shown.secrets) == 2
    assert abs((shown.overlap_ends_us or 0) - now_us() - DAY_SECONDS * 1_000_000) < 60_000_000
    await rig.keys.end_overlap(DEVELOPER, old.id)
    assert await rig.refusal(old) == "key_revoked"
    assert await rig.verify(new) == old.id
    assert (await rig.keys.list(DEVELOPER))[0].state == "active"


async def test_rolling_without_overlap_ends_the_old_secret_at_once(rig: Rig) -> None:
    old = await rig.keys.create(DEVELOPER, "acme", "k")
    await rig.verify(old)
    new = await rig.keys.roll(DEVELOPER, old.id, 0)
    assert await rig.refusal(old) == "key_revoked"
    assert await rig.verify(new) == old.id


async def test_an_overlap_ends_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await rig.keys.create(DEVELOPER, "acme", "k")
    await rig.verify(old)
    await rig.keys.roll(DEVELOPER, old.id, 60)
    assert await rig.verify(old) == old.id
    move_on(monkeypatch, 61)
    assert await rig.refusal(old) == "key_expired"


async def test_at_most_two_secrets_live(rig: Rig) -> None:
    first = await rig.keys.create(DEVELOPER, "acme", "k")
    second = await rig.keys.roll(DEVELOPER, first.id)
    third = await rig.keys.roll(DEVELOPER, first.id)
    assert await rig.refusal(first) == "key_revoked"
    assert await rig.verify(second) == await rig.verify(third) == first.id
    assert len((await rig.keys.list(DEVELOPER))[0].secrets) == 2


async def test_an_overlap_never_passes_the_end_of_the_key_or_of_an_earlier_overlap(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k", expires_in_seconds=60)
    rolled = await rig.keys.roll(DEVELOPER, made.id, 7 * DAY_SECONDS)
    shown = (await rig.keys.list(DEVELOPER))[0]
    assert shown.overlap_ends_us == made.expires_us == rolled.expires_us


@pytest.mark.parametrize("overlap", [-1, 7 * DAY_SECONDS + 1, float("nan"), float("inf")])
async def test_an_overlap_out_of_range_is_refused(rig: Rig, overlap: float) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    with pytest.raises(Unprocessable):
        await rig.keys.roll(DEVELOPER, made.id, overlap)


async def test_a_revoked_key_stays_revoked(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    await rig.verify(made)
    assert await rig.keys.revoke(DEVELOPER, parse(made.key.reveal_text()) or "") == made.id
    assert rig.keys.cached(made.key.reveal()) is None
    assert await rig.refusal(made) == "key_revoked"
    assert await rig.keys.revoke(DEVELOPER, made.id) == made.id
    with pytest.raises(Unprocessable):
        await rig.keys.roll(DEVELOPER, made.id)
    assert (await rig.keys.list(DEVELOPER))[0].state == "revoked"


@pytest.mark.parametrize(
    ("statement", "kind", "subject"),
    [
        ("UPDATE client SET is_disabled = true WHERE id = 'cli_1'", "client", "cli_1"),
        ("UPDATE person SET is_disabled = true WHERE id = 'usr_1'", "person", "usr_1"),
    ],
)
async def test_a_disabled_client_or_owner_is_told_so(
    rig: Rig, database: Database, statement: str, kind: str, subject: str
) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    await rig.verify(made)
    async with database.write() as session:
        await session.execute(text(statement))
        rig.changes.publish(session, kind, subject)  # type: ignore[arg-type]
    await rig.changes.poll_once()
    assert rig.keys.cached(made.key.reveal()) is None
    with pytest.raises(PermissionDenied) as raised:
        await rig.verify(made)
    assert raised.value.code == "client_disabled"


async def test_last_used_is_written_in_batches_and_never_moves_back(rig: Rig, database: Database) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    assert (await rig.keys.list(DEVELOPER))[0].last_used_us is None
    before = now_us()
    await rig.verify(made)
    assert await rig.keys.flush_last_used() == 1
    shown = (await rig.keys.list(DEVELOPER))[0]
    assert before <= (shown.last_used_us or 0) <= now_us()
    assert shown.secrets[0].last_used_us == shown.last_used_us
    assert await rig.keys.flush_last_used() == 0
    rig.keys.check._used_us[parse(made.key.reveal_text()) or ""] = before - 1
    await rig.keys.flush_last_used()
    assert (await rig.keys.list(DEVELOPER))[0].last_used_us == shown.last_used_us


async def test_of_many_used_keys_those_that_wait_longest_are_written_first(rig: Rig) -> None:
    made = [await rig.keys.create(DEVELOPER, "acme", f"k{number}") for number in range(3)]
    for one in made:
        await rig.verify(one)
    await rig.verify(made[0])
    assert await rig.keys.flush_last_used(2) == 2
    assert {key.name for key in await rig.keys.list(DEVELOPER) if key.last_used_us} == {"k0", "k1"}
    assert await rig.keys.flush_last_used(2) == 1
    assert all(key.last_used_us for key in await rig.keys.list(DEVELOPER))


async def test_a_key_of_a_disabled_client_cannot_be_made(rig: Rig, database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE client SET is_disabled = true"))
    with pytest.raises(Unprocessable, match="disabled"):
        await rig.keys.create(DEVELOPER, "acme", "k")


async def test_renaming_changes_nothing_else(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    await rig.keys.update(DEVELOPER, made.id, name=" new name ")
    assert [key.name for key in await rig.keys.list(DEVELOPER)] == ["new name"]
    assert await rig.verify(made) == made.id


async def test_many_callers_of_one_new_key_share_one_look_up(rig: Rig) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    began = time.perf_counter()
    found = await asyncio.gather(*(rig.verify(made) for _ in range(500)))
    assert set(found) == {made.id}
    assert time.perf_counter() - began < 5


async def test_a_sealed_vault_never_says_401(rig: Rig, database: Database, settings: Settings) -> None:
    made = await rig.keys.create(DEVELOPER, "acme", "k")
    sealed = await start(database, dataclasses.replace(settings, master_key=Secret(bytes(32)), master_key_file=None))
    assert await sealed.refusal(made) == "sealed"
    with pytest.raises(Unauthenticated):
        await sealed.keys.verify("junk", address=ADDRESS)
