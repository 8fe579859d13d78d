"""Second factors in Chromium, with an authenticator that the browser itself plays: set up, asked for, lost; by keyboard
alone where it says so; and nothing that axe-core objects to on the way."""

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Page, expect

from aiservice.kit import totp
from tests.browser.chromium import PLAIN_HOST, Tab, chromium
from tests.browser.inspection import Inspection, age_sessions
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port, wait_until
from tests.upstream.test_mail import Inbox

MAIL_PORT = free_port()
WITH_MAIL = {"AISERVICE_SMTP_URL": f"smtp://127.0.0.1:{MAIL_PORT}", "AISERVICE_PUBLIC_URL": "https://ai.example.org"}

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    installation = Installation(tmp_path, getattr(request, "param", {}))
    installation.add_admin(ADMIN, PASSWORD)
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=MAIL_PORT)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def inspected(server: ServerProcess, shots: Path, evidence: Evidence) -> Iterator[Inspection]:
    with chromium() as browser:
        inspection = Inspection(Tab(browser, f"http://localhost:{server.port}", shots))
        play_authenticator(inspection.tab)
        yield inspection
        evidence.note(views=inspection.seen, axe_violations=len(inspection.wrong))
        assert inspection.wrong == []
        refused = ("status of 400", "status of 403")  # a wrong code; the password asked for again
        assert [line for line in inspection.tab.problems if not any(words in line for words in refused)] == []


def play_authenticator(tab: Tab) -> None:
    """From now on the browser is its own passkey device, which says yes to everything."""
    devtools = tab.context.new_cdp_session(tab.page)
    devtools.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
              "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})


class Steps:
    """Codes of an app, each of a step that was not used yet."""

    def __init__(self, secret: str) -> None:
        self._secret = base64.b32decode(secret + "=" * (-len(secret) % 8))
        self._last = 0

    def next(self) -> str:
        while (step := totp.step_at(time.time_ns() // 1000)) + 1 <= self._last:
            time.sleep(0.5)
        self._last = max(step, self._last + 1)  # one ahead of the clock is taken, too
        return totp.code_at(self._secret, self._last)


def steps_of(page: Page, installation: Installation) -> Steps:
    """The codes of the secret that is shown; no trace of the installation may hold it (T-24)."""
    secret = page.locator("code[data-secret]").inner_text().replace(" ", "")
    installation.secrets.add(secret)
    return Steps(secret)


def sign_in(page: Page, base: str, path: str = "/sign-in") -> None:
    page.goto(base + path)
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    page.wait_for_url("**/sign-in*")


def save_codes(page: Page, inspected: Inspection | None = None) -> list[str]:
    """The dialog of the recovery codes: it stays until they are said to be saved."""
    dialog = page.get_by_role("dialog", name="Save your recovery codes")
    expect(dialog).to_be_visible()
    if inspected:
        inspected.look("factors-codes")
    for _ in range(2):
        page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    codes = dialog.locator("li").all_inner_texts()
    expect(dialog.get_by_role("button", name="Done")).to_be_disabled()
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert set(codes) < set(download.value.path().read_text().splitlines())
    dialog.get_by_label("I have saved them").check()
    dialog.get_by_role("button", name="Done").click()
    return codes


def test_an_app_a_passkey_and_a_recovery_code_are_set_up_and_sign_in(
    inspected: Inspection, installation: Installation
) -> None:
    tab = inspected.tab
    page = tab.page
    sign_in(page, tab.base)
    page.wait_for_url("**/")
    tab.open("/account")
    inspected.look("factors-none")
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    inspected.look("factors-app")
    steps = steps_of(page, installation)
    for code in ("000 000", steps.next()):
        page.get_by_label("Type the six digits").fill(code)
        page.get_by_role("button", name="Turn it on").click()
        if code == "000 000":
            expect(page.get_by_role("alert")).to_contain_text("not right")
    codes = save_codes(page, inspected)
    installation.secrets.update(codes)
    page.get_by_label("Name of the passkey").fill("My laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("cell", name="My laptop")).to_be_visible()
    inspected.look("factors-all")

    sign_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/")

    tab.open("/account")
    sign_out(page)
    sign_in(page, tab.base, "/sign-in?next=/keys")
    page.wait_for_url("**/second-factor?next=*")
    expect(page.get_by_label("Code from your authenticator app")).to_be_focused()
    inspected.look("factors-asked")
    page.keyboard.type(steps.next())
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys")

    sign_out(page)
    sign_in(page, tab.base)
    page.get_by_role("button", name="Use your passkey").click()
    page.wait_for_url("**/")

    tab.open("/account")
    sign_out(page)
    sign_in(page, tab.base)
    page.get_by_text("Use a recovery code").click()
    inspected.look("factors-recovery")
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Continue with it").click()
    page.wait_for_url("**/")
    tab.open("/account")
    expect(page.get_by_text("9 of 10 are left.")).to_be_visible()


def test_who_must_have_a_factor_is_led_to_it_and_does_it_by_keyboard_alone(
    inspected: Inspection, installation: Installation
) -> None:
    tab = inspected.tab
    page = tab.page
    installation.command("user", "second-factor", "admins")
    page.goto(tab.base + "/sign-in?next=/keys")
    page.keyboard.type(ADMIN)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/first-factor?next=*")
    button = page.get_by_role("button", name="Set up an app")
    expect(button).to_be_visible()
    inspected.look("factors-first")
    tab_to(page, "Set up an app")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Type the six digits")).to_be_focused()
    inspected.look("factors-first-app")
    steps = steps_of(page, installation)
    page.get_by_label("Type the six digits").focus()
    page.keyboard.type(steps.next())
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Save your recovery codes")
    expect(dialog.get_by_role("button", name="Copy")).to_be_focused()
    tab_to(page, "I have saved them")
    page.keyboard.press("Space")
    tab_to(page, "Done")
    page.keyboard.press("Enter")
    page.wait_for_url("**/keys")
    tab.open("/sign-in-rules")
    expect(page.get_by_label("Must have one")).to_have_value("admins")
    inspected.look("factors-rule")
    page.get_by_label("Must have one").select_option("nobody")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("a second factor is asked of nobody")).to_be_visible()
    assert installation.command("user", "second-factor") == {"second_factor": "nobody", "without": []}


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what has that name (a button, a box) has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement; return (e.labels?.[0] ?? e).textContent.trim(); }"
        )
        if focused == name:
            return
    raise AssertionError(f"'{name}' is not reached by Tab")


