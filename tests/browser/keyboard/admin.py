"""What an admin does with providers, prices and routes; every function ends when the page shows that it is done."""

import re

from playwright.sync_api import expect

from tests.browser.filled import LONG_NAME, PROVIDER_KEY
from tests.browser.keyboard.developer import row, save_preferences
from tests.browser.keyboard.hands import Hands


def add_a_provider(hands: Hands, address: str) -> None:
    hands.go("Providers")
    hands.button("Add provider")
    hands.choose("Kind", "OpenAI-compatible", hands.dialog)
    hands.fill("Name", "keyed", hands.dialog)
    hands.fill("Address", address, hands.dialog)
    hands.fill("Key", PROVIDER_KEY, hands.dialog)
    hands.fill("Models (optional)", "mock-small", hands.dialog)
    hands.tick("The address may be private or loopback", hands.dialog)
    hands.button("Test and add", hands.dialog)
    expect(hands.page.locator("dialog[open]")).to_have_count(0)
    hands.told("keyed")


def test_a_provider(hands: Hands) -> None:
    hands.act(row(hands, "keyed").get_by_role("button", name=re.compile("^Test")))
    hands.told(re.compile("^Tested: "))


def give_it_another_key(hands: Hands) -> None:
    hands.act(row(hands, "keyed").get_by_role("button", name="Set key"))
    hands.fill("New key", PROVIDER_KEY, hands.dialog)
    hands.button("Seal this key", hands.dialog)
    expect(hands.page.locator("dialog[open]")).to_have_count(0)


def say_what_it_does_with_data(hands: Hands) -> None:
    hands.act(row(hands, "keyed").get_by_role("button", name="Data"))
    hands.fill(re.compile("^Region where it works"), "eu", hands.dialog)
    hands.button("Save", hands.dialog)
    expect(hands.page.locator("dialog[open]")).to_have_count(0)


def one_more_key_and_none(hands: Hands) -> None:
    """On the connection's own page: a second key, tried, taken out; then the connection goes."""
    hands.link("keyed")
    expect(hands.page.get_by_role("heading", name="Keys of keyed")).to_be_visible()
    hands.button("Add key")
    hands.fill("Key", PROVIDER_KEY + "-2", hands.dialog)
    hands.fill("Label (optional)", "second", hands.dialog)
    hands.button("Test and add", hands.dialog)
    expect(hands.dialog.get_by_role("alert")).to_be_visible()  # the provider does not know that one
    hands.press("Escape")
    hands.fill("Models", "mock-small, mock-large")
    hands.button("Save")
    hands.told("Saved.")
    hands.button("Remove this connection")
    hands.confirm("Remove")
    hands.page.wait_for_url(re.compile("/providers$"))


def prices(hands: Hands) -> None:
    hands.go("Prices")
    hands.act(row(hands, "mock-large").get_by_role("button", name="Set price"))
    hands.fill("Input", "3", hands.dialog)
    hands.fill("Output", "15", hands.dialog)
    hands.fill("Why", "a contract", hands.dialog)
    hands.button("Save", hands.dialog)
    expect(row(hands, "mock-large").get_by_role("button", name="Clear")).to_be_visible()
    hands.act(row(hands, "mock-large").get_by_role("button", name="Clear"))
    hands.confirm("Clear my price")
    expect(row(hands, "mock-large").get_by_role("button", name="Clear")).to_have_count(0)


def aliases(hands: Hands) -> None:
    hands.go("Aliases")
    for to in ("mock/mock-large", "sandbox"):
        hands.choose("For", "Platform")
        hands.fill("Name", "by-keys")
        hands.fill("Leads to", to)
        hands.button("Save")
        hands.told(f"by-keys leads to {to}.")
    hands.button(re.compile("^History of by-keys"))
    hands.button(re.compile("^Go back to this, version"))
    hands.confirm("Go back")
    hands.told(re.compile("as in version"))
    hands.button(re.compile("^Remove by-keys"))
    hands.confirm("Remove it")
    expect(hands.page.get_by_role("button", name=re.compile("^History of by-keys"))).to_have_count(0)


def routes_of_everybody(hands: Hands) -> None:
    hands.go("Preferences")
    hands.choose("Whose", "Platform")
    hands.page.wait_for_url(re.compile("scope=platform"))
    hands.choose("Task", "Chat")
    hands.page.wait_for_url(re.compile("task=chat"))
    hands.choose("Connection", "mock")
    hands.button("Add to the chain")
    save_preferences(hands, "mock first")
    hands.button("Clear")
    hands.confirm("Clear them")
    hands.told("Cleared. What holds above it holds now.")


def shadows(hands: Hands) -> None:
    hands.go("Shadow traffic")
    hands.choose("Also asked", "mock")
    hands.fill("Per cent", "5")
    hands.press("Enter")
    hands.told(re.compile("^Set. 5 %"))
    hands.act(row(hands, LONG_NAME).get_by_role("button"))
    hands.confirm("End it")
    hands.told(re.compile("^Cleared. "))


def cache(hands: Hands) -> None:
    hands.go("Cache")
    hands.choose("Whose", "Everybody")
    hands.choose("Task", "embedding")
    hands.fill("For how long", "2h")
    hands.button("Set")
    clear = hands.page.get_by_role("button", name="Clear the policy of Everybody for embedding")
    hands.act(clear)
    hands.confirm("Take it away")
    expect(clear).to_have_count(0)
    hands.button("Purge everything")
    hands.confirm("Purge everything")
    hands.told(re.compile("^Purged"))


def vendors(hands: Hands) -> None:
    hands.go("Vendors")
    hands.fill("Kind", "by-hand")
    hands.fill("Title", "Keyed")
    hands.fill("Address", "https://api.keyed.example/v1")
    hands.button("Add this vendor")
    hands.link("Edit Keyed")
    expect(hands.page.get_by_role("button", name="Save the change")).to_be_visible()
    hands.fill("Title", "Keyed on")
    hands.button("Save the change")
    hands.told("Keyed on")
    hands.act(row(hands, "Keyed on").get_by_role("button", name="Remove"))
    hands.confirm("Remove it")
    expect(hands.page.get_by_role("link", name="Edit Keyed on")).to_have_count(0)
