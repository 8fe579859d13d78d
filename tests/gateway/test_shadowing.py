"""Shadow traffic: a second provider is asked what the first has answered; the client never notices, and never pays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aiservice.errors import PermissionDenied
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR, Role
from aiservice.services.routing_terms import Terms
from aiservice.services.shadows import ShadowView
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.server import MockProvider

KEEPS_NOTHING: dict[str, Any] = {"data_collection": "deny", "is_zdr": True, "region": "eu"}


@pytest.fixture
async def second(gateway: Gateway, tmp_path: Path) -> AsyncIterator[MockProvider]:
    async with MockProvider(record=tmp_path / "second.jsonl", keys=(PROVIDER_KEY,)) as second:
        options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-shadow"]}
        key = Secret(PROVIDER_KEY)
        await gateway.core.connections.add(OPERATOR, "openai-compatible", "second", second.base_url, key, **options)
        yield second


async def _settled(gateway: Gateway) -> ShadowView:
    for _ in range(100):
        if not any(task.get_name() == "shadow" for task in asyncio.all_tasks()):
            break
        await asyncio.sleep(0.02)
    await gateway.core.shadows.flush()
    return (await gateway.core.shadows.list(OPERATOR))[0]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_the_client_is_answered_by_the_first_and_billed_for_that_alone(
    gateway: Gateway, second: MockProvider, is_stream: bool
) -> None:
    await gateway.core.shadows.set(OPERATOR, "app", "chat", "second", 100)
    reply = await gateway.chat("(words-3)", stream=is_stream, model="gpt-mock")
    assert reply.headers["x-aiservice-provider"] == "mock"
    told = await _settled(gateway)
    assert (told.calls, told.failed, second.record.calls) == (1, 0, 1)
    (row,) = await gateway.rows()
    assert (row.provider, row.output_tokens) == ("mock", 3)
    assert [attempt["provider"] for attempt in row.attempts] == ["mock"]


async def test_a_shadow_that_hangs_delays_nobody_and_one_that_fails_is_noted(
    gateway: Gateway, second: MockProvider
) -> None:
    await gateway.core.shadows.set(OPERATOR, "app", "*", "second", 100)
    second._keys = ("another key",)
    assert (await gateway.chat("(words-2)", model="gpt-mock")).status == 200
    told = await _settled(gateway)
    assert (told.calls, told.failed) == (1, 1)
    assert gateway.core.health.open_connections() == {}
    assert gateway.core.connections.snapshot()[2].id not in gateway.core.health.said()


async def test_no_more_than_a_few_shadows_run_at_once(gateway: Gateway, second: MockProvider) -> None:
    await gateway.core.shadows.set(OPERATOR, "app", "chat", "second", 100)
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*(gateway.chat("(words-1)", model="gpt-mock") for _ in range(30)))
    assert asyncio.get_running_loop().time() - began < 5
    told = await _settled(gateway)
    assert 8 <= told.calls <= 30


async def test_a_shadow_sees_no_prompt_that_it_may_not_see(gateway: Gateway, second: MockProvider) -> None:
    await gateway.core.connections.set_data(OPERATOR, "mock", KEEPS_NOTHING)
    await gateway.core.shadows.set(OPERATOR, "app", "chat", "second", 100)
    for terms in ({"zdr": True}, {"data_collection": "deny"}, {"regions": ["eu"]}):
        reply = await gateway.chat("(words-2)", model="gpt-mock", preferences=terms)
        assert (reply.status, reply.headers["x-aiservice-provider"]) == (200, "mock")
    await gateway.core.preferences.set(OPERATOR, "app", "chat", Terms(zdr=True))
    assert (await gateway.chat("(words-2)", model="gpt-mock")).status == 200
    assert (await _settled(gateway)).calls == 0
    assert second.record.calls == 0


async def test_a_part_of_the_requests_is_a_part(gateway: Gateway, second: MockProvider) -> None:
    shadows = gateway.core.shadows
    await shadows.set(OPERATOR, "app", "chat", "second:gpt-shadow", 25)
    client_id = (await gateway.core.clients.list(OPERATOR))[0].id
    chosen = sum(shadows.chosen(client_id, "chat") is not None for _ in range(4_000))
    assert 800 < chosen < 1_200
    assert shadows.chosen(client_id, "embedding") is None
    await shadows.clear(OPERATOR, "app", "chat")
    assert not shadows.has_rules


async def test_only_admins_see_what_a_shadow_costs(gateway: Gateway) -> None:
    create = gateway.core.accounts.create_user
    developer = await create(OPERATOR, "dev@example.test", "a long password, indeed", Role.DEVELOPER)
    with pytest.raises(PermissionDenied):
        await gateway.core.shadows.list(developer)
