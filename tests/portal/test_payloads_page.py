"""The page that says of whom bodies are kept: switched by admins, and by nobody else."""

import httpx
import pytest

from tests.portal.server import Attacker, PortalServer
from tests.portal.test_rights import named, new_email

pytestmark = pytest.mark.process


async def test_an_admin_switches_a_client_on_and_off_and_a_developer_does_not(portal: PortalServer) -> None:
    mine = portal.cookie_of(new_email(), is_new=True)
    url = f"{portal.url}/auth/secrets/first-key"
    client = httpx.post(url, json={}, headers={"Cookie": mine}, timeout=30).json()["client"]
    async with Attacker(portal, cookie=portal.cookie_of()) as admin:
        await admin.hydrate("/payloads")
        await admin.send(named("payloads_state.load"), path="/payloads")
        assert admin.var("payloads_state", "is_allowed") is False
        (row,) = [row for row in admin.var("payloads_state", "rows") if row["name"] == client]
        assert row["is_on"] is False
        await admin.send(named("payloads_state.switch"), {"client_id": row["id"], "is_on": True}, path="/payloads")
        (on,) = [row for row in admin.var("payloads_state", "rows") if row["name"] == client]
        assert on["is_on"] is True
        async with Attacker(portal, token="other", cookie=mine) as developer:
            await developer.hydrate("/payloads")
            event = {"client_id": row["id"], "is_on": False}
            await developer.send(named("payloads_state.switch"), event, path="/payloads")
            assert developer.var("session_state", "notice") == "Only an admin may have payloads kept."
        await admin.send(named("payloads_state.load"), path="/payloads")
        (still,) = [row for row in admin.var("payloads_state", "rows") if row["name"] == client]
        assert still["is_on"] is True
        await admin.send(named("payloads_state.shred"), {"client_id": row["id"]}, path="/payloads")
        assert admin.var("session_state", "notice").startswith("0 kept bodies were destroyed.")
