"""What holds for every route: who may ask, how it is refused, pages, versions and Idempotency-Key."""

import asyncio
from typing import Any

import pytest

from aiservice.errors import Conflict
from aiservice.kit import keyformat
from aiservice.management.app import Management
from aiservice.management.rows import Row
from aiservice.principal import OPERATOR
from aiservice.services.audit import AuditFilter
from tests.management.conftest import World
from tests.services.cast import person

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROBLEM = "application/problem+json"


async def test_tells_whose_token_it_is(world: World) -> None:
    reply = await world.ask(world.dan, "GET", "/api/account")
    assert (reply.status, reply.json()["email"], reply.json()["role"]) == (200, "dan@example.org", "developer")
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        (None, 401, "missing_api_key"),
        ("junk", 401, "invalid_token"),
        (keyformat.mint_personal().text.reveal_text(), 401, "invalid_token"),
        (keyformat.mint().text.reveal_text(), 403, "client_key_not_taken"),
    ],
    ids=["none", "junk", "an unknown token", "a client key"],
)
async def test_refuses_whoever_has_no_token(world: World, token: str | None, status: int, code: str) -> None:
    reply = await world.ask(token, "GET", "/api/account", client=("192.0.2.7", 1))
    told = reply.json()
    assert (reply.status, told["code"], told["status"]) == (status, code, status)
    assert reply.headers["content-type"] == PROBLEM
    assert told["request_id"] == reply.headers["x-request-id"]
    assert told["type"] == f"/docs/errors/{code}"
    assert told["instance"] == "/api/account"


async def test_a_session_cookie_opens_nothing(world: World) -> None:
    reply = await world.ask(None, "GET", "/api/account", headers={"cookie": "ais_sid=whatever"})
    assert (reply.status, reply.json()["code"]) == (401, "missing_api_key")


async def test_slows_down_who_guesses_tokens(world: World) -> None:
    for _ in range(20):
        await world.ask(keyformat.mint_personal().text.reveal_text(), "GET", "/api/account", client=("198.51.100.9", 1))
    guess = keyformat.mint_personal().text.reveal_text()
    reply = await world.ask(guess, "GET", "/api/account", client=("198.51.100.9", 1))
    assert (reply.status, reply.json()["code"]) == (429, "too_many_failed_authentications")
    assert int(reply.headers["retry-after"]) >= 1


async def test_a_token_that_reads_changes_nothing(world: World) -> None:
    reply = await world.ask(world.dan.reading, "POST", "/api/keys", {"client": "shop", "name": "no"})
    assert (reply.status, reply.json()["code"]) == (403, "read_only_token")
    assert (await world.ask(world.dan.reading, "GET", "/api/keys")).status == 200


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/keys/", "/api/keys/a/b/c", "//api/keys"])
async def test_an_unknown_route_is_told_in_json(world: World, path: str) -> None:
    reply = await world.ask(world.dan, "GET", path)
    assert (reply.status, reply.headers["content-type"], reply.json()["code"]) == (404, PROBLEM, "route_not_found")


async def test_says_which_methods_a_route_takes(world: World) -> None:
    reply = await world.ask(world.dan, "PUT", "/api/keys")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    options = await world.ask(None, "OPTIONS", "/api/keys")
    assert (options.status, options.headers["allow"], options.body) == (204, "GET, HEAD, OPTIONS, POST", b"")
    assert not any(name.startswith("access-control") for name in options.headers)


async def test_head_is_get_without_its_body(world: World) -> None:
    get, head = [await world.ask(world.dan, method, "/api/clients/shop") for method in ("GET", "HEAD")]
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", get.headers["etag"])
    assert head.headers["content-length"] == str(len(get.body))


async def test_refuses_a_body_that_is_too_large_or_no_json(world: World) -> None:
    too_large = await world.ask(world.dan, "POST", "/api/keys", b"{" + b" " * (1 << 20) + b"}")
    assert (too_large.status, too_large.json()["code"]) == (413, "request_too_large")
    form = await world.ask(world.dan, "POST", "/api/keys", b"a=b", headers={"content-type": "text/plain"})
    assert (form.status, form.json()["code"]) == (415, "unsupported_media_type")
    curl = {"content-type": "application/x-www-form-urlencoded"}
    assert (await world.ask(world.dan, "POST", "/api/keys", {}, headers=curl)).json()["code"] == "validation_failed"
    for body in (b"{", b"[]", b"NaN", b'{"client": 1e999}'):
        reply = await world.ask(world.dan, "POST", "/api/keys", body)
        assert (reply.status, reply.json()["code"]) == (400, "invalid_json"), body


async def test_names_every_field_at_fault(world: World) -> None:
    body = {"client": 7, "nme": "x", "limits": {"rpm": "many"}, "scopes": ["chat", ""]}
    reply = await world.ask(world.dan, "POST", "/api/keys", body)
    told = reply.json()
    assert (reply.status, told["code"]) == (422, "validation_failed")
    faults = {one["pointer"]: one for one in told["errors"]}
    assert set(faults) == {"#/client", "#/name", "#/nme", "#/limits/rpm", "#/scopes/1"}
    assert faults["#/nme"]["detail"] == "There is no field 'nme' here. Did you mean 'name'?"
    assert faults["#/name"]["detail"] == "This field is required."


