"""Users and invitations, teams, clients, and the rules of signing in."""

import re

from playwright.sync_api import expect

from tests.browser.walk.walker import Walker


def invited(walker: Walker, email: str) -> str:
    """Invites somebody twice, takes the one of another back; gives the newer link."""
    page = walker.page
    walker.go("/users")
    for address in ("nobody@example.test", email):
        page.get_by_label("E-mail", exact=True).fill(address)
        walker.press("Make an invitation link")
        first = walker.revealed("Copy link")
        expect(walker.row(address)).to_be_visible()
    walker.press("New link", walker.row(email))
    walker.press("Make a new link", walker.dialog)
    link = walker.revealed("Copy link")
    assert link != first
    walker.sure("Take back", "Take it back", walker.row("nobody@example.test"))
    walker.told("Taken back.")
    return link


def users(walker: Walker, email: str) -> None:
    """All that is done with a person who has an account and a second factor."""
    page = walker.page
    walker.go("/users")
    page.get_by_label("Address contains").fill(email.partition("@")[0])
    page.get_by_label("Which").select_option("active")
    page.get_by_label("Who", exact=True).select_option("developer")
    walker.press("Find")
    page.wait_for_url("**role=developer**")
    walker.restored()
    row = walker.row(email, "Users by e-mail address")
    walker.press("Reset link", row)
    walker.press("Make a reset link", walker.dialog)
    assert walker.revealed("Copy link").startswith(f"{walker.leg.base}/reset?token=")
    walker.sure("Reset factor", "Take it away", row)
    walker.told("Taken away.")
    walker.sure("Sign out", "Sign them out", row)
    walker.told("Signed out everywhere.")
    walker.go(f"/users?q={email.partition('@')[0]}")
    for role in ("admin", "developer"):
        walker.sure(f"Make {role}", "Change the role", row)
        walker.told(f"They are {role} now")
    walker.sure("Disable", "Disable", row)
    walker.told("Disabled.")
    walker.press(f"Enable {email}")
    walker.told("Enabled again.")
    walker.go("/users?q=nobody-at-all")
    walker.said("Nobody like that")
    walker.restored()


def teams(walker: Walker, client: str) -> None:
    page = walker.page
    walker.go("/teams")
    for name, words in (("search", "Made the team search"), ("search", re.compile("exists|already|is taken"))):
        page.get_by_label("Name", exact=True).fill(name)
        walker.press("Make a team")
        walker.told(words)
    walker.press("Rename", walker.row("search"))
    walker.dialog.get_by_label("New name").fill(" ")
    walker.press("Rename", walker.dialog)
    walker.refused_in_dialog(re.compile("name|character"))
    walker.dialog.get_by_label("New name").fill("findings")
    walker.press("Rename", walker.dialog)
    walker.told("It is called findings now.")
    who = page.get_by_label("Client", exact=True)
    for team, words in (("findings", "is in the team findings now"), ("No team", "is in no team now")):
        who.select_option(label=who.locator("option", has_text=client).first.inner_text())
        page.get_by_label("Team", exact=True).select_option(label=team)
        walker.press("Move")
        walker.told(words)
    walker.sure("Delete", "Delete it", walker.row("findings"))
    walker.told("Deleted.")


def clients(walker: Walker, owner: str) -> None:
    """A client is made, found, narrowed, disabled and enabled."""
    page = walker.page
    walker.go("/clients")
    walker.press("New client")
    walker.dialog.get_by_label("Name", exact=True).fill("a shop")
    walker.dialog.get_by_label("Owner's e-mail (optional)").fill(owner)
    walker.press("Create", walker.dialog)
    walker.arrived("/clients/[^/]+")
    walker.restored()
    page.get_by_label("Weight, 1 to 1000").fill("heavy")
    walker.press("Save")
    walker.told("The weight is a whole number")
    page.get_by_label("Weight, 1 to 1000").fill("2")
    page.get_by_label("Tasks, or read").fill("chat")
    walker.press("Save")
    walker.told("Saved.")
    walker.sure("Disable", "Disable")
    walker.told("Disabled.")
    walker.press("Enable")
    walker.told("Enabled again.")
    page.get_by_role("link", name="All clients").first.click()
    walker.arrived("/clients")
    page.get_by_label("Name or owner").fill("shop")
    page.get_by_label("State", exact=True).select_option("active")
    walker.press("Find")
    page.wait_for_url("**q=shop**")
    walker.restored()
    walker.go("/clients?q=nobody")
    walker.said("No client like that")


def rule(walker: Walker, whom: str) -> None:
    """Of whom a second factor is asked."""
    walker.go("/sign-in-rules")
    walker.page.get_by_label("Must have one").select_option(whom)
    walker.press("Save")
    walker.told(f"a second factor is asked of {whom}")
