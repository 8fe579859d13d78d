"""Idempotency-Key: one call, one bill, one answer, however often and from wherever it is asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from aiservice.gateway import build_gateway, recording, sharing
from aiservice.gateway.admit import InFlight
from aiservice.kit.clock import HOUR_US, now_us
from aiservice.principal import OPERATOR
from aiservice.services.opening import open_core
from aiservice.services.settlement import Settlement, unpack_settlement
from aiservice.store import cluster
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway, portal
from tests.harness.waiting import until

CHAT = "/v1/chat/completions"


def asked(text: str, **more: object) -> dict[str, object]:
    return {"model": "gpt-mock", "messages": [{"role": "user", "content": text}], **more}


async def ask(gateway: Gateway, body: object, key: str = "k-1", path: str = CHAT, **more: Any) -> Reply:
    return await gateway.post(path, body, headers={"Idempotency-Key": key}, **more)


def calls_of(gateway: Gateway) -> int:
    assert gateway.mock is not None
    return gateway.mock.record.calls


@asynccontextmanager
async def other_worker(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Another worker of the same server, with nothing of the first one's memory."""
    node = gateway.core.cluster._node.node_id
    async with open_core(gateway.core.settings, is_serving=True, node_id=node) as core:
        in_flight = InFlight()
        yield replace(gateway, app=build_gateway(core, in_flight, portal, portal), core=core, in_flight=in_flight)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_t74_a_request_replayed_five_times_is_one_call_one_row_and_the_same_bytes(
    gateway: Gateway, is_stream: bool
) -> None:
    first = await ask(gateway, asked("(words-9) hello", stream=is_stream))
    again = [await ask(gateway, asked("(words-9) hello", stream=is_stream)) for _ in range(4)]
    async with other_worker(gateway) as other:
        again.append(await ask(other, asked("(words-9) hello", stream=is_stream)))
    assert {(reply.status, reply.body) for reply in again} == {(200, first.body)}
    assert (calls_of(gateway), len(await gateway.rows())) == (1, 1)
    assert "idempotent-replayed" not in first.headers
    await gateway.core.replays.flush()
    assert await gateway.core.replays.count_of(OPERATOR, first.headers["x-request-id"]) == 4
    for reply in again:
        assert reply.headers["idempotent-replayed"] == "true"
        assert reply.headers["x-aiservice-cache"] == "hit"
        assert reply.headers["x-aiservice-original-request"] == first.headers["x-request-id"]
        assert reply.headers["x-request-id"] != first.headers["x-request-id"]
        for name in ("content-type", "x-aiservice-provider", "x-aiservice-model", "x-aiservice-attempts"):
            assert reply.headers[name] == first.headers[name]


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_t74_requests_at_once_are_one_call_and_the_same_bytes(gateway: Gateway, is_stream: bool) -> None:
    async with other_worker(gateway) as other:
        body = asked("(words-20) (wait-15) hello", stream=is_stream)
        replies = await asyncio.gather(*(ask(where, body) for where in (gateway, other) * 4))
        rows = await gateway.rows() + await other.rows()
    assert {(reply.status, reply.body) for reply in replies} == {(200, replies[0].body)}
    assert calls_of(gateway) == 1
    assert len({row.request_id for row in rows}) == 1
    assert sorted(reply.headers["x-aiservice-cache"] for reply in replies)[:2] == ["bypass", "coalesced"]


async def test_who_made_the_call_leaves_and_the_others_get_it_whole(gateway: Gateway) -> None:
    body = asked("(words-20) (wait-15) hello", stream=True)
    leaving = asyncio.create_task(ask(gateway, body, leave_after=b"data:"))
    await gateway.asked()
    staying = await ask(gateway, body)
    left = await leaving
    later = await ask(gateway, body)
    assert not left.is_complete
    assert staying.body == later.body
    assert staying.body.endswith(b"data: [DONE]\n\n")
    assert staying.body.startswith(left.body)
    [row] = await gateway.rows()
    assert (row.outcome, calls_of(gateway)) == ("finished", 1)
    await gateway.core.replays.flush()
    original = await gateway.core.replays.original_of(OPERATOR, later.headers["x-request-id"])
    assert original == later.headers["x-aiservice-original-request"] == row.request_id


