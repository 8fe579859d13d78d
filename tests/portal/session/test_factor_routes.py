"""The second step of a sign-in, as a browser sees it: tickets, cookies, redirects, and what is refused."""

from contextlib import suppress
from typing import Any, cast

import httpx
import pytest
from sqlmodel import update

from aiservice.kit import totp
from aiservice.kit.clock import now_us
from aiservice.kit.passkeys import Site as Page
from aiservice.kit.smtp_url import parse_smtp_url
from aiservice.portal.session.cookie import PLAIN_NAME, PLAIN_TICKET, SECURE_TICKET
from aiservice.principal import Person
from aiservice.services.accounts import Accounts
from aiservice.store import people, sso
from aiservice.store.session import Database
from aiservice.tables import SsoRule, Totp
from aiservice.upstream.mail import Mailer
from tests.portal.session.conftest import EMAIL, HOST, PASSWORD, Site, SiteOf
from tests.portal.session.test_routes import token_of
from tests.services.authenticator import Authenticator
from tests.services.people import BROWSER, ROOT, OpenVault

FORM = {"email": EMAIL, "password": PASSWORD}
LOCAL = "http://localhost:8000"


def local_device() -> Authenticator:
    return Authenticator(LOCAL, "localhost")


def vault_of(site: Site) -> OpenVault:
    return cast(OpenVault, site.core.accounts._limits._vault)


async def person_of(site: Site) -> Person:
    return (await site.core.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).person


async def add_app(site: Site, database: Database) -> bytes:
    """An app of the developer's, whose codes were not used yet; its secret."""
    me = await person_of(site)
    await site.core.accounts.factors.begin_app(me)
    secret = next(iter(vault_of(site).kept.values()))[1].reveal()
    await site.core.accounts.factors.prove_app(me, totp.code_at(secret, totp.step_at(now_us())))
    async with database.write() as session:
        await session.execute(update(Totp).values(last_step=0))
    return secret


def code_now(secret: bytes) -> str:
    return totp.code_at(secret, totp.step_at(now_us()))


async def test_a_form_is_led_to_the_second_step_with_a_ticket_and_no_session(site: Site, database: Database) -> None:
    secret = await add_app(site, database)
    async with site.browser() as browser:
        asked = await browser.post("/auth/sign-in", data={**FORM, "next": "/keys?tab=all"})
        assert (asked.status_code, asked.headers["location"]) == (303, "/second-factor?next=%2Fkeys%3Ftab%3Dall")
        (line,) = asked.headers.get_list("set-cookie")
        assert line.startswith(f"{PLAIN_TICKET}=") and "HttpOnly" in line and "Max-Age=600" in line
        shown = await browser.post("/auth/second-factor", data={"code": code_now(secret), "next": "/keys?tab=all"})
    assert (shown.status_code, shown.headers["location"]) == (303, "/keys?tab=all")
    lines = shown.headers.get_list("set-cookie")
    assert lines[0].startswith(f"{PLAIN_NAME}=") and lines[1].startswith(f"{PLAIN_TICKET}=; Max-Age=0")


async def test_json_is_told_where_to_go_on(site: Site, database: Database) -> None:
    secret = await add_app(site, database)
    async with site.browser() as browser:
        asked = await browser.post("/auth/sign-in", json={**FORM, "next": "//evil.test"})
        assert asked.json() == {"second_factor": "show", "next": "/second-factor"}
        shown = await browser.post("/auth/second-factor", json={"code": code_now(secret), "next": "//evil.test"})
    assert (shown.json()["user"]["email"], shown.json()["next"]) == (EMAIL, "/")


