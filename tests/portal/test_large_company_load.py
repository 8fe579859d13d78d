"""A large company's portal and gateway in one process under load: how long an event takes while the gateway runs at
half of what it can, and what 50 open tabs cost the gateway's requests.

Half is of a capacity that is measured first, by the same server in the same minutes, so a slower machine is asked for
fewer requests; the times are not scaled. The server has a core of its own, everything else the other one: wrk, the
upstream, PostgreSQL and the tabs.
"""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.bench.measure import Step, run_whole
from tests.bench.targets import LOAD_CORE, TARGET_CORE, Target
from tests.harness import ServerProcess
from tests.harness.evidence import Evidence
from tests.portal.large_company import LargeCompany
from tests.portal.tab import Tab
from tests.portal.test_rights import named

pytestmark = [pytest.mark.process, pytest.mark.load, pytest.mark.postgres, pytest.mark.long]
ON_POSTGRES = pytest.mark.parametrize("company", ["postgres"], indirect=True)

EVENT_P95_MS, TABS_RATIO = 50.0, 1.2
_CONNECTIONS = 32
_WARM_SECONDS, _CAPACITY_SECONDS = 3.0, 10.0
_CLICKS, _CLICKS_SECONDS, _FEWEST_CLICKS = 240, 90.0, 100
_MODELS = tuple(f"model-{n}" for n in range(12))
_TABS, _ROUNDS, _TURN_SECONDS = 50, 5, 16.0
_TABS_ON = ("/", "/requests", "/usage", "/keys", "/limits")


@ON_POSTGRES
async def test_an_event_is_answered_in_50_ms_while_the_gateway_runs_at_half_its_capacity(
    company: LargeCompany, tmp_path: Path, evidence: Evidence
) -> None:
    with _served(company) as target:
        capacity = await _at_full(target, tmp_path)
        cookie = company.cookies(_server_of(target))["admin"]
        alone = await _clicks(company, target, cookie)
        load = asyncio.create_task(_load(target, tmp_path, _CLICKS_SECONDS, per_second=capacity / 2))
        await asyncio.sleep(1.0)
        beside = await _clicks(company, target, cookie)
        assert not load.done(), "the load ended before the clicks"
        step = await load
    figures = {"alone": _told(alone), "beside": _told(beside)}
    evidence.note(
        clicks={"alone": len(alone["event"]), "beside": len(beside["event"])},
        capacity_per_second=round(capacity),
        offered_per_second=round(step.per_second),
        gateway_p99_ms=step.p99_ms,
        milliseconds=figures,
    )
    assert min(len(alone["event"]), len(beside["event"])) >= _FEWEST_CLICKS
    assert step.per_second >= 0.47 * capacity
    assert figures["beside"]["event"]["p95"] <= EVENT_P95_MS


@ON_POSTGRES
async def test_fifty_open_tabs_leave_the_gateways_p99_within_a_fifth(
    company: LargeCompany, tmp_path: Path, evidence: Evidence
) -> None:
    steps: dict[str, list[Step]] = {"without": [], "with": []}
    told: list[int] = []
    with _served(company) as target:
        capacity = await _at_full(target, tmp_path)
        cookies = company.cookies(_server_of(target))
        for number in range(_ROUNDS):
            for how in ("without", "with") if number % 2 else ("with", "without"):
                async with _open_tabs(company, target, cookies, _TABS if how == "with" else 0) as tabs:
                    before = [len(tab.received) for tab in tabs]
                    steps[how].append(await _load(target, tmp_path, _TURN_SECONDS, per_second=capacity / 2))
                    if tabs:
                        told.append(sum(len(tab.received) for tab in tabs) - sum(before))
                    assert all(tab.client.connected for tab in tabs)
    p99 = {how: statistics.median(step.p99_ms for step in found) for how, found in steps.items()}
    evidence.note(
        tabs=_TABS,
        capacity_per_second=round(capacity),
        offered_per_second=[round(step.per_second) for found in steps.values() for step in found],
        p50_ms={how: [step.p50_ms for step in found] for how, found in steps.items()},
        p99_ms={how: [step.p99_ms for step in found] for how, found in steps.items()},
        cpu_us={how: [round(step.cpu_us) for step in found] for how, found in steps.items()},
        told_to_tabs=told,  # where the core is nearly full, what is live comes slowly
        ratio=round(p99["with"] / p99["without"], 3),
    )
    assert all(told), "tabs that are told nothing cost nothing"
    assert p99["with"] <= TABS_RATIO * p99["without"]


@contextmanager
def _served(company: LargeCompany) -> Iterator[Target]:
    """The company's server on a core of its own, and everything else on the other one meanwhile."""
    own = os.sched_getaffinity(0)
    for pid in [0, *(company.postgres.tree() if company.postgres else ())]:
        os.sched_setaffinity(pid, {LOAD_CORE})
    try:
        with company.installation.server(core=TARGET_CORE) as server:
            yield Target(
                "gateway", [server], server.port, server.port, [company.key], installation=company.installation
            )
    finally:
        os.sched_setaffinity(0, own)


def _server_of(target: Target) -> ServerProcess:
    (server,) = target.processes
    assert isinstance(server, ServerProcess)
    return server


async def _at_full(target: Target, folder: Path) -> float:
    """Requests a second that the gateway answers at most, once it is warm."""
    await _load(target, folder, _WARM_SECONDS)
    return (await _load(target, folder, _CAPACITY_SECONDS)).per_second


async def _load(target: Target, folder: Path, seconds: float, *, per_second: float = 0.0) -> Step:
    target.per_second = per_second
    return await asyncio.to_thread(run_whole, target, folder, connections=_CONNECTIONS, seconds=seconds)


async def _clicks(company: LargeCompany, target: Target, cookie: str) -> dict[str, list[float]]:
    """A person who narrows the log to one model after another: the event, and the page that it leads to."""
    page, choose = company.pages["/requests"], named("requests_state.choose")
    taken: dict[str, list[float]] = {"event": [], "its data": []}
    began, every = time.monotonic(), (_CLICKS_SECONDS - 10) / _CLICKS
    async with Tab(_server_of(target), cookie) as tab:
        await tab.open(page)
        for number, model in enumerate(islice(cycle(_MODELS), _CLICKS)):
            if time.monotonic() > began + _CLICKS_SECONDS - 5:
                break
            taken["event"].append(await tab.click(choose, {"name": "model", "value": model}))
            taken["its data"].append(await tab.go(page.at(f"/requests?model={model}")))
            tab.forget()
            await asyncio.sleep(max(0.0, began + (number + 1) * every - time.monotonic()))
    return taken


def _told(taken: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "p50": round(statistics.median(found) * 1000, 1),
            "p95": round(statistics.quantiles(found, n=20)[18] * 1000, 1),
            "slowest": round(max(found) * 1000, 1),
        }
        for name, found in taken.items()
    }


@asynccontextmanager
async def _open_tabs(
    company: LargeCompany, target: Target, cookies: dict[str, str], count: int
) -> AsyncIterator[list[Tab]]:
    """Tabs of both people on the pages that are looked at most, opened one after another."""
    async with AsyncExitStack() as stack:
        tabs = []
        for number in range(count):
            cookie = list(cookies.values())[number % 2]
            tab = await stack.enter_async_context(Tab(_server_of(target), cookie))
            await tab.open(company.pages[_TABS_ON[number // 2 % len(_TABS_ON)]])
            tabs.append(tab)
        await asyncio.sleep(2.0)
        yield tabs