def test_on_plain_http_the_pages_say_why_there_are_no_passkeys(server: ServerProcess, shots: Path) -> None:
    with chromium() as browser:
        tab = Tab(browser, f"http://{PLAIN_HOST}:{server.port}", shots)
        tab.open("/sign-in")
        expect(tab.page.get_by_text("Passkeys need https")).to_be_visible()
        expect(tab.page.get_by_role("button", name="Sign in with a passkey")).to_be_disabled()
        tab.shoot("factors-plain-http")
        address = Tab(browser, server.url, shots)
        address.open("/sign-in")
        expect(address.page.get_by_text(f"Open http://localhost:{server.port} instead")).to_be_visible()
        assert tab.problems == [] and address.problems == []


def test_a_change_of_factors_asks_who_is_there_and_a_passkey_answers(
    inspected: Inspection, installation: Installation
) -> None:
    installation.add_key("second")
    tab = inspected.tab
    page = tab.page
    sign_in(page, tab.base)
    page.wait_for_url("**/")
    tab.open("/account")
    page.get_by_role("button", name="Add a passkey").click()
    save_codes(page)
    age_sessions(installation)
    page.get_by_role("button", name="Make new codes").click()
    page.locator("button", has_text="Make new codes").click()
    expect(page.get_by_label("Your password, or a code of your app")).to_be_focused()
    inspected.look("factors-who")
    page.get_by_role("button", name="Use a passkey instead").click()
    assert len(save_codes(page)) == 10
    tab.open("/budgets")
    age_sessions(installation)
    page.get_by_label("Amount").fill("25")
    page.get_by_role("button", name="Set budget").click()
    inspected.look("factors-who-in-the-notice")
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("alert")).to_contain_text("Now do it again")
    page.get_by_role("button", name="Set budget").click()
    expect(page.get_by_role("alert")).to_contain_text("may now spend")


@pytest.mark.parametrize("installation", [WITH_MAIL], indirect=True)
def test_a_forgotten_password_is_mailed_a_link_and_chosen_anew(inspected: Inspection, inbox: Inbox) -> None:
    tab = inspected.tab
    page = tab.page
    tab.open("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    expect(page.get_by_label("E-mail")).to_be_focused()
    inspected.look("forgot-mailed")
    page.keyboard.type(ADMIN)
    page.keyboard.press("Enter")
    expect(page.get_by_text("a link is on its way")).to_be_visible()
    inspected.look("forgot-sent")
    wait_until(lambda: len(inbox.messages) == 1, seconds=10)
    text = str(inbox.messages[0].get_payload())
    (token,) = re.findall(r"https://ai\.example\.org/reset\?token=([\w=-]+)", text)
    tab.open(f"/reset?token={token}")
    page.get_by_label("New password").fill("another long password")
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/")
    tab.open(f"/reset?token={token}")
    page.get_by_label("New password").fill("a third long password")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid any more")