async def test_t74_another_body_under_the_same_key_is_422_also_while_it_runs(gateway: Gateway) -> None:
    running = asyncio.create_task(ask(gateway, asked("(words-5) (wait-20) a")))
    await gateway.asked()
    meanwhile = await ask(gateway, asked("b"))
    await running
    after = await ask(gateway, asked("b"))
    for reply in (meanwhile, after):
        assert (reply.status, reply.code) == (422, "idempotency_key_reused")
        assert reply.json()["error"]["type"] == "idempotency_error"
    assert calls_of(gateway) == 1


async def test_the_same_body_in_other_words_is_the_same_body(gateway: Gateway) -> None:
    first = await ask(gateway, b'{"model":"gpt-mock","messages":[{"role":"user","content":"h\\u00e9"}]}')
    again = await ask(gateway, '{ "messages":[ {"content":"hé","role":"user"} ], "model":"gpt-mock" }'.encode())
    assert (again.status, again.body, calls_of(gateway)) == (200, first.body, 1)


async def test_t77_the_same_key_and_prompt_of_two_clients_are_two_calls(gateway: Gateway) -> None:
    await gateway.core.clients.create(OPERATOR, "another app")
    stranger = (await gateway.core.keys.create(OPERATOR, "another app", "first")).key.reveal_text()
    for with_key in (False, True):
        before = calls_of(gateway)
        headers = {"Idempotency-Key": "same"} if with_key else {}
        mine, theirs = await asyncio.gather(
            *(
                gateway.post(CHAT, asked("(words-9) (wait-10) hi"), key=key, headers=headers)
                for key in (gateway.key, stranger)
            )
        )
        assert (mine.status, theirs.status, calls_of(gateway) - before) == (200, 200, 2)
        assert "idempotent-replayed" not in {**mine.headers, **theirs.headers}


async def test_t76_a_clients_key_that_another_used_with_another_body_says_nothing_of_it(gateway: Gateway) -> None:
    await gateway.core.clients.create(OPERATOR, "another app")
    stranger = (await gateway.core.keys.create(OPERATOR, "another app", "first")).key.reveal_text()
    await ask(gateway, asked("mine"))
    assert (await ask(gateway, asked("theirs"))).status == 422
    other = await gateway.post(CHAT, asked("theirs"), key=stranger, headers={"Idempotency-Key": "k-1"})
    assert (other.status, calls_of(gateway)) == (200, 2)


async def test_a_key_that_may_do_less_is_not_given_what_a_key_that_may_do_more_was_given(gateway: Gateway) -> None:
    narrow = await gateway.new_key(scopes=["embedding"])
    wide = await ask(gateway, asked("hello"))
    refused = await gateway.post(CHAT, asked("hello"), key=narrow, headers={"Idempotency-Key": "k-1"})
    assert (wide.status, refused.status, refused.code) == (200, 403, "out_of_scope")


async def test_keys_and_routes_are_apart(gateway: Gateway) -> None:
    one = await ask(gateway, asked("hello"), key="a")
    two = await ask(gateway, asked("hello"), key="b")
    three = await ask(gateway, {"input": "hello", "model": "gpt-mock"}, key="a", path="/ai-service")
    assert [one.status, two.status, three.status, calls_of(gateway)] == [200, 200, 200, 3]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é", "a\tb"])
async def test_what_is_no_key_is_400(gateway: Gateway, key: str) -> None:
    raw = [(b"idempotency-key", key.encode("latin-1"))]
    refused = await gateway.post(CHAT, asked("x"), headers=raw)
    assert (refused.status, refused.code, calls_of(gateway)) == (400, "invalid_idempotency_key", 0)


async def test_two_keys_that_differ_are_400(gateway: Gateway) -> None:
    raw = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]
    assert (await gateway.post(CHAT, asked("x"), headers=raw)).code == "invalid_idempotency_key"


@pytest.mark.parametrize(
    ("script", "status", "is_asked_again"),
    [("(status-503)", 502, True), ("(status-429)", 429, True), ("(status-400)", 400, False)],
)
async def test_what_cost_nothing_may_be_tried_again_and_a_refusal_of_the_request_stays(
    gateway: Gateway, script: str, status: int, is_asked_again: bool
) -> None:
    first = await ask(gateway, asked(f"{script} x"))
    calls = calls_of(gateway)
    again = await ask(gateway, asked(f"{script} x"))
    assert (first.status, again.status) == (status, status)
    assert (calls_of(gateway) > calls) == is_asked_again
    assert (again.body == first.body) != is_asked_again


