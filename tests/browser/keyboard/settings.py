"""What everybody sets for themselves: password, factors, tokens, sessions, colours, shortcuts; and alerts of theirs."""

import re

from playwright.sync_api import expect

from tests.browser.keyboard.developer import row
from tests.browser.keyboard.hands import Hands
from tests.browser.test_second_factors import steps_of
from tests.browser.test_walk import PASSWORD
from tests.harness import Installation

CHANGED = "another long password"


def colours(hands: Hands) -> None:
    for mode, words in (("dark", "Colours: dark"), ("light", "Colours: light")):
        hands.press("Control+k")
        hands.write(words)
        hands.press("Enter")
        expect(hands.page.locator("html")).to_have_class(re.compile(rf"\b{mode}\b"))
    hands.button("Colours: As the system")


def single_keys(hands: Hands) -> None:
    """Switched off and on again; what works meanwhile is the palette."""
    hands.go("Account")
    hands.tick("Shortcuts of single keys")
    hands.press("?")
    expect(hands.page.locator("dialog[open]")).to_have_count(0)
    hands.press("Space")
    hands.press("Shift+Tab")  # in a field, a box included, a letter is that field's
    hands.press("?")
    expect(hands.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    hands.press("Escape")


def change_the_password(hands: Hands) -> None:
    hands.go("Account")
    hands.fill("Current password", PASSWORD)
    hands.fill("New password", CHANGED)
    hands.press("Enter")
    hands.told(re.compile("^Your password is changed"))


def set_up_an_app(hands: Hands, installation: Installation) -> None:
    hands.go("Account")
    hands.button("Set up an app")
    expect(hands.page.get_by_label("Type the six digits")).to_be_focused()
    hands.write(steps_of(hands.page, installation).next())
    hands.press("Enter")
    codes = hands.page.get_by_role("dialog", name="Save your recovery codes")
    expect(codes).to_be_visible()
    installation.secrets.update(codes.locator("li").all_inner_texts())
    hands.tick("I have saved them", codes)
    hands.button("Done", codes)
    hands.told("On since")


def take_the_app_away(hands: Hands) -> None:
    hands.button("Remove")
    hands.button("Remove it", hands.dialog)
    expect(hands.page.get_by_role("button", name="Set up an app")).to_be_visible()


def tokens(hands: Hands) -> None:
    hands.go("Account")
    hands.link("Access tokens")
    hands.button("Make a token")
    hands.fill("Name", "script", hands.dialog)
    hands.choose("May", "Read and write", hands.dialog)
    hands.button("Make the token", hands.dialog)
    hands.keep_secret()
    hands.act(row(hands, "script").get_by_role("button", name="Revoke"))
    hands.confirm("Revoke it")
    expect(row(hands, "script").get_by_text("revoked")).to_be_visible()


def sessions(hands: Hands) -> None:
    hands.go("Account")
    hands.button("Sign out all others")
    hands.confirm("Sign them out")
    hands.told("Every other browser of yours is signed out.")


def alerts(hands: Hands) -> None:
    """Looked into, muted, taken note of, done with."""
    hands.go("Alerts")
    hands.act(hands.page.get_by_text("Evidence").first)
    hands.button("Mute")
    expect(hands.dialog.get_by_role("button").nth(1)).to_be_visible()
    hands.act(hands.dialog.get_by_role("button").nth(1))
    expect(hands.page.get_by_role("button", name="Unmute")).to_be_visible()
    hands.button("Unmute")
    hands.button("Acknowledge")
    expect(hands.page.get_by_role("button", name="Acknowledge")).to_have_count(0)
    hands.button("Resolve")
    hands.button("Resolved")
    hands.told("The budget is nearly spent.")
