"""R-17: SIGTERM lets streams run for the drain's time, then tells the truth about the rest and settles everything."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path

import aiohttp
import pytest

from tests.harness import Installation, MockProcess
from tests.harness.evidence import Evidence
from tests.harness.load import Told, ask, chat
from tests.harness.mock import is_answering
from tests.harness.server import How
from tests.process.conftest import PROVIDER_KEY

pytestmark = pytest.mark.process

_STREAMS = 50
_BEGUN_WITHIN_SECONDS = 20.0


@pytest.mark.parametrize("how", ["serve", pytest.param("reflex", marks=pytest.mark.long)])
async def test_r17_a_short_drain_settles_fifty_streams(how: How, tmp_path: Path, evidence: Evidence) -> None:
    await _drain(how, tmp_path, evidence, drain_seconds=4.0, exit_within=9.0)


@pytest.mark.long
@pytest.mark.parametrize("how", ["serve", "reflex"])
async def test_r17_the_whole_drain_settles_fifty_streams(how: How, tmp_path: Path, evidence: Evidence) -> None:
    await _drain(how, tmp_path, evidence, drain_seconds=30.0, exit_within=35.0)


async def _drain(how: How, folder: Path, evidence: Evidence, *, drain_seconds: float, exit_within: float) -> None:
    installation = Installation(folder, {"AISERVICE_DRAIN_SECONDS": str(drain_seconds)})
    with MockProcess(folder, keys=(PROVIDER_KEY,)) as mock:
        key = installation.add_key()["key"]
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small")
        server = installation.server(how)
        with server:
            told = [Told(marker=str(number)) for number in range(_STREAMS)]
            body = chat("(words-600) (wait-100)", is_stream=True)
            timeout = aiohttp.ClientTimeout(total=120)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
                streams = [asyncio.create_task(ask(session, server.url, key, one, body)) for one in told]
                await _all_speak(told)
                started = time.monotonic()
                server.signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
                is_ready_after = await asyncio.to_thread(is_answering, f"{server.url}/readyz")
                await asyncio.wait(streams, timeout=exit_within + 5)
                try:
                    await asyncio.to_thread(server.wait, max(exit_within + 10 - (time.monotonic() - started), 1))
                except subprocess.TimeoutExpired:
                    pytest.fail(f"still running after {time.monotonic() - started:.1f} s\n{server.log_text()[-3000:]}")
                seconds = time.monotonic() - started
        rows = installation.ledger()
        evidence.note(
            how=how,
            streams=_STREAMS,
            drain_seconds=drain_seconds,
            exit_seconds=round(seconds, 1),
            settled_rows=len(rows),
            clean_finishes=sum(one.is_complete for one in told),
            ended_with_an_error_event=sum('"error"' in one.text for one in told),
            outcomes=sorted({row["outcome"] for row in rows.values()}),
        )
        assert seconds <= exit_within
        assert not is_ready_after
        assert len(rows) == _STREAMS
        assert not any(one.is_complete for one in told), "a stream that was cut looks finished"
        assert all('"error"' in one.text for one in told)
        assert {row["outcome"] for row in rows.values()} == {"broker_stopped"}
        assert all(row["output_tokens"] > 0 for row in rows.values())


async def _all_speak(told: list[Told]) -> None:
    async with asyncio.timeout(_BEGUN_WITHIN_SECONDS):
        while not all("content" in one.text and one.text.count("data: ") >= 3 for one in told):
            refused = [one.text for one in told if one.status not in {None, 200}]
            assert not refused, refused[:1]
            await asyncio.sleep(0.05)
