"""What a hurried person does while one page makes way for the next, each of which has a frame of its own: the palette
and the list of shortcuts stay open without a gap, miss no key, and Escape closes them; and what is chosen before the
page of the choice before was loaded."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from tests.browser.chromium import Tab
from tests.browser.inspection import leave_without_copying, sign_in
from tests.harness import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.long]

# Looked at as soon as the frame that was there has gone, before any key can come.
_LOOK = """() => {
  const old = document.getElementById('topbar');
  new MutationObserver((changes, observer) => {
    if (old.isConnected) return;
    observer.disconnect();
    const modal = [...document.querySelectorAll('dialog:modal')];
    window.openAtOnce = modal.map((one) => one.contains(document.activeElement));
  }).observe(document, { childList: true, subtree: true });
}"""
# As if the page changed between the closing of a dialog and the event that tells of it.
_LOSE_THE_EVENT = """() => {
  const lose = (event) => event.stopImmediatePropagation();
  window.addEventListener('close', lose, { capture: true, once: true });
}"""


@pytest.fixture
def tab(server: ServerProcess, browser: Browser, shots: Path) -> Tab:
    tab = Tab(browser, server.url, shots)
    sign_in(tab)
    leave_without_copying(tab)
    return tab


@contextmanager
def on_the_way(page: Page, path: str) -> Iterator[None]:
    """Inside, the next page has been asked for and its script has not come; afterwards it is there."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(re.compile(r"/assets/.*\.js$"), hold)
    page.evaluate(_LOOK)
    page.get_by_role("link", name=path).first.click()
    while not held:
        page.wait_for_timeout(20)
    yield
    for route in held:
        route.continue_()
    page.unroute_all()
    while page.evaluate("window.openAtOnce") is None:
        page.wait_for_timeout(20)


def sheet(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Keyboard shortcuts")


def palette(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search pages")


def test_what_is_open_while_a_page_changes_is_open_in_the_next_one_before_any_key_can_be_missed(tab: Tab) -> None:
    page = tab.page
    with on_the_way(page, "Limits"):
        page.keyboard.press("?")
        expect(sheet(page)).to_be_visible()
    assert page.evaluate("window.openAtOnce") == [True]
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.evaluate("delete window.openAtOnce")
    with on_the_way(page, "Budgets"):
        page.keyboard.press("Control+k")
        page.keyboard.type("play")
    assert page.evaluate("window.openAtOnce") == [True]
    page.keyboard.type("ground")
    expect(palette(page)).to_have_value("playground")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("key", ["?", "Control+k"])
def test_what_was_closed_while_a_page_changed_stays_closed(tab: Tab, key: str) -> None:
    page = tab.page
    with on_the_way(page, "Limits"):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_have_count(1)
        page.evaluate(_LOSE_THE_EVENT)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.wait_for_timeout(500)
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press(key)
    expect(page.locator("dialog[open]")).to_have_count(1)


def test_one_dialog_that_closes_does_not_close_the_one_that_was_opened_since(tab: Tab) -> None:
    page = tab.page
    page.keyboard.press("Control+k")
    page.keyboard.type("keyboard shortcuts")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    expect(sheet(page)).to_be_visible()
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("Control+k")
    page.wait_for_timeout(500)
    expect(palette(page)).to_be_focused()


class Line:
    """Between the page and the server: holds back what the server says."""

    def __init__(self, page: Page) -> None:
        self._is_held = False
        self._held: list[tuple[WebSocketRoute, Any]] = []
        self._page = page
        page.route_web_socket(re.compile("/_event"), self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        def said(message: Any) -> None:
            if self._is_held:
                self._held.append((socket, message))
            else:
                socket.send(message)

        socket.connect_to_server().on_message(said)

    @contextmanager
    def held(self) -> Iterator[None]:
        self._is_held = True
        yield
        self._is_held = False
        while self._held:
            self._let_through()

    def _let_through(self) -> None:
        socket, message = self._held.pop(0)
        socket.send(message)

    def let_through_until(self, address: str) -> None:
        """What was held back, in its order, until the page's address has that."""
        while address not in self._page.url:
            assert self._held, f"nothing that the server said leads to {address}"
            self._let_through()
            self._page.wait_for_timeout(200)


def test_choices_that_are_made_faster_than_the_server_answers_all_count(tab: Tab) -> None:
    page = tab.page
    line = Line(page)
    tab.open("/usage")
    with line.held():
        page.get_by_role("button", name="24 hours").click()
        page.get_by_label("Measure", exact=True).select_option("cost")
        page.get_by_label("Group by", exact=True).select_option("model")
        page.wait_for_timeout(300)
    all_are_shown(page)


def test_a_choice_that_is_made_between_the_pages_of_two_before_counts_with_both(tab: Tab) -> None:
    page = tab.page
    line = Line(page)
    tab.open("/usage")
    with line.held():
        page.get_by_role("button", name="24 hours").click()
        page.get_by_label("Measure", exact=True).select_option("cost")
        page.wait_for_timeout(300)
        line.let_through_until("range=24h")
        page.wait_for_timeout(300)  # it is loaded with that, and what it then shows is held back, too
        page.get_by_label("Group by", exact=True).select_option("model")
        page.wait_for_timeout(300)
    all_are_shown(page)


def all_are_shown(page: Page) -> None:
    """The last 24 hours of what was paid, by model."""
    page.wait_for_url("**by=model**")
    expect(page.get_by_label("Group by", exact=True)).to_have_value("model")
    expect(page.get_by_label("Measure", exact=True)).to_have_value("cost")
    expect(page.get_by_role("button", name="24 hours")).to_have_attribute("aria-pressed", "true")
    assert all(part in page.url for part in ("range=24h", "metric=cost", "by=model")), page.url
