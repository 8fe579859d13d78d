"""Where a request may go, asked from outside: rights, names that look alike, and the sandbox's place."""

from typing import Any

import pytest

from aiservice.gateway import fallback
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.routing_scopes import PLATFORM_SCOPE
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import read_record


async def test_ignoring_every_provider_does_not_bring_the_sandboxs_answers(gateway: Gateway) -> None:
    for preferences in ({"ignore": ["mock"]}, {"ignore": ["openai-compatible"]}):
        reply = await gateway.post("/ai-service", {"input": "x", "preferences": preferences})
        assert (reply.status, reply.code) == (503, "no_provider_available")
    asked_for = await gateway.post("/ai-service", {"input": "x", "preferences": {"only": ["sandbox"]}})
    assert asked_for.json()["provider"] == "sandbox"


async def test_a_key_that_has_only_the_sandbox_gets_the_sandbox(gateway: Gateway) -> None:
    key = await gateway.new_key(connections=["sandbox"])
    reply = await gateway.post("/ai-service", {"input": "x"}, key=key)
    assert reply.json()["provider"] == "sandbox"


async def test_a_test_key_reaches_the_sandbox_whatever_its_client_prefers(gateway: Gateway) -> None:
    await gateway.core.preferences.set(OPERATOR, "app", "chat", ["mock"])
    key = await gateway.new_key(is_test=True)
    for more in ({}, {"preferences": {"order": ["mock"]}}):
        reply = await gateway.post("/ai-service", {"task": "chat", "input": "x", **more}, key=key)
        assert (reply.status, reply.json()["provider"]) == (200, "sandbox")
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_another_clients_connection_neither_shows_nor_gets_in_the_way(gateway: Gateway) -> None:
    assert gateway.mock is not None
    await gateway.core.clients.create(OPERATOR, "other")
    await gateway.core.connections.add(
        OPERATOR,
        "openai-compatible",
        "meta",
        gateway.mock.base_url,
        Secret(PROVIDER_KEY),
        is_private_allowed=True,
        models=["secret"],
        owner_client="other",
    )
    await gateway.core.connections.set_models(OPERATOR, "mock", ["gpt-mock", "meta/llama"])
    assert (await gateway.chat("(words-2)", model="meta/llama")).status == 200
    hidden, absent = [await gateway.chat("x", model=f"{name}/secret") for name in ("meta", "none")]
    assert hidden.status == 404
    assert hidden.json()["error"]["message"].replace("meta/", "none/") == absent.json()["error"]["message"]


@pytest.mark.parametrize(
    "more",
    [
        {"tools": 5, "tool_choice": "required"},
        {"tools": [{"function": None}], "tool_choice": "required"},
        {"tools": [{}], "tool_choice": {"function": 3}},
        {"tools": [{"function": {"parameters": {"required": 5}}}], "tool_choice": "required"},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_tools_of_any_shape_do_not_break_the_sandbox(sandboxed: Gateway, more: Any, stream: bool) -> None:
    assert (await sandboxed.chat("x", stream=stream, **more)).status == 200


async def test_the_sandbox_makes_only_so_many_numbers_at_once(sandboxed: Gateway) -> None:
    large = await sandboxed.post("/v1/embeddings", {"input": ["a"] * 3000, "dimensions": 3072})
    assert (large.status, large.code) == (400, "too_many_inputs")
    usual = await sandboxed.post("/v1/embeddings", {"input": ["a"] * 2048})
    assert len(usual.json()["data"]) == 2048


async def test_a_pinned_connections_vendor_is_given_its_own_provider_object(gateway: Gateway) -> None:
    """OpenRouter behind a connection of ours knows providers of its own; where the choice is ours, so is the object."""
    assert gateway.mock is not None
    own = {"order": ["google-ai-studio"], "allow_fallbacks": False}
    body = {"model": "mock/gpt-mock", "messages": [{"role": "user", "content": "hi"}], "provider": own}
    assert (await gateway.post("/v1/chat/completions", body)).status == 200
    assert gateway.mock.record.path is not None
    assert read_record(gateway.mock.record.path)[-1].body["provider"] == own
    reply = await gateway.post("/v1/chat/completions", {**body, "model": "gpt-mock"})
    assert (reply.status, reply.json()["error"]["code"]) == (400, "unknown_connection")


@pytest.mark.parametrize(("second_holds", "attempts"), [(2_000, 2), (1_000, 1), (None, 2)])
async def test_a_prompt_too_long_goes_to_who_is_stated_to_hold_more(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, second_holds: int | None, attempts: int
) -> None:
    assert gateway.mock is not None
    core, address = gateway.core, gateway.mock.base_url
    secret = Secret(PROVIDER_KEY)
    await core.connections.add(
        OPERATOR, "openai-compatible", "second", address, secret, is_private_allowed=True, models=["gpt-mock"]
    )
    for name, tokens in (("mock", 1_000), ("second", second_holds)):
        stated = () if tokens is None else (("", "context_tokens", tokens),)
        await core.connections.set_capabilities(OPERATOR, name, stated)
    code = (await gateway.chat("(status-400)", provider={"only": ["mock"]})).code
    monkeypatch.setattr(fallback, "_TOO_LONG", code)
    await gateway.chat("(status-400)", provider={"order": ["mock", "second"]})
    [row, *_] = await gateway.rows()
    assert len(row.attempts) == attempts


async def test_models_say_how_long_a_context_they_have_where_it_is_known(gateway: Gateway) -> None:
    await gateway.core.connections.set_capabilities(OPERATOR, "mock", (("gpt-mock", "context_tokens", 4_096),))
    await gateway.core.aliases.set(OPERATOR, PLATFORM_SCOPE, "quick", ["mock/gpt-mock"])
    listed = {one["id"]: one.get("context_length") for one in (await gateway.get("/v1/models")).json()["data"]}
    assert (listed["quick"], listed["gpt-mock"], listed["embed-mock"]) == (4_096, 4_096, None)


async def test_every_model_that_is_listed_is_reached_by_its_name(gateway: Gateway) -> None:
    listed = {model["id"] for model in (await gateway.get("/v1/models")).json()["data"]}
    assert {"gpt-mock", "sandbox", "sandbox-embedding", "sandbox-moderation", "sandbox-reranker"} <= listed
    asked = (
        ("/v1/chat/completions", {"model": "sandbox", "messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/embeddings", {"model": "sandbox-embedding", "input": "hi"}),
        ("/v1/moderations", {"model": "sandbox-moderation", "input": "hi"}),
        ("/v1/rerank", {"model": "sandbox-reranker", "query": "hi", "documents": ["a", "b"]}),
    )
    for path, body in asked:
        reply = await gateway.post(path, body)
        assert (reply.status, reply.headers.get("x-aiservice-provider")) == (200, "sandbox"), path
