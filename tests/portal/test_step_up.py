"""T-68 through the portal: a form asks for the password and takes it along; a page's own handlers ask in the notice."""

import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.portal.server import PASSWORD, Attacker, PortalServer
from tests.portal.test_rights import named, new_email

pytestmark = pytest.mark.process


def age(portal: PortalServer) -> None:
    """Whatever was said in any session is six minutes old."""
    with closing(sqlite3.connect(portal.folder / "data" / "aiservice.sqlite", timeout=10)) as database, database:
        database.execute("UPDATE portal_session SET created_us = created_us - 360000000, confirmed_us = NULL")


def post(portal: PortalServer, cookie: str, path: str, **body: str) -> httpx.Response:
    return httpx.post(f"{portal.url}/auth/secrets{path}", headers={"Cookie": cookie}, json=body, timeout=30)


def test_t68_a_roll_asks_for_the_password_and_goes_through_with_it(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    made = post(portal, cookie, "/first-key").json()
    age(portal)
    roll = {"id": made["id"], "overlap_seconds": "0"}
    refused = post(portal, cookie, "/keys/roll", **roll)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "step_up_required")
    headers = {"x-api-key": made["secret"]}
    assert httpx.get(f"{portal.url}/v1/models", headers=headers).status_code == 200, "the old secret still works"
    wrong = post(portal, cookie, "/keys/roll", **roll, password="not my password")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_credentials")
    assert post(portal, cookie, "/keys/roll", **roll, password=PASSWORD).json()["secret"] != made["secret"]
    assert httpx.get(f"{portal.url}/v1/models", headers=headers).status_code == 401


async def test_t68_a_handler_of_a_page_asks_in_the_notice_and_goes_through_after_it(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    key = post(portal, cookie, "/first-key").json()
    form = {
        "subject": f"key:{key['id']}", "measure": "money", "amount": "5", "period": "month", "window": "calendar",
        "levels": "50", "unpriced": "",
    }  # fmt: skip
    age(portal)
    async with Attacker(portal, cookie=cookie) as person:
        await person.hydrate("/budgets")
        await person.send(named("budgets_state.save"), {"form": form}, path="/budgets")
        assert person.var("session_state", "asks_password") is True
        assert post(portal, cookie, "/confirm", password="").status_code == 400
        assert post(portal, cookie, "/confirm", password=PASSWORD).json() == {}
        await person.send(named("frame_state.confirmed"), {"_answer": ""}, path="/budgets")
        assert person.var("session_state", "asks_password") is False
        await person.send(named("budgets_state.save"), {"form": form}, path="/budgets")
        assert person.var("session_state", "notice").startswith("Set.")
