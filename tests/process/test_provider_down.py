"""R-13: a provider that is down is found out at once, left alone, and taken back soon after it has come back."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.load import chat
from tests.harness.process import wait_until
from tests.process.conftest import PROVIDER_KEY, Rig

pytestmark = [pytest.mark.process, pytest.mark.long]

_PER_SECOND = 60
_DOWN_SECONDS = 17.0
_REFUSED = "provider_down"


@dataclass(slots=True, frozen=True)
class _Asked:
    """One request: when it was sent and how long it took in seconds, its status and its error's code."""

    at: float
    took: float
    status: int
    code: str | None

    @property
    def is_attempt(self) -> bool:
        """Whether a provider was tried for it, in vain."""
        return self.code not in {None, _REFUSED}


async def test_r13_a_stopped_provider_is_found_out_left_alone_and_taken_back(rig: Rig, evidence: Evidence) -> None:
    asked, down_at, up_at = await _while_stopped(rig)
    before = [one for one in asked if one.at + one.took < down_at]
    after = [one for one in asked if one.at > up_at]
    first_good = min(one.at + one.took for one in after if one.status == 200)
    figures = _while_down([one for one in asked if down_at <= one.at < up_at], is_down_from_the_start=False)
    evidence.note(**figures, taken_back_seconds=round(first_good - up_at, 2), asked=len(asked))
    assert {one.status for one in before} == {200}
    assert first_good - up_at <= 10
    assert {one.status for one in after if one.at > first_good} == {200}


@pytest.mark.parametrize("fault", ["dns", "tls"])
async def test_r13_a_provider_without_an_address_or_with_a_wrong_certificate_is_left_alone(
    fault: str, tmp_path: Path, evidence: Evidence
) -> None:
    with _out_of_reach(fault, tmp_path) as (server, key):
        asked = await _ask_steadily(server, key, asyncio.get_running_loop().create_task(asyncio.sleep(_DOWN_SECONDS)))
        figures = _while_down(asked, is_down_from_the_start=True)
        codes = {one.code for one in asked if one.is_attempt}
        evidence.note(**figures, asked=len(asked), codes=sorted(map(str, codes)))
        assert codes == {f"upstream_{fault}_failed"}


@contextmanager
def _out_of_reach(fault: str, folder: Path) -> Iterator[tuple[ServerProcess, str]]:
    """A server whose only provider has a name that nobody knows, or a certificate that nobody signed."""
    mock = MockProcess(folder, keys=(PROVIDER_KEY,))
    cert, secret = folder / "cert.pem", folder / "cert.key"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", secret, "-out", cert, *subject],
        check=True,
        capture_output=True,
    )
    mock.command += ["--tls-cert", str(cert), "--tls-key", str(secret)]
    with mock:
        address = "http://nowhere.invalid/v1" if fault == "dns" else f"https://127.0.0.1:{mock.port}/v1"
        installation = Installation(folder)
        key = installation.add_key()["key"]
        installation.add_mock(address, "--no-test", key=PROVIDER_KEY, models="mock-small")
        with installation.server() as server:
            yield server, key


async def _while_stopped(rig: Rig) -> tuple[list[_Asked], float, float]:
    """What was asked while the provider was killed and, on the same port, started again; and when that was."""
    times: list[float] = []

    async def fault() -> None:
        await asyncio.sleep(3)
        times.append(time.monotonic())
        await asyncio.to_thread(rig.mock.kill)
        await asyncio.sleep(_DOWN_SECONDS)
        rig.mock.command[rig.mock.command.index("--port") + 1] = str(rig.mock.port)
        await asyncio.to_thread(rig.mock.start)
        await asyncio.to_thread(wait_until, lambda: rig.mock.log_text().count("base_url") == 2, seconds=20)
        times.append(time.monotonic())
        await asyncio.sleep(13)

    asked = await _ask_steadily(rig.server, rig.key, asyncio.create_task(fault()))
    return asked, times[0], times[1]


async def _ask_steadily(server: ServerProcess, key: str, until: "asyncio.Task[None]") -> list[_Asked]:
    """A steady row of requests, whether or not the last has ended, until the task ends; every other is a stream."""
    asked: list[_Asked] = []
    headers = {"authorization": f"Bearer {key}"}

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        began = time.monotonic()
        body = chat("(words-2)", is_stream=number % 2 == 0)
        async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
            code = None if answer.status == 200 else (await answer.json())["error"]["code"]
            await answer.read()
        asked.append(_Asked(began, time.monotonic() - began, answer.status, code))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        number = 0
        while not until.done():
            group.create_task(one(session, number))
            number += 1
            await asyncio.sleep(1 / _PER_SECOND)
    until.result()
    return asked


def _while_down(asked: list[_Asked], *, is_down_from_the_start: bool) -> dict[str, object]:
    """Holds what was asked during the trouble against the promise; gives the figures."""
    asked = sorted(asked, key=lambda one: one.at)
    attempts = [one for one in asked if one.is_attempt]
    refused = [one for one in asked if one.code == _REFUSED]
    opened_at = min(one.at + one.took for one in refused)
    probes = [one.at for one in attempts if one.at > opened_at]
    quick_p99 = statistics.quantiles([one.took for one in refused], n=100)[98]
    figures = {
        "opened_after_seconds": round(opened_at - attempts[0].at, 3),
        "failures_before_it_opened": len(attempts) - len(probes),
        "refused": len(refused),
        "refused_p50_ms": round(statistics.median(one.took for one in refused) * 1000, 2),
        "refused_p99_ms": round(quick_p99 * 1000, 2),
        "probes": len(probes),
        "seconds_between_probes": [round(later - earlier, 2) for earlier, later in pairwise(probes)],
    }
    assert {one.status for one in asked} <= {502, 503, 504} | (set() if is_down_from_the_start else {200}), figures
    assert opened_at - attempts[0].at <= 2, figures
    assert quick_p99 < 0.05, figures
    assert probes, "nobody looked whether it is back"
    assert all(later - earlier >= 4.9 for earlier, later in pairwise(probes)), figures
    return figures
