"""Providers with their keys, vendors, prices and shadow traffic."""

import re

from playwright.sync_api import expect

from tests.browser.walk.legs import FURTHER_KEYS, PROVIDER_KEY
from tests.browser.walk.walker import Walker


def add(walker: Walker, name: str) -> None:
    """The mock as a provider: a wrong address is refused, then a wrong key, then it is taken."""
    walker.go("/providers")
    walker.press("Add provider")
    form = walker.dialog
    form.get_by_label("Kind").select_option("openai-compatible")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Address", exact=True).fill(walker.leg.mock.base_url)
    form.get_by_label("Key", exact=True).fill("sk-wrong")
    for words in (re.compile("private|loopback|address"), "The test failed"):
        with walker.refused():
            walker.press("Test and add", form)
            expect(form.get_by_role("alert")).to_contain_text(words)
        form.get_by_label("The address may be private or loopback").check()
    form.get_by_label("Key", exact=True).fill(PROVIDER_KEY)
    form.get_by_label("Models (optional)").fill("mock-small, mock-large")
    walker.press("Test and add", form)
    walker.told("Saved.")
    expect(walker.row(name, "Provider connections")).to_be_visible()


def providers(walker: Walker) -> None:
    add(walker, "spare")
    page = walker.page
    row = walker.row("spare", "Provider connections")
    walker.press("Test spare")
    walker.told("Tested: ")
    walker.press("Set key", row)
    walker.dialog.get_by_label("New key").fill("sk-wrong")
    with walker.refused():
        walker.press("Seal this key", walker.dialog)
        expect(walker.dialog.get_by_role("alert")).to_be_visible()
    walker.dialog.get_by_label("New key").fill(PROVIDER_KEY)
    walker.press("Seal this key", walker.dialog)
    walker.told("Saved.")
    walker.press("Data", row)
    walker.dialog.get_by_label("What it is sent").select_option("deny")
    walker.press("Save", walker.dialog)
    walker.told("Saved what spare does with data.")
    walker.press("Disable spare")
    walker.press("Enable spare")
    expect(walker.button("Disable spare")).to_be_visible()
    walker.press("Look again at health")
    expect(page.get_by_role("region", name="Keys of the environment")).to_contain_text("GROQ_API_KEY")
    walker.press("Import")
    walker.dialog.get_by_label("Name").fill("No Name")  # its vendor is not to be asked from here
    with walker.refused():
        walker.press("Test and import", walker.dialog)
        expect(walker.dialog.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    connection(walker)


def connection(walker: Walker) -> None:
    """Its own page: a further key with all that is done to one, its settings, and its end."""
    page = walker.page
    page.get_by_role("link", name="spare", exact=True).click()
    walker.arrived("/providers/[^/]+")
    walker.restored()
    walker.press("Add key")
    walker.dialog.get_by_label("Label (optional)").fill("second")
    walker.dialog.get_by_label("Key", exact=True).fill(PROVIDER_KEY)
    with walker.refused():
        walker.press("Test and add", walker.dialog)
        expect(walker.dialog.get_by_role("alert")).to_contain_text("has this key already")
    walker.dialog.get_by_label("Key", exact=True).fill(FURTHER_KEYS[0])
    walker.press("Test and add", walker.dialog)
    walker.told("Saved.")
    second = walker.row("Key 2")
    walker.press("Test now: Key 2")
    walker.told("Tested: ")
    walker.press("Replace", second)
    walker.dialog.get_by_label("New key").fill(FURTHER_KEYS[1])
    walker.press("Test and seal this key", walker.dialog)
    walker.told("Saved.")
    walker.press("Edit", second)
    walker.dialog.get_by_label("Weight, 1 to 1000").fill("heavy")
    walker.press("Save", walker.dialog)
    walker.refused_in_dialog("must be a whole number")
    walker.dialog.get_by_label("Weight, 1 to 1000").fill("3")
    walker.press("Save", walker.dialog)
    walker.told("Saved.")
    for name in ("Take out Key 2", "Use again Key 2"):
        walker.press(name)
    expect(walker.button("Take out Key 2")).to_be_visible()
    walker.sure("Remove", "Remove", second)
    walker.told("Removed")
    page.get_by_label("Requests a minute").last.fill("600")
    walker.press("Save")
    walker.told("Saved.")
    walker.sure("Remove this connection", "Remove")
    walker.arrived("/providers")
    expect(walker.row("spare", "Provider connections")).to_have_count(0)


def vendors(walker: Walker) -> None:
    page = walker.page
    walker.go("/vendors")
    page.get_by_role("link", name="Start from this: Groq").click()
    walker.said("Started from the row of Groq.")
    walker.press("Start anew")
    page.get_by_role("link", name="Start from this: Groq").click()
    walker.said("Started from the row of Groq.")
    page.get_by_label("Kind", exact=True).fill("acme")
    page.get_by_label("Title").fill("Acme")
    rest = page.get_by_label("What it does otherwise")
    kept = rest.input_value()
    rest.fill(kept + "\ncolour = 1\n")
    walker.press("Add this vendor")
    walker.told(re.compile("colour"))
    rest.fill(kept)
    walker.press("Add this vendor")
    walker.told("Acme: saved.")
    page.get_by_role("link", name="Edit Acme").click()
    expect(walker.button("Save the change")).to_be_visible()
    page.get_by_label("Title").fill("Acme Inc.")
    walker.press("Save the change")
    walker.told("Acme Inc.: saved.")
    walker.sure("Remove", "Remove it", walker.row("Acme Inc."))
    walker.told("Removed.")


def prices(walker: Walker) -> None:
    page = walker.page
    walker.go("/prices")
    page.get_by_label("Model or kind").fill("mock-small")
    walker.press("Find")
    page.wait_for_url("**q=mock-small**")
    walker.restored()
    walker.press("Set price", walker.row("mock-small"))
    for amount in ("dear", "1.50"):
        walker.dialog.get_by_label("Input", exact=True).fill(amount)
        walker.dialog.get_by_label("Output", exact=True).fill("2")
        walker.dialog.get_by_label("Why").fill("a contract")
        walker.press("Save", walker.dialog)
        if amount == "dear":
            walker.refused_in_dialog(re.compile("dear|number|amount"))
    walker.told("costs what you said")
    page.get_by_role("navigation", name="By source").get_by_role("link").nth(1).click()
    page.wait_for_url("**source=**")
    walker.restored()
    walker.go("/prices?q=mock-small")
    walker.sure("Clear", "Clear my price", walker.row("mock-small"))
    walker.told("goes by what is published")


def shadows(walker: Walker, client: str) -> None:
    page = walker.page
    walker.go("/shadows")
    page.get_by_label("Client", exact=True).select_option(label=client)
    page.get_by_label("Also asked").select_option("mock")
    for percent, words in (("some", "The percentage is a number"), ("5", "Set. 5 %")):
        page.get_by_label("Per cent").fill(percent)
        walker.press("Set")
        walker.told(words)
    walker.sure(re.compile(f"^Clear the shadow of {re.escape(client)}"), "End it")
    walker.told("Cleared.")
