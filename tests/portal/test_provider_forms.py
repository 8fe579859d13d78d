"""The forms of the Providers page, as its browser posts them, and what the page then shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.mock import MockProcess
from tests.harness.process import free_port
from tests.portal.server import Attacker, PortalServer, portal_server
from tests.portal.test_rights import named

pytestmark = pytest.mark.process
_KEY = "sk-right-key-0001"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    """A server of its own: with a connection configured, the other tests' sandbox would answer no more."""
    with portal_server(tmp_path_factory.mktemp("providers")) as server:
        yield server


async def _shown(portal: PortalServer, cookie: str, name: str) -> dict[str, object]:
    async with Attacker(portal, cookie=cookie) as admin:
        await admin.hydrate("/providers")
        await admin.send(named("providers_state.load"), path="/providers")
        (row,) = [row for row in admin.var("providers_state", "rows") if row["name"] == name]
        return dict(row)


async def test_a_new_key_is_tried_before_it_takes_the_place_of_the_old_one(
    portal: PortalServer, tmp_path: Path
) -> None:
    cookie = portal.cookie_of()
    with MockProcess(tmp_path, keys=(_KEY,)) as mock:
        fields = {"kind": "openai", "name": "rekeyed", "base_url": mock.base_url, "allow_private": "true"}

        def post(path: str, **body: str) -> httpx.Response:
            return httpx.post(f"{portal.url}/auth/secrets{path}", headers={"Cookie": cookie}, json=body, timeout=30)

        refused = post("/connections", **fields, secret="sk-wrong-key-0001").json()["error"]
        assert refused["message"] == "The test failed, and nothing was stored. The provider refused the key."
        made = post("/connections", **fields, secret=_KEY).json()
        refused = post("/connections/key", id=made["id"], secret="sk-wrong-key-0002").json()["error"]
        assert refused["code"] == "upstream_auth_failed"
        row = await _shown(portal, cookie, "rekeyed")
        assert (row["state"], row["key"]) == ("in use", "…0001")
        assert post("/connections/key", id=made["id"], secret=_KEY).json()["test"].startswith("ok: ")


async def test_a_connection_that_is_saved_although_its_provider_is_away_does_not_look_well(
    portal: PortalServer,
) -> None:
    cookie = portal.cookie_of()
    address = f"http://127.0.0.1:{free_port()}/v1"
    body = {"kind": "openai-compatible", "name": "away", "base_url": address, "allow_private": "true", "secret": ""}
    url = f"{portal.url}/auth/secrets/connections"
    made = httpx.post(url, headers={"Cookie": cookie}, json=body, timeout=30).json()
    row = await _shown(portal, cookie, "away")
    assert (row["state"], row["state_kind"]) == ("test failed", "bad")
    async with Attacker(portal, cookie=cookie) as admin:
        await admin.hydrate("/providers")
        await admin.send(named("providers_state.changed"), {"connection_id": made["id"]}, path="/providers")
        assert admin.var("session_state", "notice_kind") == "error"
        assert str(admin.var("session_state", "notice")).startswith("away is saved, but its test failed.")


async def test_an_admin_states_what_a_provider_does_with_data_and_nobody_else(
    portal: PortalServer, tmp_path: Path
) -> None:
    admin = portal.cookie_of()
    with MockProcess(tmp_path, keys=(_KEY,)) as mock:
        fields = {"kind": "openai", "name": "careful", "base_url": mock.base_url, "allow_private": "true"}
        own = {"origin": portal.url, "sec-fetch-site": "same-origin", "Cookie": admin}
        made = httpx.post(f"{portal.url}/auth/secrets/connections", json={**fields, "secret": _KEY}, headers=own)
    form = {"id": made.json()["id"], "data_collection": "deny", "is_zdr": "on", "region": " eu "}
    developer = portal.cookie_of("dev@example.test", is_new=True)
    for cookie, data in ((developer, ""), (admin, "does not learn from data, keeps nothing, in eu")):
        async with Attacker(portal, cookie=cookie) as tab:
            await tab.hydrate("/providers")
            await tab.send(named("providers_state.state_data"), {"form": form}, path="/providers")
        assert (await _shown(portal, admin, "careful"))["data"] == data


async def test_a_further_key_is_tried_stored_shown_by_its_end_and_taken_out(
    portal: PortalServer, tmp_path: Path
) -> None:
    cookie = portal.cookie_of()
    with MockProcess(tmp_path, keys=(_KEY, "sk-right-key-0002")) as mock:
        fields = {"kind": "openai", "name": "several", "base_url": mock.base_url, "allow_private": "true"}

        def post(path: str, **body: str) -> dict[str, Any]:
            answer = httpx.post(f"{portal.url}/auth/secrets{path}", headers={"Cookie": cookie}, json=body, timeout=30)
            return dict(answer.json())

        made = post("/connections", **fields, secret=_KEY, weight="2", rpm="600")
        wrong = post("/connections/keys", id=made["id"], secret="sk-wrong-key-0009")["error"]
        assert wrong["code"] == "upstream_auth_failed"
        assert post("/connections/keys", id=made["id"], secret=_KEY)["error"]["code"] == "key_known"
        added = post("/connections/keys", id=made["id"], secret="sk-right-key-0002", label="b", weight="6")
        assert added["test"].startswith("ok: ")
    path = f"/providers/{made['id']}"
    async with Attacker(portal, cookie=cookie) as admin:
        await admin.hydrate(path)
        await admin.send(named("connection_state.load"), path=path)
        rows = admin.var("connection_state", "keys")
        assert [(row["name"], row["hint"], row["share"]) for row in rows] == [
            ("Key 1", "…0001", "weight 2: 25% of the calls"),
            ("Key 2", "…0002", "weight 6: 75% of the calls"),
        ]
        await admin.send(named("connection_state.disable_key"), {"key_id": added["id"]}, path=path)
        assert [row["state"] for row in admin.var("connection_state", "keys")] == ["in use", "out"]
        form = {"weight": "2", "rpm": "", "tpm": "", "models": "", "probe_every": "60"}
        await admin.send(named("connection_state.save"), {"form": form}, path=path)
        assert admin.var("connection_state", "settings")["probe_every"] == "60"
        await admin.send(named("connection_state.save"), {"form": {**form, "probe_every": "1"}}, path=path)
        assert "every 10 to 86400 seconds" in admin.var("session_state", "notice")
        assert "sk-right" not in json.dumps(admin.received)


async def test_a_price_is_set_from_its_page_and_refused_where_it_is_none(portal: PortalServer) -> None:
    async with Attacker(portal, cookie=portal.cookie_of()) as admin:
        await admin.hydrate("/prices")
        form = {"kind": "openai", "model": "mine", "input_mtok": "2.5", "output_mtok": "10", "reason": "contract"}
        await admin.send(named("prices_state.save"), {"form": form}, path="/prices")
        (row,) = [row for row in admin.var("prices_state", "rows") if row["model"] == "mine"]
        assert (row["input"], row["source"], row["reason"]) == ("2.5", "yours", "contract")
        await admin.send(named("prices_state.save"), {"form": {**form, "input_mtok": "dear"}}, path="/prices")
        assert admin.var("session_state", "notice_kind") == "error"
        await admin.send(named("prices_state.clear"), {"kind": "openai", "model": "mine"}, path="/prices")
        assert [row for row in admin.var("prices_state", "rows") if row["model"] == "mine"] == []
