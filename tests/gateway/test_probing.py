"""Active probes: what has changed is kept and told, and a provider that is back is used at once."""

from aiservice.principal import OPERATOR
from aiservice.services.probing import Probing
from tests.gateway.conftest import PROVIDER_KEY, Gateway


def _probing(gateway: Gateway) -> Probing:
    core = gateway.core
    return Probing(core.connections, core.provider_keys, core.upstream, core.alerts, 60.0)


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
