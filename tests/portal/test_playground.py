"""The playground's routes: a call is the client's own, by the gateway's own door, and nobody's key is given away."""

import csv
import time
from typing import Any

import httpx
import pytest

from tests.harness.process import wait_until
from tests.portal.server import Attacker, PortalServer
from tests.portal.test_request_log import Developer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process

ASKED = {"task": "text-generation", "input": "Write a haiku about keys"}


def call(portal: PortalServer, what: str, client: str, *, cookie: str, **options: Any) -> httpx.Response:
    headers = {"Cookie": cookie, "Origin": portal.url, **options.pop("headers", {})}
    url = f"{portal.url}/auth/playground/{what}"
    return httpx.post(url, params={"client": client}, headers=headers, json=options.pop("json", ASKED), timeout=10)


def own_client(developer: Developer) -> str:
    """The id of the developer's client, as their download tells it."""
    return developer.export("requests.csv").text.split("cli_")[1].split(",")[0].join(("cli_", ""))


def test_a_call_is_the_clients_own_and_shows_no_key(portal: PortalServer) -> None:
    owner = Developer(portal)
    client = own_client(owner)
    answer = call(portal, "run", client, cookie=owner.cookie)
    assert answer.status_code == 200, answer.text
    assert answer.json()["provider"] == "sandbox"
    request_id = answer.headers["x-request-id"]
    wait_until(lambda: request_id in owner.export("requests.csv").text, seconds=5)
    for text in (answer.text, str(answer.headers)):
        assert "ais_live_" not in text
        assert "eyJ" not in text  # how a token begins
    models = call(portal, "models", client, cookie=owner.cookie, json={}).json()["data"]
    assert "sandbox" in {model["id"] for model in models}
    assert {task["task"] for task in call(portal, "tasks", client, cookie=owner.cookie, json={}).json()["data"]}
    assert owner.export(f"usage.csv?by=key&client={client}").text.count("Playground") == 1  # made once, named so


def test_a_stream_comes_as_it_is_made(portal: PortalServer) -> None:
    owner = Developer(portal)
    url = f"{portal.url}/auth/playground/run"
    headers = {"Cookie": owner.cookie, "Origin": portal.url}
    asked = {**ASKED, "stream": True}
    with httpx.stream("POST", url, params={"client": own_client(owner)}, headers=headers, json=asked) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: ")]
    assert (events[0], events[-1]) == ("start", "done")


def test_nobody_calls_as_a_client_that_is_not_theirs(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    client = own_client(owner)
    for what in ("run", "models", "tasks"):
        assert call(portal, what, client, cookie=stranger.cookie).status_code == 404
        assert call(portal, what, client, cookie="").status_code == 401
        foreign = call(portal, what, client, cookie=owner.cookie, headers={"Origin": "http://evil.example"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_origin")
    assert call(portal, "run", "", cookie=owner.cookie).status_code == 400
    assert httpx.get(f"{portal.url}/auth/playground/run", headers={"Cookie": owner.cookie}).status_code in (400, 405)
    assert call(portal, "elsewhere", client, cookie=owner.cookie).status_code == 404


def test_a_caller_cannot_say_more_than_the_page_does(portal: PortalServer) -> None:
    owner = Developer(portal)
    client = own_client(owner)
    with_key = call(portal, "run", client, cookie=owner.cookie, headers={"Authorization": "Bearer ais_live_other"})
    assert with_key.status_code == 200  # the header goes no further: the client of the page is who calls
    assert call(portal, "run", client, cookie=owner.cookie, json={"input": 5}).status_code == 400


async def test_a_revoked_playground_key_works_no_more_and_is_made_anew(portal: PortalServer) -> None:
    owner = Developer(portal)
    client = own_client(owner)
    used = [playground_key(owner, call(portal, "run", client, cookie=owner.cookie)) for _ in range(2)]
    assert used[0] == used[1] != owner.key_id
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/keys")
        await tab.send(named("keys_state.revoke"), {"key_id": used[0]}, path="/keys")
    assert playground_key(owner, call(portal, "run", client, cookie=owner.cookie)) not in (used[0], owner.key_id)


def playground_key(owner: Developer, answer: httpx.Response) -> str:
    """The id of the key that a call was counted for, once it is in the ledger."""
    assert answer.status_code == 200, answer.text
    request_id = answer.headers["x-request-id"]
    wait_until(lambda: request_id in owner.export("requests.csv").text, seconds=5)
    rows = csv.DictReader(owner.export("requests.csv").text.splitlines())
    return next(row["key_id"] for row in rows if row["request_id"] == request_id)


def test_another_first_key_is_made_only_when_asked_for(portal: PortalServer) -> None:
    owner = Developer(portal)
    url, headers = f"{portal.url}/auth/secrets/first-key", {"Cookie": owner.cookie}
    assert httpx.post(url, headers=headers, json={}).json() == {}
    again = httpx.post(url, headers=headers, json={"another": "true"}).json()
    assert again["secret"].startswith("ais_live_")
    assert again["id"] != owner.key_id


async def test_the_page_is_told_why_a_request_went_where_it_went(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    request_id = call(portal, "run", own_client(owner), cookie=owner.cookie).headers["x-request-id"]
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/playground")
        await tab.send(named("playground_state.load"), path="/playground")
        assert [one["id"] for one in tab.var("playground_state", "clients")] == [own_client(owner)]
        await tab.send(named("playground_state.ran"), {"side": 1, "request_id": request_id}, path="/playground")
        assert [line["name"] for line in tab.var("playground_state", "beside")] == ["sandbox"]
        began = time.monotonic()
        await tab.send(
            named("playground_state.ran"), {"side": 0, "request_id": stranger.request_id}, path="/playground"
        )
        assert not tab.var("playground_state", "first")
        assert time.monotonic() - began < 5