async def test_what_a_limit_refused_is_asked_again(gateway: Gateway) -> None:
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/minute": 1})
    await gateway.core.changes.poll_once()
    await ask(gateway, asked("a"), key="a")
    refused = await ask(gateway, asked("b"), key="b")
    assert (refused.status, calls_of(gateway)) == (429, 1)
    await gateway.core.limits.clear_client(OPERATOR, "app", None)
    await gateway.core.changes.poll_once()
    assert [(await ask(gateway, asked(x), key=x)).status for x in "ab"] == [200, 200]
    assert calls_of(gateway) == 2


async def test_a_stream_that_broke_off_stays_as_it_was(gateway: Gateway) -> None:
    first, again = [await ask(gateway, asked("(break-after-3) x", stream=True)) for _ in range(2)]
    assert first.body == again.body
    assert b'"error"' in again.body
    assert b"[DONE]" not in again.body
    assert (calls_of(gateway), len(await gateway.rows())) == (1, 1)


async def test_an_answer_too_long_to_keep_is_never_asked_for_twice(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiservice.services.bodies.MAX_BYTES", 500)
    first, again = [await ask(gateway, asked("(words-90) x")) for _ in range(2)]
    assert (first.status, again.status, again.code) == (200, 409, "answer_not_kept")
    assert again.json()["error"]["retryable"] is False
    assert calls_of(gateway) == 1


async def test_a_long_stream_is_passed_on_and_not_held(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_HELD_BYTES", 2000)
    made: list[recording.Recording] = []
    begin = recording.Recording.__init__

    def noted(self: recording.Recording) -> None:
        begin(self)
        made.append(self)

    monkeypatch.setattr(recording.Recording, "__init__", noted)
    body = asked("(words-200) (wait-4) x", stream=True)
    both = asyncio.gather(ask(gateway, body), ask(gateway, body))
    while not made or made[0].is_joinable:
        await asyncio.sleep(0.01)
    late = await ask(gateway, body)
    first, joined = await both
    again = await ask(gateway, body)
    assert first.body == joined.body
    assert first.body.endswith(b"data: [DONE]\n\n")
    assert {(reply.status, reply.code) for reply in (late, again)} == {(409, "answer_not_kept")}
    assert calls_of(gateway) == 1


async def test_without_the_database_nothing_with_a_key_is_begun(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.chat("warm")

    def away(*_args: object, **_more: object) -> object:
        raise TimeoutError

    with monkeypatch.context() as patch:
        for name in ("write", "write_at_once"):
            patch.setattr(gateway.core.idempotency.db, name, away)
        refused = await ask(gateway, asked("x"))
    assert (refused.status, refused.code, calls_of(gateway)) == (503, "database_unavailable", 1)


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
async def test_an_answers_settlement_is_in_the_journal_only_once_it_is_kept_with_the_answer(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_stream: bool
) -> None:
    """What a kill between the two would leave: the answer, its settlement beside it, and an intent in the journal."""
    kept: list[bytes] = []
    real = gateway.core.ledger.settle

    async def kept_so_far() -> list[bytes]:
        async with gateway.core.db.read() as session:
            return list((await session.execute(text("SELECT settlement FROM idempotent_call"))).scalars())

    real_end = gateway.core.idempotency.end

    async def ended(*args: Any, **more: Any) -> bool:
        assert gateway.core.ledger.in_flight == 1
        done = await real_end(*args, **more)
        kept.extend(await kept_so_far())
        return done

    def settle(row: Settlement) -> int:
        assert [unpack_settlement(packed) for packed in kept] == [row]
        return real(row)

    monkeypatch.setattr(type(gateway.core.idempotency), "end", lambda _self, *args, **more: ended(*args, **more))
    monkeypatch.setattr(gateway.core.ledger, "settle", settle)
    assert (await ask(gateway, asked("(words-9) x", stream=is_stream))).status == 200
    await until(lambda: gateway.core.ledger.in_flight == 0)  # a stream's last event may be out before
    [row] = await gateway.rows()
    assert (row.outcome, unpack_settlement(kept[0]).output_tokens) == ("finished", row.output_tokens)


async def test_an_answer_that_cannot_be_kept_yet_is_given_and_joined(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = gateway.core.idempotency.bodies.seal, 0

    async def failing_twice(*args: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise TimeoutError
        return await real(*args)

    monkeypatch.setattr(sharing, "_KEEP_SECONDS", 0.1)
    monkeypatch.setattr(gateway.core.idempotency.bodies, "seal", failing_twice)
    first = await ask(gateway, asked("x"))
    joined = await ask(gateway, asked("x"))
    async with asyncio.timeout(10):
        while (later := await ask(gateway, asked("x"))).headers["x-aiservice-cache"] != "hit":
            await asyncio.sleep(0.01)
    assert {first.body, joined.body, later.body} == {first.body}
    assert joined.headers["x-aiservice-cache"] == "coalesced"
    assert calls_of(gateway) == 1


async def test_after_a_day_the_key_is_free(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    await ask(gateway, asked("x"))
    real = cluster.clock_us

    async def tomorrow(session: Any) -> int:
        return await real(session) + 25 * HOUR_US

    monkeypatch.setattr("aiservice.store.units.clock_us", tomorrow)
    monkeypatch.setattr("aiservice.store.units.now_us", lambda: now_us() + 25 * HOUR_US)
    again = await ask(gateway, asked("y"))
    assert (again.status, calls_of(gateway)) == (200, 2)
    assert await gateway.core.idempotency.purge() == 0  # it has begun anew


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ai-service", {"input": "hello", "model": "gpt-mock"}),
        ("/ai-service", {"input": "hello", "model": "gpt-mock", "stream": True}),
        ("/v1/embeddings", {"model": "embed-mock", "input": ["a", "b"]}),
        ("/v1/messages", {"model": "gpt-mock", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
        ("/v1/messages/count_tokens", {"model": "gpt-mock", "messages": [{"role": "user", "content": "x"}]}),
    ],
    ids=["ai-service", "ai-service-stream", "embeddings", "messages", "count-tokens"],
)
async def test_every_post_honours_the_key(gateway: Gateway, path: str, body: object) -> None:
    first, again = [await ask(gateway, body, path=path) for _ in range(2)]
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert calls_of(gateway) == (0 if "count" in path else 1)
    other = await ask(gateway, {**orjson.loads(orjson.dumps(body)), "model": "other"}, path=path)
    assert other.status == 422


async def test_t74_a_token_is_minted_once_and_its_replay_holds_no_secret(gateway: Gateway) -> None:
    async def mint(**asked_for: object) -> Reply:
        return await ask(gateway, asked_for, path="/ai-service/token")

    first, again, other = await mint(expires_in=60), await mint(expires_in=60), await mint(expires_in=61)
    assert first.json()["token"].count(".") == 2
    assert (again.json()["token"], again.json()["already_issued"], again.json()["id"]) == (
        None,
        True,
        first.json()["id"],
    )
    assert first.json()["token"].encode() not in again.body
    assert other.status == 422
    async with gateway.core.db.read() as session:
        [kept] = (await session.execute(text("SELECT client_id, kind, id FROM sealed_body"))).all()
    assert first.json()["token"].encode() not in (await gateway.core.bodies.get(*kept) or first.body)


async def test_t74_a_management_request_that_is_still_running_is_409(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, is_asked, may_go_on = gateway.core.tokens.issue, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **more: Any) -> Any:
        is_asked.set()
        await may_go_on.wait()
        return await real(*args, **more)

    monkeypatch.setattr(type(gateway.core.tokens), "issue", lambda _self, *args, **more: slow(*args, **more))
    async with other_worker(gateway) as other:
        running = asyncio.create_task(ask(gateway, {}, path="/ai-service/token"))
        await is_asked.wait()
        refused = [await ask(where, {}, path="/ai-service/token") for where in (gateway, other)]
        may_go_on.set()
        assert (await running).status == 200
        assert (await ask(other, {}, path="/ai-service/token")).json()["token"] is None
    for reply in refused:
        assert (reply.status, reply.json()["error"]["type"]) == (409, "conflict_error")
        assert reply.headers["retry-after"] == "1"


async def test_who_comes_again_makes_a_request_of_its_limit(gateway: Gateway) -> None:
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/minute": 3, "concurrency": 1})
    await gateway.core.changes.catch_up()
    headers, body = {"Idempotency-Key": "k-1"}, {"model": "gpt-mock", "input": "(wait-100) (words-9)", "task": "chat"}
    at_once = await asyncio.gather(*(gateway.post("/ai-service", body, headers=headers) for _ in range(2)))
    later = [await gateway.post("/ai-service", body, headers=headers) for _ in range(2)]
    assert [reply.status for reply in (*at_once, *later)] == [200, 200, 200, 429]
    assert later[1].code == "client_rpm_exceeded"
    assert len(await gateway.rows()) == 1
