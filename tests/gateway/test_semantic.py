"""Similar questions share answers where a policy lets them, within their hard key, and are watched."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.budget_terms import Terms
from aiservice.services.cache_terms import CacheRule
from aiservice.services.semantic_terms import SemanticRule
from aiservice.services.semantic_watch import LEAST_JUDGED, SemanticWatch
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.gateway.test_cached import CHAT, RESULT, asked, calls_of, stranger_of

SEMANTIC = SemanticRule(950, "mock:embed-mock", 5, 90)
RULE = CacheRule("on", 600, 600, "client", SEMANTIC)
HISTORY = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]
FIRST, SIMILAR, OTHER = "(words-9) (near-keys) one", "(words-9) (near-keys) two", "(words-9) (near-locks) three"


@pytest.fixture(autouse=True)
async def semantic(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The platform lets chats share; none is asked all the same, unless a test says so."""
    monkeypatch.setattr(SemanticWatch, "is_sampled", lambda _self, _rule: False)
    await gateway.core.cache.policies.set(OPERATOR, "platform", "", "chat", RULE)


async def ask(gateway: Gateway, text: str, **more: Any) -> Reply:
    return await gateway.post(CHAT, asked(text, **more.pop("fields", {})), **more)


async def test_a_similar_question_is_given_the_answer_and_its_vector_is_a_row_of_its_own(gateway: Gateway) -> None:
    replies = [await ask(gateway, text) for text in (FIRST, SIMILAR, OTHER)]
    assert [reply.headers[RESULT] for reply in replies] == ["miss", "hit", "miss"]
    first, similar, _ = replies
    assert similar.headers["x-aiservice-original-request"] == first.headers["x-request-id"]
    assert 0.95 <= float(similar.headers["x-aiservice-cache-similarity"]) < 1
    assert "x-aiservice-cache-similarity" not in (await ask(gateway, FIRST)).headers
    rows = await gateway.rows()
    made = [row for row in rows if row.surface == "cache"]
    assert {(row.task, row.model, row.outcome) for row in made} == {("embedding", "embed-mock", "finished")}
    assert (len(made), len(rows), calls_of(gateway)) == (3, 7, 5)
    [standing] = await gateway.core.cache.tally.standing(OPERATOR, 0)
    assert (standing.hits, standing.similar, standing.misses) == (2, 1, 2)


@pytest.mark.sqlite_only("what is tried is the gateway's own")
@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.5},
        {"model": "auto"},
        {"max_tokens": 50},
        {"stream": True},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": SIMILAR}]},
        {"messages": [*HISTORY, {"role": "user", "content": SIMILAR}]},
    ],
    ids=["temperature", "model", "limit", "stream", "tools", "system", "history"],
)
async def test_all_but_the_question_is_a_hard_key(gateway: Gateway, fields: dict[str, Any]) -> None:
    await ask(gateway, FIRST)
    reply = await gateway.post(CHAT, {**asked(SIMILAR), **fields})
    assert (reply.status, reply.headers[RESULT]) == (200, "miss")


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_t77_two_clients_never_share_and_a_team_does_where_an_admin_lets_it(gateway: Gateway) -> None:
    await gateway.core.teams.create(OPERATOR, "search")
    stranger = await stranger_of(gateway, team="search")
    await ask(gateway, FIRST)
    assert (await ask(gateway, SIMILAR, key=stranger)).headers[RESULT] == "miss"
    await gateway.core.clients.set_team(OPERATOR, "app", "search")
    shared = CacheRule("on", 600, 600, "team", SEMANTIC)
    await gateway.core.cache.policies.set(OPERATOR, "team", "search", "chat", shared)
    await gateway.core.changes.catch_up()
    await ask(gateway, FIRST)
    assert (await ask(gateway, SIMILAR, key=stranger)).headers[RESULT] == "hit"


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_streams_share_with_streams_and_every_surface_with_itself(gateway: Gateway) -> None:
    for path, more in ((CHAT, {}), ("/v1/messages", {"max_tokens": 500}), ("/ai-service", {"task": "chat"})):
        for is_stream in (False, True):
            results = []
            for text in (FIRST, SIMILAR):
                body = {**asked(text, stream=is_stream), **more}
                if path == "/ai-service":
                    body = {"model": "gpt-mock", "stream": is_stream, "input": text, **more}
                reply = await gateway.post(path, body)
                results.append(reply.headers[RESULT])
                assert b"keeps" in reply.body or b"gate" in reply.body
            assert results == ["miss", "hit"], (path, is_stream)


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_where_nobody_opted_in_no_vector_is_made(gateway: Gateway) -> None:
    await gateway.core.cache.policies.set(OPERATOR, "platform", "", "chat", CacheRule("on", 600, 600))
    assert [(await ask(gateway, text)).headers[RESULT] for text in (FIRST, SIMILAR)] == ["miss", "miss"]
    assert calls_of(gateway) == 2


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_equal_questions_at_once_are_one_vector_and_one_call(gateway: Gateway) -> None:
    replies = await asyncio.gather(*(ask(gateway, "(words-9) (wait-20) (near-keys)") for _ in range(12)))
    assert calls_of(gateway) == 2
    assert sorted(reply.headers[RESULT] for reply in replies) == ["coalesced"] * 11 + ["miss"]


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_a_key_that_may_not_use_who_makes_vectors_shares_nothing(gateway: Gateway) -> None:
    key = await gateway.new_key(models=["gpt-mock"])
    assert [(await ask(gateway, text, key=key)).headers[RESULT] for text in (FIRST, SIMILAR)] == ["miss", "miss"]
    assert calls_of(gateway) == 2


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_where_no_vector_comes_the_question_is_asked(gateway: Gateway) -> None:
    broken = "(garble) (near-keys)"
    for text in (broken, FIRST):
        await ask(gateway, text)
    rows = await gateway.rows()
    assert [row.outcome for row in rows if row.surface == "cache"][-1] == "failed"
    assert len([row for row in rows if row.surface != "cache"]) == 2


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_a_vector_costs_the_caller_no_request_and_its_budget_what_it_costs(gateway: Gateway) -> None:
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/minute": 3})
    terms = Terms("tokens", "day", 100_000, unpriced_models=("gpt-mock", "embed-mock"))
    await gateway.core.budgets.set(OPERATOR, "client", "app", terms)
    await gateway.core.changes.catch_up()
    replies = [await ask(gateway, text) for text in (FIRST, SIMILAR, OTHER, "four")]
    assert [reply.status for reply in replies] == [200, 200, 200, 429]
    [row, *_] = [row for row in await gateway.rows() if row.surface == "cache"]
    assert row.input_tokens > 0


