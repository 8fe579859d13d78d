"""The master key changes while servers run, and a rotation killed anywhere goes on."""

import asyncio
import base64
import random
import sys
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.errors import Conflict, InvalidRequest, Overloaded
from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.services.changes import ChangeFeed
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store import vault as store
from aiservice.store.session import Database
from tests.harness.waiting import until
from tests.services.key_rig import ADMIN, Rig

OLD, NEW, OTHER = (Secret(crypto.new_key()) for _ in range(3))


async def _opened(db: Database, settings: Settings, key: Secret | None = None) -> Vault:
    vault = Vault(db, settings if key is None else replace(settings, master_key=key))
    await vault.open()
    return vault


def _binding(number: int) -> Any:
    return {
        "purpose": "provider_key", "row_id": f"con_{number:04}", "owner": "cli_1", "provider": "openai",
        "base_url": "https://api.openai.com/v1", "revision": 1,
    }  # fmt: skip


async def _fill(db: Database, vault: Vault, count: int, start: int = 0) -> None:
    async with db.write() as session:
        for number in range(start, start + count):
            await vault.seal(session, secret=Secret(f"sk-{number}"), **_binding(number))


async def _opens_all(db: Database, vault: Vault, count: int) -> None:
    vault._cache.clear()
    async with db.read() as session:
        for number in range(count):
            assert (await vault.unseal(session, **_binding(number))).reveal_text() == f"sk-{number}"


async def _scalar(db: Database, query: str) -> Any:
    async with db.read() as session:
        return await session.scalar(text(query))


async def test_rotating_moves_every_secret_and_changes_no_derived_key(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 120)
    derived = vault.derive(b"x")
    steps: list[tuple[int, int]] = []
    report = await vault.rotate(NEW, lambda done, total: steps.append((done, total)), grace_seconds=0)
    assert (report.version, report.moved, report.is_finished) == (2, 120, True)
    assert steps == [(50, 120), (100, 120), (120, 120)]
    assert await _scalar(database, "SELECT count(*) FROM sealed_secret WHERE kek_version = 1") == 0
    for each in (vault, await _opened(database, settings, NEW)):
        assert not each.is_sealed
        await _opens_all(database, each, 120)
        assert each.derive(b"x") == derived
    assert (await _opened(database, settings, OLD)).is_sealed


async def test_payloads_are_not_touched(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 1)
    before = await _scalar(database, "SELECT sealed FROM sealed_secret")
    await vault.rotate(NEW, grace_seconds=0)
    assert await _scalar(database, "SELECT sealed FROM sealed_secret") == before


@pytest.mark.sqlite_only("only there is a key made")
async def test_client_keys_survive_a_rotation(rig: Rig, settings: Settings) -> None:
    made = await rig.keys.create(ADMIN, "acme", "k")
    await rig.vault.rotate(grace_seconds=0)
    assert await rig.verify(made) == made.id


@pytest.mark.sqlite_only("only there is a key made")
async def test_a_key_file_of_our_own_making_is_replaced(database: Database, settings: Settings) -> None:
    path = settings.data_dir / "master.key"
    vault = await _opened(database, settings)
    await _fill(database, vault, 3)
    before = path.read_text()
    report = await vault.rotate(grace_seconds=0)
    assert report.is_finished
    assert len(path.read_text().split()) == 1
    assert path.read_text() != before
    assert path.stat().st_mode & 0o777 == 0o600
    assert {entry.name for entry in settings.data_dir.iterdir() if "key" in entry.name} == {"master.key"}
    await _opens_all(database, await _opened(database, settings), 3)
    assert (await vault.rotate(grace_seconds=0)).version == 3


async def test_midway_both_keys_open_everything_and_new_secrets_go_under_the_new_one(
    database: Database, settings: Settings
) -> None:
    running = await _opened(database, settings, OLD)
    await _fill(database, running, 120)
    checks: list[asyncio.Task[None]] = []

    async def check() -> None:
        await _opens_all(database, running, 120)
        for key in (OLD, NEW):
            await _opens_all(database, await _opened(database, settings, key), 120)
        await _fill(database, running, 1, start=500)
        assert await _scalar(database, "SELECT kek_version FROM sealed_secret WHERE row_id = 'con_0500'") == 2

    operator = await _opened(database, settings, OLD)
    await operator.rotate(NEW, lambda _done, _total: checks.append(asyncio.create_task(check())), grace_seconds=2)
    assert len(checks) == 3
    await asyncio.gather(*checks)


