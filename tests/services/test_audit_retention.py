"""Audit entries deleted for their age: only whole ones, up to a signed checkpoint, and the rest still verifies."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from aiservice.errors import InvalidRequest
from aiservice.kit.clock import DAY_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services import audit_retention
from aiservice.services.audit import Audit, AuditFilter
from aiservice.services.audit_entry import _PENDING, record, take_pending
from aiservice.services.audit_retention import AuditRetention
from aiservice.services.vault import Vault
from aiservice.settings import Settings, SettingsError, load_settings
from aiservice.store.session import Database
from tests.services.test_audit import tamper

KEPT_SECONDS = 30 * 86_400


@pytest.fixture
async def vault(database: Database, settings: Settings) -> Vault:
    opened = Vault(database, settings)
    await opened.open()
    return opened


@pytest.fixture
async def audit(database: Database, vault: Vault) -> Audit:
    """Five entries of 40 days ago, three of now."""
    made = Audit(database, vault)
    for number in range(8):
        async with database.write() as session:
            record(session, OPERATOR, "client.create", f"cli_{number}")
            (entry,) = pending = take_pending(session)
            entry.at_us = now_us() - (40 * DAY_US if number < 5 else 0)
            session.info[_PENDING] = pending
    return made


async def numbers(audit: Audit) -> list[int]:
    return [entry.number for entry in (await audit.page(OPERATOR, AuditFilter()))[0]]


async def test_without_the_setting_nothing_is_ever_deleted(audit: Audit, database: Database, vault: Vault) -> None:
    assert await AuditRetention(database, vault, None).prune() == (0, None)
    assert len(await numbers(audit)) == 8


async def test_what_is_older_goes_the_rest_verifies_and_the_log_says_so(
    audit: Audit, database: Database, vault: Vault
) -> None:
    retention = AuditRetention(database, vault, KEPT_SECONDS)
    assert await retention.prune() == (5, None)
    assert await numbers(audit) == [9, 8, 7, 6]
    [told] = (await audit.page(OPERATOR, AuditFilter(action="audit.delete")))[0]
    assert (told.actor, told.subject, told.after and told.after["entries"]) == ("system", "1-5", 5)
    found = await audit.verify()
    assert (found.entries, found.damage, found.deleted) == (4, (), 5)
    assert await retention.prune() == (0, None)
    assert (await audit.verify(found.anchor)).damage == ()


async def test_an_anchor_of_what_was_deleted_is_refused_by_name(audit: Audit, database: Database, vault: Vault) -> None:
    await AuditRetention(database, vault, KEPT_SECONDS).prune()
    with pytest.raises(InvalidRequest, match="Take a newer anchor") as raised:
        await audit.verify("5:")
    assert raised.value.code == "anchor_too_old"


async def test_all_of_it_old_the_newest_stays(audit: Audit, database: Database, vault: Vault) -> None:
    assert await AuditRetention(database, vault, 0).prune() == (7, None)
    assert await numbers(audit) == [9, 8]
    assert (await audit.verify()).damage == ()


async def test_more_than_goes_at_once_goes_in_turns(
    audit: Audit, database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_retention, "AT_ONCE", 2)
    assert await AuditRetention(database, vault, KEPT_SECONDS).prune() == (5, None)
    found = await audit.verify()
    assert (found.damage, found.deleted) == ((), 5)


async def test_what_is_not_as_it_was_written_stays_and_is_named(audit: Audit, database: Database, vault: Vault) -> None:
    await tamper(database, "UPDATE audit_entry SET actor = 'nobody' WHERE number = 4")
    deleted, damage = await AuditRetention(database, vault, KEPT_SECONDS).prune()
    assert (deleted, damage and damage.number) == (3, 4)
    assert [each.number for each in (await audit.verify()).damage] == [4]


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE audit_checkpoint SET number = 6, mac = (SELECT mac FROM audit_entry WHERE number = 6)",
        "DELETE FROM audit_checkpoint",
    ],
)
async def test_who_forges_or_removes_the_checkpoint_is_found_out(
    audit: Audit, database: Database, vault: Vault, forgery: str
) -> None:
    await AuditRetention(database, vault, KEPT_SECONDS).prune()
    await tamper(database, forgery, "DELETE FROM audit_entry WHERE number <= 6")
    found = [str(each) for each in (await audit.verify()).damage]
    assert any("missing" in each for each in found), found


async def test_the_database_still_refuses_every_other_deletion(audit: Audit, database: Database, vault: Vault) -> None:
    await AuditRetention(database, vault, KEPT_SECONDS).prune()
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.write() as session:
            await session.execute(text("DELETE FROM audit_entry WHERE number = 7"))
    assert len(await numbers(audit)) == 4


def test_how_long_is_a_setting() -> None:
    assert load_settings({}, dotenv=None).audit_kept is None
    assert load_settings({"AISERVICE_AUDIT_KEPT": "400d"}, dotenv=None).audit_kept == 400 * 86_400
    with pytest.raises(SettingsError, match="AUDIT_KEPT"):
        load_settings({"AISERVICE_AUDIT_KEPT": "soon"}, dotenv=None)