@pytest.mark.parametrize("ends", ["purge", "shred"])
async def test_what_is_purged_or_shredded_leaves_no_vector(gateway: Gateway, ends: str) -> None:
    await ask(gateway, FIRST)
    assert len(gateway.core.cache.similar) == 1
    if ends == "purge":
        await gateway.core.cache.policies.purge(OPERATOR, "app")
    else:
        await gateway.core.bodies.shred_client(OPERATOR, "app")
        await gateway.core.changes.catch_up()
    assert len(gateway.core.cache.similar) == 0
    assert (await ask(gateway, SIMILAR)).headers[RESULT] == "miss"


# Judging


@pytest.mark.parametrize("is_same", [True, False])
@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_a_sample_is_asked_all_the_same_and_compared(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_same: bool
) -> None:
    monkeypatch.setattr(SemanticWatch, "is_sampled", lambda _self, _rule: True)
    await ask(gateway, FIRST)
    reply = await ask(gateway, SIMILAR if is_same else SIMILAR.replace("(words-9)", "(words-40)"))
    assert reply.headers[RESULT] == "miss"
    await settled()
    [standing] = await gateway.core.cache.tally.standing(OPERATOR, 0)
    assert (standing.judged, standing.agreed, standing.similar) == (1, int(is_same), 0)


async def settled() -> None:
    """Returns when nothing is compared any more."""
    while judging := [task for task in asyncio.all_tasks() if task.get_name() == "similar answers"]:
        await asyncio.gather(*judging)


async def test_below_the_least_precision_it_switches_itself_off_until_it_is_set_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SemanticWatch, "is_sampled", lambda _self, _rule: True)
    policies = gateway.core.cache.policies
    for number in range(LEAST_JUDGED + 1):
        await ask(gateway, f"(near-keys) (words-{number + 3}) {number}")
        await settled()
    [view] = await policies.list(OPERATOR)
    assert (view.semantic_off_us is not None, view.precision_percent) == (True, 0)
    assert view.rule.semantic is not None
    monkeypatch.setattr(SemanticWatch, "is_sampled", lambda _self, _rule: False)
    calls = calls_of(gateway)
    assert (await ask(gateway, "(near-keys) (words-9) again")).headers[RESULT] == "miss"
    assert calls_of(gateway) == calls + 1  # no vector any more
    await gateway.core.alerts.flush()
    [alert] = [one for one in await gateway.core.alerts.list(OPERATOR) if one.kind == "semantic_cache_off"]
    assert "0 % got the same answer" in alert.words
    await policies.set(OPERATOR, "platform", "", "chat", RULE)
    assert (await ask(gateway, FIRST)).headers[RESULT] == "hit"


@pytest.mark.sqlite_only("what is tried is the gateway's own")
async def test_who_makes_vectors_sees_no_question_that_it_may_not_see(gateway: Gateway) -> None:
    mock = gateway.mock
    assert mock is not None
    options: dict[str, Any] = {"is_private_allowed": True, "models": ["embed-mock"]}
    await gateway.core.connections.add(
        OPERATOR, "openai-compatible", "vectors", mock.base_url, Secret(PROVIDER_KEY), **options
    )
    await gateway.core.connections.set_data(OPERATOR, "mock", {"is_zdr": True})
    rule = replace(RULE, semantic=replace(SEMANTIC, embeddings="vectors:embed-mock"))
    await gateway.core.cache.policies.set(OPERATOR, "platform", "", "chat", rule)
    strict = {"preferences": {"zdr": True}}
    assert [(await ask(gateway, text, fields=strict)).headers[RESULT] for text in (FIRST, SIMILAR)] == ["miss"] * 2
    assert calls_of(gateway) == 2, "no vector was made"
    others = [f"{FIRST} of mine", f"{SIMILAR} of mine"]
    assert [(await ask(gateway, text)).headers[RESULT] for text in others] == ["miss", "hit"]
