"""R-04: a database that restarts, is killed, hangs or stays away loses no usage, and keys in use go on working."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.harness.databases import PostgresServer
from tests.harness.evidence import Evidence
from tests.harness.load import Load, Told
from tests.process.checker import compare
from tests.process.conftest import ON_POSTGRES, Rig

pytestmark = pytest.mark.process

_OUTAGE_SECONDS = 30.0
_RECOVERED_WITHIN_SECONDS = 5.0
_TRUSTED_SECONDS = 45.0  # for so long after the last news a key that was good is taken
_SCRIPT = "(words-8) (wait-50)"

Fault = Callable[[PostgresServer], Awaitable[None]]


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_POSTGRES], indirect=True)
async def test_r04_a_restart_of_the_database_fails_no_request_of_a_known_key(rig: Rig, evidence: Evidence) -> None:
    async def restart(postgres: PostgresServer) -> None:
        for _ in range(3):
            await asyncio.to_thread(postgres.stop)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(postgres.start)
            await asyncio.sleep(2.0)

    told, recovery = await _under_load(rig, restart)
    failed = [one for one in told if not one.is_complete]
    evidence.note(restarts=3, asked=len(told), failed=len(failed), recovery_seconds=recovery)
    assert failed == []


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_POSTGRES], indirect=True)
async def test_r04_thirty_seconds_without_the_database_lose_no_usage(rig: Rig, evidence: Evidence) -> None:
    async def kill(postgres: PostgresServer) -> None:
        await asyncio.to_thread(postgres.kill_postmaster)
        await asyncio.sleep(_OUTAGE_SECONDS)
        await asyncio.to_thread(postgres.start)

    told, recovery = await _under_load(rig, kill)
    _has_been_served(told, evidence, recovery)


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_POSTGRES], indirect=True)
async def test_r04_a_database_that_hangs_for_thirty_seconds_loses_no_usage(rig: Rig, evidence: Evidence) -> None:
    async def freeze(postgres: PostgresServer) -> None:
        frozen = postgres.tree()
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(_OUTAGE_SECONDS)
        for pid in reversed(frozen):
            os.kill(pid, signal.SIGCONT)

    told, recovery = await _under_load(rig, freeze)
    _has_been_served(told, evidence, recovery)


@pytest.mark.long
@pytest.mark.parametrize("rig", [ON_POSTGRES], indirect=True)
async def test_r04_after_a_longer_outage_keys_are_refused_and_what_was_served_is_in_the_ledger(
    rig: Rig, evidence: Evidence
) -> None:
    async def stay_away(postgres: PostgresServer) -> None:
        await asyncio.to_thread(postgres.kill_postmaster)
        await asyncio.sleep(_TRUSTED_SECONDS + 5)
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{rig.server.url}/v1/models", headers={"authorization": f"Bearer {rig.key}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        await asyncio.to_thread(postgres.start)

    told, recovery = await _under_load(rig, stay_away)
    refused = [one for one in told if one.status == 503]
    evidence.note(asked=len(told), refused=len(refused), recovery_seconds=recovery)
    assert refused
    assert {one.status for one in told} == {200, 503}


async def _under_load(rig: Rig, fault: Fault) -> tuple[list[Told], float]:
    """What clients were told while `fault` ran, and the seconds after it until all that was served was settled and
    new keys could be made and used."""
    assert rig.postgres is not None
    load = Load(rig.server.url, rig.key, connections=16, script=_SCRIPT)
    running = asyncio.create_task(load.run())
    await asyncio.sleep(2.0)
    await fault(rig.postgres)
    back_at = time.monotonic()
    await asyncio.to_thread(_until_drained, rig)
    recovery = time.monotonic() - back_at
    await asyncio.sleep(1.0)
    load.stop()
    told = await running
    await asyncio.to_thread(_until_drained, rig)
    verdict = compare(rig.installation, rig.mock.chats(), told)
    assert verdict.is_kept, verdict
    assert recovery <= _RECOVERED_WITHIN_SECONDS
    return told, round(recovery, 2)


def _until_drained(rig: Rig) -> None:
    """Waits until everything settled so far is in the database."""
    served = {call.request_id for call in rig.mock.chats()}
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if served <= rig.installation.ledger().keys():
            return
        time.sleep(0.1)
    missing = served - rig.installation.ledger().keys()
    pytest.fail(f"{len(missing)} of {len(served)} served requests are not in the ledger")


def _has_been_served(told: list[Told], evidence: Evidence, recovery: float) -> None:
    complete = sum(one.is_complete for one in told)
    evidence.note(
        outage_seconds=_OUTAGE_SECONDS, asked=len(told), served_share=complete / len(told), recovery_seconds=recovery
    )
    assert complete / len(told) >= 0.99
