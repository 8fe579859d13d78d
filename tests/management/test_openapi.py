"""The OpenAPI document and its page: whole, true to the routes there are, and nothing from elsewhere."""

import re
from html.parser import HTMLParser

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from aiservice.gateway.edge import API_PREFIXES
from aiservice.management import ROWS
from aiservice.management.inference import INFERENCE
from aiservice.management.openapi import document
from aiservice.management.reference import page_of
from tests.management.conftest import World

DOCUMENT = orjson.loads(orjson.dumps(document(ROWS, "https://broker.example/ai")))
_with_world = pytest.mark.asyncio(loop_scope="module")


def _refs(value: object) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [ref for each in value.values() for ref in _refs(each)]
    return [ref for each in value for ref in _refs(each)] if isinstance(value, list) else []


def test_every_reference_leads_somewhere() -> None:
    parts = DOCUMENT["components"]
    named = {f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in parts[kind]}
    assert set(_refs(DOCUMENT)) <= named
    assert set(_refs(DOCUMENT)) >= {ref for ref in named if "/schemas/" in ref} - {"#/components/schemas/Problem"}


def test_every_schema_is_one_and_named_for_what_it_is() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        assert not name.endswith("Told")


def test_every_operation_has_a_name_of_its_own_and_says_who_may() -> None:
    operations = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names)) == len(ROWS) + len(INFERENCE)
    assert all("security" in operation and operation["responses"] for operation in operations)


def test_every_argument_of_a_path_is_a_parameter() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            told = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert told == set(re.findall(r"\{(\w+)\}", path)), path


@_with_world
async def test_tells_of_every_route_of_the_gateway_and_of_no_other(world: World) -> None:
    described = {(one.method, one.path) for one in INFERENCE}
    there = {(method, path) for path, methods in world.app._routes.items() for method in methods if method != "HEAD"}
    assert there - described == set()
    for method, path in described - there:
        found = world.app._with_argument(path.replace("{id}", "req_01").replace("{model}", "m"))
        assert found is not None and method in found, path


@_with_world
async def test_is_served_to_everybody(world: World) -> None:
    reply = await world.ask(None, "GET", "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json()["openapi"] == "3.1.0"
    assert reply.json()["servers"] == [{"url": "/"}]
    assert (await world.ask(None, "POST", "/openapi.json", {})).status == 405


class _Loads(HTMLParser):
    """Notes what a page would load, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "link", "iframe", "object") or "src" in given:
            self.loads.append(tag)
        self.links += [given["href"] or ""] if tag == "a" else []
        self.ids += [given["id"] or ""] if "id" in given else []


@_with_world
async def test_its_page_runs_and_loads_nothing(world: World) -> None:
    reply = await world.ask(None, "GET", "/docs")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script" not in reply.headers["content-security-policy"]
    page = _Loads()
    page.feed(reply.body.decode())
    assert page.loads == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert {row.path for row in ROWS} <= set(re.findall(r"<code>(/[^<]*)</code>", reply.body.decode()))


def test_what_a_document_says_is_text_on_its_page() -> None:
    evil = {**DOCUMENT, "info": {**DOCUMENT["info"], "description": "<script>alert(1)</script>"}}
    assert b"<script" not in page_of(evil)


def test_management_lies_below_a_prefix_that_the_api_answers() -> None:
    assert all(any(row.path.startswith(f"{prefix}/") for prefix in API_PREFIXES) for row in ROWS)
