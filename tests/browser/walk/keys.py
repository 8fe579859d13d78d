"""Keys, limits and budgets: made, changed, seen again, rolled, revoked; set and cleared; mistakes are told."""

import re

from playwright.sync_api import expect

from tests.browser.inspection import age_sessions
from tests.browser.walk.walker import PASSWORD, Walker


def keys(walker: Walker) -> str:
    """All that can be done with a key; gives the secret of one that still works at the end."""
    page = walker.page
    walker.go("/keys#create")
    expect(walker.dialog).to_be_visible()
    walker.dialog.get_by_label("Name").fill("Walked")
    walker.dialog.get_by_text("Limits, scope and expiry").click()
    walker.dialog.get_by_label("Allowed addresses").fill("nowhere")
    with walker.refused():
        walker.press("Create key", walker.dialog)
        expect(walker.dialog.get_by_role("alert")).to_be_visible()
    walker.dialog.get_by_label("Allowed addresses").fill("127.0.0.0/8")
    walker.dialog.get_by_label("Requests a minute").fill("500")
    walker.dialog.get_by_label("I can see it again").check()
    walker.press("Create key", walker.dialog)
    secret = walker.revealed()
    assert walker.leg.ask(secret).status_code == 200
    row = walker.row("Walked")
    walker.press("Edit", row)
    walker.dialog.get_by_label("Name").fill("Walked further")
    walker.press("Save", walker.dialog)
    row = walker.row("Walked further")
    seen_again(walker, secret)
    rolled(walker, secret)
    narrowed(walker)
    walker.go("/keys")
    spare(walker)
    last = page.locator("tbody tr", has_text="Spare").first
    walker.sure("Revoke", "Revoke", last)
    walker.told("Requests with this key get 401")
    return secret


def seen_again(walker: Walker, secret: str) -> None:
    age_sessions(walker.leg.installation, walker.email)
    walker.press("See again", walker.row("Walked further"))
    with walker.refused():
        walker.press("Show the key", walker.dialog)
        expect(walker.dialog.get_by_role("alert")).to_be_visible()
    walker.dialog.get_by_label("Your password").fill(PASSWORD)
    walker.press("Show the key", walker.dialog)
    assert walker.revealed() == secret


def rolled(walker: Walker, old: str) -> None:
    """With an overlap, during which both work, and the end of it."""
    walker.press("Roll", walker.row("Walked further"))
    walker.press("Roll", walker.dialog)
    new = walker.revealed()
    assert (walker.leg.ask(old).status_code, walker.leg.ask(new).status_code) == (200, 200)
    walker.sure("End overlap", "End it", walker.row("Walked further"))
    walker.told("The old secret is refused from now on.")
    assert (walker.leg.ask(old).status_code, walker.leg.ask(new).status_code) == (401, 200)


def narrowed(walker: Walker) -> None:
    page = walker.page
    walker.go("/keys")
    walker.press("Create key")
    own_client = walker.dialog.locator("#client").input_value()  # what the form for a new key begins with
    page.keyboard.press("Escape")
    page.locator("#key-search").fill("further")
    walker.press("Search")
    page.wait_for_url("**q=further**")
    page.get_by_label("State", exact=True).select_option("working")
    page.wait_for_url("**state=working**")
    page.locator("#by-client").select_option(own_client)
    page.wait_for_url("**client=**")
    walker.press(re.compile("Tokyo"))
    page.wait_for_url("**tz=Asia**")
    expect(walker.row("Walked further")).to_be_visible()
    walker.restored()
    walker.go("/keys?q=nobody")
    walker.said("No key is like that")
    walker.restored()
    walker.go("/keys?state=odd")
    walker.press("Try again")
    page.get_by_role("link", name="Show all keys").click()
    walker.arrived("/keys")


def spare(walker: Walker) -> None:
    """A key that is left without being copied: the dialog asks first."""
    walker.press("Create key")
    walker.dialog.get_by_label("Name").fill("Spare")
    walker.press("Create key", walker.dialog)
    expect(walker.page.get_by_role("dialog", name=re.compile("^Copy the key"))).to_be_visible()
    walker.page.keyboard.press("Escape")
    walker.said("You have not copied it yet")
    walker.press("Close without copying")
    expect(walker.page.locator("dialog[open]")).to_have_count(0)


def limits(walker: Walker) -> None:
    page = walker.page
    walker.go("/limits")
    holder = page.get_by_label("For", exact=True)
    holder.select_option(label=holder.locator("option", has_text="Key Walked further").first.inner_text())
    for amount, words in (("lots", "A limit is a whole number"), ("700", "Set. ")):
        page.get_by_label("At most").fill(amount)
        page.get_by_label("Limit", exact=True).select_option(index=1)
        walker.press("Set")
        walker.told(words)
    expect(walker.row("700")).to_be_visible()
    if walker.button("Copy a request").count():
        walker.copied(walker.button("Copy a request").first)
    walker.sure(re.compile("^Clear 700"), "Take it away")
    walker.told("Cleared.")


def budgets(walker: Walker) -> None:
    """A mistake, a budget, the password that is asked for again, and the end of it."""
    page = walker.page
    walker.go("/budgets")
    whose = page.get_by_label("Whose", exact=True)
    whose.select_option(label=whose.locator("option", has_text="Key Walked further").first.inner_text())
    page.get_by_label("Amount").fill("a fortune")
    walker.press("Set budget")
    walker.told(re.compile("amount|USD|number"))
    page.get_by_label("Amount").fill("25")
    walker.press("Set budget")
    walker.told("may now spend")
    age_sessions(walker.leg.installation, walker.email)
    page.get_by_label("Amount").fill("30")
    walker.press("Set budget")
    page.get_by_label("Your password").fill(PASSWORD)
    walker.press("Confirm")
    walker.told("Now do it again")
    walker.press("Set budget")
    walker.told("may now spend")
    if walker.button(re.compile("^Copy")).count():
        walker.copied(walker.button(re.compile("^Copy")).first)
    walker.sure("Clear", "Clear it", page.get_by_role("list", name="Budgets").get_by_role("listitem").first)
    walker.told("Cleared.")
