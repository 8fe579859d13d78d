"""What becomes of answers under way when their key ends: by choice they are cut, with an error, and settled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aiservice.principal import OPERATOR
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway
from tests.harness.waiting import until

Act = Callable[[Gateway, str], Coroutine[Any, Any, object]]


async def _revoke(gateway: Gateway, key_id: str) -> object:
    return await gateway.core.keys.revoke(OPERATOR, key_id, cuts_streams=True)


async def _disable(gateway: Gateway, _key_id: str) -> object:
    await gateway.core.clients.disable(OPERATOR, "app", cuts_streams=True)
    return await gateway.core.changes.poll_once()


async def _under_way(gateway: Gateway, key: str, **fields: Any) -> "asyncio.Task[Reply]":
    body = {"model": "gpt-mock", "messages": [{"role": "user", "content": "(words-400) (wait-20)"}], **fields}
    seen = Reply()
    running = asyncio.create_task(gateway.post("/v1/chat/completions", body, key=key, reply=seen))
    await until(lambda: seen.body.count(b"data:") > 3)
    assert gateway.in_flight.count >= 1
    return running


@pytest.mark.parametrize(("act", "code"), [(_revoke, "key_revoked"), (_disable, "client_disabled")])
async def test_a_stream_is_cut_with_an_error_event_and_settled(gateway: Gateway, act: Act, code: str) -> None:
    made = await gateway.core.keys.create(OPERATOR, "app", "cut")
    running = await _under_way(gateway, made.key.reveal_text(), stream=True)
    await act(gateway, made.id)
    reply = await asyncio.wait_for(running, 3)  # by itself it would go on for 8 s
    last = reply.body.rstrip().rpartition(b"data: ")[2]
    assert (reply.status, code.encode() in last, b"[DONE]" in reply.body) == (200, True, False)
    (row,) = await gateway.rows()
    assert (row.outcome, row.error_code) == ("broker_stopped", code)
    assert 0 < row.output_tokens < 400
    assert gateway.in_flight.count == 0


async def test_a_whole_answer_is_cut_too(gateway: Gateway) -> None:
    made = await gateway.core.keys.create(OPERATOR, "app", "cut")
    body = {"model": "gpt-mock", "messages": [{"role": "user", "content": "(hang)"}]}
    running = asyncio.create_task(gateway.post("/v1/chat/completions", body, key=made.key.reveal_text()))
    await gateway.asked()
    await gateway.core.keys.revoke(OPERATOR, made.id, cuts_streams=True)
    reply = await running
    assert (reply.status, reply.code) == (401, "key_revoked")


async def test_others_go_on_and_without_the_choice_so_does_the_keys_own(gateway: Gateway) -> None:
    first, second = [await gateway.core.keys.create(OPERATOR, "app", name) for name in ("first", "second")]
    quick = {"messages": [{"role": "user", "content": "(words-40) (wait-20)"}]}
    mine = await _under_way(gateway, first.key.reveal_text(), stream=True, **quick)
    other = await _under_way(gateway, gateway.key, stream=True, **quick)
    cut = await _under_way(gateway, second.key.reveal_text(), stream=True)
    await gateway.core.keys.revoke(OPERATOR, first.id)
    await gateway.core.keys.revoke(OPERATOR, second.id, cuts_streams=True)
    replies = await asyncio.gather(mine, other, cut)
    assert [b"[DONE]" in reply.body for reply in replies] == [True, True, False]
    assert (await gateway.get("/v1/models", key=first.key.reveal_text())).code == "key_revoked"


@pytest.mark.parametrize("as_token", [False, True])
async def test_a_stream_ends_with_its_key_to_the_second(gateway: Gateway, as_token: bool) -> None:
    key = await gateway.new_key(expires_in_seconds=2)
    credential = (await gateway.post("/ai-service/token", {}, key=key)).json()["token"] if as_token else key
    began = asyncio.get_running_loop().time()
    running = await _under_way(gateway, credential, stream=True)
    reply = await asyncio.wait_for(running, 4)
    assert abs(asyncio.get_running_loop().time() - began - 2) < 1
    assert b"key_expired" in reply.body.rpartition(b"data: ")[2]
    row = (await gateway.rows())[0]
    assert (row.outcome, row.error_code) == ("broker_stopped", "key_expired")
    assert row.output_tokens > 0
