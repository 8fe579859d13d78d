"""Resuming a stream: whoever was cut off gets the rest, from wherever it is, with one call and one bill."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from aiservice.gateway import build_gateway, recording, respond, resume, stream_parts
from aiservice.gateway.admit import InFlight, stopping
from aiservice.kit.clock import now_us
from aiservice.principal import OPERATOR, Principal
from aiservice.services import idempotency
from aiservice.services.opening import open_core
from aiservice.services.resumption import Part, Resumption, Said
from aiservice.store import idempotency as idempotency_store
from tests.gateway.asgi import Reply
from tests.gateway.conftest import Gateway, portal
from tests.harness.waiting import until

RESUMABLE = {"x-aiservice-resumable": "true"}
SURFACES = ("/ai-service", "/v1/chat/completions", "/v1/messages")
_ENDS = {"/ai-service": b"event: done", "/v1/chat/completions": b"data: [DONE]", "/v1/messages": b"event: message_stop"}


def asked(path: str, words: str) -> dict[str, object]:
    body: dict[str, object] = {"model": "gpt-mock", "stream": True}
    if path == "/ai-service":
        return {**body, "input": words}
    return {**body, "messages": [{"role": "user", "content": words}], "max_tokens": 500}


async def ask(gateway: Gateway, path: str, words: str, **more: Any) -> Reply:
    return await gateway.post(path, asked(path, words), headers=more.pop("headers", RESUMABLE), **more)


async def events(gateway: Gateway, stream: str, after: int = 0, **more: Any) -> Reply:
    return await gateway.get(f"/ai-service/{stream}/events", query=b"after=%d" % after, **more)


def stream_of(reply: Reply) -> str:
    return reply.headers["x-aiservice-events"].split("/")[2]


def ends_of_events(stream: bytes) -> list[int]:
    """Where each event of a stream ends, the first at index 1."""
    ends, place = [0], 0
    for block in stream.split(b"\n\n")[:-1]:
        place += len(block) + 2
        ends.append(place)
    return ends


def calls_of(gateway: Gateway) -> int:
    assert gateway.mock is not None
    return gateway.mock.record.calls


@asynccontextmanager
async def other_worker(gateway: Gateway) -> AsyncIterator[Gateway]:
    """Another worker of the same server, with nothing of the first one's memory; also what a restart leaves."""
    node = gateway.core.cluster._node.node_id
    async with open_core(gateway.core.settings, is_serving=True, node_id=node) as core:
        in_flight = InFlight()
        yield replace(gateway, app=build_gateway(core, in_flight, portal, portal), core=core, in_flight=in_flight)


