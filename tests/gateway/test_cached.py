"""The answer cache on the way of a request: who is given what, and what it costs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest

from aiservice.gateway import build_gateway
from aiservice.gateway.admit import InFlight
from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from aiservice.services.budget_terms import Terms
from aiservice.services.cache_terms import CacheRule
from aiservice.services.opening import open_core
from tests.gateway.asgi import Reply
from tests.gateway.conftest import PROVIDER_KEY, Gateway, portal
from tests.harness.waiting import until

CHAT = "/v1/chat/completions"
TTL = {"x-aiservice-cache-ttl": "300"}
RESULT = "x-aiservice-cache"


def asked(text: str, **more: object) -> dict[str, object]:
    return {"model": "gpt-mock", "messages": [{"role": "user", "content": text}], **more}


async def ask(gateway: Gateway, body: object, path: str = CHAT, **more: Any) -> Reply:
    return await gateway.post(path, body, headers={**TTL, **more.pop("headers", {})}, **more)


def calls_of(gateway: Gateway) -> int:
    assert gateway.mock is not None
    return gateway.mock.record.calls


def without_usage(reply: Reply) -> dict[str, Any]:
    return {name: value for name, value in reply.json().items() if name != "usage"}


async def stranger_of(gateway: Gateway, team: str | None = None) -> str:
    await gateway.core.clients.create(OPERATOR, "another app", team=team)
    return (await gateway.core.keys.create(OPERATOR, "another app", "first")).key.reveal_text()


async def test_what_was_asked_before_is_answered_without_a_call_and_costs_nothing(gateway: Gateway) -> None:
    first = await ask(gateway, asked("(words-9) hello"))
    again = await ask(gateway, asked("(words-9) hello"))
    assert (first.headers[RESULT], again.headers[RESULT], calls_of(gateway)) == ("miss", "hit", 1)
    assert (again.status, without_usage(again)) == (200, without_usage(first))
    assert again.json()["usage"]["total_tokens"] == 0
    assert again.headers["x-aiservice-original-request"] == first.headers["x-request-id"]
    assert again.headers["x-aiservice-provider"] == "mock"
    assert again.headers["x-aiservice-attempts"] == "0"
    hit, miss = await gateway.rows()
    assert (hit.input_tokens, hit.output_tokens, hit.cost_nano_usd, hit.attempts, hit.outcome) == (
        0,
        0,
        0,
        [],
        "finished",
    )
    assert miss.output_tokens > 0


async def test_a_stream_is_kept_as_a_stream(gateway: Gateway) -> None:
    body = asked("(words-20) hello", stream=True, stream_options={"include_usage": True})
    first, again = await ask(gateway, body), await ask(gateway, body)
    whole = await ask(gateway, asked("(words-20) hello"))
    assert [one.headers[RESULT] for one in (first, again, whole)] == ["miss", "hit", "miss"]
    assert again.headers["content-type"].startswith("text/event-stream")
    given = again.body.split(b"\n\n")
    changed = [place for place, frame in enumerate(first.body.split(b"\n\n")) if frame != given[place]]
    assert len(changed) == 1  # the frame of the usage: it cost nothing
    assert orjson.loads(given[changed[0]].removeprefix(b"data: "))["usage"]["total_tokens"] == 0
    assert again.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_in_our_own_words_an_answer_is_the_one_who_asks(gateway: Gateway, is_stream: bool) -> None:
    body = {"task": "chat", "input": "(words-9) hello", "stream": is_stream, "cache": {"ttl": 60}}
    await gateway.post("/ai-service", {**body, "metadata": {"user": "u-1"}})
    again = await gateway.post("/ai-service", {**body, "metadata": {"user": "u-2"}})
    said = orjson.loads(again.body.split(b"data: ")[-1]) if is_stream else again.json()
    assert (again.headers[RESULT], said["cached"]) == ("hit", True)
    assert said["id"] == again.headers["x-request-id"]
    assert (said["usage"]["total_tokens"], said["cost"]["amount"]) == (0, "0")
    assert said["route"]["attempts"] == []


async def test_the_messages_wire_is_replayed_in_its_own_form(gateway: Gateway) -> None:
    body = {**asked("(words-9) hello"), "max_tokens": 50}
    for is_stream in (False, True):
        first = await ask(gateway, {**body, "stream": is_stream}, "/v1/messages")
        again = await ask(gateway, {**body, "stream": is_stream}, "/v1/messages")
        assert (first.headers[RESULT], again.headers[RESULT]) == ("miss", "hit")
        assert again.body.count(b"event: content_block_delta") == first.body.count(b"event: content_block_delta")
    assert b'"output_tokens":0' in again.body


async def test_embeddings_are_kept(gateway: Gateway) -> None:
    body = {"model": "embed-mock", "input": ["one", "two"]}
    first, again = [await ask(gateway, body, "/v1/embeddings") for _ in range(2)]
    assert (again.headers[RESULT], again.json()["data"]) == ("hit", first.json()["data"])


async def test_nothing_is_kept_unless_somebody_says_so(gateway: Gateway) -> None:
    replies = [await gateway.post(CHAT, asked("hello")) for _ in range(2)]
    replies.append(await gateway.post(CHAT, asked("hello"), headers={"cache-control": "max-age=60"}))
    assert ({reply.headers[RESULT] for reply in replies}, calls_of(gateway)) == ({"bypass"}, 3)


async def test_t77_two_clients_with_the_same_body_are_two_calls(gateway: Gateway) -> None:
    stranger = await stranger_of(gateway)
    await ask(gateway, asked("hello"))
    other = await ask(gateway, asked("hello"), key=stranger)
    assert (other.headers[RESULT], calls_of(gateway)) == ("miss", 2)


async def test_two_clients_of_a_team_share_where_an_admin_lets_them(gateway: Gateway) -> None:
    await gateway.core.teams.create(OPERATOR, "search")
    await gateway.core.clients.set_team(OPERATOR, "app", "search")
    stranger = await stranger_of(gateway, team="search")
    rule = CacheRule("on", 60, 600, "team")
    await gateway.core.cache.policies.set(OPERATOR, "team", "search", "chat", rule)
    await gateway.core.changes.catch_up()
    await gateway.post(CHAT, asked("hello"))
    other = await gateway.post(CHAT, asked("hello"), key=stranger)
    assert (other.headers[RESULT], calls_of(gateway)) == ("hit", 1)


@pytest.mark.parametrize(
    ("headers", "results"),
    [
        ({"cache-control": "no-store"}, ["bypass", "bypass"]),
        ({"cache-control": "no-cache"}, ["miss", "miss"]),
        ({"cache-control": "max-age=0"}, ["miss", "miss"]),
        ({"cache-control": "max-age=60, x-unknown"}, ["miss", "hit"]),
        ({"x-aiservice-cache-ttl": "0"}, ["bypass", "bypass"]),
    ],
)
async def test_a_request_says_what_it_takes_and_leaves(
    gateway: Gateway, headers: dict[str, str], results: list[str]
) -> None:
    replies = [await ask(gateway, asked("hello"), headers=headers) for _ in range(2)]
    assert [reply.headers[RESULT] for reply in replies] == results


async def test_no_cache_renews_what_is_kept(gateway: Gateway) -> None:
    await ask(gateway, asked("hello"))
    renewed = await ask(gateway, asked("hello"), headers={"cache-control": "no-cache"})
    again = await ask(gateway, asked("hello"))
    assert again.headers["x-aiservice-original-request"] == renewed.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "param"),
    [({"ttl": "soon"}, "cache.ttl"), ({"ttl": -1}, "cache.ttl"), ({"tll": 5}, "cache"), (5, "cache"), ([], "cache")],
)
async def test_terms_that_cannot_be_are_named(gateway: Gateway, given: object, param: str) -> None:
    reply = await gateway.post("/ai-service", {"input": "hello", "task": "chat", "cache": given})
    assert (reply.status, reply.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("script", "is_stream"),
    [
        ("(status-500)", False),
        ("(garble)", False),
        ("(status-500)", True),
        ("(break-after-3)", True),
        ("(error-event)", True),
    ],
)
async def test_what_is_no_whole_answer_is_not_kept(gateway: Gateway, script: str, is_stream: bool) -> None:
    replies = [await ask(gateway, asked(script, stream=is_stream)) for _ in range(2)]
    assert "hit" not in {reply.headers.get(RESULT) for reply in replies}
    assert len(gateway.core.cache.memory) == 0


async def test_a_purge_leaves_nothing_to_be_given_out(gateway: Gateway) -> None:
    await ask(gateway, asked("hello"))
    await gateway.core.cache.policies.purge(OPERATOR, "app")
    assert len(gateway.core.cache.memory) == 0
    assert (await ask(gateway, asked("hello"))).headers[RESULT] == "miss"


async def test_a_shredded_client_has_nothing_in_memory(gateway: Gateway) -> None:
    await ask(gateway, asked("hello"))
    await gateway.core.bodies.shred_client(OPERATOR, "app")
    await gateway.core.changes.catch_up()
    assert len(gateway.core.cache.memory) == 0


async def test_a_hit_counts_as_a_request_but_as_no_token(gateway: Gateway) -> None:
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/minute": 3, "tokens/minute": 100})
    await gateway.core.changes.catch_up()
    body = asked("(words-60) hello", max_tokens=80)
    replies = [await ask(gateway, body) for _ in range(4)]
    assert [reply.headers.get(RESULT) for reply in replies[:3]] == ["miss", "hit", "hit"]
    assert replies[3].code == "client_rpm_exceeded"


async def test_who_has_spent_a_budget_still_gets_what_was_kept(gateway: Gateway) -> None:
    await ask(gateway, asked("(words-60) hello"))
    terms = Terms("tokens", "day", 1, unpriced_models=("gpt-mock",))
    await gateway.core.budgets.set(OPERATOR, "client", "app", terms)
    await gateway.core.changes.catch_up()
    assert (await ask(gateway, asked("(words-60) hello"))).headers[RESULT] == "hit"
    assert (await ask(gateway, asked("(words-60) other"))).status == 402


async def test_what_was_saved_is_counted(gateway: Gateway) -> None:
    for _ in range(3):
        await ask(gateway, asked("(words-9) hello"))
    [standing] = await gateway.core.cache.tally.standing(OPERATOR, 0)
    [*_, miss] = await gateway.rows()
    assert (standing.client, standing.task, standing.hits, standing.misses) == ("app", "chat", 2, 1)
    assert standing.saved.tokens == 2 * (miss.input_tokens + miss.output_tokens)
    page = (await gateway.get("/metrics")).body
    assert b'aiservice_cache_total{result="hit"} 2.0' in page


@pytest.mark.parametrize("surface", [CHAT, "/v1/messages", "/ai-service"])
async def test_who_asks_for_another_order_is_not_given_what_the_first_order_gave(
    gateway: Gateway, surface: str
) -> None:
    mock = gateway.mock
    assert mock is not None
    options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-mock"]}
    await gateway.core.connections.add(
        OPERATOR, "openai-compatible", "second", mock.base_url, Secret(PROVIDER_KEY), **options
    )
    body = {**asked("(words-3) hello"), "max_tokens": 20}
    if surface == "/ai-service":
        body = {"task": "chat", "input": "(words-3) hello", "model": "gpt-mock"}
    told = []
    for order in (["mock", "second"], ["second", "mock"], ["second", "mock"]):
        reply = await ask(gateway, {**body, "preferences": {"order": order}}, surface)
        told.append((reply.headers["x-aiservice-provider"], reply.headers[RESULT]))
    assert told == [("mock", "miss"), ("second", "miss"), ("second", "hit")]


async def test_what_an_alias_gave_is_not_given_when_it_leads_elsewhere_first(gateway: Gateway) -> None:
    mock = gateway.mock
    assert mock is not None
    options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-mock"]}
    await gateway.core.connections.add(
        OPERATOR, "openai-compatible", "second", mock.base_url, Secret(PROVIDER_KEY), **options
    )
    told = []
    for targets in (["mock/gpt-mock", "second/gpt-mock"], ["second/gpt-mock", "mock/gpt-mock"]):
        await gateway.core.aliases.set(OPERATOR, "app", "fast", targets)
        reply = await ask(gateway, {**asked("(words-3) hello"), "model": "fast"})
        told.append((reply.headers["x-aiservice-provider"], reply.headers[RESULT]))
    assert told == [("mock", "miss"), ("second", "miss")]


# Requests at once


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_requests_at_once_are_one_call(gateway: Gateway, is_stream: bool) -> None:
    body = asked("(words-20) (wait-10) hello", stream=is_stream)
    replies = await asyncio.gather(*(ask(gateway, body) for _ in range(20)))
    rows = await gateway.rows()
    assert calls_of(gateway) == 1
    assert sorted(reply.headers[RESULT] for reply in replies) == ["coalesced"] * 19 + ["miss"]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) <= 2  # the first's says what it used
    assert sorted(row.output_tokens for row in rows)[:19] == [0] * 19
    assert len(rows) == 20


async def test_followers_see_a_stream_as_it_comes(gateway: Gateway) -> None:
    body = asked("(words-30) (wait-20) hello", stream=True)
    first = asyncio.create_task(ask(gateway, body))
    await gateway.asked()
    left = await ask(gateway, body, leave_after=b"data:")
    assert (left.headers[RESULT], left.is_complete, first.done()) == ("coalesced", False, False)
    assert (await first).body.startswith(left.body)


async def test_the_first_leaves_and_the_others_get_the_answer(gateway: Gateway) -> None:
    body = asked("(words-30) (wait-10) hello", stream=True)
    leaving = asyncio.create_task(ask(gateway, body, leave_after=b"passes"))
    await gateway.asked()
    staying = await ask(gateway, body)
    left = await leaving
    assert 0 < len(left.body) < len(staying.body)
    assert staying.body.startswith(left.body)
    assert staying.body.endswith(b"data: [DONE]\n\n")
    assert calls_of(gateway) == 1
    used = sorted(row.output_tokens for row in await gateway.rows())
    assert used[0] == 0
    assert used[1] >= 30


async def test_a_call_that_nobody_waits_for_ends(gateway: Gateway) -> None:
    body = asked("(words-200) (wait-20) hello", stream=True)
    await asyncio.gather(*(ask(gateway, body, leave_after=b"data:") for _ in range(3)))
    rows = await gateway.rows()
    assert {row.outcome for row in rows} == {"client_left"}
    assert max(row.output_tokens for row in rows) < 100


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_a_failure_is_everybodys_and_is_asked_anew(gateway: Gateway, is_stream: bool) -> None:
    body = asked("(wait-300) (status-500) hello", stream=is_stream)
    replies = await asyncio.gather(*(ask(gateway, body) for _ in range(4)))
    assert {reply.status for reply in replies} == {502}
    before = calls_of(gateway)
    await ask(gateway, body)
    assert calls_of(gateway) > before


async def test_who_is_cut_off_tells_who_followed(gateway: Gateway) -> None:
    body = asked("(words-100) (wait-20) hello")
    first = asyncio.create_task(ask(gateway, body, key=await gateway.new_key()))
    await gateway.asked()
    follower = asyncio.create_task(ask(gateway, body))
    await until(lambda: gateway.in_flight.count == 2)
    one = next(iter(gateway.in_flight.under_way.values()))
    gateway.in_flight.on_change("cut", one.key_id)
    await first
    reply = await follower
    assert (reply.status, reply.code, reply.json()["error"]["retryable"]) == (503, "shared_call_ended", True)


# Several workers


@asynccontextmanager
async def other_worker(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Another worker of the same server, with nothing of the first one's memory."""
    node = gateway.core.cluster._node.node_id
    async with open_core(gateway.core.settings, is_serving=True, node_id=node) as core:
        in_flight = InFlight()
        yield replace(gateway, app=build_gateway(core, in_flight, portal, portal), core=core, in_flight=in_flight)


async def test_without_redis_each_worker_remembers_for_itself(gateway: Gateway) -> None:
    await ask(gateway, asked("hello"))
    async with other_worker(gateway) as other:
        assert (await ask(other, asked("hello"))).headers[RESULT] == "miss"
