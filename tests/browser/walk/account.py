"""One's own account: password, browsers that are signed in, access tokens, second factors."""

import re

import httpx
from playwright.sync_api import expect

from tests.browser.chromium import PLAIN_HOST
from tests.browser.inspection import age_sessions
from tests.browser.test_second_factors import Steps, play_authenticator, save_codes, steps_of
from tests.browser.walk import entering
from tests.browser.walk.walker import PASSWORD, Walker


def account(walker: Walker) -> None:
    """Other browsers are signed out, one and all; the colours and shortcuts are chosen; the password is changed."""
    page = walker.page
    for _ in range(3):
        elsewhere(walker)
    walker.go("/account")
    rows = page.get_by_role("region", name="Signed-in browsers").locator("tbody tr")
    count = rows.count()
    walker.sure("Sign out", "Sign it out", page.get_by_role("region", name="Signed-in browsers"))
    walker.told("That browser is signed out.")
    expect(rows).to_have_count(count - 1)
    walker.sure("Sign out all others", "Sign them out")
    walker.told("Every other browser of yours is signed out.")
    expect(rows).to_have_count(1)
    for name in ("Dark", "Light"):
        page.get_by_role("button", name=name).or_(page.get_by_role("radio", name=name)).first.click()
        expect(page.locator("html")).to_have_class(re.compile(name.lower()))
    shortcuts = page.get_by_label(re.compile("Shortcuts of single keys"))
    shortcuts.uncheck()
    shortcuts.check()
    settings(walker)
    walker.fill(Current_password="not the password", New_password=PASSWORD)
    entering.refused(walker, "Change the password")
    walker.fill(Current_password=PASSWORD, New_password=PASSWORD)
    walker.press("Change the password")
    walker.told("Your password is changed.")


def settings(walker: Walker) -> None:
    """The time zone and what is mailed: another tab shows what was saved; then as it was."""
    page = walker.page
    box = page.get_by_role("group", name=re.compile("^By mail at once")).get_by_role("checkbox").first
    for zone in ("Nowhere/Else", "Europe/Paris"):
        page.get_by_label("Time zone").fill(zone)
        box.uncheck()
        page.get_by_label("A mail a day with the alerts of the day").select_option("daily")
        walker.press("Save")
        walker.told("time zone" if zone == "Nowhere/Else" else "Times are shown in Europe/Paris from now on.")
    walker.go("/account")
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Paris")
    expect(box).not_to_be_checked()
    page.get_by_label("Time zone").fill("UTC")
    box.check()
    walker.press("Save")
    walker.told("Times are shown in UTC from now on.")


def elsewhere(walker: Walker) -> None:
    """The same person signs in in another browser."""
    url = walker.leg.base.replace(PLAIN_HOST, "127.0.0.1") + "/auth/sign-in"
    headers = {"Host": walker.leg.origin.partition("://")[2], "Origin": walker.leg.origin}
    form = {"email": walker.email, "password": PASSWORD}
    httpx.post(url, json=form, headers=headers, verify=False).raise_for_status()


def tokens(walker: Walker) -> None:
    """A token for the management API: made, used, revoked."""
    walker.go("/account")
    walker.page.get_by_role("link", name="Access tokens").click()
    walker.arrived("/account/tokens")
    walker.press("Make a token")
    walker.dialog.get_by_label("Name").fill("a script")
    walker.press("Make the token", walker.dialog)
    token = walker.revealed("Copy token")
    assert management(walker, token) == 200
    walker.sure("Revoke", "Revoke it", walker.row("a script"))
    walker.told("Revoked.")
    assert management(walker, token) == 401


def management(walker: Walker, token: str) -> int:
    url = walker.leg.base.replace(PLAIN_HOST, "127.0.0.1") + "/api/keys"
    headers = {"Authorization": f"Bearer {token}", "Host": walker.leg.origin.partition("://")[2]}
    return httpx.get(url, headers=headers, verify=False).status_code