async def test_a_ticket_is_no_session_and_a_session_is_no_ticket(site: Site, database: Database) -> None:
    me = await site.core.accounts.sign_in(EMAIL, PASSWORD, BROWSER)
    secret = await add_app(site, database)
    async with site.browser() as browser:
        await browser.post("/auth/sign-in", json=FORM)
        ticket = browser.cookies[PLAIN_TICKET]
    async with site.browser(cookie=f"{PLAIN_NAME}={ticket}") as thief:
        change = {"current": PASSWORD, "password": "another long password"}
        assert (await thief.post("/auth/change-password", json=change)).status_code == 401
    async with site.browser(cookie=f"{PLAIN_TICKET}={me.cookie}") as thief:
        answer = await thief.post("/auth/second-factor", json={"code": code_now(secret)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "sign_in_expired")


async def test_over_https_only_the_ticket_with_the_host_prefix_counts(site_of: SiteOf, database: Database) -> None:
    site = site_of(public_url="https://portal.test")
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, ROOT.role)
    secret = await add_app(site, database)
    async with site.browser(base="https://portal.test") as browser:
        asked = await browser.post("/auth/sign-in", json=FORM)
        (line,) = asked.headers.get_list("set-cookie")
        assert line.startswith(f"{SECURE_TICKET}=") and line.endswith("; Secure")
        value = browser.cookies[SECURE_TICKET]
    async with site.browser(base="https://portal.test", cookie=f"{PLAIN_TICKET}={value}") as planted:
        answer = await planted.post("/auth/second-factor", json={"code": code_now(secret)})
        assert answer.status_code == 401


async def test_a_wrong_code_goes_back_to_its_page_and_a_late_one_to_the_beginning(
    site: Site, database: Database
) -> None:
    await add_app(site, database)
    async with site.browser() as browser:
        await browser.post("/auth/sign-in", data=FORM)
        wrong = await browser.post("/auth/second-factor", data={"code": "000000", "next": "/keys"})
        assert wrong.headers["location"] == "/second-factor?next=%2Fkeys&error=wrong_factor"
        browser.cookies.clear()
        late = await browser.post("/auth/second-factor", data={"code": "000000", "next": "/keys"})
        assert late.headers["location"] == "/sign-in?next=%2Fkeys&error=sign_in_expired"


async def test_a_passkey_signs_in_alone(site: Site) -> None:
    me, device = await person_of(site), local_device()
    await add_passkey(site, me, device)
    async with site.browser(base=LOCAL) as browser:
        options = (await browser.post("/auth/ask-passkey", json={})).json()
        assert options["rpId"] == "localhost"
        answer = await browser.post("/auth/passkey", json={"credential": device.get(options), "next": "/keys"})
        assert (answer.json()["user"]["email"], answer.json()["next"]) == (EMAIL, "/keys")
        assert browser.cookies[PLAIN_NAME]
        again = await browser.post("/auth/passkey", json={"credential": device.get(options)})
        assert again.status_code in (400, 401)


async def test_a_passkey_answer_from_another_browser_or_another_page_is_refused(site: Site) -> None:
    me, device = await person_of(site), local_device()
    await add_passkey(site, me, device)
    async with site.browser(base=LOCAL) as browser, site.browser(base=LOCAL) as other:
        options = (await browser.post("/auth/ask-passkey", json={})).json()
        await other.post("/auth/ask-passkey", json={})
        stolen = await other.post("/auth/passkey", json={"credential": device.get(options)})
        assert (stolen.status_code, stolen.json()["error"]["code"]) == (400, "wrong_factor")
        phished = Authenticator(origin="http://evil.localhost", rp_id="localhost", key=device.key,
                                credential_id=device.credential_id)  # fmt: skip
        wrong = await browser.post("/auth/passkey", json={"credential": phished.get(options)})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "wrong_factor")
        assert PLAIN_NAME not in {**browser.cookies, **other.cookies}


async def test_a_passkey_is_the_second_step_too(site: Site) -> None:
    me, device = await person_of(site), local_device()
    await add_passkey(site, me, device)
    async with site.browser(base=LOCAL) as browser:
        assert (await browser.post("/auth/sign-in", json=FORM)).json()["second_factor"] == "show"
        options = (await browser.post("/auth/ask-second-passkey", json={})).json()
        answer = await browser.post("/auth/second-passkey", json={"credential": device.get(options)})
        assert answer.json()["user"]["email"] == EMAIL


