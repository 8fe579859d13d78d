"""The keys that sign tokens: changed over by the clock, published before and after, believed because they open."""

import asyncio
from collections.abc import Callable

import orjson
import pytest
from sqlalchemy import text

from aiservice.errors import Overloaded
from aiservice.kit.access_tokens import new_private_key
from aiservice.kit.clock import DAY_US, SECOND_US, now_us
from aiservice.services import token_keys
from aiservice.services.changes import ChangeFeed
from aiservice.services.token_keys import ANNOUNCED_US, KEPT_US, ROTATION_US, TokenKeys
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.services.key_rig import Rig

Clock = Callable[[int], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets what time it is for signing keys, in microseconds from now on."""
    began = now_us()

    def at(after_us: int) -> None:
        monkeypatch.setattr(token_keys, "now_us", lambda: began + after_us)

    at(0)
    return at


@pytest.fixture
async def keys(rig: Rig, clock: Clock) -> TokenKeys:
    keys = TokenKeys(rig.db, rig.vault, rig.changes)
    await keys.rotate()
    return keys


def _published(keys: TokenKeys) -> int:
    return len(orjson.loads(keys.jwks())["keys"])


async def test_from_the_start_there_is_a_key_that_signs_and_the_next_one(keys: TokenKeys) -> None:
    assert _published(keys) == 2
    first = keys.signing().kid
    await keys.rotate()
    assert (_published(keys), keys.signing().kid) == (2, first)


async def test_every_thirty_days_the_next_key_signs_and_the_one_before_is_kept_for_a_while(
    keys: TokenKeys, clock: Clock
) -> None:
    first = keys.signing().kid
    for turn in range(1, 4):
        clock(turn * ROTATION_US - SECOND_US)
        assert keys.signing().kid == first
        clock(turn * ROTATION_US + SECOND_US)
        second = keys.signing().kid
        assert second != first, "the clock alone changes over"
        await keys.rotate()
        assert keys.signing().kid == second
        assert _published(keys) == 3
        assert keys.key_of(first) is not None
        clock(turn * ROTATION_US + KEPT_US)
        assert keys.key_of(first) is None
        assert _published(keys) == 2
        await keys.rotate()
        assert _published(keys) == 2
        first = second


async def test_after_a_long_pause_a_new_key_is_published_before_it_signs(keys: TokenKeys, clock: Clock) -> None:
    clock(200 * DAY_US)
    before = keys.signing().kid
    await keys.rotate()
    assert keys.signing().kid == before
    clock(200 * DAY_US + ANNOUNCED_US - SECOND_US)
    assert keys.signing().kid == before
    clock(200 * DAY_US + ANNOUNCED_US + SECOND_US)
    assert keys.signing().kid != before


async def test_a_retired_keys_private_half_is_gone(keys: TokenKeys, clock: Clock, rig: Rig) -> None:
    first = keys.signing().kid
    clock(ROTATION_US + KEPT_US + SECOND_US)
    await keys.rotate()
    async with rig.db.read() as session:
        rows = await session.scalars(text("SELECT row_id FROM sealed_secret WHERE purpose = 'token_signing_key'"))
        assert first not in list(rows)


async def test_another_worker_hears_of_new_keys(keys: TokenKeys, rig: Rig, settings: Settings, clock: Clock) -> None:
    feed = ChangeFeed(rig.db)
    await feed.poll_once()
    other = TokenKeys(rig.db, rig.vault, feed)
    await other.refresh()
    clock(ROTATION_US + SECOND_US)
    await keys.rotate()
    await feed.poll_once()
    await asyncio.gather(*other._tasks)
    assert other.jwks() == keys.jwks()
    assert _published(other) == 3
    await other.close()


async def test_two_workers_that_start_at_once_make_one_set(rig: Rig, clock: Clock) -> None:
    workers = [TokenKeys(rig.db, rig.vault, rig.changes) for _ in range(4)]
    await asyncio.gather(*(worker.rotate() for worker in workers))
    assert len({worker.jwks() for worker in workers}) == 1
    assert _published(workers[0]) == 2


async def test_t02_whoever_writes_the_database_cannot_plant_a_signing_key(keys: TokenKeys, rig: Rig) -> None:
    planted = new_private_key()
    async with rig.db.write() as session:
        await session.execute(
            text("INSERT INTO token_key (kid, signs_from_us, created_us) VALUES ('evil', 1, 1), ('moved', 2, 1)")
        )
        # An envelope of their own making, and one of ours under another name.
        await session.execute(
            text(
                "INSERT INTO sealed_secret (purpose, row_id, revision, algorithm, kek_version, wrapped_dek, sealed,"
                " bound, created_us) VALUES ('token_signing_key', 'evil', 1, 1, 1, :junk, :junk, :junk, 1)"
            ),
            {"junk": planted.reveal()},
        )
        await session.execute(
            text(
                "INSERT INTO sealed_secret (purpose, row_id, revision, algorithm, kek_version, wrapped_dek, sealed,"
                " bound, created_us) SELECT purpose, 'moved', revision, algorithm, kek_version, wrapped_dek, sealed,"
                " bound, created_us FROM sealed_secret WHERE row_id = :kid"
            ),
            {"kid": keys.signing().kid},
        )
    fresh = TokenKeys(rig.db, rig.vault, rig.changes)
    await fresh.refresh()
    assert fresh.key_of("evil") is None
    assert fresh.key_of("moved") is None
    assert _published(fresh) == 2


async def test_t01_no_private_half_is_in_the_database(keys: TokenKeys, rig: Rig) -> None:
    private = keys.signing()._key.as_dict(private=True)["d"]
    async with rig.db.read() as session:
        rows = (await session.execute(text("SELECT * FROM sealed_secret"))).all()
    assert rows
    assert str(private) not in str(rows)


async def test_a_sealed_vault_makes_and_checks_no_token(database: Database, settings: Settings, rig: Rig) -> None:
    sealed = Vault(database, settings)
    keys = TokenKeys(database, sealed, rig.changes)
    for ask in (keys.signing, keys.require):
        with pytest.raises(Overloaded) as raised:
            ask()
        assert raised.value.code == "sealed"
    with pytest.raises(Overloaded):
        await keys.rotate()
