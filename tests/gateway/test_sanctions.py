"""Sanctions over the whole gateway: what a blocked, a slowed-down and a decoy's caller is told."""

from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.abuse_features import Evidence, Level
from aiservice.services.sanctions import Finding
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway


async def _chat(gateway: Gateway, key: str) -> Reply:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    return await gateway.post("/v1/chat/completions", body, key=key)


async def _impose(gateway: Gateway, level: Level) -> str:
    client = (await gateway.core.clients.find(OPERATOR, "app")).id
    until_us = now_us() + 600 * SECOND_US
    evidence = (Evidence("requests", "volume", "minute", 900.0, 40.0, 8.0),)
    verdict = await gateway.core.sanctions.impose(Finding(client, level, "automatic", 12.0, evidence, until_us, 7))
    await gateway.core.changes.poll_once()
    assert verdict is not None
    return verdict.id


async def test_a_blocked_client_is_told_until_when_and_undone_it_is_served(gateway: Gateway) -> None:
    key = await gateway.new_key()
    assert (await _chat(gateway, key)).status == 200
    verdict = await _impose(gateway, Level.BLOCK)
    refused = await _chat(gateway, key)
    error = refused.json()["error"]
    assert (refused.status, error["type"], error["code"]) == (403, "permission_error", "blocked_for_abuse")
    assert "blocked until 20" in error["message"]
    assert 590 < error["retry_after"] <= 600
    await gateway.core.sanctions.undo(OPERATOR, verdict)
    assert (await _chat(gateway, key)).status == 200


async def test_a_throttled_client_keeps_its_usual_and_no_more(gateway: Gateway) -> None:
    key = await gateway.new_key()
    await _impose(gateway, Level.THROTTLE)
    answers = [await _chat(gateway, key) for _ in range(8)]
    assert [answer.status for answer in answers] == [200] * 7 + [429]
    assert "slowed down for unusual traffic" in answers[-1].json()["error"]["message"]


async def test_a_decoy_is_answered_like_an_unknown_key(gateway: Gateway) -> None:
    decoy = await gateway.core.keys.create(OPERATOR, "app", "decoy", is_decoy=True)
    unknown = await gateway.core.keys.create(OPERATOR, "app", "k")
    text = unknown.key.reveal_text()
    await gateway.core.keys.revoke(OPERATOR, unknown.id)
    answers = [await _chat(gateway, key) for key in (decoy.key.reveal_text(), _never_made(text))]
    assert [answer.status for answer in answers] == [401, 401]
    first, second = (answer.json()["error"] for answer in answers)
    assert {**first, "request_id": ""} == {**second, "request_id": ""}
    assert gateway.core.alerts.waiting == 1


async def test_what_is_asked_is_counted_with_its_network_and_prompt(gateway: Gateway) -> None:
    key = await gateway.new_key()
    for _ in range(3):
        await _chat(gateway, key)
    seen = [seen for clients in gateway.core.observer._minutes.values() for seen in clients.values()]
    assert sum(each.requests for each in seen) == 3
    assert sum(sum(each.networks.values()) for each in seen) == 3
    assert sum(max(each.prompts.values()) for each in seen) == 3


def _never_made(text: str) -> str:
    from aiservice.kit.keyformat import checksum

    body = text[:9] + text[9:21][::-1] + text[21:-6]
    return body + checksum(body)