async def test_a_page_of_another_site_asks_for_nothing(site: Site, database: Database) -> None:
    secret = await add_app(site, database)
    async with site.browser() as browser:
        await browser.post("/auth/sign-in", json=FORM)
        foreign = {"origin": "http://evil.test"}
        for path in ("second-factor", "ask-passkey", "passkey", "first-app", "forgot"):
            answer = await browser.post(f"/auth/{path}", json={"code": code_now(secret)}, headers=foreign)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize(
    ("page", "words"),
    [(HOST, "plain http"), ("http://127.0.0.1:8000", "plain http"), ("https://192.0.2.1", "by its address")],
)
async def test_where_there_are_no_passkeys_the_answer_says_why(site: Site, page: str, words: str) -> None:
    async with site.browser(base=page) as browser:
        answer = await browser.post("/auth/ask-passkey", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "passkeys_unavailable")
    assert words in answer.json()["error"]["message"]


async def test_with_a_public_url_passkeys_belong_to_it_alone(site_of: SiteOf) -> None:
    site = site_of(public_url="https://ai.example.org")
    async with site.browser(base="https://other.example.org") as browser:
        answer = await browser.post("/auth/ask-passkey", json={})
        assert "https://ai.example.org" in answer.json()["error"]["message"]
    async with site.browser(base="https://ai.example.org") as browser:
        assert (await browser.post("/auth/ask-passkey", json={})).json()["rpId"] == "ai.example.org"


async def test_who_must_have_a_factor_makes_it_first_and_gets_recovery_codes_with_the_session(site: Site) -> None:
    await site.core.accounts.factors.set_rule(ROOT, "everybody")
    async with site.browser() as browser:
        asked = await browser.post("/auth/sign-in", json={**FORM, "next": "/keys"})
        assert asked.json() == {"second_factor": "set_up", "next": "/first-factor?next=%2Fkeys"}
        begun = (await browser.post("/auth/begin-first-app", json={})).json()
        assert begun["uri"].startswith("otpauth://totp/aiservice:ada@example.org?secret=")
        secret = next(iter(vault_of(site).kept.values()))[1].reveal()
        done = await browser.post("/auth/first-app", json={"code": code_now(secret), "next": "/keys"})
        assert (len(done.json()["codes"]), done.json()["next"]) == (10, "/keys")
        assert await site.core.accounts.resolve(browser.cookies[PLAIN_NAME])
        late = await browser.post("/auth/begin-first-app", json={})
        assert late.status_code == 401


async def test_a_first_factor_may_be_a_passkey(site: Site) -> None:
    await site.core.accounts.factors.set_rule(ROOT, "everybody")
    async with site.browser(base=LOCAL) as browser:
        await browser.post("/auth/sign-in", json=FORM)
        options = (await browser.post("/auth/ask-first-passkey", json={})).json()
        made = local_device().create(options)
        done = await browser.post("/auth/first-passkey", json={"name": "laptop", "credential": made})
        assert len(done.json()["codes"]) == 10
        assert await site.core.accounts.resolve(browser.cookies[PLAIN_NAME])


async def test_an_invitation_where_a_factor_is_asked_for_leads_to_it(site: Site) -> None:
    await site.core.accounts.factors.set_rule(ROOT, "everybody")
    token = token_of(await site.core.accounts.invite(ROOT, "bob@example.org", ROOT.role))
    async with site.browser() as browser:
        answer = await browser.post("/auth/invite", data={"token": token, "password": PASSWORD, "next": "/first-call"})
    assert answer.headers["location"] == "/first-factor?next=%2Ffirst-call"
    assert PLAIN_NAME not in "".join(answer.headers.get_list("set-cookie"))


class Outbox(Mailer):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__(parse_smtp_url("smtps://user:password@mail.test"), "aiservice@example.org")
        self.sent: list[tuple[str, str]] = []

    async def send(self, recipients: Any, subject: str, text: str, message_id: str = "") -> None:
        self.sent.append((recipients[0], text))


