"""The ways in and out: the setup link, sign-up, sign-in, an invitation, a forgotten password, sign-out."""

import re

from playwright.sync_api import expect

from tests.browser.walk.walker import PASSWORD, Walker
from tests.harness.process import wait_until


def set_up(walker: Walker) -> None:
    """The first admin, by the link that the server printed."""
    walker.go("/sign-in")
    walker.said("There is no admin yet")
    walker.go(f"/setup?token={setup_token(walker)}")
    fill(walker, walker.email, PASSWORD)
    walker.press("Create the account")
    walker.arrived("/first-call")


def setup_token(walker: Walker) -> str:
    log = walker.leg.server.log_text
    wait_until(lambda: "/setup?token=" in log(), seconds=10)
    found = re.search(r"/setup\?token=([\w-]+)", log())
    assert found is not None
    return found[1]


def set_up_again(walker: Walker) -> None:
    """The link of the first admin is worth nothing any more."""
    walker.go(f"/setup?token={setup_token(walker)}")
    fill(walker, "second@example.test", PASSWORD)
    refused(walker, "Create the account")


def sign_up(walker: Walker) -> None:
    """A developer makes an account of their own."""
    walker.go("/sign-in")
    walker.page.get_by_role("link", name="Create one").click()
    walker.arrived("/sign-up")
    fill(walker, walker.email, PASSWORD)
    walker.press("Create the account")
    walker.arrived("/first-call")


def sign_up_again(walker: Walker) -> None:
    """One with that address cannot be made twice."""
    walker.go("/sign-up")
    fill(walker, walker.email, PASSWORD)
    refused(walker, "Create the account")


def sign_in(walker: Walker, path: str = "/", password: str = PASSWORD) -> None:
    walker.go("/sign-in" if path == "/" else f"/sign-in?next={path}")
    fill(walker, walker.email, password)
    walker.press("Sign in")
    walker.arrived(path)


def sign_in_after_a_mistake(walker: Walker) -> None:
    walker.go("/sign-in")
    fill(walker, walker.email, "not the password")
    refused(walker, "Sign in")
    sign_in(walker, "/keys")  # to the page that was asked for


def sign_out(walker: Walker) -> None:
    walker.press("Sign out")
    walker.arrived("/sign-in")


def forgotten(walker: Walker) -> None:
    """The link comes by mail, leads to this portal's own address and works once."""
    walker.go("/sign-in")
    walker.page.get_by_role("link", name="Forgot your password?").click()
    walker.arrived("/forgot")
    inbox = walker.leg.inbox
    before = len(inbox.messages)
    walker.page.get_by_label("E-mail").fill(walker.email)
    walker.press("Mail me a link")
    walker.said("a link is on its way")
    wait_until(lambda: len(inbox.messages) > before, seconds=10)
    body = inbox.messages[-1].get_payload(decode=True)
    assert isinstance(body, bytes)
    (token,) = re.findall(rf"{re.escape(walker.leg.base)}/reset\?token=([\w=-]+)", body.decode())
    for is_used in (False, True):
        walker.go(f"/reset?token={token}")
        walker.page.get_by_label("New password").fill(PASSWORD)
        if is_used:
            refused(walker, "Set the password")
        else:
            walker.press("Set the password")
            walker.arrived("/")


def accept(walker: Walker, link: str) -> None:
    """Opens an invitation's link, which names this portal's own address, in the invited person's browser."""
    assert link.startswith(f"{walker.leg.base}/invite?token="), link
    walker.go(link.removeprefix(walker.leg.base))
    walker.page.get_by_label("Password").fill(PASSWORD)
    walker.press(re.compile("^Create"))
    walker.arrived("/first-call")


def fill(walker: Walker, email: str, password: str) -> None:
    walker.page.get_by_label("E-mail").fill(email)
    walker.page.get_by_label("Password").fill(password)


def refused(walker: Walker, button: str | re.Pattern[str]) -> None:
    """Pressing the button is refused, and the form says why."""
    with walker.refused():
        walker.press(button)
        expect(walker.page.get_by_role("alert").first).to_be_visible()
