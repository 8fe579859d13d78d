"""A vendor of one's own in Chromium: started from a built-in row, refused by its field's name, changed, and chosen."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import Tab, chromium
from tests.browser.inspection import Inspection, leave_without_copying, sign_in
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness.installation import Installation

pytestmark = pytest.mark.browser


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_a_vendor_is_added_changed_and_chosen_without_code(tmp_path: Path, browser: Browser, shots: Path) -> None:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    with installation.server() as server:
        inspected = Inspection(Tab(browser, server.url, shots))
        tab, page = inspected.tab, inspected.tab.page
        sign_in(tab)
        leave_without_copying(tab)
        tab.open("/vendors")
        expect(page.get_by_text("No vendor of your own")).to_be_visible()
        inspected.look("vendors-empty")
        page.get_by_role("link", name="Start from this: Groq").click()
        expect(page.get_by_text("Started from the row of Groq.")).to_be_visible()
        expect(page.get_by_label("Kind", exact=True)).to_have_value("groq-own")
        page.get_by_label("Kind", exact=True).fill("acme")
        page.get_by_label("Title").fill("Acme")
        rest = page.get_by_label("What it does otherwise")
        kept = rest.input_value()
        rest.fill(kept + "\ncolour = 1\n")
        page.get_by_role("button", name="Add this vendor").click()
        expect(page.get_by_text(re.compile("'.*colour' is not a field"))).to_be_visible()
        expect(page.get_by_label("Title")).to_have_value("Acme")  # what was filled in stays
        inspected.look("vendors-refused")
        rest.fill(kept)
        page.get_by_role("button", name="Add this vendor").click()
        expect(page.get_by_text("Acme: saved.")).to_be_visible()
        inspected.look("vendors-added")
        page.get_by_role("link", name="Edit Acme").click()
        expect(page.get_by_role("button", name="Save the change")).to_be_visible()
        page.get_by_label("Title").fill("Acme Inc.")
        page.get_by_role("button", name="Save the change").click()
        expect(page.get_by_text("Acme Inc.: saved.")).to_be_visible()
        tab.open("/providers")
        page.get_by_role("button", name="Add provider").first.click()
        page.locator("dialog[open]").get_by_label("Kind").select_option("acme")
        inspected.look("vendors-chosen")
        assert inspected.wrong == []
        assert tab.problems == []
