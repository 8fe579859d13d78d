"""Preferences, aliases, the cache: a draft and its review, the history and the way back."""

import re

from playwright.sync_api import expect

from tests.browser.walk.walker import Walker


def preferences(walker: Walker, *, connections: tuple[str, str]) -> None:
    """A chain of two, moved in every way, reviewed, discarded, saved, taken back and cleared."""
    page, (first, second) = walker.page, connections
    walker.go("/preferences")
    whose = page.get_by_label("Whose")
    client = whose.locator("option", has_text="Client").last.inner_text()
    whose.select_option(label=client)
    page.wait_for_url("**scope=client**")
    page.get_by_label("Task", exact=True).select_option("chat")
    page.wait_for_url("**task=chat**")
    for name in connections:
        page.get_by_label("Connection", exact=True).select_option(name)
        walker.press("Add to the chain")
        expect(walker.button(f"Remove {name}")).to_be_visible()
    chain = page.get_by_role("list", name="Chain, first to last").get_by_role("listitem")
    walker.button(f"Move {second} up").press("Enter")
    expect(chain.first).to_contain_text(second)
    walker.button(re.compile(f"^Drag {second}")).press("ArrowDown")
    expect(chain.first).to_contain_text(first)
    if walker.button(f"Test {first}").count():
        walker.press(f"Test {first}")
        walker.said("costs nothing")
    page.get_by_label("Preferably within, ms").fill("soon")
    walker.press("Review the draft")
    walker.told(re.compile("whole number|number"))
    page.get_by_label("Preferably within, ms").fill("900")
    for done in ("Discard", "Save"):
        if done == "Save":
            page.get_by_label("Connection", exact=True).select_option(first)
            walker.press("Add to the chain")
        walker.press("Review the draft")
        expect(page.locator("#draft")).to_be_visible()
        walker.press(done, page.locator("#draft"))
        expect(page.locator("#draft")).to_have_count(0)
    walker.told(f"Saved. Chat goes to {first} first")
    walker.restored()
    back_and_cleared(walker, first)


def back_and_cleared(walker: Walker, name: str) -> None:
    page = walker.page
    walker.press(f"Remove {name}")
    page.get_by_label("Preferably within, ms").fill("800")
    walker.press("Review the draft")
    walker.press("Save", page.locator("#draft"))
    walker.told("Saved.")
    walker.sure(re.compile("^Go back to this, version"), "Go back")
    walker.told("Gone back to version")
    walker.sure("Clear", "Clear them")
    walker.told("Cleared.")


def aliases(walker: Walker) -> None:
    page = walker.page
    walker.go("/aliases")
    whose = page.get_by_label("For", exact=True)
    whose.select_option(label=whose.locator("option", has_text="Client").last.inner_text())
    name = f"fast-{walker.email.partition('@')[0]}"
    for to, words in (("no/such model", "no/such"), ("sandbox/sandbox", f"{name} leads to"), ("sandbox", "leads to")):
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Leads to").fill(to)
        walker.press("Save")
        walker.told(words)
    walker.press(re.compile(f"^History of {name}"))
    page.wait_for_url(f"**history={name}**")
    page.reload()  # what was typed into the form is no part of the view
    expect(page.get_by_role("heading", name=f"History of {name}")).to_be_visible()
    walker.restored()
    walker.sure(re.compile("^Go back to this, version"), "Go back")
    walker.told("as in version")
    walker.sure(re.compile(f"^Remove {name}"), "Remove it")
    walker.told("Removed.")


def cache(walker: Walker, key: str) -> None:
    page = walker.page
    for _ in range(2):
        walker.leg.ask(key, input="to be kept", cache={"ttl": 60}).raise_for_status()
    walker.go("/cache")
    whose = page.get_by_label("Whose")
    whose.select_option(label=whose.locator("option", has_text="Client").first.inner_text())
    page.get_by_label("For how long").fill("a while")
    walker.press("Set")
    walker.told(re.compile("a while|duration|like"))
    page.get_by_label("For how long").fill("1h")
    walker.press("Set")
    walker.told("Set. Answers for")
    walker.sure(re.compile("^Clear the policy of"), "Take it away")
    walker.told("Cleared.")
    expect(walker.button(re.compile("^Purge the answers of")).first).to_be_visible(timeout=20_000)
    walker.sure(re.compile("^Purge the answers of"), "Purge")
    walker.told("Purged.")
    if walker.button("Purge everything").count():
        walker.sure("Purge everything", "Purge everything")
        walker.told("Purged.")
