"""Bodies at rest: sealed for one client and one name, for a while, and gone with the client's data key."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from aiservice.errors import PermissionDenied
from aiservice.kit import crypto
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Person, Role
from aiservice.services import bodies as bodies_service
from aiservice.services.backups import back_up
from aiservice.services.bodies import MAX_BYTES, Bodies, BodyTooLarge, open_under
from aiservice.services.restoration import restore
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database

CANARY = b"prompt-canary-51c0ffee77"
OWNER = Person("usr_d", "d@example.org", Role.DEVELOPER)


@dataclass
class Rig:
    db: Database
    vault: Vault
    bodies: Bodies

    async def keep(self, name: str = "a", content: bytes = CANARY, client: str = "cli_1", hours: float = 1) -> bool:
        return await self.bodies.put(client, "test", name, content, now_us() + int(hours * HOUR_US))

    async def kept(self, name: str = "a", client: str = "cli_1") -> bytes | None:
        return await self.bodies.get(client, "test", name)

    async def run(self, statement: str) -> None:
        async with self.db.write() as session:
            await session.execute(text(statement))

    async def count(self, table: str = "sealed_body") -> int:
        async with self.db.read() as session:
            return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


async def _process(db: Database, settings: Settings) -> Rig:
    vault = Vault(db, settings)
    await vault.open()
    return Rig(db, vault, Bodies(db, vault))


@pytest.fixture
async def rig(db: Database, settings: Settings) -> AsyncIterator[Rig]:
    yield await _process(db, settings)


async def test_what_was_kept_is_given_back_here_and_in_another_process(rig: Rig, settings: Settings) -> None:
    assert await rig.keep()
    other = await _process(rig.db, settings)
    assert (await rig.kept(), await other.kept(), await rig.kept("b")) == (CANARY, CANARY, None)


async def test_a_body_is_replaced_by_the_next_of_its_name_and_deleted_once(rig: Rig) -> None:
    await rig.keep()
    await rig.keep(content=b"second")
    assert await rig.kept() == b"second"
    assert [await rig.bodies.delete("cli_1", "test", "a") for _ in range(2)] == [True, False]
    assert await rig.kept() is None


async def test_a_large_body_is_kept_and_a_larger_one_refused(rig: Rig) -> None:
    large = bytes(MAX_BYTES)
    assert await rig.keep(content=large)
    assert await rig.kept() == large
    with pytest.raises(BodyTooLarge):
        await rig.keep("b", large + b"!")


async def test_clients_kept_at_the_same_time_by_several_processes_have_one_key_each(
    rig: Rig, settings: Settings
) -> None:
    others = [await _process(rig.db, settings) for _ in range(3)]
    await asyncio.gather(
        *(other.keep(f"{n}", client=client) for n, other in enumerate(others) for client in ("cli_1", "cli_own"))
    )
    assert [await rig.kept(f"{n}") for n in range(3)] == [CANARY] * 3
    assert await rig.count("sealed_secret WHERE purpose = 'client_body_key'") == 2


async def test_what_has_expired_is_not_given_back_and_purged(rig: Rig) -> None:
    for number in range(450):
        await rig.keep(str(number), hours=-1)
    await rig.keep("later")
    assert await rig.kept("3") is None
    assert await rig.bodies.purge() == 450
    assert (await rig.count(), await rig.kept("later")) == (1, CANARY)


@pytest.mark.parametrize("moved", ["client_id = 'cli_own'", "kind = 'other'", "id = 'b'", "key_revision = 7"])
async def test_t19_a_body_opens_under_no_other_name_and_for_no_other_client(
    rig: Rig, moved: str, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.keep()
    await rig.keep("other", client="cli_own")  # so that it has a key
    await rig.run(f"UPDATE sealed_body SET {moved} WHERE id = 'a'")
    for client in ("cli_1", "cli_own"):
        for kind in ("test", "other"):
            for name in ("a", "b"):
                assert await rig.bodies.get(client, kind, name) is None
    assert ("does not open" in caplog.text) == ("key_revision" not in moved and "client_id" not in moved)


@pytest.mark.sqlite_only("it looks into the database's files")
async def test_t82_no_file_of_the_database_holds_a_kept_body(rig: Rig, settings: Settings) -> None:
    await rig.keep()
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if CANARY in path.read_bytes()]


async def test_shredding_destroys_a_clients_bodies_and_nobody_elses(rig: Rig, settings: Settings) -> None:
    other = await _process(rig.db, settings)
    await rig.keep()
    await rig.keep(client="cli_own")
    assert await other.kept() == CANARY  # with the key in the other process' memory
    async with rig.db.read() as session:
        query = text("SELECT * FROM sealed_body WHERE client_id = 'cli_1'")
        sealed = dict((await session.execute(query)).mappings().one())
    assert await rig.bodies.shred_client(OPERATOR, "acme") == 1
    async with rig.db.write() as session:  # whoever kept a copy of the table puts it back
        names = ", ".join(sealed)
        values = ", ".join(f":{name}" for name in sealed)
        await session.execute(text(f"INSERT INTO sealed_body ({names}) VALUES ({values})"), sealed)
    assert (await rig.kept(), await other.kept(), await rig.kept(client="cli_own")) == (None, None, CANARY)
    assert await other.keep()  # goes on, under a new key
    assert (await rig.kept(), await other.kept()) == (CANARY, CANARY)


async def test_nothing_is_kept_of_a_disabled_client_after_it_was_shredded(rig: Rig) -> None:
    row = await rig.bodies.seal("cli_1", "test", "late", CANARY, now_us() + HOUR_US)
    assert row is not None
    await rig.run("UPDATE client SET is_disabled = true WHERE id = 'cli_1'")
    await rig.bodies.shred_client(OPERATOR, "cli_1")
    async with rig.db.write() as session:  # an answer that was under way
        assert not await rig.bodies.add(session, row)
    assert not await rig.keep()
    assert await rig.count() == 0


async def test_only_an_admin_shreds(rig: Rig) -> None:
    for ref in ("own", "acme", "nobody"):  # whose it is, and whether there is one, makes no difference
        with pytest.raises(PermissionDenied):
            await rig.bodies.shred_client(OWNER, ref)


async def test_bodies_outlive_a_new_master_key(db: Database, settings: Settings) -> None:
    old, new = Secret(crypto.new_key()), Secret(crypto.new_key())
    settings = replace(settings, master_key=old, master_key_file=None)
    rig = await _process(db, settings)
    await rig.keep()
    await rig.vault.rotate(new, grace_seconds=0)
    after = await _process(db, replace(settings, master_key=new))
    assert (await after.kept(), await rig.kept()) == (CANARY, CANARY)


async def test_a_restored_backup_has_the_bodies(rig: Rig, settings: Settings, tmp_path: Path) -> None:
    await rig.keep()
    made = await back_up(settings, tmp_path / "a.backup")
    await rig.run("DELETE FROM sealed_body")
    assert await rig.kept() is None
    await rig.db.close()
    await restore(settings, made.path, is_forced=True)
    db = Database(settings.effective_database_url)
    again = await _process(db, settings)
    assert await again.kept() == CANARY
    await db.close()


async def test_short_bodies_share_a_key_for_a_while_and_never_what_makes_them_different(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies_service, "_BODIES_A_KEY", 3)
    await rig.keep("first")  # its data key is made, and at hand from here on
    rows = [rig.bodies.seal_now("cli_1", "test", str(number), CANARY, 2**60) for number in range(7)]
    sealed = [row.sealed for row in rows if row is not None]
    assert [len({each[:16] for each in sealed[at : at + 3]}) for at in (0, 3, 6)] == [1, 1, 1]
    assert len({each[:16] for each in sealed}) == 3
    assert len({each[:28] for each in sealed}) == 7
    found = await rig.bodies.data_key("cli_1")
    assert found is not None
    aads = [bodies_service._aad("cli_1", "test", str(number), found[0]) for number in range(7)]
    assert [open_under(found[1], each, aad) for each, aad in zip(sealed, aads, strict=True)] == [CANARY] * 7
    assert rig.bodies.seal_now("cli_1", "test", "long", bytes(70_000), 2**60) is None
