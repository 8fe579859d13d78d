"""Keys that may be used from some addresses alone: held against every request, from memory and as a token too."""

import time

import pytest

from aiservice.principal import OPERATOR
from tests.gateway.asgi import call
from tests.gateway.conftest import Gateway
from tests.gateway.test_tokens import token_of

HOME, AWAY = ("203.0.113.7", 1), ("198.51.100.9", 1)


async def _limited(gateway: Gateway, *networks: str) -> tuple[str, str]:
    """A key and its id."""
    made = await gateway.core.keys.create(OPERATOR, "app", "limited", networks=[*networks])
    return made.key.reveal_text(), made.id


async def test_a_key_is_refused_from_an_address_off_its_list_whether_it_is_in_memory_or_not(sandboxed: Gateway) -> None:
    key, _ = await _limited(sandboxed, "203.0.113.0/24", "2001:db8::/32")
    seen = []
    for client in (AWAY, HOME, AWAY, HOME, ("2001:db8::5", 1), ("::ffff:203.0.113.9", 1), ("::ffff:198.51.100.9", 1)):
        reply = await sandboxed.get("/v1/models", key=key, client=client)
        seen.append(reply.status)
        if reply.status == 403:
            assert reply.code == "address_not_allowed"
            assert "198.51.100.9" in reply.json()["error"]["message"]
    assert seen == [403, 200, 403, 200, 200, 200, 403]


async def test_a_token_is_held_against_its_keys_list(sandboxed: Gateway) -> None:
    key, _ = await _limited(sandboxed, "203.0.113.7")
    assert (await sandboxed.post("/ai-service/token", {}, key=key, client=AWAY)).code == "address_not_allowed"
    reply = await sandboxed.post("/ai-service/token", {}, key=key, client=HOME)
    token = reply.json()["token"]
    for _ in range(2):
        assert (await sandboxed.get("/v1/models", key=token, client=HOME)).status == 200
        assert (await sandboxed.get("/v1/models", key=token, client=AWAY)).code == "address_not_allowed"


async def test_every_route_that_takes_a_key_holds_it_against_its_list(sandboxed: Gateway) -> None:
    key, _ = await _limited(sandboxed, "203.0.113.7")
    assert (await sandboxed.get("/v1/models", key=key, client=HOME)).status == 200
    for path, methods in sandboxed.app._routes.items():
        for method, handler in methods.items():
            if handler.scope_name is None:
                continue
            reply = await call(sandboxed.app, method, path, key=key, body={}, client=AWAY)
            assert reply.status == 403, (method, path)
            assert b"may not be used from 198.51.100.9" in reply.body


async def test_an_edit_of_the_list_holds_at_once_for_the_key_and_its_tokens(sandboxed: Gateway) -> None:
    key, key_id = await _limited(sandboxed, "203.0.113.7")
    token = (await sandboxed.post("/ai-service/token", {}, key=key, client=HOME)).json()["token"]
    assert (await sandboxed.get("/v1/models", key=token, client=HOME)).status == 200
    await sandboxed.core.keys.update(OPERATOR, key_id, networks=["198.51.100.0/24"])
    for credential in (key, token):
        assert (await sandboxed.get("/v1/models", key=credential, client=HOME)).code == "address_not_allowed"
        assert (await sandboxed.get("/v1/models", key=credential, client=AWAY)).status == 200
    await sandboxed.core.keys.update(OPERATOR, key_id, networks=None)
    assert (await sandboxed.get("/v1/models", key=key, client=HOME)).status == 200


async def test_behind_a_proxy_that_nobody_trusts_the_proxys_address_counts(sandboxed: Gateway) -> None:
    key, _ = await _limited(sandboxed, "203.0.113.7")
    reply = await sandboxed.get("/v1/models", key=key, client=AWAY, headers={"x-forwarded-for": "203.0.113.7"})
    assert reply.code == "address_not_allowed"


async def test_a_key_for_reading_alone_reads_and_calls_nothing(sandboxed: Gateway) -> None:
    key = await sandboxed.new_key(scopes=["read"])
    for path in ("/v1/models", "/ai-service/usage", "/ai-service/limits", "/ai-service/tasks"):
        assert (await sandboxed.get(path, key=key)).status == 200
    body = {"messages": [{"role": "user", "content": "hi"}], "model": "auto"}
    for credential in (key, await token_of(sandboxed, key)):
        assert (await sandboxed.post("/v1/chat/completions", body, key=credential)).code == "out_of_scope"
    assert await sandboxed.rows() == []


@pytest.mark.sqlite_only("about what is in memory")
async def test_a_key_without_a_list_pays_nothing_for_it_and_one_with_a_list_microseconds(sandboxed: Gateway) -> None:
    from aiservice.gateway.authenticate import authenticate

    async def each_us(key: str) -> float:
        scope = {"headers": [(b"authorization", f"Bearer {key}".encode())], "client": HOME}
        await authenticate(sandboxed.core, scope)
        best = 1e9
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2_000):
                await authenticate(sandboxed.core, scope)
            best = min(best, (time.perf_counter() - began) / 2_000 * 1e6)
        return best

    limited, _ = await _limited(sandboxed, *[f"10.{n}.0.0/16" for n in range(49)], "203.0.113.7")
    plain_us, limited_us = await each_us(sandboxed.key), await each_us(limited)
    print(f"authenticate: {plain_us:.2f} µs without a list, {limited_us:.2f} µs with one of 50 networks")
    assert limited_us - plain_us < 20
