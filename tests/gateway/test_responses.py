"""`/v1/responses` by every provider, and the conversations that are kept for it."""

from typing import Any

import pytest

from aiservice.kit.secret import Secret
from aiservice.principal import OPERATOR
from tests.dialects.responses_stream import read_stream
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import PROVIDER_KEY, Gateway
from tests.mock.record import Served, read_record

PATH = "/v1/responses"
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
KINDS = ("openai", "anthropic", "gemini", "openai-compatible")
_PLACES = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta", "openai-compatible": "/v1"}


@pytest.fixture
async def all_kinds(gateway: Gateway) -> Gateway:
    """A gateway with a connection of each kind, named after it."""
    assert gateway.mock is not None
    for kind, path in _PLACES.items():
        address = gateway.mock.base_url.removesuffix("/v1") + path
        options: dict[str, Any] = {"is_private_allowed": True, "models": ["gpt-5-mini"]}
        await gateway.core.connections.add(OPERATOR, kind, kind, address, Secret(PROVIDER_KEY), **options)
    return gateway


async def _ask(gateway: Gateway, kind: str, given: Any, **fields: Any) -> Reply:
    return await gateway.post(PATH, {"model": f"{kind}/gpt-5-mini", "input": given, **fields})


def _served(gateway: Gateway) -> Served:
    assert gateway.mock is not None
    assert gateway.mock.record.path is not None
    return read_record(gateway.mock.record.path)[-1]


def _text(response: Any) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_is_a_response_whoever_gives_it(all_kinds: Gateway, kind: str) -> None:
    reply = await _ask(all_kinds, kind, "(words-4) hi", instructions="Be brief.", max_output_tokens=50)
    assert reply.status == 200, reply.body
    said = reply.json()
    assert said["id"].startswith("resp_")
    assert (said["object"], said["status"], said["store"]) == ("response", "completed", True)
    assert _text(said) == "the gate keeps every"
    assert (said["usage"]["output_tokens"], said["previous_response_id"]) == (4, None)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_adds_up_to_the_whole_answer(all_kinds: Gateway, kind: str) -> None:
    reply = await _ask(all_kinds, kind, "(think) (words-5) hi", stream=True, reasoning={"effort": "low"})
    assert reply.status == 200, reply.body
    if kind != "openai":  # those are the mock's own events, which has no numbers
        folded = read_stream(reply.body)
        assert folded.final is not None
        assert folded.output == folded.final["output"]
        assert _text(folded.final) == "the gate keeps every key"
    kept = await all_kinds.get(f"{PATH}/{reply.body.partition(b'resp_')[2][:32].decode().join(('resp_', ''))}")
    assert _text(kept.json()) == "the gate keeps every key"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_is_called_and_its_result_goes_back_under_the_kept_conversation(
    all_kinds: Gateway, kind: str
) -> None:
    asked = 'weather? (think) (tool weather {"city": "Bern"})'
    first = (await _ask(all_kinds, kind, asked, tools=[WEATHER])).json()
    (tool_call,) = [item for item in first["output"] if item["type"] == "function_call"]
    result = [{"type": "function_call_output", "call_id": tool_call["call_id"], "output": "snow"}]
    second = await _ask(all_kinds, kind, result, tools=[WEATHER], previous_response_id=first["id"])
    assert second.status == 200, second.body
    assert _text(second.json()) == "The tool said: snow"
    assert second.json()["previous_response_id"] == first["id"]


async def test_openai_is_given_what_the_client_wrote_and_its_answer_passes_as_it_is(all_kinds: Gateway) -> None:
    fields: dict[str, Any] = {
        "tools": [{"type": "web_search"}],
        "text": {"verbosity": "low"},
        "truncation": "auto",
        "something_new": {"a": [1]},
        "store": False,
    }
    reply = await _ask(all_kinds, "openai", "(words-3) hi", **fields)
    assert reply.status == 200, reply.body
    assert _served(all_kinds).body == {"model": "gpt-5-mini", "input": "(words-3) hi", **fields}
    assert b'"created_at": 1790000000' in reply.body, "the provider's own bytes"
    assert reply.json()["id"].startswith("resp_")
    assert (await all_kinds.get(f"{PATH}/{reply.json()['id']}")).status == 404, "nobody wanted it kept"


