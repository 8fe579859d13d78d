"""The vault: envelopes open for their own row only, and only under the right master key."""

import base64
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.errors import Overloaded
from aiservice.kit import crypto
from aiservice.kit.secret import Secret
from aiservice.services.envelopes import Binding
from aiservice.services.vault import Vault
from aiservice.settings import Settings, SettingsError
from aiservice.store.session import Database

CANARY = "sk-canary-9f3b1c77aa20d4e1b7c2"
BINDING = Binding(
    purpose="provider_key",
    row_id="con_1",
    owner="cli_1",
    provider="openai",
    base_url="https://api.openai.com/v1",
    revision=1,
)


@pytest.fixture
async def vault(database: Database, settings: Settings) -> AsyncIterator[Vault]:
    vault = Vault(database, settings)
    await vault.open()
    yield vault


async def _seal(database: Database, vault: Vault, secret: str = CANARY, **changed: Any) -> None:
    async with database.write() as session:
        await vault.seal(session, secret=Secret(secret), **{**BINDING, **changed})


async def _unseal(database: Database, vault: Vault, **changed: Any) -> str:
    async with database.read() as session:
        return (await vault.unseal(session, **{**BINDING, **changed})).reveal_text()


async def _count(database: Database, table: str) -> int:
    async with database.read() as session:
        return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def _with_key(settings: Settings, key: bytes | None = None) -> Settings:
    return replace(settings, master_key=Secret(key or crypto.new_key()))


async def test_what_was_sealed_opens_here_and_in_another_process(
    database: Database, vault: Vault, settings: Settings
) -> None:
    await _seal(database, vault)
    assert await _unseal(database, vault) == CANARY
    other = Vault(database, settings)
    await other.open()
    assert await _unseal(database, other) == CANARY


async def test_a_second_opening_costs_no_query(database: Database, vault: Vault) -> None:
    await _seal(database, vault)
    await _unseal(database, vault)
    async with database.write() as session:
        await session.execute(text("DELETE FROM sealed_secret"))
    assert await _unseal(database, vault) == CANARY


async def test_discarded_and_never_sealed_are_missing(database: Database, vault: Vault) -> None:
    await _seal(database, vault)
    await _unseal(database, vault)
    async with database.write() as session:
        await vault.discard(session, "provider_key", "con_1")
    with pytest.raises(Overloaded) as raised:
        await _unseal(database, vault)
    assert raised.value.code == "secret_missing"


