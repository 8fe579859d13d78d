"""What an admin does with people, clients and the service itself."""

import re

from playwright.sync_api import expect

from tests.browser.keyboard.developer import download, row
from tests.browser.keyboard.hands import Hands


def invite(hands: Hands) -> None:
    hands.go("Users")
    hands.fill("E-mail", "new@example.test")
    hands.choose("Role", "Admin")
    hands.button("Make an invitation link")
    hands.keep_secret()
    hands.act(row(hands, "new@example.test").get_by_role("button", name="Take back"))
    hands.confirm("Take it back")
    expect(hands.page.locator("tbody tr", has_text="new@example.test")).to_have_count(0)


def change_people(hands: Hands, email: str) -> None:
    """Another role and back; a link to a new password; signed out; disabled and enabled."""
    for role in ("admin", "developer"):
        hands.act(row(hands, email).get_by_role("button", name=f"Make {role}"))
        hands.confirm("Change the role")
        other = "developer" if role == "admin" else "admin"
        expect(row(hands, email).get_by_role("button", name=f"Make {other}")).to_be_visible()
    hands.act(row(hands, email).get_by_role("button", name="Reset link"))
    hands.button("Make a reset link", hands.dialog)
    hands.keep_secret()
    hands.act(row(hands, email).get_by_role("button", name="Sign out"))
    hands.confirm("Sign them out")
    hands.act(row(hands, email).get_by_role("button", name="Disable"))
    hands.confirm("Disable")
    hands.act(row(hands, email).get_by_role("button", name="Enable"))
    expect(row(hands, email).get_by_role("button", name="Disable")).to_be_visible()


def teams(hands: Hands) -> None:
    hands.go("Teams")
    hands.fill("Name", "by keys")
    hands.press("Enter")
    expect(row(hands, "by keys")).to_be_visible()
    hands.act(row(hands, "by keys").get_by_role("button", name="Rename"))
    hands.fill("New name", "by hand", hands.dialog)
    hands.press("Enter")
    expect(row(hands, "by hand")).to_be_visible()
    hands.choose("Client", "second")
    hands.choose("Team", "by hand")
    hands.button("Move")
    expect(row(hands, "by hand").get_by_text("second")).to_be_visible()
    hands.choose("Team", "No team")
    hands.button("Move")
    expect(row(hands, "by hand").get_by_text("second")).to_have_count(0)
    hands.act(row(hands, "by hand").get_by_role("button", name="Delete"))
    hands.confirm("Delete it")
    expect(hands.page.get_by_text("by hand", exact=True)).to_have_count(0)


def clients(hands: Hands) -> None:
    hands.go("Clients")
    hands.button("New client")
    hands.fill("Name", "keyed client", hands.dialog)
    hands.press("Enter")
    hands.page.wait_for_url(re.compile("/clients/cli_"))
    expect(hands.page.get_by_role("heading", name="keyed client")).to_be_visible()
    hands.fill("Models", "mock/*")
    hands.button("Save")
    hands.told(re.compile("^Saved"))
    hands.button("Disable")
    hands.confirm("Disable")
    hands.button("Enable")
    expect(hands.page.get_by_role("button", name="Disable", exact=True)).to_be_visible()


def abuse(hands: Hands) -> None:
    """A verdict undone, a policy set, tried on the past, and a decoy made."""
    hands.go("Abuse")
    hands.button("Undo")
    hands.confirm("Undo")
    hands.told("All is as usual")
    hands.choose("Client", "second")
    hands.fill("Ceilings", "requests/minute=600:throttle")
    hands.press("Enter")
    hands.told("Set for second.")
    hands.button("Try it on the last 7 days")
    hands.told(re.compile("^On the last 7 days of .* it would have done"))
    hands.button("Make a decoy")
    hands.fill("Where it will be", "the wiki", hands.dialog)
    hands.button("Make a decoy", hands.dialog)
    hands.keep_secret()


def audit(hands: Hands) -> None:
    hands.go("Audit")
    hands.button("Verify the chain")
    hands.told(re.compile("entries is as it was written"))
    hands.fill("Who", "admin@example.test")
    hands.press("Enter")
    hands.page.wait_for_url(re.compile("actor="))
    download(hands, "Download CSV")
    hands.link("Clear all")


def retention(hands: Hands) -> None:
    """Which bodies are kept: on, off, destroyed; and what is past its time."""
    hands.go("Requests")
    hands.link("Kept bodies")
    hands.page.wait_for_url(re.compile("/payloads"))
    off = row(hands, "second").get_by_role("button", name="Keep no more")
    hands.act(off)
    hands.confirm("Keep no more")
    hands.act(row(hands, "second").get_by_role("button", name="Keep", exact=True))
    hands.confirm("Start keeping")
    expect(off).to_be_visible()
    hands.act(row(hands, "second").get_by_role("button", name="Destroy what is kept"))
    hands.confirm("Destroy it")


def system(hands: Hands) -> None:
    hands.go("System")
    hands.button("Examine now")
    expect(hands.page.get_by_role("table", name="What the examination found")).to_be_visible(timeout=60_000)
    hands.button("Purge now")
    hands.confirm("Delete it")
    hands.act(hands.page.get_by_text("Show all").last)
    expect(hands.page.get_by_text("AISERVICE_DATA_DIR").first).to_be_visible()


def alert_rules(hands: Hands) -> None:
    hands.go("Alerts")
    hands.link("Rules")
    hands.button("Add rule")
    hands.fill("Name", "by keys", hands.dialog)
    hands.button("Add rule", hands.dialog)
    expect(row(hands, "by keys")).to_be_visible()
    hands.act(row(hands, "by keys").get_by_role("button", name="Change"))
    hands.fill("Threshold", "30", hands.dialog)
    hands.button("Save", hands.dialog)
    expect(row(hands, "by keys").get_by_text(re.compile("above 30")).first).to_be_visible()
    hands.button("Switch off by keys")
    hands.button("Switch on by keys")
    hands.act(row(hands, "by keys").get_by_role("button", name="Remove"))
    hands.confirm("Remove")
    expect(hands.page.get_by_text("by keys", exact=True)).to_have_count(0)


def alert_channels(hands: Hands, address: str) -> None:
    """A webhook: made, tried, given a new secret, disabled, removed."""
    hands.go("Alerts")
    hands.link("Channels and log")
    hands.button("Add channel")
    hands.choose("Kind", "Webhook", hands.dialog)
    hands.fill("Name", "keyed", hands.dialog)
    hands.fill("To", address, hands.dialog)
    hands.tick("The address may be private or loopback", hands.dialog)
    hands.button("Add channel", hands.dialog)
    hands.keep_secret()
    channel = row(hands, "keyed")
    hands.act(channel.get_by_role("button", name=re.compile("^Send test")))
    hands.told(re.compile("^Test: "))
    hands.act(channel.get_by_role("button", name="New secret"))
    hands.button("Make a new secret", hands.dialog)
    hands.keep_secret()
    hands.button("Disable keyed")
    hands.button("Enable keyed")
    hands.act(channel.get_by_role("button", name="Remove"))
    hands.confirm("Remove")


def sign_in_rules(hands: Hands) -> None:
    hands.go("Sign-in")
    hands.choose("Must have one", "Admins")
    hands.button("Save")
    hands.told(re.compile("a second factor is asked of"))
    hands.choose("Must have one", "Nobody")
    hands.button("Save")
    hands.told(re.compile("a second factor is asked of nobody"))