async def test_a_running_server_follows_through_the_change_feed_and_works_after_the_end(
    database: Database, settings: Settings
) -> None:
    elsewhere = Database(settings.effective_database_url)
    running, feed = await _opened(elsewhere, settings, OLD), ChangeFeed(elsewhere)
    feed.subscribe(running.on_change)
    await feed.poll_once()
    task = asyncio.create_task(feed.run())
    await _fill(database, running, 3)
    await (await _opened(database, settings, OLD)).rotate(NEW, grace_seconds=2)
    await until(lambda: not running.is_sealed)
    await _opens_all(elsewhere, running, 3)
    await _fill(elsewhere, running, 1, start=3)
    await _opens_all(database, await _opened(database, settings, NEW), 4)
    task.cancel()
    await elsewhere.close()


async def test_nothing_leads_from_a_key_to_the_next_once_the_rotation_is_over(
    database: Database, settings: Settings
) -> None:
    vault = await _opened(database, settings, OLD)
    await vault.rotate(NEW, grace_seconds=0)
    ways = "wrapped_by_previous IS NOT NULL OR wrapped_previous IS NOT NULL"
    assert await _scalar(database, f"SELECT count(*) FROM master_key_version WHERE {ways}") == 0
    assert await _scalar(database, "SELECT length(wrapped_pepper) FROM master_key_version WHERE version = 1") == 0


async def test_a_leaked_key_never_leads_to_the_next_without_a_bridge(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 60)
    thief: list[Vault] = []

    async def look() -> None:
        thief.append(await _opened(database, settings, OLD))

    tasks: list[asyncio.Task[None]] = []
    await vault.rotate(
        NEW, lambda _done, _total: tasks.append(asyncio.create_task(look())), is_bridged=False, grace_seconds=0.5
    )
    await asyncio.gather(*tasks)
    assert [each.is_sealed for each in thief] == [True, True]
    await _opens_all(database, await _opened(database, settings, NEW), 60)


async def test_a_secret_replaced_at_the_same_moment_is_not_overwritten(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 1)
    async with database.read() as session:
        row = await store.get(session, "provider_key", "con_0000")
    assert row is not None
    async with database.write() as session:
        await vault.seal(session, secret=Secret("newer"), **_binding(0))
    async with database.write() as session:
        assert not await store.move(session, row, 2, b"old wrap")


async def test_a_damaged_secret_keeps_the_old_version_until_it_is_set_again(
    database: Database, settings: Settings
) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 3)
    async with database.write() as session:
        await session.execute(text("UPDATE sealed_secret SET wrapped_dek = 'x' WHERE row_id = 'con_0001'"))
    report = await vault.rotate(NEW, grace_seconds=0)
    assert report.damaged == (("provider_key", "con_0001"),)
    assert report.moved == 2
    assert await _scalar(database, "SELECT retired_us FROM master_key_version WHERE version = 1") is None
    await _fill(database, vault, 1, start=1)
    assert (await vault.rotate(NEW, grace_seconds=0)).is_finished
    await _opens_all(database, await _opened(database, settings, NEW), 3)


