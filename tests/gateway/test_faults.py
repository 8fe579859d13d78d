"""Every way to fail, before and after the first byte, by every surface, ends as its written rule says: no truncated
answer ends cleanly, and providers are asked at most 1.2 times as often as clients ask."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from aiservice.gateway import build_gateway, pace
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.services.retry_budget import LEAST, RetryBudget
from aiservice.services.routing_terms import Terms
from aiservice.settings import Settings
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.gateway.faults import CRAWLS, FAULTS, WAIT_SECONDS, FaultyProvider, Place
from tests.harness.evidence import Evidence
from tests.mock.server import MockProvider

SURFACES = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/ai-service")
_CLEAN = (b"[DONE]", b"response.completed", b"message_stop", b"event: done")


@dataclass(frozen=True)
class Rule:
    """How a failure ends, by whatever surface.

    Before the first byte, with another provider, `code` is noted (`stalled` of a stream, where that differs) and the
    other one serves. Alone, it is told with `status`, after so many `tries`. A stream that had begun ends with `after`;
    where the client asked for it, another provider goes on with it.
    """

    code: str
    status: int
    after: str
    tries: int = 1
    alone: str = ""
    stalled: str = ""


_RESET, _TIMEOUT, _STALLED = "upstream_reset", "upstream_first_byte_timeout", "upstream_stalled"
_KEY, _SPENT, _BUSY, _FAILED = (
    "upstream_auth_failed",
    "upstream_quota_exhausted",
    "provider_quota_exhausted",
    "provider_failed",
)
_IDLE, _INVALID, _DRIPS = "upstream_idle_timeout", "provider_invalid_answer", "upstream_no_progress"
# The rules, one a fault; the README has them in words.
RULES = {
    "refuse": Rule("upstream_connect_failed", 502, _RESET, tries=3),
    "hang": Rule(_TIMEOUT, 504, _IDLE, stalled=_STALLED),
    "reset": Rule(_RESET, 502, _RESET),
    "stall": Rule(_IDLE, 504, _IDLE, stalled=_STALLED),
    "401": Rule(_KEY, 502, _KEY),
    "402": Rule(_SPENT, 502, _SPENT),
    "403": Rule(_KEY, 502, _KEY),
    "429-seconds": Rule(_BUSY, 429, _BUSY),
    "429-ms": Rule(_BUSY, 429, _BUSY),
    "429-date": Rule(_BUSY, 429, _BUSY),
    "429-retry-info": Rule(_BUSY, 429, _BUSY),
    "500": Rule(_FAILED, 502, _FAILED),
    "503": Rule(_FAILED, 502, _FAILED, tries=3),
    "529": Rule(_FAILED, 502, _FAILED, tries=3),
    "html": Rule(_INVALID, 502, "upstream_truncated"),
    "bad-json": Rule(_INVALID, 502, _INVALID),
    "cut": Rule(_RESET, 502, "upstream_truncated"),
    "drip": Rule("upstream_total_timeout", 504, _DRIPS, alone=_DRIPS, stalled=_STALLED),
}


@dataclass(frozen=True)
class Cell:
    """One place of the matrix. `has_other`: another provider is there, and the client would have it go on."""

    fault: str
    place: Place
    surface: str
    is_stream: bool
    has_other: bool

    def __str__(self) -> str:
        return f"{self.fault} {self.place} {self.surface} {self.is_stream=} {self.has_other=}"


def every_cell() -> list[Cell]:
    return [
        Cell(fault, place, surface, is_stream, has_other)
        for fault in FAULTS
        for place in ("before", "after")
        for surface in SURFACES
        for is_stream in ((False, True) if place == "before" else (True,))
        for has_other in (True, False)
    ]


def sampled_cells() -> list[Cell]:
    """Every fault at both places, and every surface, form and neighbour in turn: any two of them meet."""
    turns = cycle([(surface, form, other) for form in (True, False) for other in (True, False) for surface in SURFACES])
    found = []
    for fault in FAULTS:
        for place in ("before", "after"):
            surface, form, other = next(turns)
            found.append(Cell(fault, place, surface, form or place == "after", other))
    return found


@dataclass
class Rig:
    """A gateway with a failing provider first and a good one behind it, where that is enabled."""

    gateway: Gateway
    faulty: FaultyProvider
    other: MockProvider

    async def run(self, cell: Cell) -> Reply:
        """Asks once, with nothing remembered of what was asked before."""
        core = self.gateway.core
        core.health._pulses.clear()
        core.health.budget = RetryBudget()
        core.quotas.forget()
        self.faulty.fault, self.faulty.place = cell.fault, cell.place
        is_refused = cell.fault == "refuse" and cell.place == "before"
        if is_refused:
            await self.faulty.stop()
        try:
            return await self._ask(cell)
        finally:
            if is_refused:
                await self.faulty.start()

    async def _ask(self, cell: Cell) -> Reply:
        key = "google" if cell.fault == "429-retry-info" and cell.place == "before" else "faulty"
        order = [key, "other"] if cell.has_other else [key]
        model = f"model-{'-'.join(order)}"
        messages = [{"role": "user", "content": "(words-4) hello"}]
        headers = {"x-aiservice-continue": "true"} if cell.has_other else {}
        body: dict[str, Any] = {"model": model, "stream": cell.is_stream}
        if cell.surface == "/ai-service":
            body |= {"task": "chat", "input": messages}
        elif cell.surface == "/v1/responses":
            body |= {"input": messages, "max_output_tokens": 50}
        else:
            body |= {"messages": messages, "max_tokens": 50}
        return await self.gateway.post(cell.surface, body, headers=headers)


@pytest.fixture
async def rig(installed: Settings, tmp_path: Path) -> AsyncIterator[Rig]:
    quick = replace(
        installed,
        first_byte_timeout=0.6,
        idle_timeout=0.8,
        total_timeout=3.0,
        progress_timeout=0.8,
        stall_timeout=0.4,
        quota_wait=0.05,
    )
    faulty = FaultyProvider()
    await faulty.start()
    async with (
        open_core(quick, is_serving=True) as core,
        MockProvider(record=tmp_path / "other.jsonl", keys=(PROVIDER_KEY,)) as other,
    ):
        await core.clients.create(OPERATOR, "app")
        google, wire = faulty.base_url.replace("/v1", "/v1beta"), "openai-compatible"
        for kind, name, url, models in (
            (wire, "faulty", faulty.base_url, ["model-faulty-other", "model-faulty"]),
            ("gemini", "google", google, ["model-google-other", "model-google"]),
            (wire, "other", other.base_url, ["model-faulty-other", "model-google-other"]),
        ):
            options: dict[str, Any] = {"is_private_allowed": True, "models": models}
            await core.connections.add(OPERATOR, kind, name, url, Secret(PROVIDER_KEY), **options)
        made = await core.keys.create(OPERATOR, "app", "first")
        await core.changes.poll_once()
        in_flight = InFlight()
        app = build_gateway(core, in_flight, portal, portal)
        yield Rig(Gateway(app, core, in_flight, made.key.reveal_text()), faulty, other)
        await faulty.stop()


@dataclass(frozen=True)
class Seen:
    """How a cell ended: after so many attempts, and whether a truncated answer was finished as if it were whole."""

    attempts: int
    is_false_end: bool


async def _judge(rig: Rig, cell: Cell) -> Seen:
    """Asks and holds the end against the rule."""
    rule = RULES[cell.fault]
    reply = await rig.run(cell)
    (row,) = (await rig.gateway.rows())[:1]
    codes = [attempt["code"] for attempt in row.attempts]
    assert reply.is_complete, cell
    if cell.has_other:
        noted = rule.after if cell.place == "after" else (cell.is_stream and rule.stalled) or rule.code
        assert codes == [noted, None], cell
        assert (reply.status, row.outcome, row.provider) == (200, "finished", "other"), cell
        assert (b"boundary" in reply.body) is (cell.place == "after"), cell
    elif cell.place == "after":
        assert (reply.status, row.outcome, row.error_code) == (200, "upstream_truncated", rule.after), cell
        assert not any(mark in reply.body for mark in _CLEAN), cell
        assert b"error" in reply.body, cell
        assert row.output_tokens >= 3, cell
    else:
        told = (cell.is_stream and rule.alone) or rule.code
        assert (reply.status, row.error_code, codes) == (rule.status, told, [told] * rule.tries), cell
        assert reply.headers["x-should-retry"] == ("true" if rule.status == 429 else "false"), cell
        assert (row.input_tokens, row.output_tokens) == (0, 0), cell
        if rule.status == 429:
            assert abs(int(reply.headers["retry-after"]) - WAIT_SECONDS) <= 1, cell
    is_clean = any(mark in reply.body for mark in _CLEAN)
    return Seen(len(codes), is_false_end=row.outcome == "upstream_truncated" and is_clean)


async def test_a_sample_of_all_faults_ends_as_the_rules_say(rig: Rig) -> None:
    for cell in sampled_cells():
        await _judge(rig, cell)


async def test_a_preferred_latency_is_how_long_a_stream_is_waited_for_while_there_is_another(rig: Rig) -> None:
    core = rig.gateway.core
    await core.preferences.set(OPERATOR, "app", "chat", Terms(preferred_max_latency_ms=120))
    began = asyncio.get_running_loop().time()
    cell = Cell("stall", "before", SURFACES[0], is_stream=True, has_other=True)
    await _judge(rig, cell)
    assert asyncio.get_running_loop().time() - began < 0.4, "sooner than the stall deadline"


async def test_what_is_too_late_for_one_client_is_not_down_for_all(rig: Rig) -> None:
    core = rig.gateway.core
    await core.preferences.set(OPERATOR, "app", "chat", Terms(preferred_max_latency_ms=1))
    rig.faulty.fault, rig.faulty.place = "stall", "before"
    body = {"model": "model-faulty-other", "stream": True, "messages": [{"role": "user", "content": "(words-2)"}]}
    body["preferences"] = {"order": ["faulty", "other"]}
    replies = await asyncio.gather(*(rig.gateway.post(SURFACES[0], body) for _ in range(5)))
    assert {reply.headers["x-aiservice-provider"] for reply in replies} == {"other"}
    assert core.health.open_connections() == {}
    further = core.health.budget.figures[1]
    await rig.gateway.post(SURFACES[0], body)  # waited for as the settings say: the rest is for failures
    assert (further, core.health.budget.figures[1]) == (5, 6)
    assert not core.health.open_connections()


@pytest.fixture
async def impatient(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The same, for whom thirty tokens a second are the least."""
    monkeypatch.setattr(pace, "PROOF_SECONDS", 0.3)
    monkeypatch.setattr(pace, "WINDOW_SECONDS", 0.5)
    terms = Terms(fallback_below_throughput=30)
    for task in ("chat", "text-generation"):
        await rig.gateway.core.preferences.set(OPERATOR, "app", task, terms)
    return rig


