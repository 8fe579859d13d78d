"""The audit log: in the unit of work of what it tells of, one chain whoever appends, and every tampering named."""

import asyncio
import json
import os

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aiservice.errors import BrokerError, InternalFault
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Person, Principal, Role
from aiservice.services.audit import Audit, AuditFilter
from aiservice.services.audit_entry import CALLER_ADDRESS, record
from aiservice.services.core import Core
from aiservice.services.examination import examine_store
from aiservice.services.opening import open_core
from aiservice.services.vault import Vault
from aiservice.settings import Settings
from aiservice.store.session import AsyncSession, Database
from aiservice.store.unique import add_unique
from aiservice.tables import Client

DEVELOPER = Person("usr_d", "d@example.org", Role.DEVELOPER)


@pytest.fixture
async def audit(database: Database, settings: Settings) -> Audit:
    vault = Vault(database, settings)
    await vault.open()
    return Audit(database, vault)


async def write(database: Database, count: int, action: str = "client.create") -> None:
    for number in range(count):
        async with database.write() as session:
            record(session, OPERATOR, action, f"cli_{number}", after={"name": f"shop {number}"})


async def untriggered(session: AsyncSession) -> None:
    """What somebody does who owns the database."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        return
    for name in ("update", "delete", "replace"):
        await session.execute(text(f"DROP TRIGGER IF EXISTS audit_entry_no_{name}"))


async def tamper(database: Database, *statements: str) -> None:
    async with database.write() as session:
        await untriggered(session)
        for statement in statements:
            await session.execute(text(statement))
        if session.get_bind().dialect.name == "postgresql":  # the next test gets the same tables
            await session.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER ALL"))


async def test_an_entry_says_who_what_when_and_from_where(database: Database, audit: Audit) -> None:
    token = CALLER_ADDRESS.set("203.0.113.9")
    async with database.write() as session:
        record(session, DEVELOPER, "key.limits", "key_1", before={"rpm": 5}, after={"rpm": 9})
    CALLER_ADDRESS.reset(token)
    [entry], following = await audit.page(OPERATOR, AuditFilter())
    assert (entry.number, entry.actor, entry.address) == (1, "d@example.org", "203.0.113.9")
    assert (entry.before, entry.after, following) == ({"rpm": 5}, {"rpm": 9}, "")


async def test_what_an_entry_is_about_is_told_by_the_name_it_has_now(database: Database, audit: Audit) -> None:
    async with database.write() as session:
        session.add(Client(id="cli_0", name="shop", owner_id=None, created_us=1))
    assert await audit.names(OPERATOR, {"cli_0", "key_gone"}) == {"cli_0": "shop"}
    with pytest.raises(BrokerError):
        await audit.names(DEVELOPER, {"cli_0"})


async def test_what_is_not_committed_leaves_no_entry(database: Database, audit: Audit) -> None:
    await write(database, 1)
    with pytest.raises(InternalFault):
        async with database.write() as session:
            record(session, OPERATOR, "client.create", "cli_x")
            raise InternalFault
    await write(database, 1)
    verdict = await audit.verify()
    assert (verdict.entries, verdict.damage) == (2, ())


async def test_a_change_whose_entry_cannot_be_signed_is_not_made(database: Database, settings: Settings) -> None:
    audit = Audit(database, Vault(database, settings))  # sealed: it was never opened
    with pytest.raises(BrokerError):
        async with database.write() as session:
            await add_unique(session, Client(id="cli_1", name="shop", created_us=1))
            record(session, OPERATOR, "client.create", "cli_1")
    async with database.write() as session:
        await add_unique(session, Client(id="cli_1", name="shop", created_us=1))
    assert (await audit.page(OPERATOR, AuditFilter()))[0] == []


async def test_no_secret_gets_in(database: Database, audit: Audit) -> None:
    key = "ais_live_abcdefghijkl_" + "Z" * 38
    after = {
        "key": Secret("canary-1"),
        "raw": b"canary-2",
        "note": f"was {key}",
        "odd": object(),
        "list": [Secret("c")],
    }
    async with database.write() as session:
        record(session, OPERATOR, "connection.key", "con_1", after={**after, "nul": "a\0b\ud800"})
    [entry], _ = await audit.page(OPERATOR, AuditFilter())
    assert entry.after is not None
    assert entry.after["key"] == "[secret]" and entry.after["list"] == ["[secret]"]
    assert (entry.after["raw"], entry.after["odd"]) == ("[bytes]", "[object]")
    assert "canary" not in str(entry) and "ZZZZ" not in str(entry)


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
async def test_the_database_refuses_changes(database: Database, audit: Audit, statement: str) -> None:
    await write(database, 2)
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.write() as session:
            await session.execute(text(statement))
    assert (await audit.verify()).entries == 2


@pytest.mark.sqlite_only
async def test_sqlite_refuses_to_replace_an_entry(database: Database, audit: Audit) -> None:
    await write(database, 1)
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.write() as session:
            await session.execute(text("INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry"))
    assert (await audit.verify()).damage == ()


@pytest.mark.postgres_only
async def test_postgres_refuses_to_truncate(database: Database, audit: Audit) -> None:
    await write(database, 1)
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.write() as session:
            await session.execute(text("TRUNCATE audit_entry"))
    assert (await audit.verify()).entries == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE audit_entry SET after = replace(after, 'shop 3', 'shop 4') WHERE number = 4", [4]),
        ("UPDATE audit_entry SET actor = 'operatos' WHERE number = 4", [4]),
        ("UPDATE audit_entry SET at_us = at_us + 1 WHERE number = 4", [4]),
        ("UPDATE audit_entry SET actor = 'operator1', actor_id = 'operato' WHERE number = 4", [4]),
        ("UPDATE audit_entry SET mac = previous WHERE number = 4", [4]),
        ("DELETE FROM audit_entry WHERE number = 4", [4]),
        ("DELETE FROM audit_entry WHERE number IN (4, 5)", [4]),
        ("DELETE FROM audit_entry WHERE number = 8", [8]),
        ("UPDATE audit_entry SET number = number + 100 WHERE number = 8", [8, 108]),
    ],
)
async def test_t81_one_byte_changed_behind_the_triggers_is_named(
    database: Database, audit: Audit, change: str, named: list[int]
) -> None:
    await write(database, 8)
    assert (await audit.verify()).damage == ()
    await tamper(database, change)
    found = [damage.number for damage in (await audit.verify()).damage if damage.number is not None]
    assert found == named


async def test_t81_entries_made_with_another_key_are_named(database: Database, audit: Audit) -> None:
    await write(database, 3)
    await tamper(
        database,
        "UPDATE audit_entry SET actor = 'nobody', mac = (SELECT previous FROM audit_entry WHERE number = 3)"
        " WHERE number = 2",
    )
    assert [damage.number for damage in (await audit.verify()).damage] == [2]


async def test_a_log_cut_back_as_a_whole_is_found_by_its_anchor(database: Database, audit: Audit) -> None:
    await write(database, 3)
    anchor = await audit.anchor()
    mac = "(SELECT mac FROM audit_entry WHERE number = 2)"
    await tamper(database, f"UPDATE audit_head SET number = 2, mac = {mac}", "DELETE FROM audit_entry WHERE number > 2")
    assert (await audit.verify()).damage == ()
    assert [damage.number for damage in (await audit.verify(anchor)).damage] == [3]
    await write(database, 2)
    assert [damage.number for damage in (await audit.verify(anchor)).damage] == [3]


async def test_a_lost_end_does_not_stop_changes(database: Database, audit: Audit) -> None:
    await write(database, 2)
    await tamper(database, "DELETE FROM audit_head")
    await write(database, 1)
    assert (await audit.verify()).entries == 3


async def test_many_writers_make_one_chain(installed: Settings) -> None:
    """Each with connections of its own, as processes have them."""
    databases = [Database(installed.effective_database_url) for _ in range(4)]
    vaults = [Vault(database, installed) for database in databases]
    for vault in vaults:
        await vault.open()
    audits = [Audit(database, vault) for database, vault in zip(databases, vaults, strict=True)]
    await asyncio.gather(*(write(database, 12) for database in databases))
    verdict = await audits[0].verify()
    assert (verdict.entries, verdict.damage) == (48, ())
    for database in databases:
        await database.close()


async def test_pages_and_filters(database: Database, audit: Audit) -> None:
    await write(database, 3)
    await write(database, 2, "key.roll")
    first, cursor = await audit.page(OPERATOR, AuditFilter(action="client."), limit=2)
    rest, end = await audit.page(OPERATOR, AuditFilter(action="client."), limit=2, before=cursor)
    assert ([each.number for each in first + rest], end) == ([3, 2, 1], "")
    asked = AuditFilter(actor="operator", action="key.roll", subject="cli_1")
    assert [each.number for each in (await audit.page(OPERATOR, asked))[0]] == [5]
    assert await audit.actions(OPERATOR) == ["client.create", "key.roll"]
    lines = [line async for line in await audit.export_csv(OPERATOR, AuditFilter())]
    assert len(lines) == 6 and lines[0].startswith("number,at,actor")
    said = json.loads("".join([line async for line in await audit.export_json(OPERATOR, asked)]))
    assert [(each["number"], each["action"], each["subject"]) for each in said] == [(5, "key.roll", "cli_1")]
    nothing = AuditFilter(action="nothing")
    assert json.loads("".join([line async for line in await audit.export_json(OPERATOR, nothing)])) == []
    assert ((await audit.verified(OPERATOR)).entries, (await audit.verified(OPERATOR)).damage) == (5, ())


async def test_only_admins_read_it(audit: Audit) -> None:
    for work in (
        audit.page(DEVELOPER, AuditFilter()),
        audit.actions(DEVELOPER),
        audit.export_csv(DEVELOPER, AuditFilter()),
        audit.export_json(DEVELOPER, AuditFilter()),
        audit.verified(DEVELOPER),
    ):
        with pytest.raises(BrokerError) as raised:
            await work
        assert raised.value.code == "admin_only"


async def test_a_key_of_a_client_is_an_actor_too(database: Database, audit: Audit) -> None:
    async with database.write() as session:
        record(session, Principal("cli_1", "shop", "key_1", "pub"), "token.revoke", "key_1")
    [entry], _ = await audit.page(OPERATOR, AuditFilter())
    assert (entry.actor_id, entry.actor) == ("key_1", "key of shop")


async def test_a_new_master_key_does_not_break_the_chain(
    database: Database, installed: Settings, settings: Settings
) -> None:
    vault = Vault(database, settings)
    await vault.open()
    audit = Audit(database, vault)
    await write(database, 2)
    await vault.rotate(Secret(os.urandom(32)), grace_seconds=0)
    await write(database, 1)
    assert (await audit.verify()).damage == ()


async def test_t21_a_key_older_than_the_log_says_is_reported(installed: Settings) -> None:
    async with open_core(installed) as core:
        await put_an_older_key_back(core)


async def put_an_older_key_back(core: Core) -> None:
    added = await core.connections.add(OPERATOR, "openai", "main", None, Secret("sk-first-0123456789abcdef"))
    await core.connections.set_key(OPERATOR, added.id, Secret("sk-second-0123456789abcdef"))
    assert {found.state for found in await examine_store(core.settings) if found.name == "audit log"} == {"ok"}
    async with core.db.write() as session:
        await session.execute(text("UPDATE provider_connection SET revision = revision - 1 WHERE name = 'main'"))
    [found] = [found for found in await examine_store(core.settings) if found.name == "audit log"]
    assert found.state == "fail" and added.id in found.message


async def test_where_the_chain_stands_is_told_to_the_log(
    database: Database, audit: Audit, caplog: pytest.LogCaptureFixture
) -> None:
    await write(database, 2)
    with caplog.at_level("INFO"):
        await audit.tell_anchor()
    assert (await audit.verify()).anchor in caplog.text
    assert (await audit.verify()).anchor.startswith("2:")
