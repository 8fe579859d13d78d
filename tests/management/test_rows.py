"""Every row of the management API: who may, who may not, what it gives, and how it refuses what it cannot read."""

import re
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from aiservice.management import ROWS
from aiservice.management.openapi import document
from aiservice.management.rows import Row
from tests.gateway.asgi import Reply
from tests.management.conftest import Caller, World
from tests.management.samples import SAMPLES, Args, Sample

pytestmark = pytest.mark.asyncio(loop_scope="module")
DOCUMENT = orjson.loads(orjson.dumps(document(ROWS, "")))
_registry: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(DOCUMENT))


def id_of(row: Row) -> str:
    return f"{row.method} {row.path}"


def rows(*methods: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [row for row in ROWS if not methods or row.method in methods], ids=id_of)


def sample(row: Row) -> Sample:
    return SAMPLES[id_of(row)]


async def ask(world: World, who: Caller | str | None, row: Row, args: Args, **more: Any) -> Reply:
    found = sample(row)
    body = more.pop("body", found.body)
    return await world.ask(who, row.method, row.path.format(**args), body, query=more.pop("query", found.query), **more)


def check(row: Row, reply: Reply) -> None:
    """Holds an answer against the document."""
    operation = DOCUMENT["paths"][row.path][row.method.lower()]
    answer = operation["responses"].get(str(reply.status), DOCUMENT["components"]["responses"]["Problem"])
    if "content" not in answer:
        assert reply.body == b""
        return
    media_type = reply.headers["content-type"].partition(";")[0]
    schema = answer["content"][media_type]["schema"]
    if media_type != "text/csv":
        whole = {"$ref": f"urn:api{schema['$ref']}"} if "$ref" in schema else schema
        Draft202012Validator(whole, registry=_registry).validate(reply.json())


async def test_every_row_has_a_sample() -> None:
    assert {id_of(row) for row in ROWS} == set(SAMPLES)


async def test_refuses_whoever_names_nobody(world: World) -> None:
    for row in ROWS:
        reply = await ask(world, None, row, dict.fromkeys(row.arguments, "x"))
        assert (reply.status, reply.json()["code"]) == (401, "missing_api_key"), id_of(row)
        check(row, reply)


@rows()
async def test_gives_what_its_description_says(world: World, row: Row) -> None:
    args = await sample(row).make(world)
    reply = await ask(world, getattr(world, sample(row).who), row, args)
    assert reply.status == row.status, reply.body
    check(row, reply)


@pytest.mark.long
@rows()
async def test_a_stranger_gets_nothing_of_it(world: World, row: Row) -> None:
    args = await sample(row).make(world)
    reply = await ask(world, world.eve, row, args)
    expected = row.status if sample(row).stranger == 200 else sample(row).stranger
    assert reply.status == expected, reply.body
    assert b"dan@example.org" not in reply.body
    check(row, reply)


@pytest.mark.parametrize("row", [row for row in ROWS if sample(row).stranger == 404 and sample(row).unknown], ids=id_of)
async def test_what_is_anothers_is_told_as_what_does_not_exist(world: World, row: Row) -> None:
    theirs = await ask(world, world.eve, row, await sample(row).make(world))
    nobodys = await ask(world, world.eve, row, sample(row).unknown or {})
    told = [(reply.status, reply.json()["code"], _shape(reply.json()["detail"])) for reply in (theirs, nobodys)]
    assert told[0] == told[1]


def _shape(words: str) -> str:
    return re.sub(r"'[^']*'|[a-z]+_[0-9a-f]+|\d+", "…", words)


async def test_what_is_for_admins_is_refused_to_developers(world: World) -> None:
    for row in ROWS:
        if sample(row).stranger == 403:
            reply = await ask(world, world.eve, row, sample(row).unknown or dict.fromkeys(row.arguments, "x"))
            assert reply.status in (403, 404), (id_of(row), reply.body)
            check(row, reply)


async def test_what_does_not_exist_is_not_found(world: World) -> None:
    for row in ROWS:
        if (args := sample(row).unknown) is not None:
            reply = await ask(world, getattr(world, sample(row).who), row, args)
            assert (reply.status, reply.json()["status"]) == (404, 404), (id_of(row), reply.body)
            check(row, reply)


async def test_a_token_that_reads_changes_nothing(world: World) -> None:
    for row in ROWS:
        if not row.is_reading:
            caller = getattr(world, sample(row).who).reading
            reply = await ask(world, caller, row, dict.fromkeys(row.arguments, "x"))
            assert (reply.status, reply.json()["code"]) == (403, "read_only_token"), id_of(row)


async def test_names_what_it_does_not_know(world: World) -> None:
    for row in ROWS:
        caller, args = getattr(world, sample(row).who), dict.fromkeys(row.arguments, "x")
        if row.body:
            reply = await ask(world, caller, row, args, body={**(sample(row).body or {}), "no_such": 1})
            assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "#/no_such"), id_of(row)
        else:
            reply = await ask(world, caller, row, args, query="no_such=1")
            assert (reply.status, reply.json()["errors"][0]["parameter"]) == (400, "no_such"), id_of(row)


@pytest.mark.long
@rows("POST")
async def test_a_replay_is_the_same_answer_without_its_secrets(world: World, row: Row) -> None:
    args, caller = await sample(row).make(world), getattr(world, sample(row).who)
    body = sample(row).body
    if isinstance(body, dict) and row.status == 201:
        again = {
            "name": "twice",
            "email": f"twice-{row.tag}@example.org",
            "text": body.get("text", "").replace("vendor-", "twice-"),
        }
        body = {**body, **{name: value for name, value in again.items() if name in body}}
    headers = {"idempotency-key": id_of(row)}
    first, second = [await ask(world, caller, row, args, body=body, headers=headers) for _ in range(2)]
    assert (first.status, second.status) == (row.status, row.status), first.body
    assert second.headers["idempotent-replayed"] == "true"
    told = first.json()
    if row.secrets:
        told |= {**dict.fromkeys(row.secrets), "already_issued": True}
    assert second.json() == told
    check(row, second)
