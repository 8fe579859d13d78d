"""Second factors by the portal's routes and socket: what half a sign-in, a developer and a stranger get of them."""

import base64
import time

import httpx
import pytest

from aiservice.kit import totp
from tests.portal.server import PASSWORD, Attacker, PortalServer
from tests.portal.test_rights import named, new_email
from tests.portal.test_step_up import age, post

pytestmark = pytest.mark.process


def code_of(secret: str, steps_ahead: int = 0) -> str:
    return totp.code_at(base64.b32decode(secret), totp.step_at(time.time_ns() // 1000) + steps_ahead)


def with_app(portal: PortalServer) -> tuple[str, str, str]:
    """A new person with an authenticator app: address, Cookie header and the app's secret."""
    email = new_email()
    cookie = portal.cookie_of(email, is_new=True)
    secret = post(portal, cookie, "/factors/app").json()["app_secret"]
    made = post(portal, cookie, "/factors/app/prove", code=code_of(secret))
    assert len(made.json()["codes"]) == 10, made.text
    return email, cookie, secret


async def test_half_a_sign_in_opens_no_page_and_the_whole_one_does(portal: PortalServer) -> None:
    email, _, secret = with_app(portal)
    half = httpx.post(f"{portal.url}/auth/sign-in", json={"email": email, "password": PASSWORD})
    assert half.json() == {"second_factor": "show", "next": "/second-factor"}
    ticket = half.headers["set-cookie"].partition(";")[0]
    async with Attacker(portal, cookie=ticket) as nobody:
        await nobody.hydrate("/account")
        await nobody.send(named("account_state.load"), path="/account")
        assert nobody.var("session_state", "is_signed_in") is False
        assert nobody.redirects() != []
        await nobody.send(named("second_factor_state.load"), path="/second-factor")
        assert nobody.var("second_factor_state", "has_app") is True
    assert post(portal, ticket, "/first-key").status_code == 401
    code = {"code": code_of(secret, steps_ahead=1)}
    whole = httpx.post(f"{portal.url}/auth/second-factor", json=code, headers={"Cookie": ticket})
    assert whole.status_code == 200, whole.text
    cookie = whole.headers.get_list("set-cookie")[0].partition(";")[0]
    async with Attacker(portal, cookie=cookie) as person:
        await person.hydrate("/account")
        await person.send(named("account_state.load"), path="/account")
        assert (person.var("account_state", "has_factor"), person.var("account_state", "codes_left")) == (True, 10)
        assert secret not in str(person.received)


async def test_t54_what_admins_do_about_factors_is_refused_to_developers(portal: PortalServer) -> None:
    email, cookie, _ = with_app(portal)
    refused = post(portal, cookie, "/factors/rule", second_factor="nobody")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admin_only")
    for who, words in ((cookie, "Only an admin"), (portal.cookie_of(), "Taken away.")):
        async with Attacker(portal, cookie=who) as person:
            await person.hydrate("/users")
            await person.send(named("users_state.reset_factor"), {"user_id": email}, path="/users")
            assert words in person.var("session_state", "notice")
    assert post(portal, cookie, "/first-key").status_code == 401, "their sessions have ended"
    assert portal.cookie_of(email), "the password alone opens again"


def test_t68_a_factor_is_changed_after_a_code_was_said_and_not_before(portal: PortalServer) -> None:
    _, cookie, secret = with_app(portal)
    age(portal)
    refused = post(portal, cookie, "/factors/codes")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "step_up_required")
    wrong = post(portal, cookie, "/factors/codes", password="000000")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "wrong_credentials")
    made = post(portal, cookie, "/factors/codes", password=code_of(secret, steps_ahead=1))
    assert len(made.json()["codes"]) == 10
