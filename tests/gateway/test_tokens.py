"""Tokens through HTTP: made with a key, good for less than it, over when they or it are."""

import time
from datetime import datetime
from hashlib import sha256

import pytest
from sqlalchemy import text

from aiservice.kit.clock import SECOND_US, now_us
from aiservice.principal import OPERATOR, Role
from aiservice.services import tokens as tokens_module
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway
from tests.gateway.forging import Forger, opened
from tests.harness.clock import move_on

_CHAT = {"messages": [{"role": "user", "content": "hi"}]}


async def token_of(gateway: Gateway, key: str | None = None, **asked: object) -> str:
    reply = await gateway.post("/ai-service/token", asked, key=key or gateway.key)
    assert reply.status == 200, reply.body
    return str(reply.json()["token"])


async def _revoke(gateway: Gateway, body: object, **more: object) -> Reply:
    return await gateway.post("/ai-service/token/revoke", body, **more)


async def test_a_key_makes_a_token_that_works_as_the_key_does(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/ai-service/token", {"expires_in": 900, "metadata": {"job": "nightly"}})
    told = reply.json()
    assert reply.headers["cache-control"] == "no-store"
    assert told["id"].startswith("tok_")
    ends = datetime.fromisoformat(told["expires_at"]).timestamp()
    assert abs(ends - time.time() - 900) <= 2
    for headers in ({"x-api-key": told["token"]}, {"x-goog-api-key": told["token"]}, {}):
        key = None if headers else told["token"]
        reply = await call(sandboxed.app, "POST", "/v1/chat/completions", key=key, headers=headers, body=_CHAT)
        assert reply.status == 200
    assert (await sandboxed.get("/v1/models", key=told["token"])).json() == (await sandboxed.get("/v1/models")).json()
    rows = await sandboxed.rows()
    assert {row.key_id for row in rows} == {(await sandboxed.core.keys.list(OPERATOR))[0].id}


async def test_without_a_body_a_token_lasts_ten_minutes(sandboxed: Gateway) -> None:
    reply = await call(sandboxed.app, "POST", "/ai-service/token", key=sandboxed.key)
    claims = opened(reply.json()["token"])
    assert claims["exp"] - claims["iat"] == 600


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"expires_in": 901}, 422, "expires_in"),
        ({"expires_in": 0}, 422, "expires_in"),
        ({"expires_in": -5}, 422, "expires_in"),
        ({"expires_in": 60.5}, 400, "expires_in"),
        ({"expires_in": True}, 400, "expires_in"),
        ({"expires_in": "60"}, 400, "expires_in"),
        ({"scopes": "chat"}, 400, "scopes"),
        ({"scopes": []}, 422, "scopes"),
        ({"scopes": ["root"]}, 422, "scopes"),
        ({"metadata": ["x"]}, 400, "metadata"),
        ({"metadata": {"a": 1}}, 400, "metadata"),
        ({"metadata": {"a": "x" * 1001}}, 422, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, 422, "metadata"),
        ({"sub": "somebody else"}, 400, "sub"),
    ],
)
async def test_what_cannot_be_is_said(sandboxed: Gateway, asked: object, status: int, param: str) -> None:
    reply = await sandboxed.post("/ai-service/token", asked)
    assert (reply.status, reply.json()["error"]["param"]) == (status, param)


async def test_a_key_does_not_travel_in_a_tokens_metadata(sandboxed: Gateway) -> None:
    reply = await sandboxed.post("/ai-service/token", {"metadata": {"note": f"from {sandboxed.key}"}})
    assert reply.status == 422
    assert sandboxed.key not in reply.body.decode()


async def test_t10_a_tokens_scopes_are_never_wider_than_its_keys(gateway: Gateway) -> None:
    key = await gateway.new_key(scopes=["chat", "read"], models=["gpt-mock"])
    refused = await gateway.post("/ai-service/token", {"scopes": ["chat", "embedding"]}, key=key)
    assert (refused.status, refused.code) == (403, "wider_than_key")
    narrow = await token_of(gateway, key, scopes=["chat"])
    assert (await gateway.get("/v1/models", key=narrow)).code == "out_of_scope"
    assert (await gateway.post("/v1/chat/completions", {**_CHAT, "model": "gpt-mock"}, key=narrow)).status == 200
    other = await gateway.post("/v1/chat/completions", {**_CHAT, "model": "embed-mock"}, key=narrow)
    assert (other.status, other.code) == (403, "model_not_allowed")
    inherited = await gateway.post("/ai-service/token", {}, key=key)
    assert inherited.json()["scopes"] == ["chat", "read"]


