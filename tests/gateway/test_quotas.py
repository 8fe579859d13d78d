"""A provider's own limits over the whole gateway: learned, waited for in turn, told to clients, and never stormed."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.quota_lane import Lane
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.harness.evidence import Evidence
from tests.harness.waiting import until
from tests.mock.limits import Limits
from tests.mock.server import MockProvider


def _lane(gateway: Gateway) -> Lane:
    (lane,) = gateway.core.quotas._lanes.values()
    return lane


def _mock(gateway: Gateway) -> MockProvider:
    assert gateway.mock is not None
    return gateway.mock


async def _ask(gateway: Gateway, key: str | None = None, text: str = "(words-2) hi", **fields: Any) -> Reply:
    body = {"model": "gpt-mock", "messages": [{"role": "user", "content": text}], "max_tokens": 5, **fields}
    return await gateway.post("/v1/chat/completions", body, key=key or gateway.key)


async def _second(gateway: Gateway, folder: Path, **more: Any) -> MockProvider:
    second = MockProvider(record=folder / "second.jsonl", keys=(PROVIDER_KEY,))
    await second.__aenter__()
    await gateway.core.connections.add(
        OPERATOR,
        "openai-compatible",
        "second",
        second.base_url,
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        models=["gpt-mock"],
        **more,
    )
    return second


async def test_a_limit_that_headers_tell_is_kept_and_told(gateway: Gateway) -> None:
    _mock(gateway).limits = Limits(rpm=5)
    answers = [await _ask(gateway) for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 4 + [429] * 4  # one of five is kept for who uses little
    error = answers[-1].json()["error"]
    assert (error["code"], error["retryable"]) == ("provider_quota_exhausted", True)
    assert 50 < error["retry_after"] <= 61
    assert _mock(gateway).limits.refused == 0
    (told,) = (await gateway.get("/ai-service/limits")).json()["providers"]
    assert (told["provider"], told["model"], told["fair_part"]) == ("mock", "gpt-mock", 1.0)
    limit = {"measure": "requests", "window_seconds": 60, "limit": 5, "source": "told", "used": 4}
    assert told["limits"] == [{**limit, "used_by_others": 0, "fair_share": 5}]


async def test_configured_limits_hold_for_all_models_of_a_connection(gateway: Gateway) -> None:
    await gateway.core.connections.set_quota(OPERATOR, "mock", 3, None)
    answers = [await _ask(gateway) for _ in range(4)]
    assert [answer.status for answer in answers] == [200] * 3 + [429]
    await gateway.core.connections.set_quota(OPERATOR, "mock", 0, None)
    assert (await _ask(gateway)).status == 200


async def test_the_next_in_the_chain_serves_where_the_first_would_have_to_be_waited_for(
    gateway: Gateway, tmp_path: Path
) -> None:
    second = await _second(gateway, tmp_path)
    await gateway.core.connections.set_quota(OPERATOR, "mock", 2, None)
    answers = [await _ask(gateway, stream=number % 2 == 1) for number in range(4)]
    assert [answer.status for answer in answers] == [200] * 4
    assert [row.provider for row in reversed(await gateway.rows())] == ["mock", "mock", "second", "second"]
    assert second.record.calls == 2
    await second.__aexit__()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_short_wait_is_waited_and_is_in_the_attempts_reason(gateway: Gateway, is_stream: bool) -> None:
    await _ask(gateway)
    lane = _lane(gateway)
    lane.hold(gateway.core.quotas.now() + 300_000)
    began = time.perf_counter()
    answer = await _ask(gateway, stream=is_stream)
    assert answer.status == 200
    assert 0.25 < time.perf_counter() - began < 1.5
    attempt = (await gateway.rows())[0].attempts[0]
    assert "ms for quota" in str(attempt)


async def test_a_client_that_leaves_while_it_waits_gives_its_place_up(gateway: Gateway) -> None:
    await _ask(gateway)
    lane, served = _lane(gateway), _mock(gateway).record.calls
    for is_stream in (False, True):
        lane.hold(gateway.core.quotas.now() + 1_500_000)
        body = {"model": "gpt-mock", "messages": [{"role": "user", "content": "hi"}], "stream": is_stream}
        await gateway.post("/v1/chat/completions", body, leave_after_seconds=0.1)
        assert lane.queue.waiting == 0
        row = (await gateway.rows())[0]
        assert (row.outcome, row.input_tokens, row.output_tokens) == ("client_left", 0, 0)
    assert _mock(gateway).record.calls == served


async def test_a_drain_ends_waiting(gateway: Gateway) -> None:
    await _ask(gateway)
    lane = _lane(gateway)
    lane.hold(gateway.core.quotas.now() + 1_900_000)
    asked = asyncio.create_task(_ask(gateway))
    await until(lambda: lane.queue.waiting == 1)
    gateway.in_flight.stop_all()
    assert (await asked).status == 503
    assert lane.queue.waiting == 0


async def _storm(gateway: Gateway, text: str, *, seconds: float = 3.0) -> tuple[list[Reply], int]:
    """Twenty requests a second for a while, all of which the provider refuses; the answers, and its calls."""
    before = _mock(gateway).record.calls
    tasks = []
    for _ in range(int(seconds * 20)):
        tasks.append(asyncio.create_task(_ask(gateway, text=text)))
        await asyncio.sleep(0.05)
    return list(await asyncio.gather(*tasks)), _mock(gateway).record.calls - before


async def test_r12_a_storm_of_refusals_costs_no_more_calls_than_requests_and_is_told_honestly(gateway: Gateway) -> None:
    began = time.perf_counter()
    answers, calls = await _storm(gateway, "(retry-after-7)")
    left = 7 - (time.perf_counter() - began)
    assert {answer.status for answer in answers} == {429}
    assert calls <= 3, "it gets no calls until its time"
    last = answers[-1].json()["error"]
    assert (last["code"], last["retryable"]) == ("provider_quota_exhausted", True)
    assert left - 0.1 <= last["retry_after"] <= 7
    assert left - 0.1 <= int(answers[-1].headers["retry-after"]) <= 7


async def test_r12_a_storm_without_a_word_of_when_is_tried_now_and_then(gateway: Gateway) -> None:
    answers, calls = await _storm(gateway, "(status-429)")
    assert {answer.status for answer in answers} == {429}
    assert calls <= len(answers) // 8
    assert all(answer.json()["error"]["retry_after"] >= 0.001 for answer in answers)


async def test_r12_the_largest_wait_that_was_told_holds_and_an_absurd_one_is_bounded(gateway: Gateway) -> None:
    await asyncio.gather(*(_ask(gateway, text=f"(retry-after-{n})") for n in (2, 9, 4)))
    refused = await _ask(gateway)
    assert 8 < refused.json()["error"]["retry_after"] <= 9
    _lane(gateway).hold_us = 0
    refused = await _ask(gateway, text="(retry-after-999999999)")
    assert refused.json()["error"]["retry_after"] <= 3_600
    assert (_lane(gateway).hold_us - gateway.core.quotas.now()) / 1e6 <= 3_600


async def test_r12_another_provider_key_serves_as_before(gateway: Gateway, tmp_path: Path) -> None:
    second = await _second(gateway, tmp_path)
    _mock(gateway).limits = Limits(rpm=0, is_hidden=True)
    answers, calls = await _storm(gateway, "(words-2) hi")
    assert {answer.status for answer in answers} == {200}
    assert calls + second.record.calls <= 1.2 * len(answers)
    assert {row.provider for row in await gateway.rows()} == {"second"}
    await second.__aexit__()


async def test_r12_a_tenants_own_bad_body_ejects_no_key(gateway: Gateway) -> None:
    for script in ("(status-400)", "(status-413)", "(status-422)"):
        for _ in range(4):
            assert (await _ask(gateway, text=script)).status in (400, 413)
    lane = _lane(gateway)
    assert lane.is_free
    for _ in range(12):
        assert (await _ask(gateway)).status == 200
    # One so much larger than all others that its refusal is about itself.
    assert (await _ask(gateway, text="(status-429) " + "x " * 20_000)).status == 429
    began = time.perf_counter()
    assert (await _ask(gateway)).status == 200
    assert time.perf_counter() - began < 0.5
    assert not lane.hold_us


async def test_t83_one_tenant_starves_no_other(gateway: Gateway, evidence: Evidence) -> None:
    await gateway.core.clients.create(OPERATOR, "greedy")
    greedy = (await gateway.core.keys.create(OPERATOR, "greedy", "first")).key.reveal_text()
    await gateway.core.connections.set_quota(OPERATOR, "mock", 600, None)

    async def modest(rounds: int) -> list[tuple[int, float]]:
        seen = []
        for _ in range(rounds):
            began = time.perf_counter()
            answer = await _ask(gateway, text="(words-2) (wait-40) hi")
            seen.append((answer.status, time.perf_counter() - began))
            await asyncio.sleep(0.05)
        return seen

    async def storming() -> None:
        waiting: set[asyncio.Task[Reply]] = set()
        while True:
            waiting.add(asyncio.create_task(_ask(gateway, greedy)))
            waiting = {task for task in waiting if not task.done()}
            await asyncio.sleep(0.005)

    alone = await modest(15)
    storm = asyncio.create_task(storming())
    await asyncio.sleep(4.0)  # by now the limit is used up
    beside = await modest(30)
    storm.cancel()
    assert {status for status, _ in beside} == {200}
    slowest_alone, slow = max(seconds for _, seconds in alone), sorted(seconds for _, seconds in beside)[-4]
    evidence.note(alone_ms=round(slowest_alone * 1_000), beside_ms=round(slow * 1_000), rejections=0)
    # Nine of ten: the machine has hiccups of its own. Whoever starves waits two seconds, and is refused then.
    assert slow <= max(2 * slowest_alone, 0.5)
