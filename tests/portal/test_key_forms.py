"""Making a key over the portal's route: with a name alone, with every bound, and none where a bound is refused."""

import httpx
import pytest

from tests.portal.server import PortalServer
from tests.portal.test_rights import new_email

pytestmark = pytest.mark.process


def made(portal: PortalServer, cookie: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{portal.url}/auth/secrets/keys", headers={"Cookie": cookie}, json={"name": "k", **fields})


def may(portal: PortalServer, key: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {key}"}
    limits: dict[str, object] = httpx.get(f"{portal.url}/ai-service/limits", headers=headers).json()
    return limits


def test_a_name_is_enough_and_makes_a_key_of_ones_own_client(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    answer = made(portal, cookie)
    assert answer.status_code == 200
    assert (
        httpx.post(
            f"{portal.url}/ai-service",
            headers={"Authorization": f"Bearer {answer.json()['secret']}"},
            json={"input": "x"},
        ).status_code
        == 200
    )


def test_every_bound_of_the_form_holds(portal: PortalServer) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    bounds = {"rpm": "1,0", "tpm": "5000", "concurrency": "2", "budget": "2.50", "budget_period": "week"}
    scope = {"tasks": "embedding chat read", "connections": "sandbox", "models": "sandbox", "expires_in": "1h"}
    answer = made(portal, cookie, **bounds, **scope)
    assert answer.status_code == 200, answer.text
    told = str(may(portal, answer.json()["secret"]))
    assert "'limit': 10" in told
    assert "5000" in told
    assert "2.5" in told
    headers = {"Authorization": f"Bearer {answer.json()['secret']}"}
    refused = httpx.post(f"{portal.url}/ai-service", headers=headers, json={"task": "summarization", "input": "x"})
    assert refused.json()["error"]["code"] == "out_of_scope"


@pytest.mark.parametrize(
    "fields",
    [
        {"rpm": "many"},
        {"budget": "much"},
        {"budget": "5", "budget_period": "year"},
        {"expires_in": "soon"},
        {"tasks": "x"},
    ],
)
def test_what_cannot_be_makes_no_key(portal: PortalServer, fields: dict[str, str]) -> None:
    cookie = portal.cookie_of(new_email(), is_new=True)
    assert made(portal, cookie, **fields).status_code in (400, 422)
    first = httpx.post(f"{portal.url}/auth/secrets/first-key", headers={"Cookie": cookie}, json={})
    listed = first.json()
    # A key that was revoked at once is no first key; where none was made, the first one is made now.
    assert fields.get("budget_period") == "year" or "secret" in listed
