"""The forms of the Providers page, as its browser posts them, and what the page then shows."""

from collections.abc import Iterator
from pathlib import Path

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
