"""What a page shows on demand stands in its address: over a bare socket, another tab that has it shows the same."""

import secrets
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process


async def opened(portal: PortalServer, cookie: str, state: str, path: str, name: str) -> Any:
    """That variable of the page, in another tab that is given its address."""
    async with Attacker(portal, cookie=cookie, token=secrets.token_hex(8)) as tab:
        await tab.hydrate(path)
        await tab.send(named(f"{state}.load"), path=path)
        return tab.var(state, name)


async def test_the_history_of_an_alias_is_shown_by_its_address(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    async with Attacker(portal, cookie=cookie) as tab:
        await tab.hydrate("/aliases")
        await tab.send(named("aliases_state.load"), path="/aliases")
        (scope,) = {option["value"] for option in tab.var("aliases_state", "scopes")}
        form = {"scope": scope, "name": "fast-chat", "to": "sandbox"}
        await tab.send(named("aliases_state.set_alias"), {"form": form}, path="/aliases")
        await tab.send(named("aliases_state.show_history"), {"scope": scope, "name": "fast-chat"}, path="/aliases")
        (address,) = tab.redirects()
    assert unquote(address) == f"/aliases?of={scope}&history=fast-chat"
    leads = await opened(portal, cookie, "aliases_state", address, "leads")
    assert [row["to"] for row in leads] == ["sandbox"]


async def test_an_address_that_names_no_such_history_or_alert_still_shows_the_list(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    for state, path in (
        ("aliases_state", "/aliases?of=nobody&history=x"),
        ("alerts_state", "/alerts?course=alr_none"),
    ):
        assert await opened(portal, cookie, state, path, "is_loaded") is True, path


async def test_the_course_of_an_alert_is_shown_by_its_address(portal: PortalServer) -> None:
    cookie = portal.cookie_of()
    headers = {"Cookie": cookie, "Origin": portal.url}
    form = {"name": "a trap", "is_decoy": "true"}
    decoy = httpx.post(f"{portal.url}/auth/secrets/keys", json=form, headers=headers).json()["secret"]
    httpx.get(f"{portal.url}/v1/models", headers={"Authorization": f"Bearer {decoy}"})
    rows: list[dict[str, Any]] = []
    for _ in range(20):
        rows = await opened(portal, cookie, "alerts_state", "/alerts", "rows") or []
        if rows:
            break
    course = await opened(portal, cookie, "alerts_state", f"/alerts?course={rows[0]['id']}", "course")
    assert course["of"] == rows[0]["id"]
    assert "a bar each" in course["words"]


CHOICES = [
    ("usage_state", "/usage", {"range": "24h", "metric": "cost", "by": "model"}),
    ("requests_state", "/requests", {"range": "24h", "ended": "failed", "model": "none"}),
    ("keys_state", "/keys", {"state": "revoked", "client": "none", "q": "nobody"}),
    ("audit_state", "/audit", {"actor": "nobody", "action": "none", "subject": "nothing"}),
]


@pytest.mark.parametrize(("state", "path", "choices"), CHOICES)
async def test_what_is_chosen_before_the_page_was_loaded_with_the_choice_before_is_added_to_it(
    portal: PortalServer, state: str, path: str, choices: dict[str, str]
) -> None:
    async with Attacker(portal, cookie=portal.cookie_of()) as tab:
        await tab.hydrate(path)
        await tab.send(named(f"{state}.load"), path=path)
        for name, value in choices.items():
            await tab.send(named(f"{state}.choose"), {"name": name, "value": value}, path=path)
        last = tab.redirects()[-1]
    assert dict(parse_qsl(last.partition("?")[2])) == choices


@pytest.mark.parametrize(("state", "path", "choices"), CHOICES)
async def test_what_is_chosen_between_the_pages_of_two_choices_before_is_added_to_both(
    portal: PortalServer, state: str, path: str, choices: dict[str, str]
) -> None:
    """A browser that is led to two addresses one after the other loads the page with each of them."""
    first, second, third = choices.items()
    async with Attacker(portal, cookie=portal.cookie_of()) as tab:
        await tab.hydrate(path)
        await tab.send(named(f"{state}.load"), path=path)
        for name, value in (first, second):
            await tab.send(named(f"{state}.choose"), {"name": name, "value": value}, path=path)
        led_to = tab.redirects()[-2]
        await tab.send(named(f"{state}.load"), path=led_to)
        await tab.send(named(f"{state}.choose"), {"name": third[0], "value": third[1]}, path=led_to)
        last = tab.redirects()[-1]
        assert dict(parse_qsl(last.partition("?")[2])) == choices
        # Whoever goes back finds what that address says, and goes on from there.
        await tab.send(named(f"{state}.load"), path=last)
        await tab.send(named(f"{state}.load"), path=led_to)
        await tab.send(named(f"{state}.choose"), {"name": third[0], "value": third[1]}, path=led_to)
        last = tab.redirects()[-1]
    assert dict(parse_qsl(last.partition("?")[2])) == dict((first, third))
