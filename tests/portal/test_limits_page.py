"""The pages of limits and teams over a bare socket: what they refuse, and whom."""

import secrets
from typing import Any

import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process


async def notice_after(portal: PortalServer, cookie: str, event: str, payload: dict[str, Any]) -> str:
    """What the page says after an event on it."""
    async with Attacker(portal, cookie=cookie) as tab:
        await tab.hydrate("/limits")
        await tab.send(named(event), payload, path="/limits")
        return str(tab.var("session_state", "notice"))


async def test_t57_a_developer_limits_neither_clients_nor_other_peoples_keys(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    refusals = {"client": "Only an admin", "team": "Only an admin", "key": "There is no"}
    for scope, words in refusals.items():
        form = {"holder": f"{scope}:{scope[:3]}_none", "limit": "requests/minute", "amount": "5"}
        assert words in await notice_after(portal, cookie, "limits_state.set_limit", {"form": form})
    clearing = {"holder": "key:key_none", "name": "requests/minute"}
    assert "There is no" in await notice_after(portal, cookie, "limits_state.clear", clearing)


async def test_t54_teams_are_for_admins(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    told = await notice_after(portal, cookie, "teams_state.create", {"form": {"name": "mine"}})
    assert told == "Only an admin may make teams."


async def test_what_is_no_number_or_no_limit_is_said(portal: PortalServer) -> None:
    cookie = portal.cookie_of()
    for form, words in (
        ({"holder": "key:k", "limit": "requests/minute", "amount": "many"}, "whole number"),
        ({"holder": "key:k", "limit": "requests/minute", "amount": "-1"}, "whole number"),
        ({"holder": "nobody:k", "limit": "requests/minute", "amount": "1"}, "what to limit"),
    ):
        assert words in await notice_after(portal, cookie, "limits_state.set_limit", {"form": form})
