"""K-03 through the portal's own routes: the reveal asks for the password, is kept by nobody, and leaves no trace."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harness.canaries import read_files, search
from tests.portal.server import PASSWORD, Attacker, PortalServer
from tests.portal.test_rights import named

pytestmark = pytest.mark.process


class Maker:
    """A developer with a key that can be shown again."""

    def __init__(self, portal: PortalServer) -> None:
        self.portal = portal
        self.cookie = portal.cookie_of(f"{secrets.token_hex(6)}@example.test", is_new=True)
        client = self.post("/first-key").json()["client"]
        body = {"client": client, "name": "again", "retrievable": "true", "expires_in_days": ""}
        self.key = self.post("/keys", **body).json()

    def post(self, path: str, **body: str) -> httpx.Response:
        headers = {"Cookie": self.cookie}
        return httpx.post(f"{self.portal.url}/auth/secrets{path}", headers=headers, json=body, timeout=30)

    def reveal(self, **body: str) -> httpx.Response:
        return self.post("/keys/reveal", id=self.key["id"], **body)


@pytest.fixture
def maker(portal: PortalServer) -> Iterator[Maker]:
    yield Maker(portal)


def test_t68_a_key_is_shown_again_after_the_password_alone_and_for_five_minutes_after_it(maker: Maker) -> None:
    refused = maker.reveal()
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "step_up_required")
    wrong = maker.reveal(password="not my password")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_credentials")
    assert maker.reveal().status_code == 403, "a wrong password confirms nothing"
    shown = maker.reveal(password=PASSWORD)
    assert (shown.status_code, shown.json()["secret"]) == (200, maker.key["secret"])
    assert shown.headers["cache-control"] == "no-store"
    assert shown.json()["shown_seconds"] == 60
    assert maker.reveal().json()["secret"] == maker.key["secret"]
    assert [maker.reveal().status_code for _ in range(4)] == [200, 200, 200, 429]


def test_k03_no_other_session_nor_page_nor_admin_is_shown_it(maker: Maker) -> None:
    body = {"id": maker.key["id"], "password": PASSWORD}
    url = f"{maker.portal.url}/auth/secrets/keys/reveal"
    assert httpx.post(url, json=body).status_code == 401
    admin = httpx.post(url, json=body, headers={"Cookie": maker.portal.cookie_of()})
    assert (admin.status_code, admin.json()["error"]["code"]) == (403, "not_your_copy")
    foreign = {"Cookie": maker.cookie, "Origin": "https://evil.example"}
    assert httpx.post(url, json=body, headers=foreign).json()["error"]["code"] == "foreign_origin"
    assert httpx.get(url, headers={"Cookie": maker.cookie}).status_code == 405


async def test_k03_after_a_look_no_trace_of_the_key_is_left(maker: Maker, tmp_path: Path) -> None:
    assert maker.reveal(password=PASSWORD).status_code == 200
    async with Attacker(maker.portal, cookie=maker.cookie) as tab:
        await tab.hydrate("/keys")
        await tab.send(named("keys_state.load"))
        await tab.send(named("keys_state.changed"), {"key_id": maker.key["id"]})
        (row,) = [row for row in tab.var("keys_state", "rows") if row["name"] == "again"]
        assert row["is_mine_to_see"] is True
        sent = repr(tab.received).encode()
    secret = maker.key["secret"].rpartition("_")[2]
    files = [path for path in maker.portal.folder.rglob("*") if path.is_file()]
    assert files
    places = [("what the page was sent", sent), *read_files(files)]
    assert list(search({"key": maker.key["secret"], "secret": secret}, places)) == []


def test_an_edit_is_told_beside_its_form_and_holds(maker: Maker) -> None:
    wrong = maker.post("/keys/update", id=maker.key["id"], name="x", scopes="", allow_ip="10.0.0.1/8")
    assert wrong.status_code == 422
    assert "Did you mean 10.0.0.0/8?" in wrong.json()["error"]["message"]
    body = {"name": "x", "scopes": "read, chat", "allow_ip": "203.0.113.0/24\n2001:db8::/32"}
    assert maker.post("/keys/update", id=maker.key["id"], **body).json() == {"id": maker.key["id"]}
    answer = httpx.get(f"{maker.portal.url}/v1/models", headers={"x-api-key": maker.key["secret"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "address_not_allowed")
