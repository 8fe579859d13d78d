"""The sign-in routes, as a browser and as a program see them."""

import asyncio
import ipaddress
import threading
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlmodel import select

from aiservice.kit.secret import Secret
from aiservice.portal.session.cookie import PLAIN_NAME, SECURE_NAME, read_session_cookie
from aiservice.portal.session.routes import build
from aiservice.principal import Role
from aiservice.store.session import Database
from aiservice.tables import User
from tests.kit.test_passwords import cost_of
from tests.portal.session.conftest import EMAIL, HOST, PASSWORD, Site, SiteOf
from tests.portal.session.test_redirects import EVIL
from tests.services.people import ROOT

ANOTHER = "staple horse correct"
FORM = {"email": EMAIL, "password": PASSWORD}


def cookie_of(answer: httpx.Response) -> str | None:
    return read_session_cookie(answer.headers["set-cookie"].partition(";")[0])


def token_of(path: str) -> str:
    return parse_qs(urlsplit(path).query)["token"][0]


def query_of(answer: httpx.Response) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


async def test_a_form_signs_in_and_is_redirected_with_the_cookie_of_the_contract(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-in", data={**FORM, "next": "/keys?tab=all"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/keys?tab=all")
    line = answer.headers["set-cookie"]
    assert line.startswith(f"{PLAIN_NAME}=")
    assert line.endswith("; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"].startswith("req_")
    person = await site.core.accounts.resolve(cookie_of(answer))
    assert person is not None and person.email == EMAIL


