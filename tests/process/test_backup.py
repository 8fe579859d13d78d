"""R-27: a backup taken under load, restored elsewhere, is the same installation with every promise kept."""

import asyncio
import shutil
from pathlib import Path

import aiohttp
import pytest

from tests.harness.databases import execute
from tests.harness.evidence import Evidence
from tests.harness.installation import CommandRefused, Installation
from tests.harness.load import Load, Told, ask, chat
from tests.process.conftest import ON_SQLITE, Rig

pytestmark = pytest.mark.process


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_SQLITE], indirect=True)
async def test_r27_a_backup_under_load_restores_to_all_that_had_been_answered(
    rig: Rig, tmp_path: Path, seed: int, evidence: Evidence
) -> None:
    revoked = rig.installation.add_key(is_new_client=False)
    rig.installation.command("key", "revoke", revoked["id"])
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
    with there.server() as server:
        async with aiohttp.ClientSession() as session:
            good = await ask(session, server.url, rig.key, Told("good"), chat("(words-3)"))
            bad = await ask(session, server.url, revoked["key"], Told("bad"), chat("(words-3)"))
    assert (good.status, bad.status) == (200, 401)


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
