"""Active probes: what has changed is kept and told, and a provider that is back is used at once."""

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from aiservice.errors import Unprocessable
from aiservice.principal import OPERATOR
from aiservice.services.probing import Probing
from tests.gateway.conftest import PROVIDER_KEY, Gateway


def _probing(gateway: Gateway, every_seconds: float | None = 60.0, clock: Callable[[], float] | None = None) -> Probing:
    """By its own clock every look comes a minute after the one before."""
    core, clock = gateway.core, clock or partial(next, count(0, 60))
    return Probing(core.connections, core.provider_keys, core.upstream, core.alerts, every_seconds, clock=clock)


async def test_a_provider_that_does_not_answer_its_probe_is_known_and_told(gateway: Gateway) -> None:
    assert gateway.mock is not None
    gateway.mock._keys = ("another key",)
    assert await _probing(gateway).look() == 0
    row = await gateway.core.connections.find(OPERATOR, "mock")
    assert row.has_failed_test
    assert row.test_result.startswith("upstream_auth_failed")
    await gateway.core.alerts.flush()
    assert [alert.kind for alert in await gateway.core.alerts.list(OPERATOR)] == ["provider_probe_failed"]


async def test_what_is_as_before_changes_nothing(gateway: Gateway) -> None:
    before = await gateway.core.connections.find(OPERATOR, "mock")
    assert await _probing(gateway).look() == 1
    assert await gateway.core.connections.find(OPERATOR, "mock") == before
    assert gateway.mock is not None
    assert gateway.mock.record.input_tokens == 0, "a probe asks for the models, and costs nothing"


async def test_a_provider_that_is_back_is_used_at_once(gateway: Gateway) -> None:
    assert gateway.mock is not None
    probing = _probing(gateway)
    gateway.mock._keys = ("another key",)
    await probing.look()
    for _ in range(3):
        await gateway.chat("(words-1)")
    gateway.mock._keys = (PROVIDER_KEY,)
    assert await probing.look() == 1
    await gateway.core.changes.poll_once()
    assert gateway.core.connections.snapshot()[1].id not in gateway.core.health.said()


async def test_no_probes_unless_the_settings_say_so(gateway: Gateway) -> None:
    assert gateway.core.probing.every_seconds is None
    assert not gateway.core.probing.is_wanted()
    assert await gateway.core.probing.look() == 0


async def test_a_connection_says_itself_how_often_it_is_probed_or_that_it_never_is(gateway: Gateway) -> None:
    now, connections = 0.0, gateway.core.connections
    unless_it_says, never = (_probing(gateway, every, lambda: now) for every in (None, 3_600.0))
    await connections.set_probe_interval(OPERATOR, "mock", 30)
    assert unless_it_says.is_wanted()
    seen = []
    for at in (0.0, 10.0, 29.0, 31.0, 60.0, 62.0):
        now = at
        seen.append(await unless_it_says.look())
    assert seen == [1, 0, 0, 1, 0, 1]
    await connections.set_probe_interval(OPERATOR, "mock", 10)
    seen = []
    for at in (75.0, 86.0):
        now = at
        seen.append(await unless_it_says.look())
    assert seen == [0, 1], "what has become shorter is not waited out"
    await connections.set_probe_interval(OPERATOR, "mock", 0)
    assert (await never.look(), never.is_wanted()) == (0, False)
    await connections.set_probe_interval(OPERATOR, "mock", None)
    assert (await never.look(), unless_it_says.is_wanted()) == (1, False)


@pytest.mark.parametrize("seconds", [-1, 1, 9, 86_401])
async def test_nobody_is_probed_more_often_than_it_would_like(gateway: Gateway, seconds: int) -> None:
    with pytest.raises(Unprocessable, match="every 10 to 86400 seconds, or never"):
        await gateway.core.connections.set_probe_interval(OPERATOR, "mock", seconds)
