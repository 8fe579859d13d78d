"""What an admin sees of the installation: true, without a secret, and whatever of it is away."""

from dataclasses import replace
from pathlib import Path

import pytest

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.kit.clock import DAY_US, now_us
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.audit import AuditFilter
from aiservice.services.core import Core
from aiservice.services.job_log import JobLog, merged
from aiservice.services.opening import open_core
from aiservice.services.shown_settings import shown_settings
from aiservice.settings import Settings, load_settings
from aiservice.store.migrations import HEAD
from aiservice.store.session import Database
from aiservice.tables import Client, SealedBody, ShadowAttempt
from tests.services.cast import person


@pytest.fixture
async def core(installed: Settings):  # type: ignore[no-untyped-def]
    async with open_core(installed, is_serving=True) as opened:
        yield opened


async def test_one_look_says_who_serves_and_how_the_stores_do_to_admins_alone(core: Core) -> None:
    facts = await core.system.look(OPERATOR)
    (worker,) = facts.workers
    assert (worker.is_here, worker.is_alive, worker.id) == (True, True, core.cluster.worker_id)
    assert (facts.schema, facts.schema_is_current) == (HEAD, True)
    assert facts.database.is_up
    assert facts.database.words.startswith(("SQLite 3.", "PostgreSQL "))
    assert not facts.redis.is_used
    assert (facts.ledger.waiting_rows, facts.ledger.failure) == (0, "")
    assert dict(facts.versions)["aiservice"]
    found = {one.name: one.state for one in await core.system.examine(OPERATOR)}
    assert {"data folder", "database", "master key", "audit log", "ledger", "clock", "journal"} <= found.keys()
    assert found["database"] == found["master key"] == "ok", "as doctor says"
    ada = await person(core.db, "ada@example.org")
    for refused in (
        core.system.look(ada),
        core.system.settings(ada),
        core.system.examine(ada),
        core.retention.list(ada),
        core.retention.purge(ada, "shadows"),
    ):
        with pytest.raises(PermissionDenied):
            await refused


def test_every_setting_says_where_it_comes_from_and_no_secret_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AISERVICE_SIGNUP=closed\nAISERVICE_LOG_LEVEL=DEBUG\n")
    environ = {
        "AISERVICE_LOG_LEVEL": "ERROR",
        "AISERVICE_METRICS_TOKEN": "canary-token",
        "AISERVICE_DATABASE_URL": "postgresql+asyncpg://who:canary-word@db.example:5432/ai?password=canary-too",
        "AISERVICE_REDIS_URL": "redis://:canary-redis@cache.example:6379/3",
        "AISERVICE_SMTP_URL": "smtps://who:canary-mail@mail.example",
    }
    shown = {one.name: one for one in shown_settings(load_settings(environ, dotenv=tmp_path / ".env"))}
    sources = {name: shown[f"AISERVICE_{name}"].source for name in ("SIGNUP", "LOG_LEVEL", "DRAIN_SECONDS")}
    assert sources == {"SIGNUP": ".env", "LOG_LEVEL": "environment", "DRAIN_SECONDS": "default"}
    assert shown["AISERVICE_LOG_LEVEL"].value == "ERROR"
    assert shown["AISERVICE_METRICS_TOKEN"].value == "set (secret)"
    assert shown["AISERVICE_DATABASE_URL"].value == "postgresql+asyncpg://db.example:5432/ai"
    assert "canary" not in repr(shown)
    assert "who" not in repr(shown)


def test_a_key_that_was_given_is_said_to_be_set() -> None:
    shown = {one.name: one.value for one in shown_settings(replace(Settings(), master_key=Secret(b"k" * 32)))}
    assert (shown["AISERVICE_MASTER_KEY"], shown["AISERVICE_MASTER_KEY_FILE"]) == ("set (secret)", "not set")


async def test_what_is_past_its_time_is_counted_deleted_and_noted(core: Core, database: Database) -> None:
    old, young = now_us() - 31 * DAY_US, now_us() - 29 * DAY_US
    async with database.write() as session:
        session.add(Client(id="cli_1", name="acme", created_us=1))
        await session.flush()
        for n, at_us in enumerate((old, old, young)):
            session.add(_attempt(n, at_us))
        for n, expires_us in enumerate((1, now_us() + DAY_US)):
            session.add(_body(n, expires_us))
    kept = {one.name: one for one in await core.retention.list(OPERATOR)}
    shadows = kept["shadows"]
    assert (shadows.rows, shadows.is_estimate, shadows.oldest_us, shadows.over) == (3, False, old, 2)
    assert (kept["bodies"].rows, kept["bodies"].over) == (2, 1)
    audit = kept["audit"]
    assert (audit.kept, audit.setting, audit.can_purge) == ("for ever", "AISERVICE_AUDIT_KEPT", False)
    assert await core.retention.purge(OPERATOR, "shadows") == 2
    assert await core.retention.purge(OPERATOR, "bodies") == 1
    entries, _ = await core.audit.page(OPERATOR, AuditFilter(action="retention.purge"))
    assert [(entry.subject, entry.after) for entry in entries] == [("bodies", {"rows": 1}), ("shadows", {"rows": 2})]
    for name in ("ledger", "usage", "nothing"):
        with pytest.raises(Unprocessable):
            await core.retention.purge(OPERATOR, name)


def test_the_log_of_jobs_keeps_runs_faults_and_whose_it_was() -> None:
    one, other = JobLog(), JobLog()
    one.ran("fold", 5.0, 0.25, is_ours=True)
    one.rests("fold", 5.0)
    other.ran("fold", 5.0, 0.0, is_ours=False)
    other.failed("mail", 2.0, ValueError("canary"))
    other.rests("mail", 2.0)
    said = merged([one.said(), other.said()])
    assert (said["fold"]["took_seconds"], said["fold"]["is_failing"], said["fold"]["fault"]) == (0.25, False, "")
    assert said["fold"]["ran_seconds_ago"] == pytest.approx(0, abs=5)
    assert 0 < said["fold"]["next_seconds"] <= 5
    assert (said["mail"]["is_failing"], said["mail"]["fault"]) == (True, "ValueError")
    assert "canary" not in repr(said)
    other.ran("mail", 2.0, 0.1, is_ours=True)
    assert not other.said()["mail"]["is_failing"]
    assert other.said()["mail"]["fault"] == "ValueError", "when it failed last stays to be seen"


def _attempt(number: int, at_us: int) -> ShadowAttempt:
    return ShadowAttempt(
        rule_id="shr_1",
        request_id=f"req_{number}",
        provider="p",
        model="m",
        at_us=at_us,
        duration_ms=1,
        real_ms=1,
        status=200,
        input_tokens=1,
        output_tokens=1,
    )


def _body(number: int, expires_us: int) -> SealedBody:
    name = f"b{number}"
    return SealedBody(
        client_id="cli_1", kind="replay", id=name, key_revision=1, sealed=b"x", created_us=1, expires_us=expires_us
    )