@pytest.mark.sqlite_only("it looks into the database's files")
async def test_t18_a_provider_key_is_nowhere_in_the_files_of_the_database(
    database: Database, vault: Vault, settings: Settings
) -> None:
    for number in range(20):
        await _seal(database, vault, f"{CANARY}{number}", row_id=f"con_{number}")
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert {"aiservice.sqlite", "aiservice.sqlite-wal"} <= {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        assert CANARY.encode() not in content
        assert base64.b64encode(CANARY.encode())[:24] not in content


@pytest.mark.parametrize(
    "changed",
    [
        {"purpose": "client_key_copy"},
        {"row_id": "con_2"},
        {"owner": "cli_2"},
        {"provider": "anthropic"},
        {"base_url": "https://evil.example/v1"},
        {"revision": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_t19_a_secret_opens_for_no_other_value_of_any_bound_column(
    database: Database, settings: Settings, vault: Vault, changed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await _seal(database, vault)
    await _unseal(database, vault)
    async with database.write() as session:  # whoever can write the database moves the envelope along
        moved = {"purpose": "provider_key", "row_id": "con_1", "revision": 1} | changed
        await session.execute(
            text("UPDATE sealed_secret SET purpose = :purpose, row_id = :row_id, revision = :revision"),
            {name: moved[name] for name in ("purpose", "row_id", "revision")},
        )
    for user in (vault, Vault(database, settings)):
        await user.open()
        with pytest.raises(Overloaded) as raised:
            await _unseal(database, user, **changed)
        assert raised.value.code == "secret_integrity"
    assert "ALERT" in caplog.text


@pytest.mark.parametrize("column", ["sealed", "wrapped_dek", "kek_version"])
async def test_t19_a_changed_envelope_is_refused_and_found_by_the_check(
    database: Database, settings: Settings, vault: Vault, column: str
) -> None:
    await _seal(database, vault)
    assert await vault.check() == []
    async with database.write() as session:
        value = 7 if column == "kek_version" else bytes(60)
        await session.execute(text(f"UPDATE sealed_secret SET {column} = :value"), {"value": value})
    other = Vault(database, settings)
    await other.open()
    with pytest.raises(Overloaded) as raised:
        await _unseal(database, other)
    assert raised.value.code == "secret_integrity"
    assert await other.check() == [("provider_key", "con_1")]


async def test_t21_an_older_envelope_put_back_is_refused(database: Database, settings: Settings, vault: Vault) -> None:
    await _seal(database, vault, "sk-leaked-and-replaced")
    async with database.read() as session:
        old = (await session.execute(text("SELECT * FROM sealed_secret"))).mappings().one()
    await _seal(database, vault, CANARY, revision=2)
    async with database.write() as session:
        assignments = ", ".join(f"{name} = :{name}" for name in old)
        await session.execute(text(f"UPDATE sealed_secret SET {assignments}"), dict(old))
    other = Vault(database, settings)
    await other.open()
    with pytest.raises(Overloaded) as raised:
        await _unseal(database, other, revision=2)
    assert raised.value.code == "secret_integrity"


async def test_t23_a_wrong_master_key_seals_and_writes_nothing_and_the_right_one_works_again(
    database: Database, settings: Settings
) -> None:
    right = _with_key(settings)
    first = Vault(database, right)
    await first.open()
    await _seal(database, first)
    wrong = Vault(database, _with_key(settings))
    await wrong.open()
    assert wrong.is_sealed
    assert "not the one" in (wrong.sealed_reason or "")
    for attempt in (_unseal(database, wrong), _seal(database, wrong, row_id="con_2")):
        with pytest.raises(Overloaded) as raised:
            await attempt
        assert raised.value.code == "sealed"
    with pytest.raises(Overloaded):
        wrong.pepper(1)
    assert await _count(database, "sealed_secret") == await _count(database, "master_key_version") == 1
    again = Vault(database, right)
    await again.open()
    assert await _unseal(database, again) == CANARY


@pytest.mark.sqlite_only("only there is a key made")
async def test_t23_a_missing_generated_key_file_seals_and_is_never_replaced(
    database: Database, settings: Settings, vault: Vault
) -> None:
    path = settings.data_dir / "master.key"
    away = path.rename(path.with_name("elsewhere"))
    other = Vault(database, settings)
    await other.open()
    assert "missing" in (other.sealed_reason or "")
    assert not path.exists()
    away.rename(path)
    await other.open()
    assert other.pepper(1) == vault.pepper(1)


async def test_t23_deleting_the_record_of_the_key_seals_while_anything_depends_on_it(
    database: Database, settings: Settings, vault: Vault
) -> None:
    await _seal(database, vault)
    async with database.write() as session:
        await session.execute(text("DELETE FROM master_key_version"))
    other = Vault(database, settings)
    await other.open()
    assert other.is_sealed
    assert await _count(database, "master_key_version") == 0


@pytest.mark.sqlite_only("only there is a key made")
async def test_the_first_start_on_sqlite_makes_a_private_key_file_and_says_so_loudly(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await Vault(database, settings).open()
    path = settings.data_dir / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "A NEW MASTER KEY WAS MADE" in caplog.text
    assert path.read_text().strip() not in caplog.text
    assert len(base64.b64decode(path.read_text())) == 32


async def test_two_processes_that_start_at_once_agree_on_one_key(database: Database, settings: Settings) -> None:
    other_database = Database(settings.effective_database_url)
    vaults = [Vault(database, settings), Vault(other_database, settings)]
    for vault in vaults:
        await vault.open()
    await other_database.close()
    assert vaults[0].derive(b"x") == vaults[1].derive(b"x")


@pytest.mark.sqlite_only("only there is a key made")
async def test_postgresql_without_a_key_cannot_start(database: Database, settings: Settings) -> None:
    configured = replace(settings, database_url="postgresql+asyncpg://db/aiservice")
    with pytest.raises(SettingsError, match="AISERVICE_MASTER_KEY_FILE"):
        await Vault(database, configured).open()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
async def test_a_key_file_that_others_can_read_is_refused(database: Database, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    path.write_text(base64.b64encode(crypto.new_key()).decode())
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 400"):
        await Vault(database, Settings(master_key_file=path)).open()


@pytest.mark.parametrize("content", ["", "a passphrase", base64.b64encode(bytes(31)).decode()])
async def test_a_key_file_without_a_key_is_refused(database: Database, tmp_path: Path, content: str) -> None:
    path = tmp_path / "kek"
    path.write_text(content)
    path.chmod(0o400)
    with pytest.raises(SettingsError, match=str(path)):
        await Vault(database, Settings(master_key_file=path)).open()


async def test_a_key_file_may_hold_labelled_keys(database: Database, tmp_path: Path) -> None:
    keys = [crypto.new_key(), crypto.new_key()]
    path = tmp_path / "kek"
    path.write_text("".join(f"{number}:{base64.b64encode(key).decode()}\n" for number, key in enumerate(keys)))
    path.chmod(0o400)
    vault = Vault(database, Settings(master_key_file=path))
    await vault.open()
    alone = Vault(database, Settings(master_key=Secret(keys[0])))
    await alone.open()
    assert alone.derive(b"x") == vault.derive(b"x")


def test_nothing_about_a_closed_vault_is_open(database: Database, settings: Settings) -> None:
    vault = Vault(database, settings)
    assert vault.is_sealed
    with pytest.raises(Overloaded):
        vault.derive(b"x")
