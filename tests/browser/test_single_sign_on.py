"""Single sign-on in Chromium, with a provider on the loopback: an admin sets it up, tests it and switches it on;
somebody new comes in by its button, says again who they are, and signs out there, too."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Tab, chromium
from tests.browser.inspection import Inspection, age_sessions
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port
from tests.services.oidc import CLIENT_ID, SECRET, Provider

pytestmark = [pytest.mark.browser, pytest.mark.long]


@contextmanager
def listening() -> Iterator[Provider]:
    """A provider in a thread of its own."""
    loop, there, ready = asyncio.new_event_loop(), Provider(), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
        there.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        task = loop.create_task(serve())
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        rest = asyncio.all_tasks(loop)  # connections that the broker keeps
        for each in rest:
            each.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        loop.close()

    stop: list[object] = []
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield there
    stop[0]()  # type: ignore[operator]
    thread.join(10)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path, {"AISERVICE_PUBLIC_URL": f"http://localhost:{free_port()}"})
    installation.add_admin(ADMIN, PASSWORD)
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    port = int(installation.extra["AISERVICE_PUBLIC_URL"].rpartition(":")[2])
    with installation.server(port=port) as server:
        yield server


def test_people_come_in_by_a_provider_that_an_admin_set_up(
    installation: Installation, server: ServerProcess, shots: Path, evidence: Evidence
) -> None:
    installation.secrets.add(SECRET)
    with listening() as there, chromium() as browser:
        base = f"http://localhost:{server.port}"
        inspected = Inspection(Tab(browser, base, shots))
        tab, page = inspected.tab, inspected.tab.page
        tab.open("/sign-in?next=/single-sign-on")
        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()  # the page has its state
        page.get_by_label("E-mail").fill(ADMIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"{base}/single-sign-on")
        expect(page.get_by_text("No provider yet")).to_be_visible()
        inspected.look("sso-empty")
        page.get_by_role("button", name="Add a provider").click()
        dialog = page.get_by_role("dialog", name="Add a provider")
        expect(dialog.get_by_text(f"{base}/auth/sso/work/callback")).to_be_visible()
        dialog.get_by_label("Issuer").fill(there.issuer)
        dialog.get_by_label("Client id").fill(CLIENT_ID)
        dialog.get_by_label("Client secret").fill(SECRET)
        dialog.get_by_label("Words of the button").fill("Sign in with Example Work")
        dialog.get_by_text("Roles, scopes and trust").click()
        dialog.get_by_label("Its addresses may be private").check()
        inspected.look("sso-add")
        dialog.get_by_role("button", name="Add, switched off").click()
        expect(page.get_by_text("Test the sign-in before")).to_be_visible()
        assert SECRET not in page.content()
        page.get_by_role("button", name="Check the provider").click()
        expect(page.get_by_text("with a key that can be used")).to_be_visible()
        page.get_by_role("link", name="Test this sign-in").click()
        page.wait_for_url("**/single-sign-on?tried=work")
        expect(page.get_by_text("A new account would be made for ada@example.org")).to_be_visible()
        expect(page.get_by_text("email_verified")).to_be_visible()
        inspected.look("sso-tested")
        page.get_by_role("button", name="Switch on").click()
        expect(page.get_by_text("on the sign-in page", exact=True)).to_be_visible()
        inspected.look("sso-on")

        guest = Inspection(Tab(browser, base, shots))
        tab, page = guest.tab, guest.tab.page
        tab.open("/sign-in?next=/keys")
        button = page.get_by_role("link", name="Sign in with Example Work")
        expect(button).to_be_visible()
        guest.look("sso-sign-in")
        button.click()
        page.wait_for_url("**/keys")
        expect(page.locator("h1")).to_have_text("Keys")
        assert installation.query("SELECT email, role FROM person WHERE email = 'ada@example.org'")

        age_sessions(installation)
        tab.open("/account/tokens")
        page.get_by_role("button", name="Make a token").first.click()
        page.get_by_label("Name").first.fill("laptop")
        page.get_by_role("dialog").get_by_role("button", name="Make the token").click()
        again = page.get_by_role("link", name="Use single sign-on instead")
        expect(again).to_be_visible()
        guest.look("sso-confirm")
        with page.expect_popup() as opened:
            again.click()
        expect(opened.value.get_by_text("You have said again who you are")).to_be_visible()
        opened.value.screenshot(path=shots / "sso-confirmed.png")
        opened.value.close()

        tab.open("/keys")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        assert there.count("/logout") == 1

        there.who = {"sub": "eve-1", "email": "eve@example.org"}
        page.get_by_role("link", name="Sign in with Example Work").click()
        page.wait_for_url("**/sign-in?error=sso_email_unverified*")
        expect(page.get_by_text("has not verified your e-mail address")).to_be_visible()
        guest.look("sso-unverified")

        there.who = {"sub": "root-1", "email": ADMIN, "email_verified": True}
        page.get_by_role("link", name="Sign in with Example Work").click()
        page.wait_for_url(f"{base}/")
        tab.open("/account")
        page.get_by_label("Time zone").fill("Asia/Tokyo")
        page.get_by_label("A provider's quota is used up").uncheck()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Times are shown in Asia/Tokyo from now on")).to_be_visible()
        expect(page.get_by_text(" JST").first).to_be_visible()
        guest.look("settings")
        tab.open("/audit")
        expect(page.get_by_text("in Asia/Tokyo")).to_be_visible()

        tab.open("/single-sign-on")
        page.get_by_role("button", name="Require single sign-on").click()
        page.get_by_role("button", name="Require it").click()
        expect(page.get_by_text("Single sign-on is required: no password")).to_be_visible()
        guest.look("sso-required")
        stranger = Inspection(Tab(browser, base, shots))
        stranger.tab.open("/sign-in")
        expect(stranger.tab.page.get_by_role("link", name="Sign in with Example Work")).to_be_visible()
        expect(stranger.tab.page.get_by_label("Password")).to_have_count(0)
        stranger.look("sso-only")

        looks = (inspected, guest, stranger)
        wrong = [each for look in looks for each in look.wrong]
        evidence.note(views=sum(look.seen for look in looks), axe_violations=len(wrong))
        assert wrong == []
