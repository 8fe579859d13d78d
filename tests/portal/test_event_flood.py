"""T-61 by a figure: one socket that floods, in a process of its own, and how long everybody else's events take."""

import asyncio
import secrets
import statistics
import sys

import pytest

from tests.harness.evidence import Evidence
from tests.harness.process import ROOT, Child
from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = [pytest.mark.process, pytest.mark.long]

ROUNDS, TRIPS = 4, 100
_PAUSE_SECONDS = 0.12
_FLOOD = """
import asyncio, sys, time
from types import SimpleNamespace
from tests.portal.server import Attacker

async def main(url, cookie, name):
    async with Attacker(SimpleNamespace(url=url), cookie=cookie, token="flood") as flood:
        event = {"name": name, "payload": {}, "router_data": {"pathname": "/keys", "asPath": "/keys"}}
        began, sent = time.monotonic(), 0
        print("ready", flush=True)
        while time.monotonic() - began < 60:
            while sent < (time.monotonic() - began) * 1000:
                await flood.client.emit("event", event, namespace="/_event")
                sent += 1
            await asyncio.sleep(0.005)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("event", ["keys_state.revoke", "keys_state.load"], ids=["refused", "served"])
async def test_t61_a_thousand_events_a_second_of_one_socket_slow_nobody_else_down(
    portal: PortalServer, event: str, evidence: Evidence
) -> None:
    flooder, other = (portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True) for _ in range(2))
    taken: dict[str, list[float]] = {"alone": [], "beside": []}
    async with Attacker(portal, cookie=other) as person:
        await person.hydrate()
        for number in range(ROUNDS):
            taken["alone"] += await _trips(person)
            log = portal.folder / f"flood-{event}-{number}.log"
            command = [sys.executable, "-c", _FLOOD, portal.url, flooder, named(event)]
            with Child(command, log=log, cwd=ROOT) as flood:
                flood.wait_ready(lambda: "ready" in flood.log_text(), seconds=30)
                taken["beside"] += await _trips(person)
                assert flood.is_running, flood.log_text()
    figures = {
        name: (statistics.median(each) * 1000, statistics.quantiles(each, n=100)[98] * 1000)
        for name, each in taken.items()
    }
    evidence.note(
        event=event,
        events_a_second=1_000,
        trips=len(taken["alone"]),
        p50_ms={name: round(median, 1) for name, (median, _) in figures.items()},
        p99_ms={name: round(p99, 1) for name, (_, p99) in figures.items()},
    )
    assert figures["beside"][1] <= 1.5 * figures["alone"][1]


async def _trips(person: Attacker) -> list[float]:
    """Seconds of one event after another, from sending it to its answer, at most eight a second: no person is quicker,
    and more than twice that would be held up itself."""
    taken = []
    for _ in range(TRIPS):
        taken.append(await person.ask(named("keys_state.load")))
        await asyncio.sleep(_PAUSE_SECONDS)
    return taken
