"""Requests, one request, usage and their downloads over the wire: everybody sees what is theirs and nothing else."""

import csv
import time
from typing import Any

import httpx
import pytest

from tests.harness.process import wait_until
from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named, new_email

pytestmark = pytest.mark.process


class Developer:
    """Somebody with a key of their own and one request made with it."""

    def __init__(self, portal: PortalServer) -> None:
        self.portal = portal
        self.cookie = portal.cookie_of(new_email(), is_new=True)
        headers = {"Cookie": self.cookie}
        made = httpx.post(f"{portal.url}/auth/secrets/first-key", headers=headers, json={}).json()
        self.key, self.key_id = made["secret"], made["id"]
        self.request_id = self.ask()

    def ask(self) -> str:
        """A request; its id once it is in the ledger."""
        url, headers = f"{self.portal.url}/ai-service", {"Authorization": f"Bearer {self.key}"}
        request_id = httpx.post(url, headers=headers, json={"input": "x"}).headers["x-request-id"]
        wait_until(lambda: request_id in self.export("requests.csv").text, seconds=5)
        return request_id

    def export(self, name: str, **headers: str) -> httpx.Response:
        headers = {"Cookie": self.cookie} | headers
        return httpx.get(f"{self.portal.url}/auth/export/{name}", headers=headers, timeout=10)


async def opened(tab: Attacker, request_id: str) -> dict[str, Any]:
    """What the page of one request was told."""
    await tab.send(named("request_state.load"), path=f"/requests/{request_id}")
    return {name: tab.var("request_state", name) for name in ("shown_id", "is_found", "facts", "steps", "status")}


