"""Single sign-on: a provider on the loopback is set up, checked, tried, switched, required, changed and removed."""

from playwright.sync_api import expect

from tests.browser.test_single_sign_on import listening
from tests.browser.walk.walker import Walker
from tests.services.oidc import CLIENT_ID, SECRET


def single_sign_on(walker: Walker) -> None:
    page = walker.page
    walker.leg.installation.secrets.add(SECRET)
    walker.go("/single-sign-on")
    walker.said("No provider yet")
    with listening() as there, walker.beside(there.issuer):
        added(walker, there.issuer)
        walker.press("Check the provider")
        walker.told("with a key that can be used")
        page.get_by_role("link", name="Test this sign-in").click()
        walker.arrived("/single-sign-on")
        walker.said("The last test:")
        walker.press("Switch on")
        walker.told("It is on the sign-in page.")
        walker.sure("Require single sign-on", "Require it")
        walker.told("Single sign-on is required.")
        walker.press("Let people in in other ways, too")
        walker.told("People may come in in other ways, too.")
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
    with walker.refused():
        walker.press("Add, switched off", form)
        expect(form.get_by_role("alert")).to_be_visible()
    form.get_by_text("Roles, scopes and trust").click()
    form.get_by_label("Its addresses may be private").check()
    walker.press("Add, switched off", form)
    walker.told("Saved.")