async def test_points_at_the_field_that_a_service_refuses(world: World) -> None:
    reply = await world.ask(world.dan, "POST", "/api/keys", {"client": "shop", "name": "n", "scopes": ["dance"]})
    told = reply.json()
    assert (reply.status, told["errors"][0]["pointer"]) == (422, "#/scopes")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("lmit=3", "lmit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=", "cursor"),
    ],
)
async def test_names_the_parameter_at_fault(world: World, query: str, parameter: str) -> None:
    reply = await world.ask(world.dan, "GET", "/api/keys", query=query)
    assert (reply.status, reply.json()["errors"][0]["parameter"]) == (400, parameter)


async def test_pages_hold_each_key_once_whatever_is_made_meanwhile(world: World) -> None:
    made = [(await world.core.keys.create(world.dan.person, "shop", f"page {n}")).id for n in range(5)]
    seen: list[str] = []
    cursor = ""
    for number in range(20):
        page = (await world.ask(world.dan, "GET", "/api/keys", query=f"limit=2{cursor}")).json()
        seen += [one["id"] for one in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
        if number == 0:
            await world.core.keys.create(world.dan.person, "shop", "meanwhile")
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    assert seen == sorted(seen, reverse=True)


async def test_does_not_send_again_what_the_caller_has(world: World) -> None:
    first = await world.ask(world.dan, "GET", "/api/clients/shop")
    again = await world.ask(world.dan, "GET", "/api/clients/shop", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_changes_only_what_the_caller_has_seen(world: World) -> None:
    seen = await world.ask(world.ada, "GET", "/api/clients/shop")
    headers = {"if-match": seen.headers["etag"]}
    first = await world.ask(world.ada, "PATCH", "/api/clients/shop", {"weight": 3}, headers=headers)
    second = await world.ask(world.ada, "PATCH", "/api/clients/shop", {"weight": 5}, headers=headers)
    assert (first.status, second.status, second.json()["code"]) == (200, 412, "precondition_failed")
    assert (await world.ask(world.ada, "GET", "/api/clients/shop")).json()["weight"] == 3


async def test_one_key_makes_one_client_key_and_its_replay_holds_no_secret(world: World) -> None:
    body, headers = {"client": "shop", "name": "once"}, {"idempotency-key": "order 17"}
    first = await world.ask(world.dan, "POST", "/api/keys", body, headers=headers)
    again = await world.ask(world.dan, "POST", "/api/keys", body, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert keyformat.parse(first.json()["key"])
    assert again.json() == {**first.json(), "key": None, "already_issued": True}
    assert again.headers["idempotent-replayed"] == "true"
    named = [one for one in await world.core.keys.list(world.dan.person, "shop") if one.name == "once"]
    assert len(named) == 1


async def test_a_key_with_another_body_is_refused(world: World) -> None:
    headers = {"idempotency-key": "order 18"}
    await world.ask(world.dan, "POST", "/api/keys", {"client": "shop", "name": "a"}, headers=headers)
    other = await world.ask(world.dan, "POST", "/api/keys", {"client": "shop", "name": "b"}, headers=headers)
    assert (other.status, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_the_keys_of_two_people_are_two(world: World) -> None:
    headers = {"idempotency-key": "order 19"}
    mine = await world.ask(world.dan, "POST", "/api/keys", {"client": "shop", "name": "a"}, headers=headers)
    hers = await world.ask(world.eve, "POST", "/api/keys", {"client": "lab", "name": "b"}, headers=headers)
    assert (mine.status, hers.status) == (201, 201)


async def test_whoever_comes_while_it_is_made_is_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_asked, may_go_on, headers = asyncio.Event(), asyncio.Event(), {"idempotency-key": "order 20"}
    create = world.core.keys.create

    async def slow(*given: Any, **named: Any) -> Any:
        is_asked.set()
        await may_go_on.wait()
        return await create(*given, **named)

    monkeypatch.setattr(world.core.keys, "create", slow)
    body = {"client": "shop", "name": "slow"}
    first = asyncio.create_task(world.ask(world.dan, "POST", "/api/keys", body, headers=headers))
    await is_asked.wait()
    meanwhile = await world.ask(world.dan, "POST", "/api/keys", body, headers=headers)
    may_go_on.set()
    assert (meanwhile.status, meanwhile.json()["code"]) == (409, "idempotency_in_flight")
    assert meanwhile.headers["retry-after"] == "1"
    assert (await first).status == 201


async def test_what_was_refused_may_be_tried_again_with_its_key(world: World) -> None:
    headers = {"idempotency-key": "order 21"}
    refused = await world.ask(world.dan, "POST", "/api/keys", {"client": "late", "name": "a"}, headers=headers)
    await world.core.clients.create(world.ada.person, "late", world.dan.person.email)
    made = await world.ask(world.dan, "POST", "/api/keys", {"client": "late", "name": "a"}, headers=headers)
    assert (refused.status, made.status) == (404, 201)


async def test_what_failed_behind_its_effect_is_never_done_again(world: World) -> None:
    calls = 0

    async def half(call: Any) -> None:
        nonlocal calls
        calls += 1
        await world.core.teams.create(call.me, f"half {calls}")
        raise Conflict("The second half failed.", code="half_done")

    api = Management(world.core, (Row("POST", "/api/half", "team.create", half, "Half", status=204),))
    world.app._management, before = api, world.app._management
    try:
        headers = {"idempotency-key": "order 22"}
        replies = [await world.ask(world.ada, "POST", "/api/half", headers=headers) for _ in range(2)]
    finally:
        world.app._management = before
    assert calls == 1
    assert [(one.status, one.json()["code"]) for one in replies] == [(409, "half_done")] * 2


async def test_the_audit_log_says_by_which_token_and_from_where(world: World) -> None:
    reply = await world.ask(
        world.dan, "POST", "/api/keys", {"client": "shop", "name": "seen"}, client=("192.0.2.44", 1)
    )
    token_id = (await world.ask(world.dan, "GET", "/api/account")).json()["token_id"]
    entries, _ = await world.core.audit.page(world.ada.person, AuditFilter(subject=reply.json()["id"]))
    assert [(one.actor, one.address, one.action) for one in entries] == [
        (f"dan@example.org by token {token_id}", "192.0.2.44", "key.create")
    ]
    mine, _ = await world.core.audit.page(world.ada.person, AuditFilter(actor="dan@example.org"))
    assert reply.json()["id"] in {one.subject for one in mine}


async def test_a_developer_limits_own_keys_and_no_others(world: World) -> None:
    key = (await world.core.keys.create(world.dan.person, "shop", "limited")).id
    mine = await world.ask(world.dan, "PATCH", f"/api/limits/key/{key}", {"limits": {"requests/minute": 5}})
    hers = await world.ask(world.eve, "PATCH", f"/api/limits/key/{key}", {"limits": {"requests/minute": 5}})
    assert (mine.status, mine.json()["limits"], hers.status) == (200, {"requests/minute": 5}, 404)
    budget = {"period": "day", "usd": "0.5"}
    assert (await world.ask(world.dan, "PUT", f"/api/budgets/key/{key}", budget)).status == 200
    assert (await world.ask(world.eve, "PUT", f"/api/budgets/key/{key}", budget)).status == 404


async def test_terms_are_stored_over_the_version_that_was_seen(world: World) -> None:
    path, terms = "/api/preferences/client:shop/embedding", {"terms": {"order": ["sandbox"]}}
    first = await world.ask(world.dan, "PUT", path, terms)
    seen = await world.ask(world.dan, "GET", path)
    assert seen.headers["etag"] == f'"{first.json()["version"]}"'
    headers = {"if-match": seen.headers["etag"]}
    assert (await world.ask(world.dan, "PUT", path, {"terms": {"sort": "price"}}, headers=headers)).status == 200
    late = await world.ask(world.dan, "PUT", path, terms, headers=headers)
    assert (late.status, late.json()["code"]) == (412, "precondition_failed")


async def test_of_two_who_change_at_once_what_they_have_seen_one_does(world: World) -> None:
    seen = await world.ask(world.ada, "GET", "/api/clients/lab")
    headers = {"if-match": seen.headers["etag"]}
    asked = [world.ask(world.ada, "PATCH", "/api/clients/lab", {"weight": n}, headers=headers) for n in (7, 8, 9)]
    assert sorted(reply.status for reply in await asyncio.gather(*asked)) == [200, 412, 412]


async def test_a_reset_password_ends_the_persons_tokens(world: World) -> None:
    made = await world.core.personal_tokens.create(OPERATOR, "old", may_write=False, owner="eve@example.org")
    fay = await person(world.core.db, "fay@example.org")
    hers = await world.core.personal_tokens.create(OPERATOR, "hers", may_write=False, owner=fay.email)
    assert (await world.ask(hers.token.reveal_text(), "GET", "/api/account")).status == 200
    await world.core.accounts.reset_password(OPERATOR, fay.email, "another good pass phrase of some length")
    assert (await world.ask(hers.token.reveal_text(), "GET", "/api/account")).json()["code"] == "token_revoked"
    assert (await world.ask(made.token.reveal_text(), "GET", "/api/account")).status == 200


async def test_no_nul_reaches_a_database(world: World) -> None:
    body = await world.ask(world.dan, "POST", "/api/keys", {"client": "shop", "name": "a\0b"})
    assert (body.status, body.json()["code"]) == (400, "invalid_json")
    assert (await world.ask(world.dan, "GET", "/api/clients/a\0b")).json()["code"] == "route_not_found"
    query = await world.ask(world.dan, "GET", "/api/keys", query="client=a%00b")
    assert (query.status, query.json()["errors"][0]["parameter"]) == (400, "client")