async def lose_its_worker(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a kill: nobody renews what the worker holds, and that has been seen."""
    monkeypatch.setattr(idempotency, "WATCH_SECONDS", 0.05)
    async with gateway.core.db.write() as session:
        await session.execute(text(f"UPDATE idempotent_call SET lease_us = {now_us() - 1}"))


@pytest.mark.parametrize("path", SURFACES)
async def test_a_stream_cut_at_every_event_and_resumed_is_the_uncut_one(gateway: Gateway, path: str) -> None:
    whole = await ask(gateway, path, "(words-12) hello")
    stream, ends = stream_of(whole), ends_of_events(whole.body)
    assert whole.body.count(b"id: %b:" % stream.encode()) == len(ends) - 1 >= 12
    async with other_worker(gateway) as other:
        for number, end in enumerate(ends):
            rest = await events((gateway, other)[number % 2], stream, number)
            assert (rest.status, whole.body[:end] + rest.body) == (200, whole.body), number
    assert (calls_of(gateway), len(await gateway.rows())) == (1, 1)


async def test_a_client_that_leaves_a_running_stream_gets_the_rest_of_it_here_and_from_another_worker(
    gateway: Gateway,
) -> None:
    words = "(words-25) (wait-30) hello"
    left = await asyncio.gather(*(ask(gateway, path, words, leave_after=b":3\n") for path in SURFACES))
    async with other_worker(gateway) as other:
        places = [(reply, where) for reply in left for where in (gateway, other, other)]
        rests = await asyncio.gather(*(events(where, stream_of(reply), 3) for reply, where in places))
    for (reply, _), rest in zip(places, rests, strict=True):
        whole = await events(gateway, stream_of(reply))
        assert reply.body[: ends_of_events(reply.body)[3]] + rest.body == whole.body
        assert any(end in whole.body for end in _ENDS.values())
    assert {(row.outcome, row.request_id) for row in await gateway.rows()} == {
        ("finished", stream_of(reply)) for reply in left
    }
    assert calls_of(gateway) == 3


@pytest.mark.parametrize("path", SURFACES)
async def test_a_stream_that_nobody_resumes_has_no_ids_and_ends_with_its_client(gateway: Gateway, path: str) -> None:
    plain = await ask(gateway, path, "(words-9) hello", headers={})
    assert b"\nid:" not in b"\n" + plain.body
    left = await ask(gateway, path, "(words-30) (wait-30) hello", headers={}, leave_after=b"\n\n")
    assert "x-aiservice-events" not in {**plain.headers, **left.headers}
    await asyncio.sleep(0.1)
    assert {row.outcome for row in await gateway.rows()} == {"finished", "client_left"}
    refused = await events(gateway, plain.headers["x-request-id"])
    assert (refused.status, refused.code) == (404, "stream_not_found")


async def test_a_stream_that_was_lost_with_its_worker_gives_what_was_kept_and_an_error(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_parts, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(type(gateway.core.idempotency), "end", _never_comes_to_it)
    running = [asyncio.create_task(ask(gateway, path, "(words-40) (wait-20) hello")) for path in SURFACES]
    wholes = await asyncio.gather(*running)
    async with other_worker(gateway) as other:
        await lose_its_worker(gateway, monkeypatch)
        rests = [await events(other, stream_of(whole)) for whole in wholes]
    for path, whole, rest in zip(SURFACES, wholes, rests, strict=True):
        kept, _, error = rest.body.removesuffix(b"\n\n").rpartition(b"\n\n")
        assert (rest.status, len(kept) > 200, whole.body.startswith(kept)) == (200, True, True)
        assert b'"stream_lost"' in error
        assert b"id: " not in error
        assert _ENDS[path] not in rest.body


async def _never_comes_to_it(*_args: object, **_more: object) -> bool:
    return True


async def _until_kept(gateway: Gateway) -> None:
    """Returns once something is kept of a stream."""
    async with asyncio.timeout(5):
        while not await _query(gateway, "SELECT kind FROM sealed_body WHERE kind = 'stream'"):
            await asyncio.sleep(0.01)


async def _query(gateway: Gateway, statement: str) -> list[Any]:
    async with gateway.core.db.read() as session:
        return list((await session.execute(text(statement))).all())


async def test_a_key_makes_a_stream_resumable_and_a_replay_names_the_first(gateway: Gateway) -> None:
    path, headers = "/v1/chat/completions", {"Idempotency-Key": "k-1"}
    first, again = [await ask(gateway, path, "(words-9) hello", headers=headers) for _ in range(2)]
    assert stream_of(first) == stream_of(again) == first.headers["x-request-id"]
    assert again.body == first.body
    rest = await events(gateway, stream_of(again), 4)
    assert first.body[: ends_of_events(first.body)[4]] + rest.body == first.body
    await gateway.rows()
    await gateway.core.replays.flush()
    assert await gateway.core.replays.count_of(OPERATOR, stream_of(first)) == 2


async def test_the_field_of_the_body_is_as_good_as_the_header(gateway: Gateway) -> None:
    body = {**asked("/ai-service", "(words-9) hello"), "resumable": True}
    whole = await gateway.post("/ai-service", body)
    rest = await events(gateway, stream_of(whole), 2)
    assert whole.body[: ends_of_events(whole.body)[2]] + rest.body == whole.body
    assert calls_of(gateway) == 1
    [minute] = gateway.core.observer._minutes.values()
    assert sum(seen.requests for seen in minute.values()) == 1
    refused = await gateway.post("/ai-service", {**body, "stream": False})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "resumable")


@pytest.mark.parametrize("path", SURFACES)
async def test_the_same_post_with_last_event_id_gives_the_rest(gateway: Gateway, path: str) -> None:
    whole = await ask(gateway, path, "(words-9) hello")
    stream, ends = stream_of(whole), ends_of_events(whole.body)

    async def again(number: int, words: str = "(words-9) hello") -> Reply:
        return await ask(gateway, path, words, headers={**RESUMABLE, "Last-Event-ID": f"{stream}:{number}"})

    assert whole.body[: ends[5]] + (await again(5)).body == whole.body
    assert ((await again(len(ends) - 1)).body, calls_of(gateway)) == (b"", 1)
    other = await again(5, "something else")
    assert other.status == 422
    assert b"last_event_id_of_another_request" in other.body


async def test_an_event_source_asks_again_until_there_is_no_more(gateway: Gateway) -> None:
    whole = await ask(gateway, "/ai-service", "(words-9) hello")
    stream, last = stream_of(whole), len(ends_of_events(whole.body)) - 1
    for number, status in ((0, 200), (last - 1, 200), (last, 204)):
        rest = await events(gateway, stream, headers={"Last-Event-ID": f"{stream}:{number}"})
        assert (rest.status, bool(rest.body)) == (status, status == 200)


async def test_a_place_that_is_none_is_400(gateway: Gateway) -> None:
    for query, event_id, code in (
        (b"after=-1", None, "invalid_after"),
        (b"after=x", None, "invalid_after"),
        (b"after=", None, "invalid_after"),
        (b"after=1&after=2", None, "invalid_after"),
        (b"", "7", "invalid_last_event_id"),
        (b"", "req_other:7", "invalid_last_event_id"),
    ):
        headers = {} if event_id is None else {"Last-Event-ID": event_id}
        refused = await gateway.get("/ai-service/req_1/events", query=query, headers=headers)
        assert (refused.status, refused.code) == (400, code)


async def test_a_header_that_says_neither_is_400(gateway: Gateway) -> None:
    for headers in ({"x-aiservice-resumable": "1"}, {"Last-Event-ID": "5"}):
        refused = await ask(gateway, "/ai-service", "hello", headers=headers)
        assert (refused.status, calls_of(gateway)) == (400, 0)


async def test_a_whole_answer_is_as_without_the_header(gateway: Gateway) -> None:
    body = {"model": "gpt-mock", "input": "hello"}
    answer = await gateway.post("/ai-service", body, headers=RESUMABLE)
    assert (answer.status, answer.json()["output"] != {}) == (200, True)
    assert (await events(gateway, answer.headers["x-request-id"])).status == 404


async def test_t76_anothers_stream_is_404_here_and_on_another_worker_running_or_not(gateway: Gateway) -> None:
    await gateway.core.clients.create(OPERATOR, "another app")
    stranger = (await gateway.core.keys.create(OPERATOR, "another app", "first")).key.reveal_text()
    narrow = await gateway.new_key(scopes=["chat", "read"])
    sibling = await gateway.new_key()
    left = await ask(gateway, "/ai-service", "(words-25) (wait-20) hello", leave_after=b":2\n")
    stream = stream_of(left)
    async with other_worker(gateway) as other:
        for _ in ("running", "over"):
            for where in (gateway, other):
                for key in (stranger, narrow):
                    refused = await events(where, stream, key=key)
                    assert (refused.status, refused.code) == (404, "stream_not_found")
                    again = {"Last-Event-ID": f"{stream}:1"}
                    posted = await where.post("/ai-service", asked("/ai-service", "x"), key=key, headers=again)
                    assert posted.status == 404
            rest = await events(other, stream, key=sibling)
    assert rest.body.endswith(b"\n\n")
    assert calls_of(gateway) == 1


async def test_a_stream_too_long_to_be_kept_says_so(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_HELD_BYTES", 2000)
    whole = await ask(gateway, "/ai-service", "(words-90) hello")
    refused = await events(gateway, stream_of(whole), 5)
    assert (refused.status, refused.code) == (409, "answer_not_kept")


async def test_a_stream_that_our_shutdown_cut_can_be_had_as_far_as_it_came_and_its_key_is_free(
    gateway: Gateway,
) -> None:
    headers = {"Idempotency-Key": "k-1"}
    cut = Reply()
    running = asyncio.create_task(ask(gateway, "/ai-service", "(words-25) (wait-30) hello", headers=headers, reply=cut))
    await until(lambda: b":5\n" in cut.body)
    gateway.in_flight.stop_all()
    await running
    assert b'"broker_stopped"' in cut.body
    async with other_worker(gateway) as other:
        rest = await events(other, stream_of(cut), 3)
        again = await ask(other, "/ai-service", "(words-25) (wait-30) hello", headers=headers)
    assert cut.body[: ends_of_events(cut.body)[3]] + rest.body == cut.body
    assert (b"event: done" in again.body, calls_of(gateway)) == (True, 2)


async def test_a_stream_that_broke_off_ends_again_as_it_did(gateway: Gateway) -> None:
    cut = await ask(gateway, "/v1/chat/completions", "(break-after-3) x")
    rest = await events(gateway, stream_of(cut), 1)
    assert b'"error"' in rest.body
    assert cut.body[: ends_of_events(cut.body)[1]] + rest.body == cut.body


async def test_who_resumes_is_cut_with_its_key_and_may_ask_again(gateway: Gateway) -> None:
    left = await ask(gateway, "/ai-service", "(words-30) (wait-30) hello", leave_after=b":2\n")
    stream, sibling = stream_of(left), await gateway.new_key()
    async with other_worker(gateway) as other:
        resumed = [asyncio.create_task(events(where, stream, 2, key=sibling)) for where in (gateway, other)]
        for where in (gateway, other):
            await until(lambda where=where: _is_resumed(where))  # type: ignore[misc]
            for name, one in where.in_flight.under_way.items():
                if name.startswith("resume"):
                    one.stop(stopping())
        for rest in await asyncio.gather(*resumed):
            assert rest.body.removesuffix(b"\n\n").rpartition(b"\n\n")[2].startswith(b"event: error")
        assert b"event: done" in (await events(other, stream, 2)).body


async def test_what_was_kept_on_the_way_goes_when_the_answer_is_kept(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_parts, "EVERY_SECONDS", 0.05)
    running = asyncio.create_task(ask(gateway, "/ai-service", "(words-25) (wait-20) hello"))
    await _until_kept(gateway)
    await running
    assert [row[0] for row in await _query(gateway, "SELECT kind FROM sealed_body")] == ["replay"]


async def test_a_part_of_which_nobody_knows_whether_it_was_kept_is_said_again_and_read_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_parts, "EVERY_SECONDS", 0.05)
    real, answers = Resumption.keep, [False, True, False, False]

    async def keep(self: Resumption, parts: Sequence[Part]) -> bool:
        return await real(self, parts) and (answers.pop() if answers else True)

    monkeypatch.setattr(Resumption, "keep", keep)
    left = await ask(gateway, "/ai-service", "(words-25) (wait-30) hello", leave_after=b":2\n")
    async with other_worker(gateway) as other:
        rest = await events(other, stream_of(left), 2)
    whole = await events(gateway, stream_of(left))
    assert left.body[: ends_of_events(left.body)[2]] + rest.body == whole.body
    assert answers == []


async def test_a_stream_of_a_client_that_was_shredded_is_gone(gateway: Gateway) -> None:
    whole = await ask(gateway, "/ai-service", "(words-9) hello")
    await gateway.core.bodies.shred_client(OPERATOR, "app")
    assert (await events(gateway, stream_of(whole))).status == 409


def _is_resumed(where: Gateway) -> bool:
    """Whether somebody gets the rest of a stream there just now."""
    return any(name.startswith("resume") for name in where.in_flight.under_way)


async def test_a_client_resumes_so_many_at_once_and_with_a_key_that_lasts(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "_MOST_AT_ONCE", 1)
    left = await ask(gateway, "/ai-service", "(words-40) (wait-50) hello", leave_after=b":2\n")
    stream = stream_of(left)
    short = await gateway.new_key(expires_in_seconds=1.0)
    resumed = asyncio.create_task(events(gateway, stream, 2, key=short))
    await until(lambda: _is_resumed(gateway))
    refused = await events(gateway, stream, 2)
    assert (refused.status, refused.code) == (429, "too_many_resumes")
    assert b'"key_expired"' in (await resumed).body
    assert b"event: done" in (await events(gateway, stream, 2)).body


async def test_an_answer_from_the_cache_is_a_stream_of_its_own_that_can_be_resumed(gateway: Gateway) -> None:
    body = {**asked("/ai-service", "(words-9) hello"), "resumable": True, "cache": {"ttl": 60}}
    first, second = [await gateway.post("/ai-service", body) for _ in range(2)]
    assert (second.headers["x-aiservice-cache"], calls_of(gateway)) == ("hit", 1)
    assert stream_of(first) != stream_of(second)
    for whole in (first, second):
        rest = await events(gateway, stream_of(whole), 4)
        assert whole.body[: ends_of_events(whole.body)[4]] + rest.body == whole.body


async def test_who_resumes_makes_a_request_of_its_limit_and_takes_no_place_at_once(gateway: Gateway) -> None:
    await gateway.core.limits.set_client(OPERATOR, "app", {"requests/minute": 3, "concurrency": 1})
    await gateway.core.changes.catch_up()
    left = await ask(gateway, "/ai-service", "(words-30) (wait-30) hello", leave_after=b":2\n")
    rests = [await events(gateway, stream_of(left), 2) for _ in range(3)]
    assert [rest.status for rest in rests] == [200, 200, 429]
    assert rests[2].code == "client_rpm_exceeded"
    assert float(rests[2].headers["retry-after"]) > 0
    posted = await ask(gateway, "/ai-service", "x", headers={"Last-Event-ID": f"{stream_of(left)}:2"})
    assert posted.status == 429


async def test_a_long_stream_is_read_a_few_parts_at_a_time(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_parts, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr(idempotency_store, "MOST_PARTS", 2)
    monkeypatch.setattr(type(gateway.core.idempotency), "end", _never_comes_to_it)
    whole = await ask(gateway, "/ai-service", "(words-40) (wait-20) hello")
    parts = len(await _query(gateway, "SELECT kind FROM sealed_body WHERE kind = 'stream'"))
    async with other_worker(gateway) as other:
        first = await other.core.resumption.look(await principal_of(other), stream_of(whole))
        assert isinstance(first, Said)
        assert (len(first.pieces), first.has_more, parts > 4) == (2, True, True)
        await lose_its_worker(gateway, monkeypatch)
        rest = await events(other, stream_of(whole))
    assert whole.body.startswith(rest.body.removesuffix(b"\n\n").rpartition(b"\n\n")[0])
    assert b":30\n" in rest.body


async def principal_of(gateway: Gateway) -> Principal:
    return await gateway.core.keys.verify(gateway.key, address="127.0.0.1")


async def test_large_answers_that_are_read_slowly_are_held_for_so_many_at_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "_MOST_HELD_BYTES", 1_000)
    whole = await ask(gateway, "/ai-service", "(words-30) hello")
    asked_at_once = [events(gateway, stream_of(whole)) for _ in range(2)]
    with monkeypatch.context() as patched:
        real = respond.end_stream

        async def slowly(send: Any, body: bytes) -> None:
            await asyncio.sleep(0.2)
            await real(send, body)

        patched.setattr(resume, "end_stream", slowly)
        told = await asyncio.gather(*asked_at_once)
    assert sorted(one.status for one in told) == [200, 429]
    assert (await events(gateway, stream_of(whole))).status == 200


async def test_a_stream_in_words_that_this_worker_does_not_know_yet_is_asked_for_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_parts, "EVERY_SECONDS", 0.05)
    running = asyncio.create_task(ask(gateway, "/ai-service", "(words-25) (wait-30) hello"))
    await _until_kept(gateway)
    async with gateway.core.db.write() as session:
        await session.execute(text("UPDATE idempotent_call SET surface = 'of-a-newer-release'"))
        stream = (await session.execute(text("SELECT request_id FROM idempotent_call"))).scalar_one()
    async with other_worker(gateway) as other:
        refused = await events(other, stream)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "stream_elsewhere", "1")
    await running
