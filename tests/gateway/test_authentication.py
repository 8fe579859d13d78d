"""Credentials through HTTP: what is told to whom, and what a key may not do."""

import pytest
from sqlalchemy import event

from aiservice.kit.keyformat import checksum, mint
from aiservice.principal import OPERATOR
from tests.gateway.asgi import Reply, call
from tests.gateway.conftest import Gateway
from tests.harness.clock import move_on

_CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def _without_id(reply: Reply) -> object:
    error = reply.json()["error"]
    return (reply.status, {name: value for name, value in error.items() if name != "request_id"})


def _other_secret(key: str) -> str:
    """A well-formed key with the public id of `key` and another secret."""
    body = key[:22] + _minted()[22:54]
    return body + checksum(body)


def _minted() -> str:
    return mint().text.reveal_text()


async def test_t03_a_guess_learns_nothing_from_the_answer(sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    revoked, expired = await sandboxed.new_key(), await sandboxed.new_key(expires_in_seconds=60)
    await sandboxed.core.keys.revoke(OPERATOR, revoked.split("_")[2])
    move_on(monkeypatch, 61)
    guesses = [_minted(), *map(_other_secret, (sandboxed.key, revoked, expired))]
    said = [_without_id(await sandboxed.get("/v1/models", key=guess)) for guess in guesses]
    assert all(answer == said[0] for answer in said)
    assert said[0][0] == 401  # type: ignore[index]


async def test_only_the_holder_learns_that_a_key_is_expired_or_revoked(
    sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked, expired = await sandboxed.new_key(), await sandboxed.new_key(expires_in_seconds=60)
    await sandboxed.core.keys.revoke(OPERATOR, revoked.split("_")[2])
    move_on(monkeypatch, 61)
    assert (await sandboxed.get("/v1/models", key=revoked)).code == "key_revoked"
    assert (await sandboxed.get("/v1/models", key=expired)).code == "key_expired"


async def test_t04_nothing_that_is_no_key_reaches_the_database(sandboxed: Gateway) -> None:
    payloads = [
        "' OR 1=1 --", "ais_live_' OR '1'='1", "ais_live_abcdefghijkl_'; DROP TABLE client;--", "\x00", "ais_live_",
        "A" * 3000, "ais_live_" + "A" * 51, "${jndi:ldap://x}", "%27%20OR%201=1", "ais_live_TsYDLVhtlZnZ_" + "0" * 38,
        '{"$ne": null}', "admin'--", "1; SELECT pg_sleep(5)", "\u202eevil", "ais_test_" + "é" * 51,
    ]  # fmt: skip
    statements: list[str] = []
    engine = sandboxed.core.db.engine.sync_engine

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "change" not in statement and "usage" not in statement and "rollup" not in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        for text in payloads:
            for header in (b"authorization", b"x-api-key", b"x-goog-api-key"):
                value = (b"Bearer " if header == b"authorization" else b"") + text.encode()
                reply = await call(sandboxed.app, "GET", "/v1/models", headers=[(header, value)])
                assert reply.status in (400, 401, 431), (text, reply.status)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert statements == []


async def test_t11_guessing_from_one_address_is_stopped(sandboxed: Gateway) -> None:
    await sandboxed.core.changes.poll_once()  # the news of the key's making is behind us
    assert (await sandboxed.get("/v1/models", client=("203.0.113.9", 1))).status == 200
    replies = [await sandboxed.get("/v1/models", key=_minted(), client=("203.0.113.9", 1)) for _ in range(30)]
    statuses = [reply.status for reply in replies]
    assert statuses[:20] == [401] * 20
    assert statuses[-1] == 429
    assert int(replies[-1].headers["retry-after"]) >= 1
    assert (await sandboxed.get("/v1/models", client=("203.0.113.9", 1))).status == 200, "a key in use is not a guess"


@pytest.mark.parametrize(
    ("rights", "path", "body", "code"),
    [
        ({"scopes": ["embedding"]}, "/v1/chat/completions", _CHAT, "out_of_scope"),
        ({"scopes": ["chat"]}, "/ai-service", {"input": "Summarize: x"}, "out_of_scope"),
        ({"models": ["embed-mock"]}, "/v1/chat/completions", {**_CHAT, "model": "gpt-mock"}, "model_not_allowed"),
        ({"connections": ["sandbox"]}, "/v1/chat/completions", {**_CHAT, "model": "mock/gpt-mock"}, "model_not_found"),
    ],
)
async def test_a_key_does_not_reach_beyond_its_rights(
    gateway: Gateway, rights: dict[str, list[str]], path: str, body: object, code: str
) -> None:
    key = await gateway.new_key(**rights)
    reply = await gateway.post(path, body, key=key)
    assert (reply.status in (403, 404), reply.code) == (True, code)
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_a_read_scope_is_needed_to_read(sandboxed: Gateway) -> None:
    key = await sandboxed.new_key(scopes=["chat"])
    assert (await sandboxed.get("/v1/models", key=key)).code == "out_of_scope"
    assert (await sandboxed.post("/v1/chat/completions", _CHAT, key=key)).status == 200


async def test_a_test_key_reaches_the_sandbox_and_nothing_else(gateway: Gateway) -> None:
    key = await gateway.new_key(is_test=True)
    assert key.startswith("ais_test_")
    reply = await gateway.post("/v1/chat/completions", _CHAT, key=key)
    assert reply.headers["x-aiservice-provider"] == "sandbox"
    assert (await gateway.post("/v1/chat/completions", {**_CHAT, "model": "mock/gpt-mock"}, key=key)).status == 404
    assert gateway.mock is not None
    assert gateway.mock.record.calls == 0


async def test_a_disabled_clients_keys_stop_at_once(sandboxed: Gateway) -> None:
    assert (await sandboxed.get("/v1/models")).status == 200
    await sandboxed.core.clients.disable(OPERATOR, "app")
    await sandboxed.core.changes.poll_once()
    assert (await sandboxed.get("/v1/models")).code == "client_disabled"


async def test_a_rolled_keys_old_secret_works_until_its_overlap_ends(
    sandboxed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_id = (await sandboxed.core.keys.list(OPERATOR))[0].id
    rolled = await sandboxed.core.keys.roll(OPERATOR, key_id, overlap_seconds=60)
    new = rolled.key.reveal_text()
    assert (await sandboxed.get("/v1/models")).status == 200
    assert (await sandboxed.get("/v1/models", key=new)).status == 200
    move_on(monkeypatch, 61)
    assert (await sandboxed.get("/v1/models")).status == 401
    assert (await sandboxed.get("/v1/models", key=new)).status == 200


async def test_no_credential_is_said_with_what_to_do(sandboxed: Gateway) -> None:
    reply = await call(sandboxed.app, "GET", "/v1/models")
    assert (reply.status, reply.code) == (401, "missing_api_key")
    assert "Authorization" in reply.json()["error"]["message"]
    assert reply.headers["www-authenticate"].startswith("Bearer")
