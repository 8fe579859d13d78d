"""Calls take the keys of a connection in turns; one that is refused is out, and nobody notices."""

import json
from collections import Counter

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway

SECOND = "sk-mock-second-5e0a3c8d2f9b"


async def test_calls_carry_the_keys_in_turns_and_are_of_one_provider(gateway: Gateway) -> None:
    assert gateway.mock is not None
    gateway.mock._keys = (PROVIDER_KEY, SECOND)
    await gateway.core.provider_keys.add(OPERATOR, "mock", Secret(SECOND), weight=2)
    replies = [await gateway.chat("(words-1)") for _ in range(6)]
    assert {reply.status for reply in replies} == {200}
    assert {reply.headers["x-aiservice-provider"] for reply in replies} == {"mock"}
    assert Counter("key 2" in reply.headers["x-aiservice-route"] for reply in replies) == {True: 4, False: 2}
    assert {row.provider for row in await gateway.rows()} == {"mock"}


async def test_a_key_that_is_refused_is_left_out_after_three_calls_that_all_went_well(gateway: Gateway) -> None:
    await gateway.core.provider_keys.add(OPERATOR, "mock", Secret("sk-dead-1c7b5a9e3d2f4680"))
    replies = [await gateway.chat("(words-1)") for _ in range(12)]
    assert {reply.status for reply in replies} == {200}
    tried = [reply.headers["x-aiservice-attempts"] for reply in replies]
    assert Counter(tried) == {"1": 9, "2": 3}, "three refusals, and it is out"
    dead = gateway.core.connections.snapshot()[-1]
    said = gateway.core.health.said()[dead.id]
    assert said["models"]["gpt-mock"]["why"] == "it refuses the key"
    assert "sk-dead" not in json.dumps(said)
    await gateway.core.alerts.flush()
    (alert,) = await gateway.core.alerts.list(OPERATOR)
    assert (alert.kind, alert.subject) == ("provider_key_refused", "mock key 2")


async def test_a_key_of_a_connection_out_of_a_clients_set_is_never_used(gateway: Gateway) -> None:
    """T-09's neighbour: what is allowed is the connection, and its keys with it; and nothing else."""
    await gateway.core.provider_keys.add(OPERATOR, "mock", Secret(SECOND))
    await gateway.core.clients.update(OPERATOR, "app", connections=["sandbox"])
    await gateway.core.changes.poll_once()
    reply = await gateway.chat("(words-1)", model="mock/gpt-mock")
    assert reply.status in (403, 404)
