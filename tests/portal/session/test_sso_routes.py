"""The routes of single sign-on, as a browser sees them: cookies, redirects, and what is refused."""

import dataclasses
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aiservice.kit.under_path import UnderPath
from aiservice.portal.session.cookie import PLAIN_AWAY, PLAIN_NAME, PLAIN_TICKET, SECURE_AWAY, SECURE_NAME
from aiservice.principal import Role
from aiservice.settings import Settings
from aiservice.store.session import Database
from tests.portal.session.conftest import EMAIL, HOST, PASSWORD, PersonalClients, Site
from tests.portal.session.test_redirects import EVIL
from tests.services.people import BROWSER, ROOT
from tests.services.sso_rig import SsoRig, sso_rig

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@dataclasses.dataclass
class Core:
    accounts: Any
    clients: PersonalClients
    sso: Any
    settings: Settings


@dataclasses.dataclass
class Signing:
    """A site with the provider "work", and the provider."""

    site: Site
    rig: SsoRig

    def browser(self, base: str = HOST) -> httpx.AsyncClient:
        browser = self.site.browser(base=base)
        del browser.headers["origin"]  # which no browser sends where it follows a link
        return browser

    async def come_in(self, browser: httpx.AsyncClient, start: str = "/auth/sso/work/start") -> httpx.Response:
        out = await browser.get(start)
        assert out.status_code == 303
        query = self.rig.there.allow(out.headers["location"])
        return await browser.get("/auth/sso/work/callback", params=query)


@pytest.fixture
async def signing(database: Database, settings: Settings, quick_passwords: None) -> AsyncIterator[Signing]:
    settings = dataclasses.replace(settings, public_url=HOST)
    async with sso_rig(database, settings) as rig:
        await rig.add()
        core: Any = Core(rig.accounts, PersonalClients(), rig.sso, settings)
        yield Signing(Site(core), rig)


def lines(answer: httpx.Response, name: str) -> list[str]:
    return [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]


async def test_a_browser_goes_out_and_comes_back_signed_in(signing: Signing) -> None:
    async with signing.browser() as browser:
        back = await signing.come_in(browser, "/auth/sso/work/start?next=%2Fkeys%3Ftab%3Dall")
        assert (back.status_code, back.headers["location"]) == (303, "/keys?tab=all")
        (session,) = lines(back, PLAIN_NAME)
        assert session.endswith("Path=/; HttpOnly; SameSite=Lax")
        assert lines(back, PLAIN_AWAY)[-1].startswith(f"{PLAIN_AWAY}=; Max-Age=0")
        assert back.headers["cache-control"] == "no-store"
        assert back.headers["referrer-policy"] == "no-referrer"
    assert len(signing.site.core.clients.made_for) == 1


@pytest.mark.long
async def test_the_cookie_of_the_way_out_is_short_lived_and_of_this_host_alone(signing: Signing) -> None:
    async with signing.browser("https://portal.test") as browser:
        out = await browser.get("/auth/sso/work/start")
        (line,) = lines(out, SECURE_AWAY)
        assert line.endswith("Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure")
        assert line.partition("=")[2].partition(";")[0] not in out.headers["location"]
        assert lines(out, SECURE_NAME) == []


@pytest.mark.long
async def test_open_redirect_a_browser_is_only_ever_sent_to_a_page_of_ours(signing: Signing) -> None:
    for number, evil in enumerate(EVIL[:12]):  # all of them are `safe_next`'s, and an address may ask thirty times
        async with signing.browser() as browser:
            out = await browser.get("/auth/sso/work/start", params={"next": evil})
            query = signing.rig.there.allow(out.headers["location"])
            back = await browser.get("/auth/sso/work/callback", params=query)
            assert (number, back.headers["location"]) == (number, "/")


async def test_login_csrf_a_link_to_the_way_back_signs_nobody_in(signing: Signing) -> None:
    async with signing.browser() as attacker, signing.browser() as victim:
        out = await attacker.get("/auth/sso/work/start")
        link = signing.rig.there.allow(out.headers["location"])
        answer = await victim.get("/auth/sso/work/callback", params=link)
        assert answer.headers["location"] == "/sign-in?error=sso_expired"
        assert lines(answer, PLAIN_NAME) == []


async def test_session_fixation_a_session_from_before_is_ended(signing: Signing) -> None:
    planted = await signing.rig.accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    before = await signing.rig.accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    async with signing.browser() as browser:
        browser.cookies.set(PLAIN_NAME, before.cookie, domain="portal.test")
        back = await signing.come_in(browser)
        after = lines(back, PLAIN_NAME)[0].partition("=")[2].partition(";")[0]
        assert after != before.cookie
    assert await signing.rig.accounts.resolve(before.cookie) is None
    assert planted.user_id


@pytest.mark.long
async def test_a_parameter_that_is_there_twice_is_refused(signing: Signing) -> None:
    async with signing.browser() as browser:
        out = await browser.get("/auth/sso/work/start")
        query: Any = [*signing.rig.there.allow(out.headers["location"]).items(), ("code", "another")]
        answer = await browser.get("/auth/sso/work/callback", params=query)
        assert answer.headers["location"] == "/sign-in?error=sso_provider_error"


