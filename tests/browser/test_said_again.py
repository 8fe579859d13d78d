"""What asks who is there, and what is kept of a request, as people see them; nothing that axe-core objects to."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.inspection import Inspection, age_sessions, leave_without_copying, sign_in
from tests.browser.test_walk import PASSWORD
from tests.harness import Installation, ServerProcess

pytestmark = pytest.mark.browser


@pytest.mark.long
@pytest.mark.parametrize("installation", [{"AISERVICE_LOG_PAYLOADS": "on"}], indirect=True)
def test_a_request_whose_bodies_are_kept_and_one_that_was_replayed(
    inspected: Inspection, installation: Installation, server: ServerProcess
) -> None:
    key = installation.add_key("kept")["key"]
    installation.command("client", "payloads", "on", "kept")
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a-key"}
    ids = [
        httpx.post(f"{server.url}/ai-service", headers=headers, json={"input": "hello"}).headers["x-request-id"]
        for _ in range(2)
    ]
    tab = inspected.tab
    sign_in(tab)
    leave_without_copying(tab)
    tab.page.wait_for_timeout(3000)  # for what is written behind the answers
    tab.open(f"/requests/{ids[0]}")
    expect(tab.page.get_by_text("1 retry got the same answer")).to_be_visible()
    tab.page.get_by_role("button", name="Show them").click()
    expect(tab.page.get_by_role("region", name="Asked")).to_contain_text("hello")
    expect(tab.page.get_by_role("region", name="Answered")).to_contain_text("finish_reason")
    inspected.look("request-kept")
    tab.open(f"/requests/{ids[1]}")
    expect(tab.page.get_by_text("Replayed from")).to_be_visible()
    inspected.look("request-replayed")
    tab.page.get_by_role("link", name=ids[0]).click()
    expect(tab.page.get_by_text("1 retry got the same answer")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Show them")).to_be_visible()


@pytest.mark.long
def test_what_a_thief_would_want_asks_for_the_password_where_it_is_done(
    inspected: Inspection, installation: Installation
) -> None:
    """T-68, as a person sees it: the form, or the notice over the page, asks; what was filled in stays."""
    installation.add_key("second")
    tab = inspected.tab
    sign_in(tab)
    leave_without_copying(tab)
    tab.open("/keys")
    age_sessions(installation)
    roll_key(tab.page)
    roll = tab.page.locator("dialog[open]").first
    roll.get_by_role("button", name="Roll", exact=True).click()
    expect(roll.get_by_label("Your password")).to_be_focused()
    inspected.look("asked-in-a-form")
    roll.get_by_label("Your password").fill(PASSWORD)
    roll.get_by_role("button", name="Roll", exact=True).click()
    expect(tab.page.get_by_role("dialog", name=re.compile("^Copy the key"))).to_be_visible()
    tab.open("/budgets")
    age_sessions(installation)
    tab.page.get_by_label("Amount").fill("25")
    tab.page.get_by_role("button", name="Set budget").click()
    expect(tab.page.get_by_label("Your password")).to_be_focused()
    inspected.look("asked-in-the-notice")
    tab.page.get_by_label("Your password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Confirm").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("Now do it again")
    expect(tab.page.get_by_label("Amount")).to_have_value("25")
    tab.page.get_by_role("button", name="Set budget").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("may now spend")
    tab.problems = [line for line in tab.problems if "403" not in line]  # the form that was refused


def roll_key(page: Page) -> None:
    page.get_by_role("button", name="Roll", exact=True).first.click()
