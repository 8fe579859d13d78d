"""What an admin looks at to run it: the audit log and the system page."""

import json

from playwright.sync_api import expect

from tests.browser.walk.walker import Walker


def audit(walker: Walker) -> None:
    page = walker.page
    walker.go("/audit")
    walker.press("Verify the chain")
    walker.said("is as it was written")
    page.get_by_label("Did", exact=True).select_option("key.create")
    page.wait_for_url("**action=key.create**")
    walker.restored()
    page.get_by_label("Who", exact=True).fill(walker.email)
    walker.press("Find")
    page.wait_for_url("**actor=**")
    walker.restored()
    page.get_by_label("From", exact=True).fill("2026-01-01T00:00")
    walker.press("Apply")
    page.wait_for_url("**from=2026**")
    walker.restored()
    listed = json.loads(walker.download("Download JSON"))
    rows = listed["data"] if isinstance(listed, dict) else listed
    assert {row["action"] for row in rows} == {"key.create"}
    assert len(walker.download("Download CSV").splitlines()) == len(rows) + 1
    page.get_by_role("link", name="Clear all").click()
    walker.arrived("/audit")
    walker.go("/audit?action=none")
    page.get_by_role("link", name="Show all entries").click()
    walker.arrived("/audit")


def system(walker: Walker) -> None:
    page = walker.page
    walker.go("/system")
    walker.press("Look again")
    walker.press("Examine now")
    expect(page.get_by_role("region", name="What the examination found")).to_be_visible(timeout=60_000)
    walker.sure("Purge now", "Delete it")
    walker.told("past their time")
    for title in page.get_by_text("Show all", exact=True).all():
        title.click()
    expect(page.get_by_role("region", name="Settings that hold, with their source")).to_contain_text("SIGNUP")