@pytest.mark.long
async def test_a_provider_that_is_away_is_told_on_the_sign_in_page(signing: Signing) -> None:
    signing.rig.there.answers["/realm/.well-known/openid-configuration"] = lambda: (500, {})
    async with signing.browser() as browser:
        answer = await browser.get("/auth/sso/work/start")
        assert answer.headers["location"] == "/sign-in?error=sso_discovery_invalid"
        assert (await browser.get("/auth/sso/none/start")).headers["location"] == (
            "/sign-in?error=sso_provider_not_found"
        )
        assert (await browser.post("/auth/sso/work/start")).status_code == 405


@pytest.mark.long
async def test_a_second_factor_waits_with_a_ticket_and_no_session(signing: Signing) -> None:
    await signing.rig.sso.change(ROOT, "work", asks_second_factor=True)
    await signing.rig.accounts.factors.set_rule(ROOT, "everybody")
    async with signing.browser() as browser:
        back = await signing.come_in(browser, "/auth/sso/work/start?next=%2Fkeys")
        assert back.headers["location"] == "/first-factor?next=%2Fkeys"
        assert (len(lines(back, PLAIN_TICKET)), lines(back, PLAIN_NAME)) == (1, [])


async def test_signing_out_goes_on_to_the_provider_and_a_plain_form_does_not(signing: Signing) -> None:
    async with signing.browser() as browser:
        await signing.come_in(browser)
        out = await browser.post("/auth/sign-out", json={}, headers={"origin": HOST})
        assert out.json() == {"signed_out": True, "next": "/auth/sso/work/leave"}
        there = await browser.get("/auth/sso/work/leave")
        assert urlsplit(there.headers["location"]).path == "/logout"
        assert (await browser.get("/auth/sso/work/leave")).headers["location"] == "/sign-in?error=sso_expired"
        await signing.come_in(browser)
        form = await browser.post("/auth/sign-out", data={"a": "form"}, headers={"origin": HOST})
        assert form.headers["location"] == "/sign-in"


@pytest.mark.long
async def test_saying_again_who_one_is_ends_on_a_page_of_its_own(signing: Signing) -> None:
    async with signing.browser() as browser:
        assert (await browser.get("/auth/sso/work/confirm")).headers["location"] == "/sign-in?error=session_expired"
        await signing.come_in(browser)
        back = await signing.come_in(browser, "/auth/sso/work/confirm")
        assert (back.status_code, "Close this tab" in back.text) == (200, True)
        assert "default-src 'none'" in back.headers["content-security-policy"]


@pytest.mark.long
async def test_only_an_admin_tries_a_sign_in(signing: Signing) -> None:
    async with signing.browser() as browser:
        await signing.come_in(browser)
        assert (await browser.get("/auth/sso/work/test")).headers["location"] == "/single-sign-on?error=admin_only"
    await signing.rig.accounts.create_user(ROOT, "root@example.org", PASSWORD, Role.ADMIN)
    async with signing.browser() as browser:
        signed_in = await signing.rig.accounts.sign_in("root@example.org", PASSWORD, BROWSER)
        browser.cookies.set(PLAIN_NAME, signed_in.cookie, domain="portal.test")
        back = await signing.come_in(browser, "/auth/sso/work/test")
        assert back.headers["location"] == "/single-sign-on?tried=work"
        assert lines(back, PLAIN_NAME) == []


async def test_below_a_path_and_behind_tls_everything_stays_there(
    database: Database, settings: Settings, quick_passwords: None
) -> None:
    settings = dataclasses.replace(settings, public_url="https://portal.test/ai")
    async with sso_rig(database, settings) as rig:
        await rig.add()
        core: Any = Core(rig.accounts, PersonalClients(), rig.sso, settings)
        site = Site(core)
        site.app = UnderPath("/ai", site.app)
        signing = Signing(site, rig)
        async with signing.browser("https://portal.test") as browser:
            out = await browser.get("/ai/auth/sso/work/start?next=%2Fkeys")
            asked = parse_qs(urlsplit(out.headers["location"]).query)
            assert asked["redirect_uri"] == ["https://portal.test/ai/auth/sso/work/callback"]
            query = rig.there.allow(out.headers["location"])
            back = await browser.get("/ai/auth/sso/work/callback", params=query)
            assert back.headers["location"] == "/ai/keys"
            assert lines(back, SECURE_NAME)[0].endswith("Path=/; HttpOnly; SameSite=Lax; Secure")
            gone = await browser.post("/ai/auth/sign-out", json={}, headers={"origin": "https://portal.test"})
            assert gone.json()["next"] == "/auth/sso/work/leave"  # the page's script puts its own path before it
            there = await browser.get("/ai/auth/sso/work/leave")
            assert "post_logout_redirect_uri=https%3A%2F%2Fportal.test%2Fai%2Fsign-in" in there.headers["location"]
