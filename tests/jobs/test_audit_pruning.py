"""The job that deletes old audit entries: a forged one stops it, and somebody is told."""

from dataclasses import replace

from aiservice.jobs.schedule import _prune_audit
from aiservice.principal import OPERATOR
from aiservice.services.audit import AuditFilter
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.services.test_audit import tamper


async def test_a_forged_entry_is_not_washed_away_by_its_age(installed: Settings) -> None:
    async with open_core(replace(installed, audit_kept=0)) as core:
        for name in ("a", "b", "c"):
            await core.clients.create(OPERATOR, name)
        await tamper(core.db, "UPDATE audit_entry SET actor = 'nobody' WHERE number = 2")
        await _prune_audit(core)
        kept = [entry.number for entry in (await core.audit.page(OPERATOR, AuditFilter()))[0]]
        assert kept == [4, 3, 2], "and 4 says what went"
        await core.alerts.flush()
        [alert] = await core.alerts.list(OPERATOR, "open")
        assert (alert.kind, "entry 2" in alert.words) == ("audit", True)
