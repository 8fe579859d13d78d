"""The page of the answer cache over a bare socket: what it refuses, and whom."""

import secrets
from typing import Any

import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process
FORM = {"holder": "platform:", "task": "*", "mode": "on", "ttl": "1h", "most_ttl": "1d", "shared_by": "client"}
FORM |= {"similar": "", "embeddings": "", "judged": "5", "precision": "90"}


async def notice_after(portal: PortalServer, cookie: str, event: str, payload: dict[str, Any]) -> str:
    """What the page says after an event on it."""
    async with Attacker(portal, cookie=cookie) as tab:
        await tab.hydrate("/cache")
        await tab.send(named(event), payload, path="/cache")
        return str(tab.var("session_state", "notice"))


async def test_t57_a_developer_sets_and_purges_nothing_of_others(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    for holder, words in (
        ("platform:", "Only an admin"),
        ("client:cli_none", "There is no"),
        ("team:t", "Only an admin"),
    ):
        told = await notice_after(portal, cookie, "cache_state.set_policy", {"form": {**FORM, "holder": holder}})
        assert words in told
        clearing = {"holder": holder, "task": "*"}
        assert words in await notice_after(portal, cookie, "cache_state.clear", clearing)
    assert "Only an admin" in await notice_after(portal, cookie, "cache_state.purge", {"client_id": ""})
    assert "There is no" in await notice_after(portal, cookie, "cache_state.purge", {"client_id": "cli_none"})


async def test_what_is_no_policy_is_said(portal: PortalServer) -> None:
    cookie = portal.cookie_of()
    for change, words in (
        ({"ttl": "soon"}, "not a duration"),
        ({"ttl": "2d"}, "no longer than 1d"),
        ({"mode": "sometimes"}, "none of them"),
        ({"task": "chta"}, "'chat'"),
        ({"holder": ""}, "Choose whose"),
        ({"similar": "near"}, "such as 0.95"),
        ({"similar": "0.95", "embeddings": "x:y"}, "name one"),
        ({"similar": "0.95", "embeddings": "x:y", "task": "embedding"}, "has no question"),
        ({"similar": "0.95", "embeddings": "x:y", "task": "chat"}, "There is no"),
        ({"similar": "0.95", "embeddings": "", "task": "chat"}, "connection:model"),
    ):
        told = await notice_after(portal, cookie, "cache_state.set_policy", {"form": {**FORM, **change}})
        assert words in told, change
