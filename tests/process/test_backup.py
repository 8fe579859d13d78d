"""R-27: a backup taken under load, restored elsewhere, is the same installation with every promise kept."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness.databases import execute
from tests.harness.evidence import Evidence
from tests.harness.installation import CommandRefused, Installation
from tests.harness.load import Load, Told, ask, chat
from tests.harness.process import wait_until
from tests.process.conftest import ON_POSTGRES, ON_SQLITE, Rig

pytestmark = pytest.mark.process


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_SQLITE, ON_POSTGRES], indirect=True)
async def test_r27_a_backup_under_load_restores_to_all_that_had_been_answered(
    rig: Rig, tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    revoked = rig.installation.add_key(is_new_client=False)
    rig.installation.command("key", "revoke", revoked["id"])
    _admitted(rig)
    first = await _once(rig.server.url, rig.key)
    load = Load(rig.server.url, rig.key, connections=20, seed=seed)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(1.5)
    answered = {told.request_id for told in load.told if told.is_complete}
    made = await asyncio.to_thread(rig.installation.command, "backup", "--to", str(tmp_path / "b.backup"))
    load.stop()
    told = await running
    assert {one.status for one in told} == {200}
    with pytest.raises(CommandRefused, match="Stop it first"):
        rig.installation.command("restore", str(tmp_path / "b.backup"), "--force")
    there = _elsewhere(rig, tmp_path)
    restored = there.command("restore", str(tmp_path / "b.backup"))
    rows = there.ledger()
    evidence.note(answered=len(answered), asked=len(told), rows=len(rows), bytes=made["bytes"], restored=restored)
    assert (restored["breaches"], restored["master_key_opens"]) == ([], True)
    assert answered
    assert answered <= rows.keys()
    _is_admitted_as_before(there, rows)
    calls = len(rig.mock.chats())
    with there.server() as server:
        assert await _once(server.url, rig.key) == first, "the stored answer, byte for byte"
        assert len(rig.mock.chats()) == calls, "and nobody was asked"
        async with aiohttp.ClientSession() as session:
            good = await ask(session, server.url, rig.key, Told("good"), chat("(words-3)"))
            bad = await ask(session, server.url, revoked["key"], Told("bad"), chat("(words-3)"))
        assert (good.status, bad.status) == (200, 401)
        reserved = "SELECT COALESCE(SUM(reserved), 0) AS amount FROM budget_window"
        wait_until(lambda: int(there.query(reserved)[0]["amount"]) == 0, seconds=60)
    assert there.command("audit", "verify")["ok"] is True


def _admitted(rig: Rig) -> None:
    """Whatever admission keeps, so that it is in the backup: a budget with slices, limits, a policy, a rule, a team."""
    command = rig.installation.command
    command("key", "budget", "set", rig.key_id, "--tokens", "50000000", "--period", "day")
    command("client", "limits", "set", "test-client", "--rpm", "100000")
    command(
        "abuse", "policy", "--client", "test-client", "--set", "throttle", "--ceiling", "requests/minute=90000:alert"
    )
    command("alert", "rule", "set", "slow", "--metric", "latency_p95", "--above", "9000")
    command("team", "create", "--name", "finance")


def _is_admitted_as_before(there: Installation, rows: dict[str, dict[str, Any]]) -> None:
    """The budget has spent what the ledger says; what was set is there."""
    tokens = sum(row["input_tokens"] + row["output_tokens"] for row in rows.values() if row["budgets"])
    (window,) = there.query("SELECT spent, reserved FROM budget_window")
    slices = there.query("SELECT COALESCE(SUM(amount), 0) AS held FROM budget_slice")
    assert int(window["spent"]) == tokens > 0
    assert int(window["reserved"]) == int(slices[0]["held"])
    assert [row["name"] for row in there.command("team", "list")] == ["finance"]
    assert [row["measure"] for row in there.query("SELECT measure FROM budget")] == ["tokens"]
    assert there.query("SELECT limits FROM client WHERE name = 'test-client'")[0]["limits"]
    assert "slow" in {row["name"] for row in there.command("alert", "rule", "list")}


async def _once(url: str, key: str) -> bytes:
    """The answer to one request with an Idempotency-Key, always the same one."""
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "before-the-backup"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/chat/completions", json=chat("(words-5)"), headers=headers) as answer,
    ):
        assert answer.status == 200
        return await answer.read()


def _elsewhere(rig: Rig, folder: Path) -> Installation:
    """An empty folder (and database), with the master key that the operator kept."""
    there = Installation(folder / "elsewhere", rig.installation.extra)
    there.data_dir.mkdir(mode=0o700, parents=True)
    if rig.postgres is not None:
        execute(rig.postgres.url, "CREATE DATABASE elsewhere")
        there.extra["AISERVICE_DATABASE_URL"] = rig.postgres.url_of("elsewhere")
    else:
        shutil.copy2(rig.installation.data_dir / "master.key", there.data_dir)
    return there