async def test_openai_keeps_nothing_of_a_conversation_that_this_broker_keeps(all_kinds: Gateway) -> None:
    first = (await _ask(all_kinds, "openai", "(think) (words-3) hi", include=["file_search_call.results"])).json()
    sent = _served(all_kinds).body
    assert sent is not None
    assert (sent["store"], sent["include"]) == (False, ["file_search_call.results", "reasoning.encrypted_content"])
    await _ask(all_kinds, "openai", "(echo) and now", previous_response_id=first["id"])
    again = _served(all_kinds).body
    assert again is not None
    assert "previous_response_id" not in again
    user = {"type": "message", "role": "user"}
    assert again["input"] == [
        {**user, "content": [{"type": "input_text", "text": "(think) (words-3) hi"}]},
        *first["output"],
        {**user, "content": [{"type": "input_text", "text": "(echo) and now"}]},
    ]


async def test_a_conversation_moves_from_one_provider_to_another_and_back(all_kinds: Gateway) -> None:
    given, previous = "(think) one (words-2)", None
    for kind in ("anthropic", "openai", "gemini", "openai-compatible", "openai", "anthropic"):
        reply = await _ask(all_kinds, kind, given, previous_response_id=previous)
        assert reply.status == 200, (kind, reply.body)
        assert _text(reply.json()) == "the gate"
        previous = reply.json()["id"]
    body = str(_served(all_kinds).body)
    assert body.count("the gate") == 5
    assert body.count("signature") == 1, "Anthropic is given its own thinking back, and nobody else's"


async def test_what_was_stored_is_read_listed_and_deleted(all_kinds: Gateway) -> None:
    first = (await _ask(all_kinds, "anthropic", "one (words-2)", metadata={"k": "v"})).json()
    second = (await _ask(all_kinds, "gemini", "two (words-2)", previous_response_id=first["id"])).json()
    assert (await all_kinds.get(f"{PATH}/{second['id']}")).json() == second
    assert first["metadata"] == {"k": "v"}
    listed = (await all_kinds.get(f"{PATH}/{second['id']}/input_items", query=b"order=asc&limit=2")).json()
    assert [item["role"] for item in listed["data"]] == ["user", "assistant"]
    assert listed["has_more"]
    rest = await all_kinds.get(
        f"{PATH}/{second['id']}/input_items", query=b"order=asc&after=%b" % listed["last_id"].encode()
    )
    assert [item["content"][0]["text"] for item in rest.json()["data"]] == ["two (words-2)"]
    gone = await call(all_kinds.app, "DELETE", f"{PATH}/{second['id']}", key=all_kinds.key)
    assert gone.json() == {"id": second["id"], "object": "response", "deleted": True}
    assert (await all_kinds.get(f"{PATH}/{second['id']}")).code == "response_not_found"
    refused = await _ask(all_kinds, "gemini", "three", previous_response_id=second["id"])
    assert (refused.status, refused.code) == (404, "object_not_found")
    assert (await _ask(all_kinds, "gemini", "(words-1)", previous_response_id=first["id"])).status == 200


async def test_an_item_may_be_named_by_the_id_it_was_given_out_with(all_kinds: Gateway) -> None:
    first = (await _ask(all_kinds, "anthropic", "(words-2) hi")).json()
    named = {"type": "item_reference", "id": first["output"][0]["id"]}
    given = [{"role": "user", "content": "hi"}, named, {"role": "user", "content": "(words-1) more"}]
    assert (await _ask(all_kinds, "gemini", given)).status == 200
    assert "the gate" in str(_served(all_kinds).body)
    unknown = await _ask(all_kinds, "gemini", [{**named, "id": "msg_of_another"}, given[0]])
    assert (unknown.status, unknown.json()["error"]["param"]) == (404, "input.item_reference")


async def test_nobody_else_reads_or_goes_on_from_what_a_client_stored(all_kinds: Gateway) -> None:
    first = (await _ask(all_kinds, "anthropic", "(words-2) mine")).json()
    core = all_kinds.core
    await core.clients.create(OPERATOR, "stranger")
    other = (await core.keys.create(OPERATOR, "stranger", "first")).key.reveal_text()
    tried = (await core.keys.create(OPERATOR, "app", "test", is_test=True)).key.reveal_text()
    narrow = await all_kinds.new_key(scopes=("embedding",))
    for key, status in ((other, 404), (tried, 404), (narrow, 403)):
        for method in ("GET", "DELETE"):
            assert (await call(all_kinds.app, method, f"{PATH}/{first['id']}", key=key)).status == status
        assert (await all_kinds.get(f"{PATH}/{first['id']}/input_items", key=key)).status == status
    body = {"model": "anthropic/gpt-5-mini", "input": "what was it?", "previous_response_id": first["id"]}
    assert (await all_kinds.post(PATH, body, key=other)).status == 404
    assert (await all_kinds.get(f"{PATH}/{first['id']}")).status == 200, "nor was it deleted"