def with_mail(site: Site) -> Outbox:
    outbox = Outbox()
    site.core.accounts.forgotten._mail.mailer = outbox
    return outbox


async def ask(site: Site, email: str, peer: str = "192.0.2.10") -> httpx.Response:
    async with site.browser(peer) as browser:
        answer = await browser.post("/auth/forgot", json={"email": email})
    await mail_of(site.core.accounts).settle()
    return answer


def mail_of(accounts: Accounts) -> Any:
    return accounts.forgotten._mail


async def test_t69_a_forgotten_password_is_mailed_a_link_below_the_configured_address(site_of: SiteOf) -> None:
    site = site_of(public_url="https://ai.example.org/portal")
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, ROOT.role)
    outbox, cookie = with_mail(site), (await site.core.accounts.sign_in(EMAIL, PASSWORD, BROWSER)).cookie
    assert (await ask(site, " ADA@example.org ")).json() == {"next": "/forgot?sent=yes"}
    ((to, text),) = outbox.sent
    assert to == EMAIL
    (link,) = [line for line in text.splitlines() if line.startswith("https://ai.example.org/portal/reset?token=")]
    async with site.browser() as browser:
        reset = {"token": token_of(link), "password": "staple horse correct"}
        assert (await browser.post("/auth/reset", json=reset)).status_code == 200
        assert (await browser.post("/auth/reset", json=reset)).json()["error"]["code"] == "link_invalid"
    assert await site.core.accounts.resolve(cookie) is None, "every session from before is over"


async def test_t65_nothing_tells_whether_a_forgotten_account_exists(site_of: SiteOf) -> None:
    site = site_of(public_url="https://ai.example.org")
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, ROOT.role)
    outbox = with_mail(site)
    answers = [
        [await ask(site, email, f"192.0.2.{each}") for each in range(4)] for email in (EMAIL, "nobody@example.org")
    ]
    for known, unknown in zip(*answers, strict=True):
        bodies = [answer.json() for answer in (known, unknown)]
        for body in bodies:
            with suppress(KeyError):
                del body["error"]["request_id"], body["error"]["retry_after"], body["error"]["message"]
        assert (known.status_code, bodies[0]) == (unknown.status_code, bodies[1])
    assert [answer.status_code for answer in answers[0]] == [200, 200, 200, 429]
    assert len(outbox.sent) == 3


async def test_who_comes_in_by_single_sign_on_alone_is_mailed_where_that_is_and_no_link(
    site_of: SiteOf, database: Database
) -> None:
    site = site_of(public_url="https://ai.example.org/portal")
    for email in (EMAIL, "root@example.org"):
        await site.core.accounts.create_user(ROOT, email, PASSWORD, ROOT.role)
    outbox = with_mail(site)
    async with database.write() as session:
        root = await people.by_email(session, "root@example.org")
        assert root is not None
        await sso.set_rule(session, SsoRule(id=1, is_required=True, break_glass_id=root.id))
    answers = [(await ask(site, email)).json() for email in (EMAIL, "root@example.org", "nobody@example.org")]
    assert answers == [{"next": "/forgot?sent=yes"}] * 3
    (mine, roots) = (text for _, text in outbox.sent)
    assert "https://ai.example.org/portal/sign-in\n" in mine
    assert "token=" not in mine
    assert "/portal/reset?token=" in roots, "their password works all the same"


@pytest.mark.parametrize("public_url", [None, "https://ai.example.org"])
async def test_without_mail_or_without_a_public_address_nothing_is_promised(
    site_of: SiteOf, public_url: str | None
) -> None:
    site = site_of(public_url=public_url)
    if public_url is None:
        with_mail(site)
    assert site.core.accounts.forgotten.is_mailed is False
    answer = await ask(site, EMAIL)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_mail")


async def add_passkey(site: Site, me: Person, device: Authenticator) -> None:
    page = Page(device.rp_id, device.origin)
    made = device.create(await site.core.accounts.factors.begin_passkey(me, page))
    await site.core.accounts.factors.add_passkey(me, "laptop", made, page)
