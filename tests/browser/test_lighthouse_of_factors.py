"""Lighthouse over the two pages between a password and the portal: only a sign-in that waits leads to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser import test_lighthouse
from tests.browser.test_lighthouse import ELSEWHERE, LEAST, RUNS, USUAL_SLOWDOWN, VERSION, measured, signed_in_browser
from tests.browser.test_second_factors import sign_in, steps_of
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation
from tests.harness.evidence import Evidence

pytestmark = [pytest.mark.browser, pytest.mark.long]
lighthouse = test_lighthouse.lighthouse


@contextmanager
def page_of(port: int) -> Iterator[Page]:
    """The browser's page, which is empty again afterwards: what is open in it would be measured, too."""
    with sync_playwright() as playwright:
        page = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}").contexts[0].pages[0]
        page.on("dialog", lambda dialog: dialog.accept())
        yield page
        page.goto("about:blank")


def begin_a_sign_in(page: Page, base: str, leads_to: str) -> None:
    page.context.clear_cookies()
    sign_in(page, base)
    page.wait_for_url(f"**{leads_to}*")


def set_up_an_app(page: Page, installation: Installation) -> None:
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    page.get_by_label("Type the six digits").fill(steps_of(page, installation).next())
    page.get_by_role("button", name="Turn it on").click()
    page.get_by_label("I have saved them").check()
    page.get_by_role("button", name="Done").click()
    page.wait_for_url("**/")


def test_the_pages_of_second_factors_are_quick_on_a_phone_and_open_to_everybody(
    lighthouse: Path, tmp_path: Path, evidence: Evidence
) -> None:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    first, second = ELSEWHERE
    figures = {}
    with installation.server() as server, signed_in_browser(server.url, tmp_path) as port:
        installation.command("user", "second-factor", "admins")
        with page_of(port) as page:
            begin_a_sign_in(page, server.url, first)
        figures[first] = measured(lighthouse, server.url + first, port)
        with page_of(port) as page:
            page.goto(server.url + first)  # it waits still: what was measured is what somebody who comes in sees
            set_up_an_app(page, installation)
            begin_a_sign_in(page, server.url, second)
        figures[second] = measured(lighthouse, server.url + second, port)
        with page_of(port) as page:
            page.goto(server.url + second)
            expect(page.get_by_label("Code from your authenticator app")).to_be_visible()
    evidence.note(runs=RUNS, lighthouse=VERSION, usual_cpu_slowdown=USUAL_SLOWDOWN, by_page=figures)
    assert {path: told for path, told in figures.items() if any(told[name] < LEAST[name] for name in LEAST)} == {}
