"""What is looked at in every look a page has: both colour schemes, wide and narrow; and how a test gets to a page."""

import re
import sqlite3
from contextlib import closing

from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.checks import REFLOW_WIDTH, is_wider_than_its_window, unreachable_by_some, what_is_wider
from tests.browser.chromium import Tab
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1440, 360)]


class Inspection:
    """Looks at what a tab shows in every look, and keeps what is wrong with it."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.seen = 0
        self.wrong: list[str] = []

    def look(self, name: str) -> None:
        page = self.tab.page
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator("html")).to_have_class(re.compile(rf"\b{scheme}\b"))
            if page.locator(".js-plotly-plot").count():
                page.wait_for_timeout(400)  # plotly draws anew a moment after the window has changed
            self.look_as_it_is(f"{name}-{scheme}-{width}")
        page.set_viewport_size({"width": REFLOW_WIDTH, "height": 800})
        if is_wider_than_its_window(page):
            self.note(f"{name}: scrolls sideways at {REFLOW_WIDTH} px, for {what_is_wider(page)}")
        page.set_viewport_size({"width": 1280, "height": 800})

    def look_as_it_is(self, where: str) -> None:
        """In the colours and at the width that the window has."""
        page = self.tab.page
        self.tab.shoot(where)
        self.seen += 1
        for found in [*violations(page), *unreachable_by_some(page)]:
            self.note(f"{where}: {found}")
        if is_wider_than_its_window(page):
            self.note(f"{where}: wider than the window")

    def note(self, wrong: str) -> None:
        """Said at once, too: a walk that is cut short has told what it saw."""
        print(wrong)
        self.wrong.append(wrong)

    def pages(self, paths: list[str], state: str) -> None:
        for path in paths:
            self.tab.open(path)
            self.unfold()
            self.look(f"{state}{re.sub('[^a-z0-9]+', '-', path).rstrip('-') or '-overview'}")

    def unfold(self) -> None:
        """Opens whatever is folded away: closed, there is only a line of it."""
        self.tab.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def age_sessions(installation: Installation, email: str = "%") -> None:
    """Whatever password was said, by everybody or by one person, is six minutes old."""
    with closing(sqlite3.connect(installation.database_path, timeout=10)) as database, database:
        database.execute(
            "UPDATE portal_session SET created_us = created_us - 360000000, confirmed_us = NULL "
            "WHERE user_id IN (SELECT id FROM person WHERE email LIKE ?)",
            (email,),
        )


def sign_in(tab: Tab) -> None:
    tab.open("/sign-in")
    tab.page.get_by_label("E-mail").fill(ADMIN)
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.wait_for_url(re.compile(r"/$"))


def leave_without_copying(tab: Tab) -> None:
    """The first key is shown once: the browser asks before it is lost, and is told to go."""
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.open("/first-call")
    tab.open("/")
