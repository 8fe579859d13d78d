"""`GET /ai-service/requests/{id}`: what became of a request, for the key that made it."""

from sqlalchemy import text

from tests.gateway.conftest import Gateway
from tests.gateway.test_cached import stranger_of


async def test_a_request_says_where_it_went_and_why(gateway: Gateway) -> None:
    reply = await gateway.chat("(words-9) hello")
    await gateway.core.ledger.flush()
    told = (await gateway.get(f"/ai-service/requests/{reply.headers['x-request-id']}")).json()
    assert (told["provider"], told["status"], told["outcome"], told["cache"]) == ("mock", 200, "finished", "bypass")
    assert told["usage"]["total_tokens"] == reply.json()["usage"]["total_tokens"]
    [attempt] = told["attempts"]
    assert (attempt["provider"], attempt["status"], "cost_nano_usd" in attempt) == ("mock", 200, False)
    assert told["decision"]["candidates"][0]["provider"] == "mock"


async def test_a_failure_says_what_was_tried(gateway: Gateway) -> None:
    reply = await gateway.chat("(status-500)")
    await gateway.core.ledger.flush()
    told = (await gateway.get(f"/ai-service/requests/{reply.headers['x-request-id']}")).json()
    assert (told["status"], told["outcome"]) == (502, "failed")
    assert all(attempt["code"] for attempt in told["attempts"])


async def test_t76_another_keys_request_is_one_that_is_not_there(gateway: Gateway) -> None:
    reply = await gateway.chat("(words-2)")
    await gateway.core.ledger.flush()
    path = f"/ai-service/requests/{reply.headers['x-request-id']}"
    for key in (await stranger_of(gateway), await gateway.new_key()):
        refused = await gateway.get(path, key=key)
        assert (refused.status, refused.code) == (404, "request_not_found")
    narrow = await gateway.new_key(scopes=["chat"])
    assert (await gateway.get(path, key=narrow)).code == "out_of_scope"
    assert (await gateway.get("/ai-service/requests/req_none")).status == 404


async def test_a_decision_that_is_in_use_stays_and_one_of_long_ago_goes(gateway: Gateway) -> None:
    await gateway.chat("(words-2)")
    [row] = await gateway.rows()
    decisions = gateway.core.decisions
    await decisions.flush()
    async with gateway.core.db.write() as session:
        await session.execute(text("UPDATE decision SET made_us = 1"))
        await session.execute(text("INSERT INTO decision (id, said, made_us) VALUES ('dec_old', '{}', 1)"))
    await decisions.purge()
    assert await decisions.find(row.decision) is not None
    assert await decisions.find("dec_old") is None


async def test_a_request_is_kept_with_its_trace_and_with_what_the_provider_calls_its_answer(gateway: Gateway) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    body = {"model": "auto", "messages": [{"role": "user", "content": "(words-2) (called-7)"}]}
    for is_stream in (False, True):
        await gateway.post("/v1/chat/completions", {**body, "stream": is_stream}, headers=headers)
    await gateway.chat("(words-2)")
    untraced, *traced = await gateway.rows()
    assert [(row.trace_id, row.upstream_id) for row in traced] == [(trace, "mock-7"), (trace, "mock-7")]
    assert (untraced.trace_id, untraced.upstream_id) == (None, None)