ONE_SURFACE = [pytest.param(each, marks=() if each == SURFACES[0] else pytest.mark.long) for each in SURFACES]


@pytest.mark.parametrize("surface", ONE_SURFACE)
@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_stream_that_crawls_goes_on_elsewhere(impatient: Rig, surface: str, place: Place) -> None:
    reply = await impatient.run(Cell(CRAWLS, place, surface, is_stream=True, has_other=True))
    (row,) = (await impatient.gateway.rows())[:1]
    assert [attempt["code"] for attempt in row.attempts] == ["upstream_too_slow", None]
    assert (reply.status, row.outcome, row.provider) == (200, "finished", "other")
    assert (b"boundary" in reply.body) is (place == "after")
    assert b" so" not in reply.body if place == "before" else b" so" in reply.body
    (first,) = [each for each in impatient.gateway.core.connections.snapshot() if each.name == "faulty"]
    fact = impatient.gateway.core.router.facts.fact((first.id, "model-faulty-other"))
    assert fact is not None
    assert 0 < fact.tokens_per_second < 30, "the next request knows"
    assert impatient.gateway.core.health.open_connections() == {}
    assert not impatient.gateway.core.health.pulse(first.id).down, "what is too slow for one is not down for all"


async def test_a_stream_that_crawls_is_told_as_it_is_where_nobody_may_go_on(impatient: Rig) -> None:
    impatient.faulty.fault, impatient.faulty.place = CRAWLS, "after"
    body = {"model": "model-faulty-other", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    body["preferences"] = {"order": ["faulty", "other"]}
    reply = await impatient.gateway.post(SURFACES[0], body)
    (row,) = await impatient.gateway.rows()
    assert (row.outcome, row.error_code) == ("upstream_truncated", "upstream_too_slow")
    assert b"upstream_too_slow" in reply.body
    assert not any(mark in reply.body for mark in _CLEAN)
    assert row.output_tokens >= 15


@pytest.mark.parametrize("place", ["before", pytest.param("after", marks=pytest.mark.long)])
async def test_a_stream_that_crawls_is_given_as_it_comes_where_there_is_no_other(impatient: Rig, place: Place) -> None:
    reply = await impatient.run(Cell(CRAWLS, place, SURFACES[0], is_stream=True, has_other=False))
    (row,) = await impatient.gateway.rows()
    assert (reply.status, row.outcome, len(row.attempts)) == (200, "finished", 1)
    assert reply.body.count(b" so") == 12


@pytest.mark.long
async def test_a_stream_that_crawls_is_left_as_it_is_where_no_further_attempt_is_to_be_had(impatient: Rig) -> None:
    core = impatient.gateway.core
    while core.health.budget.spend():
        pass
    impatient.faulty.fault, impatient.faulty.place = CRAWLS, "before"
    body = {"model": "model-faulty-other", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    body["preferences"] = {"order": ["faulty", "other"]}
    reply = await impatient.gateway.post(SURFACES[0], body)
    assert (reply.status, reply.body.count(b" so")) == (200, 12)


@pytest.mark.long
async def test_every_fault_before_and_after_the_first_byte_by_every_surface_ends_as_its_rule_says(
    rig: Rig, evidence: Evidence
) -> None:
    cells = every_cell()
    seen = [await _judge(rig, cell) for cell in cells]
    evidence.note(
        cells=len(cells),
        as_ruled=len(seen),
        clean_finishes_of_truncated_answers=sum(one.is_false_end for one in seen),
        attempts=sum(one.attempts for one in seen),
        most_attempts=max(one.attempts for one in seen),
    )


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, marks=() if fault == "503" else pytest.mark.long)
        for fault in ("reset", "401", "500", "503", "html")
    ],
)
async def test_r12_where_every_provider_fails_a_storm_is_not_amplified(
    rig: Rig, fault: str, evidence: Evidence
) -> None:
    script = {"reset": "(reset)", "html": "(html)"}.get(fault, f"(status-{fault})")
    rig.faulty.fault, rig.faulty.place = fault, "before"
    body = {"model": "model-faulty-other", "messages": [{"role": "user", "content": script}]}
    replies = []
    for _ in range(10):
        replies += await asyncio.gather(*(rig.gateway.post(SURFACES[0], body) for _ in range(20)))
    attempts = rig.faulty.calls + rig.other.record.calls
    evidence.note(fault=fault, requests=len(replies), attempts=attempts, ratio=round(attempts / len(replies), 3))
    assert all(reply.status == 502 for reply in replies)
    assert attempts <= 1.2 * len(replies)
    assert attempts >= len(replies) + LEAST, "what the budget allows is used"
