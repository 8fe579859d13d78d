"""Single sign-on: a provider on the loopback is set up, checked, tried, switched, required, changed and removed; an
admin comes in by it, says again who they are, and goes out there, too."""

import re

from playwright.sync_api import expect

from tests.browser.inspection import age_sessions
from tests.browser.test_single_sign_on import listening
from tests.browser.walk import account, entering
from tests.browser.walk.walker import Walker
from tests.harness.process import wait_until
from tests.services.oidc import CLIENT_ID, SECRET, Provider

BUTTON = "Sign in with the office"


def single_sign_on(walker: Walker, chief: Walker, known: str) -> None:
    """`chief` is the browser of an admin whom the provider alone knows; `known` has an account with a password."""
    page = walker.page
    walker.leg.installation.secrets.add(SECRET)
    walker.go("/single-sign-on")
    walker.said("No provider yet")
    with listening() as there, walker.beside(there), chief.beside(there):
        there.who = {"sub": "chief-1", "email": chief.email, "email_verified": True, "groups": ["chiefs"]}
        added(walker, there.issuer)
        walker.press("Check the provider")
        walker.told("with a key that can be used")
        page.get_by_role("link", name="Test this sign-in").click()
        walker.arrived("/single-sign-on")
        walker.said(f"A new account would be made for {chief.email}, as admin.")
        walker.press("Switch on")
        walker.told("It is on the sign-in page.")
        walker.press("Require single sign-on")
        walker.press("Require it", walker.dialog)
        walker.told("Sign in by single sign-on first, as an admin")
        comes_in(chief, there)
        walker.sure("Require single sign-on", "Require it")
        walker.told("Single sign-on is required.")
        alone(chief, known)
        walker.press("Let people in in other ways, too")
        walker.told("People may come in in other ways, too.")
        said_again(chief)
        walker.sure("Switch off", "Switch it off")
        walker.told("It is off the sign-in page.")
    walker.press("Change")
    walker.dialog.get_by_label("Words of the button").fill("Sign in with Work")
    walker.press("Save", walker.dialog)
    walker.told("Saved.")
    walker.sure("Remove", "Remove it")
    walker.told("Removed.")


def added(walker: Walker, issuer: str) -> None:
    """Switched off at first; an address that may not be called is refused."""
    walker.press("Add a provider")
    form = walker.dialog
    form.get_by_label("Name", exact=True).fill("office")
    expect(form.get_by_text(f"{walker.leg.base}/auth/sso/office/callback")).to_be_visible()
    assert walker.copied(walker.button("Copy", form)) == f"{walker.leg.base}/auth/sso/office/callback"
    form.get_by_label("Issuer").fill(issuer)
    form.get_by_label("Client id").fill(CLIENT_ID)
    form.get_by_label("Client secret").fill(SECRET)
    form.get_by_label("Words of the button").fill(BUTTON)
    with walker.refused():
        walker.press("Add, switched off", form)
        expect(form.get_by_role("alert")).to_be_visible()
    form.get_by_text("Roles, scopes and trust").click()
    form.get_by_label("Claim with the groups").fill("groups")
    form.get_by_label("Groups of admins").fill("chiefs")
    form.get_by_label("Its addresses may be private").check()
    walker.press("Add, switched off", form)
    walker.told("Saved.")


def comes_in(chief: Walker, there: Provider) -> None:
    """To the page that was asked for; out again, there, too."""
    chief.go("/sign-in?next=/keys")
    chief.page.get_by_role("link", name=BUTTON).click()
    chief.arrived("/keys")
    entering.sign_out(chief)
    assert there.count("/logout") == 1


def alone(chief: Walker, known: str) -> None:
    """Where it is required there is nothing else to sign in with, and who has forgotten a password is told so."""
    page, inbox = chief.page, chief.leg.inbox
    chief.go("/sign-in")
    expect(page.get_by_role("link", name=BUTTON)).to_be_visible()
    expect(page.get_by_label("Password")).to_have_count(0)
    chief.go("/forgot")
    chief.said("a password opens nothing")
    before = len(inbox.messages)
    page.get_by_label("E-mail").fill(known)
    chief.press("Mail me a link")
    chief.said("says how to sign in")
    wait_until(lambda: len(inbox.messages) > before, seconds=10)
    body = inbox.messages[-1].get_payload(decode=True)
    assert isinstance(body, bytes)
    assert re.findall(r"https?://\S+", body.decode()) == [f"{chief.leg.base}/sign-in"]
    page.get_by_role("link", name="Back to sign in").click()
    chief.arrived("/sign-in")
    page.get_by_role("link", name=BUTTON).click()
    chief.arrived("/")


def said_again(chief: Walker) -> None:
    """Who has no password says at the provider that it is they; what was typed stays."""
    page = chief.page
    age_sessions(chief.leg.installation, chief.email)
    chief.go("/account/tokens")
    chief.press("Make a token")
    chief.dialog.get_by_label("Name").fill("a laptop")
    with chief.refused():
        chief.press("Make the token", chief.dialog)
        again = chief.dialog.get_by_role("link", name="Use single sign-on instead")
        expect(again).to_be_visible()
    with page.expect_popup() as opened:
        again.click()
    expect(opened.value.get_by_text("You have said again who you are")).to_be_visible()
    opened.value.close()
    chief.press("Make the token", chief.dialog)
    token = chief.revealed("Copy token")
    assert account.management(chief, token) == 200
