"""Aliases and stored terms, asked from outside."""

from aiservice.principal import OPERATOR
from aiservice.services.routing_scopes import PLATFORM_SCOPE, Scope
from aiservice.services.routing_terms import Terms
from tests.gateway.conftest import Gateway

MODEL = "gpt-mock"


async def test_an_alias_is_followed_and_can_be_pointed_elsewhere_while_it_is_used(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", [f"mock/{MODEL}", "sandbox"])
    first = await gateway.chat("(words-2)", model="fast-chat")
    assert (first.status, first.headers["x-aiservice-route"]) == (200, "fast-chat 1")
    assert first.headers["x-aiservice-provider"] == "mock"
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", ["sandbox"])
    second = await gateway.chat("(words-2)", model="fast-chat")
    assert second.headers["x-aiservice-provider"] == "sandbox"
    assert [row.requested_model for row in await gateway.rows()] == ["fast-chat", "fast-chat"]


async def test_an_alias_of_a_bare_model_goes_to_whoever_has_it(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, "app", "legacy", [MODEL])
    reply = await gateway.chat("(words-2)", model="legacy")
    assert (reply.headers["x-aiservice-provider"], reply.headers["x-aiservice-model"]) == ("mock", MODEL)


async def test_an_alias_opens_nothing_that_the_key_may_not_use(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", [f"mock/{MODEL}"])
    body = {"task": "chat", "input": "x", "model": "fast-chat"}
    elsewhere = await gateway.post("/ai-service", body, key=await gateway.new_key(connections=["sandbox"]))
    assert (elsewhere.status, elsewhere.code) == (404, "model_not_found")
    narrow = await gateway.post("/ai-service", body, key=await gateway.new_key(models=["other"]))
    assert (narrow.status, narrow.code) == (403, "model_not_allowed")


async def test_aliases_are_listed_as_models_where_they_lead_somewhere(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", [f"mock/{MODEL}"])
    listed = {model["id"]: model["owned_by"] for model in (await gateway.get("/v1/models")).json()["data"]}
    assert (listed["fast-chat"], listed[MODEL]) == ("aiservice", "mock")
    assert (await gateway.get("/v1/models/fast-chat")).json()["id"] == "fast-chat"
    narrow = await gateway.new_key(connections=["sandbox"])
    assert "fast-chat" not in {model["id"] for model in (await gateway.get("/v1/models", key=narrow)).json()["data"]}


async def test_a_requests_order_chooses_among_the_aliases_places_and_no_others(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", [f"mock/{MODEL}", "sandbox"])
    body = {"task": "chat", "input": "x", "model": "fast-chat"}
    chosen = await gateway.post("/ai-service", {**body, "preferences": {"order": ["sandbox"]}})
    assert chosen.json()["provider"] == "sandbox"
    refused = await gateway.post("/ai-service", {**body, "preferences": {"order": ["openai"]}})
    assert (refused.status, refused.code) == (400, "alias_elsewhere")


async def test_stored_terms_of_all_scopes_decide_where_a_request_goes(gateway: Gateway) -> None:
    await gateway.core.preferences.set(OPERATOR, PLATFORM_SCOPE, "*", Terms(only=frozenset({"sandbox"})))
    assert (await gateway.chat("x")).headers["x-aiservice-provider"] == "sandbox"
    await gateway.core.preferences.set(OPERATOR, Scope("client", "app"), "chat", Terms(only=frozenset({"mock"})))
    assert (await gateway.chat("(words-2)")).headers["x-aiservice-provider"] == "mock"
    body = {"task": "chat", "input": "x", "preferences": {"only": ["sandbox"]}}
    assert (await gateway.post("/ai-service", body)).json()["provider"] == "sandbox"


async def test_explain_tells_where_an_alias_leads(gateway: Gateway) -> None:
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "fast-chat", [f"mock/{MODEL}", "sandbox"])
    body = {"task": "chat", "input": "x", "model": "fast-chat"}
    explained = (await gateway.post("/ai-service/explain", body)).json()
    told = [(one["provider"], one["model"], one["reason"]) for one in explained["candidates"]]
    assert told == [("mock", MODEL, "fast-chat 1"), ("sandbox", "sandbox", "fast-chat 2")]
    answered = await gateway.post("/ai-service", body)
    assert answered.headers["x-aiservice-route"] == "fast-chat 1"
