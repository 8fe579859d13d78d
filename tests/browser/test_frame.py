"""The frame in Chromium: navigation from a phone to a wide screen, the palette and shortcuts by keyboard alone, and a
server that goes away under a page and comes back."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.chromium import Tab, chromium
from tests.browser.inspection import Inspection, leave_without_copying, sign_in
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    installation.add_key("second", "--name", "Walked key")
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server(port=free_port()) as server:
        yield server


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(server: ServerProcess, browser: Browser, shots: Path) -> Tab:
    tab = Tab(browser, server.url, shots)
    sign_in(tab)
    leave_without_copying(tab)
    return tab


def palette(page: Page) -> Page:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search pages")).to_be_focused()
    return page


def test_the_palette_goes_to_pages_finds_by_name_and_acts_without_a_mouse(tab: Tab) -> None:
    page = palette(tab.page)
    page.keyboard.type("budg")
    expect(page.get_by_role("option", selected=True)).to_contain_text("Budgets")
    assert violations(page) == []
    page.keyboard.press("Enter")
    page.wait_for_url("**/budgets")
    palette(page)
    page.keyboard.type("walked")
    expect(page.get_by_role("listbox").get_by_role("option", name=re.compile("Walked key"))).to_be_visible()
    tab.shoot("palette-found")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/keys\?q=Walked"))
    palette(page)
    page.keyboard.type("create a key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Create a key")).to_be_visible()
    assert page.url.endswith("/keys")
    page.keyboard.press("Escape")
    palette(page)
    page.keyboard.type("dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_class(re.compile(r"\bdark\b"))


def test_the_palette_gives_focus_back_and_says_when_there_is_nothing(tab: Tab) -> None:
    page = tab.page
    link = page.get_by_role("link", name="Usage")
    link.focus()
    palette(page)
    page.keyboard.type("zzzzzz")
    expect(page.get_by_text("Nothing by that name")).to_be_visible()
    page.keyboard.press("Escape")
    expect(link).to_be_focused()


def test_single_keys_jump_are_listed_and_can_be_switched_off(tab: Tab) -> None:
    page = tab.page
    for letter, where, title in (("u", "/usage", "Usage"), ("k", "/keys", "Keys"), ("l", "/requests", "Requests")):
        page.keyboard.press("g")
        page.keyboard.press(letter)
        page.wait_for_url(f"**{where}")
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    tab.open("/account")
    page.get_by_label("Current password").focus()
    page.keyboard.type("gk?")
    assert page.get_by_label("Current password").input_value() == "gk?"
    page.get_by_label("Shortcuts of single keys").uncheck()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("?")
    page.keyboard.press("g")
    page.keyboard.press("k")
    page.wait_for_timeout(300)
    expect(sheet).to_be_hidden()
    assert page.url.endswith("/account")


def test_on_a_phone_the_drawer_keeps_focus_and_gives_it_back(tab: Tab) -> None:
    page = tab.page
    page.set_viewport_size({"width": 360, "height": 740})
    tab.open("/keys")
    expect(page.get_by_role("link", name="Usage")).to_be_hidden()
    menu = page.get_by_role("button", name="Menu", exact=True)
    menu.click()
    drawer = page.get_by_role("dialog", name="Menu")
    expect(drawer).to_be_visible()
    assert violations(page) == []
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate("!document.activeElement.closest('#content, #topbar')")
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    menu.click()
    drawer.get_by_role("link", name="Usage").click()
    page.wait_for_url("**/usage")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_content_stays_readable_from_360_to_2560_pixels(tab: Tab, evidence: Evidence) -> None:
    widths = {}
    for width in (360, 768, 1024, 1440, 1920, 2560):
        tab.page.set_viewport_size({"width": width, "height": 900})
        tab.open("/keys")
        assert not tab.page.evaluate("document.documentElement.scrollWidth > innerWidth"), width
        widths[width] = tab.page.evaluate("document.querySelector('#content h1').parentElement.clientWidth")
    evidence.note(content_width_by_window=widths)
    assert max(widths.values()) <= 1600


def test_a_closed_group_stays_closed_but_never_hides_where_one_is(tab: Tab) -> None:
    page = tab.page
    group = page.get_by_role("button", name="Run", exact=True)
    group.click()
    expect(page.get_by_role("link", name="Providers")).to_be_hidden()
    tab.open("/keys")
    expect(group).to_have_attribute("aria-expanded", "false")
    tab.open("/providers")
    expect(page.get_by_role("link", name="Providers")).to_be_visible()


def test_a_server_that_comes_back_finds_the_dialog_open_and_the_form_as_it_was(
    installation: Installation, browser: Browser, shots: Path
) -> None:
    port = free_port()
    with installation.server(port=port) as first:
        tab = Tab(browser, first.url, shots)
        sign_in(tab)
        leave_without_copying(tab)
        tab.open("/keys")
        tab.page.get_by_role("button", name="Create key").first.click()
        tab.page.locator("dialog[open]").get_by_label("Name").fill("typed before")
        first.kill()
        expect(tab.page.get_by_text("The connection to the server is lost")).to_be_visible()
        expect(tab.page.get_by_text(re.compile(r"Trying again in \d+ s"))).to_be_visible()
        tab.shoot("offline")
    with installation.server(port=port):
        expect(tab.page.get_by_text("The connection to the server is lost")).to_be_hidden(timeout=15_000)
        tab.page.wait_for_timeout(1500)
        expect(tab.page.locator("dialog[open]").get_by_label("Name")).to_have_value("typed before")


def test_a_session_that_has_ended_is_told_from_a_page_that_failed(tab: Tab, installation: Installation) -> None:
    page = tab.page
    page.context.clear_cookies()
    tab.open("/sign-in")
    expect(page.get_by_text("Your session has ended")).to_be_hidden()
    page.context.add_cookies([{"name": "ais_sid", "value": "x" * 43, "url": tab.base}])
    page.goto(tab.base + "/keys")
    page.wait_for_url(re.compile(r"/sign-in\?next="))
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")


def test_the_documentation_can_be_read_by_everybody_in_every_look(
    server: ServerProcess, browser: Browser, shots: Path, evidence: Evidence
) -> None:
    inspection = Inspection(Tab(browser, server.url, shots))
    inspection.pages(["/docs/start", "/docs/first-call", "/docs/errors", "/docs/errors/key_revoked"], "docs")
    inspection.pages(["/docs/search?q=budget", "/docs/design"], "docs")
    page = inspection.tab.page
    page.goto(f"{server.url}/docs/keys")
    page.keyboard.press("/")
    page.keyboard.type("client_rpm")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="client_rpm_exceeded").click()
    expect(page.get_by_role("heading", name="What to do")).to_be_visible()
    evidence.note(views=inspection.seen, axe_violations=len(inspection.wrong))
    assert inspection.wrong == []
    assert inspection.tab.problems == []


def test_a_warm_reload_asks_for_the_page_and_the_socket_and_nothing_else(tab: Tab, evidence: Evidence) -> None:
    figures = {}
    for path in ("/", "/keys", "/usage"):
        tab.open(path)
        tab.page.wait_for_timeout(1500)  # the chart's own script comes when the browser is idle
        asked, from_cache, sockets = reload(tab.page)
        figures[path] = {"requests": len(asked), "from_cache": from_cache, "sockets": len(sockets)}
        assert len(asked) == 1, asked
        assert len(sockets) == 1
    evidence.note(by_page=figures)


def reload(page: Page) -> tuple[list[str], int, list[str]]:
    """What a reload asks the network for, how much comes out of the cache, and the sockets that it opens."""
    urls: dict[str, str] = {}
    cached: set[str] = set()
    sockets: list[str] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    network.on("Network.requestServedFromCache", lambda event: cached.add(event["requestId"]))
    network.on("Network.responseReceived", lambda event: cached.update(_from_disk(event)))
    network.on("Network.webSocketCreated", lambda event: sockets.append(event["url"]))
    network.send("Network.enable")
    page.reload()
    page.wait_for_timeout(2500)
    network.detach()
    asked = [url for each, url in urls.items() if each not in cached and not url.startswith(("data:", "blob:"))]
    return asked, len(cached), sockets


def _from_disk(event: Any) -> set[str]:
    return {event["requestId"]} if event["response"].get("fromDiskCache") else set()