async def test_a_rotation_under_way_is_not_turned_to_another_key(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await _fill(database, vault, 1)
    async with database.write() as session:
        await session.execute(text("UPDATE sealed_secret SET wrapped_dek = 'x'"))
    await vault.rotate(NEW, grace_seconds=0)
    with pytest.raises(Conflict):
        await vault.rotate(OTHER, grace_seconds=0)


async def test_rotating_again_to_the_same_key_does_nothing(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    await vault.rotate(NEW, grace_seconds=0)
    for each in (vault, await _opened(database, settings, OLD), await _opened(database, settings, NEW)):
        assert (await each.rotate(NEW, grace_seconds=0)).version == 2


async def test_a_configured_key_cannot_be_replaced_by_none(database: Database, settings: Settings) -> None:
    vault = await _opened(database, settings, OLD)
    with pytest.raises(InvalidRequest):
        await vault.rotate()


async def test_a_sealed_vault_does_not_rotate(database: Database, settings: Settings) -> None:
    await _opened(database, settings, OLD)
    sealed = await _opened(database, settings, OTHER)
    for key in (None, NEW):
        with pytest.raises(Overloaded):
            await sealed.rotate(key)
    assert await _scalar(database, "SELECT count(*) FROM master_key_version") == 1


_ROTATOR = """
import asyncio, base64, sys
from dataclasses import replace
from pathlib import Path
from aiservice.kit.secret import Secret
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import Database

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])
    old, new = (Secret(base64.b64decode(line)) if line.strip() else None for line in sys.stdin.read().split("\\n"))
    if old is not None:
        settings = replace(settings, master_key=old)
    db = Database(settings.effective_database_url)
    vault = Vault(db, settings)
    await vault.open()
    print("go", flush=True)
    report = await vault.rotate(new, grace_seconds=0.5)
    print(report.is_finished, flush=True)

asyncio.run(main())
"""


async def _rotator(settings: Settings, keys: tuple[Secret, Secret] | None) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _ROTATOR, str(settings.data_dir), settings.effective_database_url,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    text_of_keys = b"\n".join(base64.b64encode(key.reveal()) for key in keys) if keys else b"\n"
    process.stdin.write(text_of_keys)
    process.stdin.close()
    assert await process.stdout.readline() == b"go\n"
    return process


async def _serve(db: Database, vault: Vault, count: int, failures: list[str], rng: random.Random) -> None:
    while True:
        vault._cache.clear()
        try:
            async with db.read() as session:
                number = rng.randrange(count)
                opened = (await vault.unseal(session, **_binding(number))).reveal_text()
            if opened != f"sk-{number}":
                failures.append(opened)
            if rng.random() < 0.02:
                await _fill(db, vault, 1, start=rng.randrange(count))
        except Overloaded as error:
            failures.append(error.code)
        await asyncio.sleep(0.004)


@pytest.mark.process
@pytest.mark.parametrize(
    "is_configured",
    [
        pytest.param(True, id="configured key", marks=pytest.mark.long),
        pytest.param(False, id="generated key file", marks=pytest.mark.sqlite_only("only there is a key made")),
    ],
)
async def test_r23_a_rotation_killed_five_times_ends_with_nothing_on_the_old_version_and_no_failed_use(
    database: Database, settings: Settings, is_configured: bool, seed: int
) -> None:
    rng, count = random.Random(seed), 1000
    server_database = Database(settings.effective_database_url)
    server = await _opened(server_database, settings, OLD if is_configured else None)
    await _fill(database, server, count)
    feed = ChangeFeed(server_database)
    feed.subscribe(server.on_change)
    await feed.poll_once()
    failures: list[str] = []
    tasks = [
        asyncio.create_task(feed.run()),
        asyncio.create_task(_serve(server_database, server, count, failures, rng)),
    ]
    left: list[int] = []
    for _ in range(5):
        process = await _rotator(settings, (OLD, NEW) if is_configured else None)
        await asyncio.sleep(rng.uniform(0, 0.25))
        process.kill()
        assert await process.wait() == -9
        left.append(int(await _scalar(database, "SELECT count(*) FROM sealed_secret WHERE kek_version = 1")))
    process = await _rotator(settings, (OLD, NEW) if is_configured else None)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"True\n"
    assert await process.wait() == 0
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    assert failures == []
    assert len(set(left)) > 1, left  # the kills came at different points of the way
    assert await _scalar(database, "SELECT count(*) FROM sealed_secret WHERE kek_version != 2") == 0
    assert await _scalar(database, "SELECT count(*) FROM sealed_secret") == count
    await _opens_all(database, await _opened(database, settings, NEW if is_configured else None), count)
    await _opens_all(server_database, server, count)
    await server_database.close()