async def test_a_developer_opens_their_own_requests_and_no_others(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/requests")
        await tab.send(named("requests_state.load"), path="/requests")
        assert [row["id"] for row in tab.var("requests_state", "rows")] == [owner.request_id]
        mine = await opened(tab, owner.request_id)
        assert (mine["is_found"], mine["status"]) == (True, "200")
        assert [step["name"] for step in mine["steps"]] == ["Broker", "Attempt 1: sandbox"]
        theirs = await opened(tab, stranger.request_id)
        assert (theirs["shown_id"], theirs["is_found"]) == (stranger.request_id, False)
        assert stranger.key_id not in str(tab.received)
    async with Attacker(portal, token="a", cookie=portal.cookie_of()) as admin:
        await admin.hydrate("/requests")
        assert (await opened(admin, stranger.request_id))["is_found"] is True


async def test_a_developer_narrows_by_what_is_theirs_alone(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/requests")
        await tab.send(named("requests_state.load"), path=f"/requests?key={stranger.key_id}")
        assert tab.var("requests_state", "rows") == []
        await tab.send(named("usage_state.load"), path="/usage?by=user")
        assert tab.var("usage_state", "problem") == "Only an admin may see usage by user."
        await tab.send(named("usage_state.load"), path="/usage?by=key&range=24h")
        rows = tab.var("usage_state", "rows")
        assert [(row["name"], row["requests"]) for row in rows] == [("First key", "1")]


async def test_new_requests_are_announced_and_move_no_row(portal: PortalServer) -> None:
    owner = Developer(portal)
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/requests")
        await tab.send(named("requests_state.load"), path="/requests")
        shown = tab.var("requests_state", "rows")
        await tab.settle(1.5)
        newest = owner.ask()
        await until_fresh(tab, 1)
        assert tab.var("requests_state", "rows") == shown
        await tab.send(named("requests_state.show_new"), path="/requests")
        assert tab.var("requests_state", "rows")[0]["id"] == newest
        assert tab.var("requests_state", "fresh") == 0
        owner.ask()
        await until_fresh(tab, 1)  # counted from the list as it is now
        owner.ask()
        await until_fresh(tab, 2)


async def test_new_requests_are_counted_as_the_list_is_narrowed_and_not_where_its_span_has_an_end(
    portal: PortalServer,
) -> None:
    owner = Developer(portal)
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate("/requests")
        for narrowed, counted in (("", 1), ("?status=500", 0), ("?to=2999-01-01", 0), ("?status=200", 1)):
            await tab.send(named("requests_state.load"), path=f"/requests{narrowed}")
            owner.ask()
            await tab.settle(2.5)
            assert tab.var("requests_state", "fresh") == counted, narrowed


async def until_fresh(tab: Attacker, count: int) -> None:
    began = time.monotonic()
    while tab.var("requests_state", "fresh") != count and time.monotonic() < began + 5:
        await tab.settle(0.3)
    assert tab.var("requests_state", "fresh") == count


async def test_a_request_is_open_beside_the_log_at_an_address_of_its_own(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    second = owner.ask()
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate(f"/requests?peek={second}")
        assert tab.var("request_state", "shown_id") == second
        assert tab.var("request_state", "is_found") is True
        listed = tab.var("requests_state", "rows")
        assert [row["href"] for row in listed] == [f"/requests?peek={row['id']}" for row in listed]
        assert [row["id"] for row in listed] == [second, owner.request_id]
        await tab.hydrate(f"/requests?peek={stranger.request_id}")
        assert tab.var("request_state", "is_found") is False
        assert stranger.key_id not in str(tab.received)


async def test_what_is_no_id_of_ours_is_looked_for_among_all_ids(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=Developer(portal).cookie) as tab:
        await tab.hydrate("/requests?task=chat&before=1-1")
        await tab.send(named("requests_state.find"), {"form": {"text_id": " req_01a2 "}}, path="/requests")
        await tab.send(named("requests_state.find"), {"form": {"text_id": "0af7&x=1"}}, path="/requests")
        assert tab.redirects()[-2:] == ["/requests/req_01a2", "/requests?task=chat&id=0af7%26x%3D1"]


def test_a_download_holds_what_its_owner_may_see(portal: PortalServer) -> None:
    owner, stranger = Developer(portal), Developer(portal)
    rows = list(csv.DictReader(owner.export("requests.csv").text.splitlines()))
    assert [row["request_id"] for row in rows] == [owner.request_id]
    assert stranger.request_id not in owner.export(f"requests.csv?key={stranger.key_id}").text
    told = owner.export("requests.json")
    assert [row["request_id"] for row in told.json()] == [owner.request_id]
    assert told.headers["content-type"] == "application/json"
    assert owner.export("requests.json?status=504").json() == []
    usage = list(csv.DictReader(owner.export("usage.csv?by=key&range=1h").text.splitlines()))
    assert {row["key"] for row in usage} == {owner.key_id}
    assert sum(int(row["requests"]) for row in usage) == 1
    answer = owner.export("usage.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    assert answer.headers["cache-control"] == "no-store"


def test_a_download_is_for_who_is_signed_in_and_asks_from_here(portal: PortalServer) -> None:
    owner = Developer(portal)
    assert owner.export("requests.csv", Cookie="").status_code == 401
    foreign = owner.export("requests.csv", **{"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_origin")
    assert owner.export("usage.csv?by=user").status_code == 403
    assert owner.export("requests.csv?status=abc").status_code == 400
    assert owner.export("secrets.csv").status_code == 404


async def test_a_form_that_was_posted_without_a_script_is_told_why_it_failed(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    form = {"current": "not the password", "password": "another long password"}
    refused = httpx.post(f"{portal.url}/auth/change-password", headers={"Cookie": cookie}, data=form)
    assert refused.status_code == 303
    async with Attacker(portal, cookie=cookie) as tab:
        await tab.hydrate(refused.headers["location"])
        assert tab.var("session_state", "notice_kind") == "error"
        assert "password" in tab.var("session_state", "notice")
        await tab.hydrate("/account")
        assert tab.var("session_state", "notice") == ""


@pytest.mark.parametrize(("path", "state"), [("/requests", "requests_state"), ("/usage?by=key", "usage_state")])
async def test_what_a_page_is_about_comes_before_what_there_is_to_narrow_it_by(
    portal: PortalServer, path: str, state: str
) -> None:
    owner = Developer(portal)
    async with Attacker(portal, cookie=owner.cookie) as tab:
        await tab.hydrate(path)
        await tab.settle()
        told = [values for update in tab.received for name, values in update["delta"].items() if name.endswith(state)]
    _empty, first, *later = (
        {name.removesuffix("_rx_state_"): value for name, value in values.items()} for values in told
    )
    assert len(first["rows"]) == 1
    assert not first.get("options", {}).get("key")
    assert [option["value"] for option in later[-1]["options"]["key"]] == [owner.key_id]