async def test_an_answer_that_cannot_be_kept_is_given_and_says_so(
    all_kinds: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiservice.services.bodies.MAX_BYTES", 10)
    for is_stream in (False, True):
        reply = await _ask(all_kinds, "anthropic", "(words-2) hi", stream=is_stream)
        final = read_stream(reply.body).final if is_stream else reply.json()
        assert final is not None
        assert (final["store"], final["status"]) == (False, "completed")
        assert (await all_kinds.get(f"{PATH}/{final['id']}")).status == 404


@pytest.mark.parametrize("kind", KINDS)
async def test_the_background_is_refused_by_name(all_kinds: Gateway, kind: str) -> None:
    refused = await _ask(all_kinds, kind, "hi", background=True)
    assert (refused.status, refused.json()["error"]["param"]) == (400, "background")


async def test_a_prompt_is_counted(all_kinds: Gateway) -> None:
    body = {"model": "openai/gpt-5-mini", "input": "one two three"}
    counted = await all_kinds.post(f"{PATH}/input_tokens", body)
    assert counted.json() == {"object": "response.input_tokens", "input_tokens": 3}
    assert (await all_kinds.rows())[0].output_tokens == 0
    first = (await _ask(all_kinds, "openai", "(words-2) hi")).json()
    again = await all_kinds.post(f"{PATH}/input_tokens", {**body, "previous_response_id": first["id"]})
    assert again.json()["input_tokens"] == 2 + 2 + 3, "with all that led to it"


async def test_a_limit_of_the_request_ends_an_answer_as_incomplete(all_kinds: Gateway) -> None:
    reply = await _ask(all_kinds, "anthropic", "(words-60) hi", max_output_tokens=7)
    assert reply.json()["incomplete_details"] == {"reason": "max_output_tokens"}
    assert reply.json()["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_that_breaks_off_never_ends_cleanly(all_kinds: Gateway, kind: str) -> None:
    reply = await _ask(all_kinds, kind, "(cut-after-3) (words-9)", stream=True)
    assert reply.status == 200
    assert b"response.completed" not in reply.body
    assert b"event: error" in reply.body
    assert b"event: response.failed" in reply.body
    assert (await all_kinds.rows())[0].outcome == "upstream_truncated"


async def test_a_stream_of_openais_wire_goes_on_at_another_provider(all_kinds: Gateway) -> None:
    body = {"model": "gpt-5-mini", "input": "(cut-after-3) (words-9)", "stream": True}
    body["preferences"] = {"order": ["openai", "anthropic"]}
    reply = await all_kinds.post(PATH, body, headers={"x-aiservice-continue": "true"})
    events = reply.body.partition(b": boundary\n\n")
    assert b"response.output_item.done" in events[0], "what was open is ended"
    assert b'"status":"completed"' in events[2]
    assert [attempt["code"] for attempt in (await all_kinds.rows())[0].attempts][-1] is None


async def test_a_retry_with_its_key_gets_the_same_response_which_is_kept_once(all_kinds: Gateway) -> None:
    body = {"model": "anthropic/gpt-5-mini", "input": "(words-2) hi"}
    replies = [await all_kinds.post(PATH, body, headers={"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert replies[0].body == replies[1].body
    assert (await all_kinds.get(f"{PATH}/{replies[0].json()['id']}")).status == 200
    assert len(await all_kinds.rows()) == 1


async def test_a_stream_that_was_cut_off_is_resumed(all_kinds: Gateway) -> None:
    body = {"model": "gemini/gpt-5-mini", "input": "(words-6) hi", "stream": True}
    reply = await all_kinds.post(PATH, body, headers={"x-aiservice-resumable": "true"})
    rest = await all_kinds.get(reply.headers["x-aiservice-events"], query=b"after=5")
    assert rest.body
    assert reply.body.endswith(rest.body)
    assert b"response.completed" in rest.body


async def test_an_answer_from_the_cache_is_a_response_of_its_own(all_kinds: Gateway) -> None:
    headers = {"x-aiservice-cache-ttl": "60"}
    for kind in ("openai", "anthropic"):
        body = {"model": f"{kind}/gpt-5-mini", "input": "(words-2) hi"}
        first, second = [await all_kinds.post(PATH, body, headers=headers) for _ in range(2)]
        assert second.headers["x-aiservice-cache"] == "hit"
        assert _text(second.json()) == _text(first.json())
        assert second.json()["id"] != first.json()["id"]
        assert second.json()["usage"]["total_tokens"] == 0, "it was billed before"
        assert (await all_kinds.get(f"{PATH}/{second.json()['id']}")).json() == second.json()
