"""The Audit page: for admins, with the address that a change came from, and as a file."""

import csv
import io
import secrets
import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process

ADDRESS = "198.51.100.77"


async def test_a_change_in_the_portal_says_who_and_from_where(portal: PortalServer) -> None:
    email = f"{secrets.token_hex(6)}@example.test"
    portal.cookie_of(email, is_new=True)
    with closing(sqlite3.connect(portal.folder / "data" / "aiservice.sqlite")) as database:
        [(user_id,)] = database.execute("SELECT id FROM person WHERE email = ?", [email]).fetchall()
    async with Attacker(portal, cookie=portal.cookie_of(), address=ADDRESS) as admin:
        await admin.hydrate("/users")
        await admin.send(named("users_state.disable"), {"user_id": user_id}, path="/users")
        await admin.send(named("audit_state.load"), path="/audit")
        rows = [row for row in admin.var("audit_state", "rows") if row["subject"] == user_id]
    assert [row["action"] for row in rows] == ["person.disable", "session.open", "person.create"]
    assert (rows[0]["actor"], rows[0]["address"]) == ("admin@example.test", ADDRESS)
    assert f"email: {email}" in rows[2]["change"]


async def test_a_developer_sees_nothing_of_it(portal: PortalServer) -> None:
    cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
    async with Attacker(portal, cookie=cookie) as developer:
        await developer.hydrate("/audit")
        await developer.send(named("audit_state.load"), path="/audit")
        assert not developer.var("audit_state", "rows")
    answer = httpx.get(f"{portal.url}/auth/export/audit.csv", headers={"Cookie": cookie})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "admin_only")


def test_the_log_is_exported_as_the_page_narrows_it(portal: PortalServer) -> None:
    cookie = portal.cookie_of()
    answer = httpx.get(f"{portal.url}/auth/export/audit.csv?action=session.", headers={"Cookie": cookie})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    assert {row["action"] for row in rows} == {"session.open"}
    bad = httpx.get(f"{portal.url}/auth/export/audit.csv?from=yesterday", headers={"Cookie": cookie})
    assert bad.status_code == 400
