"""`POST /ai-service/explain`: what it says is what a call then does, and its token holds the call to it."""

from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.gateway.conftest import PROVIDER_KEY, Gateway


async def add(gateway: Gateway, name: str, **more: Any) -> None:
    assert gateway.mock is not None
    await gateway.core.connections.add(
        OPERATOR,
        "openai-compatible",
        name,
        gateway.mock.base_url,
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        **{"models": ["gpt-mock"], **more},
    )


async def explained(gateway: Gateway, body: dict[str, Any]) -> dict[str, Any]:
    reply = await gateway.post("/ai-service/explain", body)
    assert reply.status == 200
    said: dict[str, Any] = reply.json()
    return said


def places(said: dict[str, Any]) -> list[str]:
    return [one["provider"] for one in said["candidates"]]


async def test_it_says_task_places_and_rules_and_asks_nobody(gateway: Gateway) -> None:
    await add(gateway, "second")
    said = await explained(gateway, {"input": "x", "task": "chat", "preferences": {"order": ["second"]}})
    assert said["task"]["name"] == "chat"
    assert [(one["provider"], one["reason"]) for one in said["candidates"]] == [("second", "preference 1")]
    assert {one["provider"]: one["rule"] for one in said["removed"]} == {"mock": "order", "sandbox": "order"}
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_its_token_holds_the_call_to_what_was_said(gateway: Gateway) -> None:
    await add(gateway, "second")
    body = {"input": "(words-2)", "task": "chat", "preferences": {"only": ["mock", "second"], "strategy": "weighted"}}
    said = await explained(gateway, body)
    for _ in range(3):  # the turns go on, what was said stays
        reply = await gateway.post("/ai-service", body, headers={"x-aiservice-explain": said["token"]})
        assert (reply.status, reply.json()["provider"]) == (200, places(said)[0])


async def test_a_token_of_another_body_or_client_is_refused(gateway: Gateway) -> None:
    said = await explained(gateway, {"input": "x", "task": "chat"})
    headers = {"x-aiservice-explain": said["token"]}
    reply = await gateway.post("/ai-service", {"input": "y", "task": "chat"}, headers=headers)
    assert (reply.status, reply.code) == (422, "explanation_mismatch")
    reply = await gateway.post("/ai-service", {"input": "x", "task": "chat"}, headers={"x-aiservice-explain": "exp_A"})
    assert (reply.status, reply.code) == (422, "explanation_mismatch")


async def test_what_cannot_be_done_any_more_is_said(gateway: Gateway) -> None:
    body = {"input": "x", "task": "chat"}
    said = await explained(gateway, body)
    await gateway.core.connections.set_key(OPERATOR, "mock", Secret(PROVIDER_KEY))
    reply = await gateway.post("/ai-service", body, headers={"x-aiservice-explain": said["token"]})
    assert (reply.status, reply.code) == (409, "explanation_outdated")


async def test_where_nothing_is_left_the_refusal_and_every_rule_is_said(gateway: Gateway) -> None:
    body = {"input": "x", "task": "chat", "preferences": {"data_collection": "deny", "ignore": ["sandbox"]}}
    said = await explained(gateway, body)
    assert (said["candidates"], said["token"]) == ([], None)
    assert said["refusal"]["status"] == 503
    assert {one["provider"]: one["rule"] for one in said["removed"]} == {"mock": "data_collection", "sandbox": "ignore"}


async def test_a_request_keeps_the_decision_it_went_by(gateway: Gateway) -> None:
    await add(gateway, "second")
    body = {"input": "(words-2)", "task": "chat", "preferences": {"order": ["second", "mock"]}}
    said = await explained(gateway, body)
    reply = await gateway.post("/ai-service", body)
    await gateway.core.ledger.flush()
    await gateway.core.decisions.flush()
    entry = await gateway.core.requests.one(OPERATOR, reply.json()["id"])
    kept = await gateway.core.decisions.find(entry.decision)
    assert kept == {name: said[name] for name in ("candidates", "removed")}


async def test_it_says_what_the_cache_would_do(gateway: Gateway) -> None:
    body = {"input": "(words-2)", "task": "chat", "cache": {"ttl": 60}}
    assert (await explained(gateway, {"input": "x", "task": "chat"}))["cache"] == "bypass"
    assert (await explained(gateway, body))["cache"] == "miss"
    assert (await gateway.post("/ai-service", body)).headers["x-aiservice-cache"] == "miss"
    assert (await explained(gateway, body))["cache"] == "hit"


async def test_whose_turn_it_is_does_not_matter_to_the_cache(gateway: Gateway) -> None:
    await add(gateway, "second")
    body = {"input": "(words-2)", "task": "chat", "cache": {"ttl": 60}, "model": "gpt-mock"}
    body["preferences"] = {"strategy": "weighted"}
    seen = [(await gateway.post("/ai-service", body)).headers["x-aiservice-cache"] for _ in range(3)]
    assert seen == ["miss", "hit", "hit"]


@pytest.mark.parametrize("surface", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"])
@pytest.mark.parametrize("field", ["preferences", "provider"])
async def test_every_surface_takes_preferences(gateway: Gateway, surface: str, field: str) -> None:
    body = {"model": "gpt-mock", "max_tokens": 8, "messages": [{"role": "user", "content": "x"}], "input": "x"}
    if surface != "/v1/embeddings":
        body.pop("input")
    reply = await gateway.post(surface, {**body, field: {"orders": ["mock"]}})
    assert reply.status == 400
    assert "'orders' is not a preference" in reply.json()["error"]["message"]
    reply = await gateway.post(surface, {**body, field: {"order": ["nowhere"]}})
    assert reply.status == 400
    assert "'nowhere' in 'preferences.order'" in reply.json()["error"]["message"]


async def test_a_task_told_from_the_body_goes_to_whoever_can_do_it(gateway: Gateway) -> None:
    await add(gateway, "second")
    await gateway.core.connections.set_capabilities(OPERATOR, "mock", [("", "images", False)])
    said = await explained(gateway, {"input": {"image": "https://example.com/a.png", "question": "Who?"}})
    assert said["task"] == {"name": "image-understanding", "why": "`input` has an image"}
    assert places(said) == ["second"]
    assert {one["provider"]: one["rule"] for one in said["removed"]}["mock"] == "capability"


async def test_a_task_that_is_not_clear_is_asked_back(gateway: Gateway) -> None:
    for path in ("/ai-service", "/ai-service/explain"):
        reply = await gateway.post(path, {"input": {"text": "Rain is expected until Thursday."}})
        assert (reply.status, reply.code) == (400, "task_unclear")


async def test_a_text_is_classified_by_the_sandbox(sandboxed: Gateway) -> None:
    body = {"input": {"text": "I was billed twice.", "labels": ["technical", "billed"]}}
    said = (await sandboxed.post("/ai-service", body)).json()
    assert (said["task"], said["output"]["label"]) == ("classification", "billed")


async def test_two_models_of_one_place_are_two_places_to_a_token(gateway: Gateway) -> None:
    await add(gateway, "two", models=["m-large", "m-small"])
    body = {"task": "chat", "input": "(words-2)", "preferences": {"order": ["two:m-large", "two:m-small"]}}
    said = await explained(gateway, body)
    assert places(said)[:2] == ["two", "two"]
    called = await gateway.post("/ai-service", body, headers={"x-aiservice-explain": said["token"]})
    assert called.headers["x-aiservice-model"] == "m-large"
