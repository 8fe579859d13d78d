"""T-53: what the portal has, and what it gives somebody who is not signed in. Whatever is new is put in here."""

import typing
from types import SimpleNamespace
from typing import get_args

import httpx
import pytest
import reflex as rx
import typing_extensions
from starlette.applications import Starlette
from starlette.routing import Route

from aiservice.aiservice import app
from aiservice.portal.layout.registry import registered_pages
from aiservice.portal.session import exports, playground, reveal, routes
from aiservice.settings import Settings
from tests.portal.server import PASSWORD, PortalServer
from tests.portal.test_rights import new_email

pytestmark = pytest.mark.process
assert app is not None  # importing it registers every page

SIGN_IN = (
    "ask-first-passkey", "ask-passkey", "ask-second-passkey", "begin-first-app", "change-password", "first-app",
    "first-passkey", "forgot", "invite", "passkey", "reset", "second-factor", "second-passkey", "setup", "sign-in",
    "sign-out", "sign-up",
)  # fmt: skip
SINGLE_SIGN_ON = tuple(f"sso/{{name}}/{step}" for step in ("callback", "confirm", "leave", "start", "test"))
SECRETS = (
    "/access-tokens", "/alert-channels", "/alert-channels/secret", "/alert-rules", "/confirm", "/confirm/ask-passkey",
    "/confirm/passkey",
    "/connections", "/connections/import", "/connections/key", "/connections/keys", "/connections/keys/secret",
    "/factors/app", "/factors/app/prove", "/factors/app/remove", "/factors/codes",
    "/factors/passkeys", "/factors/passkeys/ask", "/factors/passkeys/remove", "/factors/passkeys/rename",
    "/factors/rule", "/first-key",
    "/invite", "/keys", "/keys/reveal", "/keys/roll", "/keys/update", "/payload", "/reset-link", "/sso", "/sso/change",
)  # fmt: skip
EXPORTS = ("audit.csv", "audit.json", "requests.csv", "requests.json", "usage.csv", "usage.json")
PLAYGROUND = ("models", "run", "tasks")
FOR_ADMINS = (
    "/abuse",
    "/alerts/channels",
    "/alerts/rules",
    "/audit",
    "/clients",
    "/clients/[client]",
    "/payloads",
    "/prices",
    "/providers",
    "/providers/[connection]",
    "/shadows",
    "/sign-in-rules",
    "/single-sign-on",
    "/system",
    "/teams",
    "/users",
    "/vendors",
)


def test_t53_the_portals_routes_are_those_of_the_inventory() -> None:
    core = SimpleNamespace(settings=Settings())
    built: Starlette = routes.AuthRoutes(lambda: core, None)._build()  # type: ignore[assignment]
    names = sorted(route.path.removeprefix("/auth/") for route in built.routes if isinstance(route, Route))
    assert names == sorted((*SIGN_IN, *SINGLE_SIGN_ON))
    assert tuple(sorted(reveal.ACTIONS)) == SECRETS
    assert tuple(sorted(path.removeprefix(f"{playground.PREFIX}/") for path in playground.CALLS)) == PLAYGROUND
    assert {page.route for page in registered_pages() if page.is_admin} == set(FOR_ADMINS)


def test_t53_nobody_gets_anything_without_signing_in(portal: PortalServer) -> None:
    own = {"origin": portal.url, "sec-fetch-site": "same-origin"}
    for path in SECRETS:
        answer = httpx.post(f"{portal.url}{reveal.PREFIX}{path}", json={}, headers=own)
        assert answer.status_code == 401, (path, answer.text)
    for name in EXPORTS:
        answer = httpx.get(f"{portal.url}{exports.PREFIX}/{name}", headers=own)
        assert answer.status_code == 401, (name, answer.text)
    for name in PLAYGROUND:
        answer = httpx.post(f"{portal.url}{playground.PREFIX}/{name}?client=cli_x", json={}, headers=own)
        assert answer.status_code == 401, (name, answer.text)
    for name in SIGN_IN:
        answer = httpx.post(f"{portal.url}/auth/{name}", json={}, headers=own)
        is_fine = answer.status_code in (400, 401, 403, 422) or name == "sign-out"
        assert is_fine, (name, answer.status_code, answer.text)
        assert httpx.get(f"{portal.url}/auth/{name}", headers=own).status_code == 405
    for name in SINGLE_SIGN_ON:
        where = f"{portal.url}/auth/{name.format(name='none')}"
        answer = httpx.get(where, headers=own)
        assert answer.headers["location"].startswith(("/sign-in?error=", "/single-sign-on?error=")), (name, answer.text)
        assert "ais_sid" not in answer.headers.get("set-cookie", "")
        assert httpx.post(where, json={}, headers=own).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/_health", "/_upload", "/_all_routes", "/ping", "/admin", "/docs/oauth2-redirect", "/redoc", "/auth/nothing"],
)
def test_t53_what_frameworks_open_by_themselves_is_closed(portal: PortalServer, path: str) -> None:
    for method in ("GET", "POST", "TRACE"):
        assert httpx.request(method, portal.url + path).status_code in (404, 405), (method, path)


def test_t53_what_describes_the_api_is_ours_and_the_management_api_takes_no_session(portal: PortalServer) -> None:
    assert httpx.get(f"{portal.url}/openapi.json").json()["info"]["title"] == "aiservice"
    page = httpx.get(f"{portal.url}/docs")
    assert (page.status_code, "<script" in page.text) == (200, False)
    cookie = portal.cookie_of(new_email(), is_new=True)
    for method in ("GET", "POST", "DELETE"):
        answer = httpx.request(method, f"{portal.url}/api/clients", headers={"Cookie": cookie})
        assert answer.status_code in (401, 405), (method, answer.text)


def test_t68_a_token_is_made_with_the_password_and_acts_for_its_person(portal: PortalServer) -> None:
    email = new_email()
    cookie = portal.cookie_of(email, is_new=True)
    form = {"name": "script", "may": "read", "days": "30", "password": PASSWORD}
    made = httpx.post(f"{portal.url}/auth/secrets/access-tokens", json=form, headers={"Cookie": cookie}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx.get(f"{portal.url}/api/account", headers=headers).json()["email"] == email
    assert httpx.post(f"{portal.url}/api/keys", headers=headers, json={}).json()["code"] == "read_only_token"


@pytest.mark.parametrize("path", ["/", "/keys", "/auth/nothing", "/auth/export/usage.csv", "/_health", "/no-such"])
def test_t52_every_answer_of_the_portal_is_safe_in_a_browser(portal: PortalServer, path: str) -> None:
    for proto in ("http", "https"):
        headers = httpx.get(portal.url + path, headers={"x-forwarded-proto": proto}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "same-origin"
        assert headers.get("strict-transport-security") == ("max-age=31536000" if proto == "https" else None)


def test_rows_of_states_are_what_the_development_server_can_look_into() -> None:
    """Run with `reflex run`, a state's value is compared with its type: of the TypedDicts only Python's own is one that
    Reflex knows. Forms that pydantic reads are of the other kind, and no state holds them."""
    foreign = {
        f"{state.__name__}.{name}"
        for state in _states(rx.State)
        for name, var in state.base_vars.items()
        for kind in (var._var_type, *get_args(var._var_type))
        if typing_extensions.is_typeddict(kind) and not typing.is_typeddict(kind)
    }
    assert foreign == set()


def _states(of: type[rx.State]) -> list[type[rx.State]]:
    return [each for child in of.__subclasses__() for each in (child, *_states(child))]