def app(walker: Walker) -> None:
    """An authenticator app and recovery codes: set up after a mistake, asked for, each used once, and taken away."""
    page = walker.page
    walker.go("/account")
    walker.press("Set up an app")
    expect(page.get_by_role("img", name="QR code for your authenticator app")).to_be_visible()
    steps = steps_of(page, walker.leg.installation)
    page.get_by_label("Type the six digits").fill("000 000")
    entering.refused(walker, "Turn it on")
    page.get_by_label("Type the six digits").fill(steps.next())
    walker.press("Turn it on")
    codes = save_codes(page)
    walker.leg.installation.secrets.update(codes)
    walker.told("Changed.")
    with_code(walker, "Code from your authenticator app", "Continue", steps.next())
    with_recovery_code(walker, codes[0])
    walker.go("/account")
    walker.said("9 of 10 are left.")
    walker.press("Make new codes")
    walker.said("The codes you have now stop working")
    walker.press("Make new codes")
    walker.leg.installation.secrets.update(save_codes(page))
    walker.told("Changed.")
    walker.press("Remove", page.locator("section", has=page.get_by_role("heading", name="Authenticator app")).last)
    walker.press("Remove it", walker.dialog)
    walker.told("Changed.")


def again(walker: Walker) -> None:
    """Signs out, and in up to the second step."""
    walker.go("/account")
    entering.sign_out(walker)
    walker.go("/sign-in")
    entering.fill(walker, walker.email, PASSWORD)
    walker.press("Sign in")
    walker.arrived("/second-factor")


def with_code(walker: Walker, label: str, button: str, code: str) -> None:
    again(walker)
    walker.page.get_by_label(label).fill("000 000")
    entering.refused(walker, button)
    walker.page.get_by_label(label).fill(code)
    walker.press(button)
    walker.arrived("/")


def with_recovery_code(walker: Walker, code: str) -> None:
    again(walker)
    walker.page.get_by_text("Use a recovery code").click()
    walker.page.get_by_label("Recovery code").fill(code)
    walker.press("Continue with it")
    walker.arrived("/")


def first_factor(walker: Walker) -> Steps:
    """Who must have a second factor is led to making one before anything else."""
    page = walker.page
    walker.go("/sign-in")
    entering.fill(walker, walker.email, PASSWORD)
    walker.press("Sign in")
    walker.arrived("/first-factor")
    walker.press("Set up an app")
    steps = steps_of(page, walker.leg.installation)
    page.get_by_label("Type the six digits").fill(steps.next())
    walker.press("Turn it on")
    walker.leg.installation.secrets.update(save_codes(page))
    walker.arrived("/")
    return steps


def first_passkey(walker: Walker) -> None:
    """Whose factor was taken away and must have one makes a passkey this time, where the browser can."""
    if not walker.leg.is_secure:
        return
    play_authenticator(walker.tab)
    walker.go("/sign-in")
    entering.fill(walker, walker.email, PASSWORD)
    walker.press("Sign in")
    walker.arrived("/first-factor")
    walker.press("Add a passkey")
    save_codes(walker.page)
    walker.arrived("/")


def passkeys(walker: Walker) -> None:
    """In a secure context: made, renamed, a sign-in of its own, a second step, who is there, and taken away.
    Elsewhere, why not."""
    page = walker.page
    if not walker.leg.is_secure:
        walker.go("/account")
        expect(page.get_by_text("Passkeys need https").first).to_be_visible()
        return
    play_authenticator(walker.tab)
    walker.go("/account")
    page.get_by_label("Name of the passkey").fill("My laptop")
    walker.press("Add a passkey")
    save_codes(page)
    walker.told("Changed.")
    walker.press("Rename", walker.row("My laptop"))
    walker.dialog.get_by_label("Name").fill("My old laptop")
    walker.press("Rename", walker.dialog)
    walker.told("Changed.")
    entering.sign_out(walker)
    walker.press("Sign in with a passkey")
    walker.arrived("/")
    again(walker)
    walker.press("Use your passkey")
    walker.arrived("/")
    walker.go("/account")
    age_sessions(walker.leg.installation, walker.email)
    with walker.refused():
        walker.press("Make new codes")
        walker.press("Make new codes")
        walker.press("Use a passkey instead")
    walker.leg.installation.secrets.update(save_codes(page))
    walker.told("Changed.")
    walker.press("Remove", walker.row("My old laptop"))
    walker.press("Remove it", walker.dialog)
    walker.told("Changed.")
