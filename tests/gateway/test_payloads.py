"""Bodies are kept of whom an admin chose, where the setting allows it: whole, streamed, failed."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from aiservice.principal import OPERATOR
from tests.gateway.conftest import Gateway


@pytest.fixture
async def keeping(gateway: Gateway) -> AsyncIterator[Gateway]:
    """A gateway that keeps the bodies of its client."""
    gateway.core.payloads.is_allowed = True
    await gateway.core.payloads.switch(OPERATOR, "app", is_on=True)
    await gateway.core.changes.poll_once()
    yield gateway


async def _kept(gateway: Gateway) -> list[tuple[str, str | None]]:
    await gateway.core.payloads.flush()
    found = [await gateway.core.payloads.of(OPERATOR, row.request_id) for row in reversed(await gateway.rows())]
    return [(one.request, one.answer) for one in found if one is not None]


async def test_whole_answers_streams_and_failures_are_kept(keeping: Gateway) -> None:
    whole = await keeping.chat("(words-3) one", model="gpt-mock")
    await keeping.chat("(words-3) two", model="gpt-mock", stream=True)
    await keeping.chat("(status-400) three", model="gpt-mock")
    [one, two, three] = await _kept(keeping)
    assert "(words-3) one" in one[0]
    assert one[1] == whole.body.decode()
    assert two[1] == whole.json()["choices"][0]["message"]["content"]
    assert three[1] is None


async def test_nothing_is_kept_without_the_setting_or_without_the_switch(keeping: Gateway) -> None:
    keeping.core.payloads.is_allowed = False
    await keeping.chat("a", model="gpt-mock")
    keeping.core.payloads.is_allowed = True
    await keeping.core.payloads.switch(OPERATOR, "app", is_on=False)
    await keeping.core.changes.poll_once()
    await keeping.chat("b", model="gpt-mock")
    assert await _kept(keeping) == []


async def test_a_token_of_a_key_is_no_way_around_it(keeping: Gateway) -> None:
    token = (await keeping.post("/ai-service/token", {})).json()["token"]
    await replace(keeping, key=token).chat("by token", model="gpt-mock")
    assert len(await _kept(keeping)) == 1