async def test_t10_a_token_shrinks_with_its_client(gateway: Gateway) -> None:
    token = await token_of(gateway)
    assert (await gateway.post("/v1/chat/completions", {**_CHAT, "model": "gpt-mock"}, key=token)).status == 200
    async with gateway.core.db.write() as session:
        await session.execute(text("UPDATE client SET allowed_models = '[\"embed-mock\"]'"))
        client_id = (await gateway.core.clients.find(OPERATOR, "app")).id
        gateway.core.changes.publish(session, "client", client_id)
    await gateway.core.changes.poll_once()
    assert (await gateway.post("/v1/chat/completions", {**_CHAT, "model": "gpt-mock"}, key=token)).status == 403


async def test_t10_a_token_can_neither_make_nor_end_tokens(sandboxed: Gateway) -> None:
    token = await token_of(sandboxed)
    for path, body in (("/ai-service/token", {}), ("/ai-service/token/revoke", {"all": True})):
        reply = await sandboxed.post(path, body, key=token)
        assert (reply.status, reply.code) == (403, "client_key_required")


async def test_a_token_never_outlives_its_key(sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    key = await sandboxed.new_key(expires_in_seconds=60)
    token = await token_of(sandboxed, key)
    assert opened(token)["exp"] <= time.time() + 60
    assert (await sandboxed.get("/v1/models", key=token)).status == 200
    move_on(monkeypatch, 61)
    assert (await sandboxed.get("/v1/models", key=token)).code == "key_expired"


async def test_a_test_keys_token_reaches_only_the_sandbox(gateway: Gateway) -> None:
    token = await token_of(gateway, await gateway.new_key(is_test=True))
    assert (await gateway.post("/v1/chat/completions", _CHAT, key=token)).headers["x-aiservice-provider"] == "sandbox"


@pytest.mark.parametrize("kind", ["key", "client", "secret rolled", "all tokens", "one token", "one token by its id"])
async def test_t15_a_token_dies_with_what_it_rests_on(sandboxed: Gateway, kind: str) -> None:
    core, key = sandboxed.core, await sandboxed.new_key()
    token, sibling = await token_of(sandboxed, key), await token_of(sandboxed, key)
    assert [(await sandboxed.get("/v1/models", key=each)).status for each in (token, sibling)] == [200, 200]
    key_id = next(view.id for view in await core.keys.list(OPERATOR) if view.name == "another")
    match kind:
        case "key":
            await core.keys.revoke(OPERATOR, key_id)
        case "client":
            await core.clients.disable(OPERATOR, "app")
            await core.changes.poll_once()
        case "secret rolled":
            await core.keys.roll(OPERATOR, key_id, overlap_seconds=0)
        case "all tokens":
            assert (await _revoke(sandboxed, {"all": True}, key=key)).json() == {"revoked": True, "all": True}
        case "one token":
            said = await _revoke(sandboxed, {"token": token}, key=key)
            assert said.json() == {"revoked": True, "id": opened(token)["jti"]}
        case _:
            assert (await _revoke(sandboxed, {"id": opened(token)["jti"]}, key=key)).status == 200
    expected = "client_disabled" if kind == "client" else "key_revoked"
    assert (await sandboxed.get("/v1/models", key=token)).code == expected
    sibling_lives = kind.startswith("one token")
    assert ((await sandboxed.get("/v1/models", key=sibling)).status == 200) is sibling_lives
    key_lives = kind in ("all tokens", "one token", "one token by its id")
    assert ((await sandboxed.get("/v1/models", key=key)).status == 200) is key_lives
    if kind == "all tokens":
        assert (await sandboxed.get("/v1/models", key=await token_of(sandboxed, key))).status == 200


async def test_t15_a_disabled_persons_tokens_die(sandboxed: Gateway) -> None:
    core = sandboxed.core
    person = await core.accounts.create_user(OPERATOR, "dev@example.org", "correct horse battery", Role.DEVELOPER)
    await core.clients.create(OPERATOR, "theirs", "dev@example.org")
    made = await core.keys.create(OPERATOR, "theirs", "k")
    token = await token_of(sandboxed, made.key.reveal_text())
    assert (await sandboxed.get("/v1/models", key=token)).status == 200
    await core.accounts.disable_user(OPERATOR, person.user_id)
    await core.changes.poll_once()
    assert (await sandboxed.get("/v1/models", key=token)).code == "client_disabled"


async def test_t15_a_demoted_makers_tokens_die_with_their_key(sandboxed: Gateway) -> None:
    core = sandboxed.core
    boss = await core.accounts.create_user(OPERATOR, "boss@example.org", "correct horse battery", Role.ADMIN)
    await core.accounts.create_user(OPERATOR, "other@example.org", "correct horse battery", Role.ADMIN)
    made = await core.keys.create(boss, "app", "made by an admin")
    token = await token_of(sandboxed, made.key.reveal_text())
    assert (await sandboxed.get("/v1/models", key=token)).status == 200
    await core.accounts.set_role(OPERATOR, boss.user_id, Role.DEVELOPER)
    await core.changes.poll_once()
    for credential in (token, made.key.reveal_text()):
        reply = await sandboxed.get("/v1/models", key=credential)
        assert (reply.status, reply.code) == (403, "creator_lost_rights")
    await core.accounts.set_role(OPERATOR, boss.user_id, Role.ADMIN)
    await core.changes.poll_once()
    assert (await sandboxed.get("/v1/models", key=token)).status == 200


async def test_a_key_ends_no_tokens_of_another_key(sandboxed: Gateway) -> None:
    mine, other = await token_of(sandboxed), await sandboxed.new_key()
    assert (await _revoke(sandboxed, {"token": mine}, key=other)).code == "token_not_found"
    assert (await _revoke(sandboxed, {"id": opened(mine)["jti"]}, key=other)).status == 200
    assert (await _revoke(sandboxed, {"all": True}, key=other)).status == 200
    assert (await sandboxed.get("/v1/models", key=mine)).status == 200


@pytest.mark.parametrize("body", [{}, {"all": False}, {"token": 5}, {"token": "x", "all": True}, {"jti": "x"}, []])
async def test_a_revocation_says_what_it_ends(sandboxed: Gateway, body: object) -> None:
    assert (await _revoke(sandboxed, body)).status == 400


@pytest.mark.parametrize("given", ["tok_1", "a.b.c", "", "ais_live_x", "tok_" + "G" * 32])
async def test_what_is_no_token_is_not_found(sandboxed: Gateway, given: str) -> None:
    assert (await _revoke(sandboxed, {"token": given})).code == "token_not_found"


async def test_a_key_keeps_a_bounded_list_of_ended_tokens(sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "MAX_ENDED", 3)
    for _ in range(3):
        assert (await _revoke(sandboxed, {"token": await token_of(sandboxed)})).status == 200
    late = await token_of(sandboxed)
    assert (await _revoke(sandboxed, {"token": late})).code == "too_many_ended"
    assert (await _revoke(sandboxed, {"all": True})).status == 200
    assert (await sandboxed.get("/v1/models", key=late)).code == "key_revoked"
    assert (await _revoke(sandboxed, {"token": await token_of(sandboxed)})).status == 200


async def test_an_ended_token_is_remembered_until_it_is_over_and_no_longer(
    sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _revoke(sandboxed, {"token": await token_of(sandboxed)})
    core = sandboxed.core
    for later_s, kept in ((899, 1), (990, 0)):
        now = now_us() + later_s * SECOND_US
        with monkeypatch.context() as patched:
            patched.setattr(tokens_module, "now_us", lambda now=now: now)
            await core.tokens.tidy()
        async with core.db.read() as session:
            assert await session.scalar(text("SELECT count(*) FROM ended_token")) == kept


async def test_a_verified_token_costs_no_query_and_no_signature(
    sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await token_of(sandboxed)
    await sandboxed.core.changes.poll_once()
    assert (await sandboxed.get("/v1/models", key=token)).status == 200
    assert sandboxed.core.keys.cached(token.encode()) is not None
    monkeypatch.setattr(tokens_module, "verify_access_token", None)
    assert (await sandboxed.get("/v1/models", key=token)).status == 200


async def test_a_token_is_believed_for_half_a_minute_at_most(
    sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await token_of(sandboxed)
    assert (await sandboxed.get("/v1/models", key=token)).status == 200
    check = sandboxed.core.keys.check
    entry = check._cache.get(sha256(token.encode()).digest())
    assert entry is not None
    assert entry.ends_us <= now_us() + 30 * SECOND_US
    forger = Forger(sandboxed.core.tokens, token)
    now = int(time.time())
    over = forger.saying(iat=now - 60, nbf=now - 60, exp=now - 28)
    assert (await sandboxed.get("/v1/models", key=over)).status == 200
    entry = check._cache.get(sha256(over.encode()).digest())
    assert entry is not None
    assert entry.ends_us <= (now + 2) * SECOND_US


async def test_the_public_keys_are_published_as_json(sandboxed: Gateway) -> None:
    reply = await call(sandboxed.app, "GET", "/.well-known/jwks.json")
    assert (reply.status, reply.headers["cache-control"]) == (200, "public, max-age=300")
    assert reply.headers["content-type"] == "application/json"
    keys = reply.json()["keys"]
    assert len(keys) == 2, "the one that signs and the next one"
    for key in keys:
        assert key.keys() == {"kty", "crv", "x", "kid", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert opened(await token_of(sandboxed), 0)["kid"] in {key["kid"] for key in keys}
    doubled = await call(sandboxed.app, "GET", "//.well-known//jwks.json")
    assert (doubled.status, doubled.headers["content-type"]) == (404, "application/json")
    assert (await call(sandboxed.app, "POST", "/.well-known/jwks.json", body={})).status == 405
