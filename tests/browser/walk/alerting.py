"""Alert channels and rules, what they found, and policies against abuse."""

import re
import sqlite3
from contextlib import closing

from playwright.sync_api import expect

from tests.browser.walk.walker import Walker


def channels(walker: Walker) -> None:
    """A webhook: refused, added, tried, its secret changed, switched, and taken away."""
    page = walker.page
    walker.go("/alerts")
    page.get_by_role("link", name="Channels and log").click()
    walker.arrived("/alerts/channels")
    walker.press("Add channel")
    form = walker.dialog
    form.get_by_label("Name").fill("pager")
    form.get_by_label("To", exact=True).fill("http://127.0.0.1:9/hook")
    with walker.refused():
        walker.press("Add channel", form)
        expect(form.get_by_role("alert")).to_be_visible()
    form.get_by_label("The address may be private or loopback").check()
    walker.press("Add channel", form)
    walker.revealed("Copy secret")
    walker.press(re.compile("^Send test to pager"))
    walker.told("Test: ")
    walker.press("New secret", walker.row("pager"))
    walker.press("Make a new secret", walker.dialog)
    walker.revealed("Copy secret")
    walker.press(re.compile("^Send again to pager"))
    walker.told("It is sent again within a few seconds.")
    for name in ("Disable pager", "Enable pager"):
        walker.press(name)
    expect(walker.button("Disable pager")).to_be_visible()
    walker.sure("Remove", "Remove", walker.row("pager", "Alert channels"))
    expect(walker.row("pager", "Alert channels")).to_have_count(0)


def rules(walker: Walker) -> None:
    """Two are made after a mistake each; one is changed, switched and taken away."""
    page = walker.page
    walker.go("/alerts")
    page.get_by_role("link", name="Rules", exact=True).click()
    walker.arrived("/alerts/rules")
    for name, threshold in (("every request", "0"), ("a second rule", "5")):
        walker.press("Add rule")
        form = walker.dialog
        form.get_by_label("Name").fill(name)
        form.get_by_label("Watch").select_option("requests")
        form.get_by_label("Threshold").fill("many")
        with walker.refused():
            walker.press("Add rule", form)
            expect(form.get_by_role("alert")).to_be_visible()
        form.get_by_label("Threshold").fill(threshold)
        form.get_by_label("Measured over").fill("1h")
        walker.press("Add rule", form)
        walker.told("Saved.")
    walker.press("Change", walker.row("a second rule"))
    walker.dialog.get_by_label("Threshold").fill("6")
    walker.press("Save", walker.dialog)
    walker.told("Saved.")
    expect(walker.row("a second rule")).to_contain_text("above 6")
    for name in ("Switch off a second rule", "Switch on a second rule"):
        walker.press(name)
    expect(walker.button("Switch off a second rule")).to_be_visible()
    walker.sure("Remove", "Remove", walker.row("a second rule"))
    walker.told("Removed.")


def alerts(walker: Walker) -> None:
    """What the rule found: its evidence and course, muted, acknowledged, resolved; both lists, page by page."""
    page = walker.page
    item = page.locator("#content li", has_text="above 0").first
    for _ in range(30):
        walker.go("/alerts")
        if item.count():
            break
        page.wait_for_timeout(1_000)  # a rule is looked at every 15 seconds
    walker.restored()
    item.get_by_text("Evidence").click()
    walker.press("Show how they went", item)
    page.wait_for_url("**course=**")
    walker.said(re.compile("a bar each"), item)
    walker.restored()
    walker.press("Mute", item)
    walker.press("1 hour", walker.dialog)
    walker.told("Muted")
    walker.press("Unmute", item)
    walker.told("Not muted any more.")
    walker.press("Acknowledge", item)
    walker.told("Acknowledged")
    walker.press("Resolve", item)
    walker.told("Resolved.")
    months_pass(walker)
    walker.press("Resolved")
    page.wait_for_url("**state=resolved**")
    walker.restored()
    walker.press("Older")
    page.wait_for_url("**first=30**")
    walker.restored()
    walker.press("Newer")
    page.wait_for_url(lambda url: "first=" not in url)
    walker.press("Open")
    page.wait_for_url(lambda url: "state=" not in url)


def months_pass(walker: Walker) -> None:
    """Forty more that are over, so that there is a second page."""
    with closing(sqlite3.connect(walker.leg.installation.database_path, timeout=10)) as database, database:
        names = [row[1] for row in database.execute("PRAGMA table_info(alert_event)")]
        same = ", ".join(name for name in names if name not in ("id", "open_key"))
        newest = "FROM alert_event WHERE resolved_us IS NOT NULL ORDER BY resolved_us DESC LIMIT 1"
        for number in range(40):
            database.execute(f"INSERT INTO alert_event (id, {same}) SELECT id || '-' || {number}, {same} {newest}")


def abuse(walker: Walker, client: str, key: str) -> None:
    """A ceiling that is broken at once, its verdict undone; a policy tried on the past; a decoy."""
    page = walker.page
    walker.go("/abuse")
    for ceilings, words in (("much", "is not like"), ("requests/minute=1:throttle", "Set for")):
        page.get_by_label("Client", exact=True).first.select_option(label=client)
        page.get_by_label("Without a person it may go").select_option("automatic")
        page.get_by_label("Ceilings", exact=True).first.fill(ceilings)
        walker.press("Set")
        walker.told(words)
    for _ in range(3):
        walker.leg.ask(key)
    undo = walker.button("Undo")
    for _ in range(40):
        if undo.count():
            break
        page.wait_for_timeout(1_000)  # it is judged every 5 seconds
        walker.go("/abuse")
    walker.sure("Undo", "Undo")
    walker.told("Undone.")
    page.get_by_label("Client", exact=True).first.select_option(label=client)
    page.get_by_label("Ceilings", exact=True).first.fill("")
    walker.press("Set")
    walker.told("Set for")
    page.locator("#replay_ceilings").fill("requests/minute=1:throttle")
    page.locator("#replay_client").select_option(label=client)
    walker.press("Try it on the last 7 days")
    walker.said(re.compile("it would have done"))
    walker.press("Make a decoy")
    walker.dialog.get_by_label("Where it will be").fill("the wiki")
    walker.press("Make a decoy", walker.dialog)
    decoy = walker.revealed()
    assert walker.leg.ask(decoy).status_code == 401
