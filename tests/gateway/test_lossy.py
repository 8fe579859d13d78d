"""`x-aiservice-lossy` over HTTP: refused by name without it, dropped and named with it; on streams and replays too."""

from typing import Any

import pytest

from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway
from tests.gateway.test_responses import _served, all_kinds

__all__ = ["all_kinds"]

HEADER = "x-aiservice-lossy"


async def _ask(gateway: Gateway, allowed: str | None, **fields: Any) -> Reply:
    headers = {**({} if allowed is None else {HEADER: allowed}), **fields.pop("headers", {})}
    body = {"model": "anthropic/gpt-5-mini", "messages": [{"role": "user", "content": "(words-2) hi"}], **fields}
    return await gateway.post("/v1/chat/completions", body, headers=headers)


async def test_without_the_header_the_field_is_refused_by_name(all_kinds: Gateway) -> None:
    refused = await _ask(all_kinds, None, seed=7)
    assert (refused.status, refused.json()["error"]["param"]) == (400, "seed")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_with_it_the_field_is_dropped_and_named(all_kinds: Gateway, is_stream: bool) -> None:
    reply = await _ask(all_kinds, "allow", seed=7, logit_bias={"5": 1}, stream=is_stream)
    assert reply.status == 200, reply.body
    assert sorted(reply.headers[HEADER].split(", ")) == ["logit_bias", "seed"]
    assert "seed" not in (_served(all_kinds).body or {})


async def test_only_the_fields_that_were_named_are_dropped(all_kinds: Gateway) -> None:
    refused = await _ask(all_kinds, "seed, stop", seed=7, logit_bias={"5": 1})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "logit_bias")
    assert HEADER not in (await _ask(all_kinds, "seed, stop")).headers, "nothing was dropped"


async def test_a_field_of_the_responses_wire_is_dropped_by_its_own_name(all_kinds: Gateway) -> None:
    body = {"model": "gemini/gpt-5-mini", "input": "(words-2) hi", "tools": [{"type": "web_search\r\nx: y"}]}
    refused = await all_kinds.post("/v1/responses", body)
    assert refused.json()["error"]["param"].startswith("tools[0] (web_search")
    reply = await all_kinds.post("/v1/responses", body, headers={HEADER: "tools"})
    assert reply.status == 200, reply.body
    assert reply.headers[HEADER] == "tools[0] (web_search??x: y)", "no line end gets into a header"


async def test_a_header_that_is_no_list_of_names_is_refused(all_kinds: Gateway) -> None:
    for wrong in ("", ",", "a,,b", "a b", "é"):
        refused = await _ask(all_kinds, wrong)
        assert (refused.status, refused.code) == (400, "invalid_header"), wrong


async def test_the_same_key_with_other_leave_to_drop_is_another_request(all_kinds: Gateway) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await _ask(all_kinds, "allow", seed=7, headers=key)
    assert first.status == 200
    again = await _ask(all_kinds, "allow", seed=7, headers=key)
    assert again.headers[HEADER] == "seed"
    assert (await _ask(all_kinds, None, seed=7, headers=key)).status == 422


async def test_once_the_head_is_out_nothing_more_is_dropped(all_kinds: Gateway) -> None:
    messages = [{"role": "user", "content": "(cut-after-3) (words-9)"}]
    body = {"model": "gpt-5-mini", "messages": messages, "stream": True, "seed": 7}
    body["preferences"] = {"order": ["openai-compatible", "anthropic"], "only": ["openai-compatible", "anthropic"]}
    reply = await all_kinds.post(
        "/v1/chat/completions", body, headers={HEADER: "allow", "x-aiservice-continue": "true"}
    )
    assert HEADER not in reply.headers
    assert b"boundary" not in reply.body, "the second would have had to drop what the head does not name"
    assert b'"error"' in reply.body
