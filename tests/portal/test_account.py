"""The account page over a bare socket: one sees and ends one's own sessions, nobody else's."""

import json
from typing import Any

import httpx
import pytest

from aiservice.portal.pages.account import browser_name
from tests.portal.server import PASSWORD, Attacker, PortalServer
from tests.portal.test_rights import named, new_email

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19.0 Mobile Safari/604.1"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (IPHONE, "Safari on iPhone"),
        ("curl/8.1", "curl"),
        ("", "A program without a name"),
    ],
)
def test_a_browser_is_named_as_people_name_it(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


def sessions(tab: Attacker) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tab.var("account_state", "sessions")
    return found


@pytest.mark.process
async def test_t57_sessions_are_seen_and_ended_by_their_owner_alone(portal: PortalServer) -> None:
    email = new_email()
    first, second = portal.cookie_of(email, is_new=True), portal.cookie_of(email)
    async with Attacker(portal, cookie=first) as owner:
        await owner.hydrate("/account")
        await owner.send(named("account_state.load"), path="/account")
        mine = sessions(owner)
        assert [row["is_this"] for row in mine].count(True) == 1 and len(mine) == 2
        (other,) = [row["id"] for row in mine if not row["is_this"]]
        async with Attacker(portal, token="x", cookie=portal.cookie_of(new_email(), is_new=True)) as stranger:
            await stranger.hydrate("/account")
            await stranger.send(named("account_state.end"), {"session_id": other}, path="/account")
            assert stranger.var("session_state", "notice_kind") == "error"
            await stranger.send(named("account_state.load"), path="/account")
            assert len(sessions(stranger)) == 1
        await owner.send(named("account_state.end"), {"session_id": other}, path="/account")
        assert len(sessions(owner)) == 1
        assert first.partition("=")[2] not in json.dumps(owner.received)
    change = {"current": PASSWORD, "password": "another long password"}
    refused = httpx.post(f"{portal.url}/auth/change-password", headers={"Cookie": second}, json=change)
    assert refused.status_code == 401


@pytest.mark.process
async def test_all_other_sessions_can_be_ended_at_once(portal: PortalServer) -> None:
    email = new_email()
    cookie = portal.cookie_of(email, is_new=True)
    for _ in range(2):
        portal.cookie_of(email)
    async with Attacker(portal, cookie=cookie) as owner:
        await owner.hydrate("/account")
        await owner.send(named("account_state.load"), path="/account")
        assert len(sessions(owner)) == 3
        await owner.send(named("account_state.end_others"), path="/account")
        assert [row["is_this"] for row in sessions(owner)] == [True]


@pytest.mark.process
def test_t57_only_an_admin_makes_a_reset_link(portal: PortalServer) -> None:
    email = new_email()
    cookie = portal.cookie_of(email, is_new=True)
    url = f"{portal.url}/auth/secrets/reset-link"
    assert httpx.post(url, headers={"Cookie": cookie}, json={"id": email}).status_code == 403
    made = httpx.post(url, headers={"Cookie": portal.cookie_of()}, json={"id": email}).json()
    token = made["secret"].partition("token=")[2]
    chosen = {"token": token, "password": "another long password"}
    assert httpx.post(f"{portal.url}/auth/reset", json=chosen).status_code == 200
    assert httpx.post(f"{portal.url}/auth/reset", json=chosen).status_code == 400
