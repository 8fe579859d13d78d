"""`GET /ai-service/usage`: what the key that asks has used, and nothing of anybody else."""

from aiservice.kit.clock import MINUTE_US, iso, now_us
from tests.gateway.conftest import Gateway


async def test_a_key_is_told_what_it_used(gateway: Gateway) -> None:
    other = await gateway.new_key()
    for _ in range(2):
        assert (await gateway.chat("hello")).status == 200
    await gateway.post("/ai-service", {"input": "x"}, key=other)
    rows = [row for row in await gateway.rows() if row.task == "chat"]
    told = (await gateway.get("/ai-service/usage")).json()
    assert told["requests"] == len(rows) == 2
    assert told["usage"]["input_tokens"] == sum(row.input_tokens for row in rows)
    assert told["usage"]["total_tokens"] == sum(row.input_tokens + row.output_tokens for row in rows)
    assert told["key_id"] == rows[0].key_id
    assert (await gateway.get("/ai-service/usage", key=other)).json()["requests"] == 1


async def test_usage_is_of_the_range_that_was_asked_for(gateway: Gateway) -> None:
    await gateway.chat("hello")
    await gateway.rows()
    later = iso(now_us() + 5 * MINUTE_US)
    told = (await gateway.get("/ai-service/usage", query=f"to={later}".encode())).json()
    assert (told["requests"], told["cost"]["currency"]) == (1, "USD")
    assert (await gateway.get("/ai-service/usage", query=b"from=2020-01-01&to=2020-02-01T00:00%2B01:00")).json()[
        "requests"
    ] == 0
    for query in ("from=yesterday", "since=1", f"from={later}"):
        reply = await gateway.get("/ai-service/usage", query=query.encode())
        assert reply.status == 400, query
    assert (await gateway.get("/ai-service/usage", key="ais_live_none")).status == 401


async def test_a_key_without_the_read_scope_is_not_told(gateway: Gateway) -> None:
    key = await gateway.new_key(scopes=["chat"])
    assert (await gateway.get("/ai-service/usage", key=key)).status == 403