async def test_json_signs_in_and_is_told_who(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-in", json=FORM)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == EMAIL
    assert answer.json()["next"] == "/"
    assert cookie_of(answer)


async def test_a_refused_form_goes_back_to_its_page_with_a_code_and_nothing_the_user_wrote(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.post(
            "/auth/sign-in", data={"email": "x@y.z", "password": "<script>alert(1)</script>", "next": "/keys"}
        )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fkeys&error=wrong_credentials"
    assert "set-cookie" not in answer.headers
    assert answer.content == b""


@pytest.mark.argon2
async def test_t65_unknown_and_wrong_answers_are_equal_to_the_byte(site: Site) -> None:
    async with site.browser() as browser:
        answers = [
            await browser.post("/auth/sign-in", json={"email": email, "password": ANOTHER})
            for email in (EMAIL, "nobody@example.org")
        ]
    bodies = [answer.json()["error"] for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert all(body.pop("request_id").startswith("req_") for body in bodies)
    assert bodies[0] == bodies[1]
    assert bodies[0]["code"] == "wrong_credentials"
    headers = [{n: v for n, v in answer.headers.items() if n != "x-request-id"} for answer in answers]
    assert headers[0] == headers[1]


async def test_t55_a_planted_cookie_is_not_adopted_and_the_browsers_old_session_ends(site: Site) -> None:
    planted = "P" * 43
    async with site.browser() as browser:
        first = await browser.post("/auth/sign-in", json=FORM, headers={"cookie": f"{PLAIN_NAME}={planted}"})
        old = cookie_of(first)
        again = await browser.post("/auth/sign-in", json=FORM, headers={"cookie": f"{PLAIN_NAME}={old}"})
    assert len({planted, old, cookie_of(again)}) == 3
    assert await site.core.accounts.resolve(planted) is None
    assert await site.core.accounts.resolve(old) is None
    assert await site.core.accounts.resolve(cookie_of(again)) is not None


@pytest.mark.parametrize("text", [text for text in EVIL if text is not None])
async def test_t70_after_signing_in_no_evil_next_is_followed(site: Site, text: str) -> None:
    async with site.browser() as browser:
        bad = await browser.post("/auth/sign-in", data={"email": EMAIL, "password": "short", "next": text})
    assert bad.headers["location"] == "/sign-in?error=password_refused"


async def test_t70_a_good_sign_in_with_an_evil_next_goes_home(site: Site) -> None:
    async with site.browser() as browser:
        for text in ("//evil.example", "/\\evil.example", "https:evil.example", "/%2fevil.example"):
            answer = await browser.post("/auth/sign-in", data={**FORM, "next": text})
            assert answer.headers["location"] == "/"


@pytest.mark.parametrize("route", ["sign-in", "sign-up", "sign-out", "setup", "invite", "reset", "change-password"])
@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://portal.test.evil.example"])
async def test_a_post_from_another_site_is_refused_without_a_redirect(site: Site, route: str, origin: str) -> None:
    async with site.browser() as browser:
        answer = await browser.post(f"/auth/{route}", data=FORM, headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    assert not {"set-cookie", "location"} & set(answer.headers)


async def test_on_our_own_tls_the_cookie_is_host_bound_and_secure(site: Site) -> None:
    async with site.browser(base="https://portal.test") as browser:
        answer = await browser.post("/auth/sign-in", data=FORM)
    assert answer.headers["set-cookie"].startswith(f"{SECURE_NAME}=")
    assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax; Secure")


async def test_only_a_trusted_proxy_can_say_that_the_request_was_https(site_of: SiteOf) -> None:
    site = site_of(trusted_proxies=(ipaddress.ip_network("10.0.0.0/8"),))
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    said = {"x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.7", "origin": "https://portal.test"}
    for peer, name in (("10.0.0.1", SECURE_NAME), ("192.0.2.10", PLAIN_NAME)):
        async with site.browser(peer=peer, **said) as browser:
            answer = await browser.post("/auth/sign-in", data=FORM)
        assert answer.headers["set-cookie"].startswith(f"{name}=")
        person = await site.core.accounts.resolve(cookie_of(answer))
    assert person is not None
    addresses = {session.address for session in await site.core.accounts.sessions_of(person)}
    assert addresses == {"198.51.100.7", "192.0.2.10"}


async def test_on_https_a_plain_cookie_signs_nobody_in(site: Site) -> None:
    async with site.browser() as browser:
        cookie = cookie_of(await browser.post("/auth/sign-in", data=FORM))
    async with site.browser(base="https://portal.test") as browser:
        answer = await browser.post(
            "/auth/change-password",
            json={"current": PASSWORD, "password": ANOTHER},
            headers={"cookie": f"{PLAIN_NAME}={cookie}"},
        )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "session_expired")


async def test_signing_out_ends_the_session_and_takes_the_cookie(site: Site) -> None:
    async with site.browser() as browser:
        cookie = cookie_of(await browser.post("/auth/sign-in", data=FORM))
        answer = await browser.post("/auth/sign-out", data={"x": ""})
        again = await browser.post("/auth/sign-out", json={})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert answer.headers["set-cookie"] == f"{PLAIN_NAME}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
    assert await site.core.accounts.resolve(cookie) is None
    assert again.json() == {"signed_out": True}


async def test_the_setup_form_makes_the_admin_and_their_own_client(site_of: SiteOf) -> None:
    site = site_of()
    token = token_of(await site.core.accounts.setup_link_if_needed() or "")
    async with site.browser() as browser:
        bad = await browser.post("/auth/setup", data={**FORM, "password": "short", "token": token})
        good = await browser.post("/auth/setup", data={**FORM, "token": token, "next": "/first-call"})
        used = await browser.post("/auth/setup", data={**FORM, "token": token})
        forged = await browser.post("/auth/setup", data={**FORM, "token": "<b>x</b>"})
    assert urlsplit(bad.headers["location"]).path == "/setup"
    assert query_of(bad) == {"token": token, "error": "password_refused"}
    assert good.headers["location"] == "/first-call"
    assert query_of(used) == {"token": token, "error": "link_invalid"}
    assert query_of(forged) == {"error": "link_invalid"}
    (person,) = site.core.clients.made_for
    assert person.is_admin and await site.core.accounts.resolve(cookie_of(good)) == person


async def test_invitations_and_resets_go_through_their_links(site: Site) -> None:
    invite = token_of(await site.core.accounts.invite(ROOT, "bob@example.org", Role.ADMIN))
    reset = token_of(await site.core.accounts.reset_link(ROOT, EMAIL))
    async with site.browser() as browser:
        invited = await browser.post("/auth/invite", json={"token": invite, "password": PASSWORD})
        renewed = await browser.post("/auth/reset", json={"token": reset, "password": ANOTHER})
        again = await browser.post("/auth/reset", json={"token": reset, "password": ANOTHER})
    assert (invited.json()["user"]["email"], invited.json()["user"]["role"]) == ("bob@example.org", "admin")
    assert renewed.json()["user"]["email"] == EMAIL
    assert (again.status_code, again.json()["error"]["code"]) == (400, "link_invalid")
    assert [person.email for person in site.core.clients.made_for] == ["bob@example.org"]


async def test_t69_a_foreign_host_finds_its_way_into_no_answer(site: Site) -> None:
    async with site.browser(base="http://evil.example") as browser:
        answer = await browser.post("/auth/sign-in", data=FORM)
    assert answer.headers["location"] == "/"
    assert "evil" not in str(answer.headers)


async def test_sign_up_is_by_invitation_unless_opened(site: Site, site_of: SiteOf) -> None:
    form = {"email": "new@example.org", "password": PASSWORD}
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-up", data=form)
    assert answer.headers["location"] == "/sign-up?error=signup_by_invitation"
    opened = site_of(signup="open")
    async with opened.browser() as browser:
        answer = await browser.post("/auth/sign-up", json={**form, "role": "admin", "is_admin": "1"})
    assert answer.json()["user"]["role"] == "developer"
    assert [person.email for person in opened.core.clients.made_for] == ["new@example.org"]


async def test_a_changed_password_gives_this_browser_a_new_cookie(site: Site) -> None:
    async with site.browser() as browser:
        before = cookie_of(await browser.post("/auth/sign-in", data=FORM))
        wrong = await browser.post("/auth/change-password", data={"current": ANOTHER, "password": ANOTHER})
        answer = await browser.post("/auth/change-password", data={"current": PASSWORD, "password": ANOTHER})
    assert wrong.headers["location"] == "/account?error=wrong_credentials"
    assert await site.core.accounts.resolve(before) is None
    assert await site.core.accounts.resolve(cookie_of(answer)) is not None


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid_request"),
        (b"[]", "application/json", 400, "invalid_request"),
        (b"null", "application/json", 400, "invalid_request"),
        (b'{"email": 1, "password": {}}', "application/json", 400, "invalid_request"),
        (b'{"email": "ada@example.org"}', "application/json", 400, "field_missing"),
        (b'{"email": "\\ud800"}', "application/json", 400, "invalid_request"),
        (b"[" * 5000, "application/json", 400, "invalid_request"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"x", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b'{"email": "' + b"a" * 17_000 + b'"}', "application/json", 413, "request_too_large"),
    ],
)  # fmt: skip
async def test_a_bad_body_is_refused_in_words(
    site: Site, content: bytes, content_type: str, status: int, code: str
) -> None:
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-in", content=content, headers={"content-type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("body", [b"email=%ff", b"email=a&email=b", b"email", b"\xff=1", b"a=1&" * 30 + b"b=1"])
async def test_a_bad_form_goes_back_to_its_page(site: Site, body: bytes) -> None:
    async with site.browser() as browser:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.post("/auth/sign-in", content=body, headers=headers)
    assert answer.headers["location"] == "/sign-in?error=invalid_request"


async def test_a_body_that_lies_about_its_length_is_cut_off_while_it_streams(site: Site) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"a" * 4096

    async with site.browser() as browser:
        headers = {"content-type": "application/json"}
        answer = await browser.post("/auth/sign-in", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent <= 6


async def test_a_compressed_body_is_refused(site: Site) -> None:
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-in", json=FORM, headers={"content-encoding": "gzip"})
    assert answer.status_code == 415


async def test_other_methods_and_paths_are_refused_in_the_contracts_shape(site: Site) -> None:
    async with site.browser() as browser:
        get, unknown = await browser.get("/auth/sign-in"), await browser.post("/auth/nothing")
        slash = await browser.post("/auth/sign-in/")
    assert (get.status_code, get.headers["allow"], get.json()["error"]["code"]) == (405, "POST", "method_not_allowed")
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found_error")
    assert slash.status_code == 404


@pytest.mark.parametrize(
    ("path", "origin", "status"), [("sign-in", "null", 403), ("nothing", HOST, 404), ("sign-in", HOST, 400)]
)
async def test_the_body_is_taken_in_before_any_answer(site: Site, path: str, origin: str, status: int) -> None:
    is_whole = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal is_whole
        yield b"{"
        yield b"}"
        is_whole = True

    async with site.browser() as browser:
        headers = {"content-type": "application/json", "origin": origin}
        answer = await browser.post(f"/auth/{path}", content=body(), headers=headers)
    assert (answer.status_code, is_whole) == (status, True)


async def test_slowapi_slows_an_address_down_and_leaves_others_alone(site: Site) -> None:
    form = {"email": EMAIL, "password": "short"}  # refused before it is counted in the database
    async with site.browser() as browser:
        codes = [(await browser.post("/auth/sign-in", json=form)).status_code for _ in range(31)]
        limited = await browser.post("/auth/sign-in", json=form)
        as_form = await browser.post("/auth/sign-in", data=form)
        elsewhere = await browser.post("/auth/sign-out", json={})
    assert codes == [422] * 30 + [429]
    assert limited.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(limited.headers["retry-after"]) <= 60
    assert query_of(as_form)["error"] == "too_many_requests"
    assert elsewhere.status_code == 200
    async with site.browser(peer="198.51.100.1") as browser:
        assert (await browser.post("/auth/sign-in", json=FORM)).status_code == 200


async def test_a_forged_forwarding_header_does_not_escape_slowapi(site: Site) -> None:
    async with site.browser() as browser:
        codes = [
            (
                await browser.post(
                    "/auth/sign-in",
                    json={"email": EMAIL, "password": "short"},
                    headers={"x-forwarded-for": f"198.51.100.{n}", "X_FORWARDED_FOR": f"198.51.100.{n}"},
                )
            ).status_code
            for n in range(32)
        ]
    assert codes[-2:] == [429, 429]


async def test_the_limiter_stays_on_whatever_the_environment_says(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATELIMIT_ENABLED", "false")
    async with site.browser() as browser:
        codes = [(await browser.post("/auth/sign-up", json={})).status_code for _ in range(12)]
    assert codes[-1] == 429


async def test_a_fault_of_ours_shows_no_inside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ValueError("SELECT secret FROM inside")

    monkeypatch.setattr(site.core.accounts, "sign_in", broken)
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-in", json=FORM)
        as_form = await browser.post("/auth/sign-in", data=FORM)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal_error"
    assert "inside" not in answer.text
    assert as_form.headers["location"] == "/sign-in?error=internal_error"


async def test_an_account_stands_when_its_client_cannot_be_made_yet(
    site_of: SiteOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = site_of(signup="open")

    async def broken(*_: object) -> None:
        raise RuntimeError("no client today")

    monkeypatch.setattr(site.core.clients, "personal", broken)
    async with site.browser() as browser:
        answer = await browser.post("/auth/sign-up", data=FORM)
    assert await site.core.accounts.resolve(cookie_of(answer)) is not None


async def test_in_development_the_browser_returns_to_the_pages_port(site_of: SiteOf) -> None:
    site = site_of(frontend_port=3000)
    await site.core.accounts.create_user(ROOT, EMAIL, PASSWORD, Role.DEVELOPER)
    async with site.browser(base="http://localhost:8000", origin="http://localhost:3000") as browser:
        answer = await browser.post("/auth/sign-in", data={**FORM, "next": "/keys"})
    assert answer.headers["location"] == "http://localhost:3000/keys"


@pytest.mark.sqlite_only("what could stall the loop is the hash")
@pytest.mark.argon2
async def test_t66_fifty_people_sign_in_at_once_without_stalling_the_loop_or_filling_the_memory(
    site: Site, database: Database
) -> None:
    async with database.write() as session:
        (ada,) = (await session.execute(select(User))).scalars()
        for n in range(50):
            person = User(**{**ada.model_dump(), "id": f"usr_{n}", "email": f"user{n}@example.org"})
            session.add(person)

    browsers = [site.browser(peer=f"198.51.100.{n}") for n in range(50)]

    async def sign_in(n: int) -> int:
        form = {"email": f"user{n}@example.org", "password": PASSWORD}
        await asyncio.sleep(n * 0.003)  # all wait together, but this test's own clients do not start in one step
        return (await browsers[n].post("/auth/sign-in", json=form)).status_code

    async def crowd() -> None:
        assert await asyncio.gather(*(sign_in(n) for n in range(50))) == [200] * 50

    await sign_in(0)
    lag, growth = await cost_of(crowd)
    print(f"50 sign-ins at once: loop lag at most {lag * 1000:.1f} ms, RSS + {growth / 1e6:.0f} MB")
    assert lag < 0.05
    assert growth < 300e6


def test_building_starts_nothing() -> None:
    def core() -> object:
        raise AssertionError("not yet")

    before = threading.active_count()
    build(core)  # type: ignore[arg-type]
    assert threading.active_count() == before


async def test_no_answer_repeats_a_secret(site_of: SiteOf) -> None:
    site = site_of(admin_email=EMAIL, admin_password=Secret(PASSWORD))
    await site.core.accounts.start()
    async with site.browser() as browser:
        for route in ("sign-in", "sign-up", "setup", "invite", "reset"):
            for extra in ({}, {"token": "t" * 43}):
                answer = await browser.post(f"/auth/{route}", json={**FORM, **extra})
                assert PASSWORD not in answer.text + str(answer.headers)
    assert HOST not in answer.text
