"""Every page: nothing that axe-core objects to, nothing that keys, small screens or an unsteady hand cannot reach, and
nothing red in the console; and a picture of each in light and dark, wide and narrow, to be looked at.

A page that is registered and not walked fails the walk. Dialogs: `test_dialogs.py`. Each test takes a part of the pages
and fits into minutes.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal, get_args

import pytest
from playwright.sync_api import WebSocketRoute, expect

from aiservice.services.settlement import Outcome
from tests.browser.checks import focus_that_changes_no_pixel, ready
from tests.browser.filled import plant_endings
from tests.browser.inspection import Inspection, sign_in
from tests.browser.test_walk import ADMIN
from tests.harness import Installation, ServerProcess

pytestmark = pytest.mark.browser

PLAIN_PAGES = ["/sign-in", "/sign-up", "/setup", "/invite", "/reset", "/forgot", "/no-such-page"]
FRAMED_PARTS = {
    "use": ["/", "/first-call", "/playground", "/requests", "/usage", "/keys", "/limits", "/preferences", "/payloads"],
    "watch": ["/aliases", "/cache", "/budgets", "/alerts", "/alerts/rules", "/alerts/channels", "/abuse", "/shadows"],
    "run": ["/providers", "/vendors", "/prices", "/clients", "/teams", "/users", "/sign-in-rules", "/audit", "/system"],
    "own": ["/account", "/account/tokens", "/single-sign-on"],
}
FRAMED_PAGES = [path for part in FRAMED_PARTS.values() for path in part]
ELSEWHERE = {
    "404": "/no-such-page, as a plain page",
    "/requests/[request_id]": "test_requests_that_ended_in_every_way",
    "/providers/[connection]": "test_dialogs.py",
    "/clients/[client]": "test_dialogs.py",
    "/second-factor": "test_second_factors.py",
    "/first-factor": "test_second_factors.py",
}
"""Pages with a name in their address or a way that leads to them, by where they are looked at."""
VIEWS = {
    "usage": [
        "/usage?by=model&range=1h&metric=cost",
        "/usage?by=key&sub=status&range=24h&compare=1&sum=1",
        "/usage?by=provider&metric=p95&range=24h&compare=1",
        "/usage?by=status&metric=cost",
        "/usage?model=none",
        "/usage?by=colour",
        "/audit?action=none",
    ],
    "lists": [
        "/requests?ended=failed",
        "/requests?model=none",
        "/requests?status=abc",
        "/requests?range=24h&cache=hit",
        "/keys?state=revoked",
        "/keys?q=nobody",
        "/keys?state=odd",
        "/prices?source=none",
        "/clients?q=nobody",
        "/users?q=nobody",
        "/requests/req_none",
    ],
}


def test_every_page_there_is_is_walked() -> None:
    from aiservice.aiservice import app
    from aiservice.portal.layout.registry import registered_pages

    assert app is not None  # importing it registers every page
    walked = {*PLAIN_PAGES, *FRAMED_PAGES, *ELSEWHERE}
    assert {page.route for page in registered_pages()} - walked == set()


@pytest.mark.long  # a minute of a tier that has fifteen
def test_pages_of_nobody(inspected: Inspection) -> None:
    tab = inspected.tab
    inspected.pages(PLAIN_PAGES, "plain")
    tab.problems = [line for line in tab.problems if "404" not in line]  # the page that is not there
    tab.open("/sign-in")
    tab.page.get_by_label("E-mail").fill(ADMIN)
    tab.page.get_by_label("Password").fill("not the password")
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(tab.page.get_by_role("alert")).to_contain_text("not right")
    inspected.look("plain-sign-in-refused")
    tab.problems = [line for line in tab.problems if "401" not in line]  # the refusal


@pytest.mark.long
@pytest.mark.parametrize("part", FRAMED_PARTS)
def test_pages_before_anything_has_happened(part: str, inspected: Inspection) -> None:
    sign_in(inspected.tab)
    inspected.tab.page.on("dialog", lambda dialog: dialog.accept())  # a first key is shown once: the browser asks
    inspected.pages(FRAMED_PARTS[part], "empty")


@pytest.mark.long
@pytest.mark.parametrize("part", FRAMED_PARTS)
def test_pages_with_something_in_them(part: str, full: Inspection) -> None:
    full.pages(FRAMED_PARTS[part], "filled")


@pytest.mark.long
@pytest.mark.parametrize("part", VIEWS)
def test_lists_and_charts_narrowed_by_their_address(part: str, full: Inspection) -> None:
    full.pages(VIEWS[part], "view")


@pytest.mark.long
def test_requests_that_ended_in_every_way(full: Inspection, installation: Installation, server: ServerProcess) -> None:
    plant_endings(installation)
    looked_at = set()
    for request_id, row in installation.ledger().items():
        if (how := (row["outcome"], row["cache"], len(json.loads(row["attempts"])) > 1)) in looked_at:
            continue
        looked_at.add(how)
        full.tab.open(f"/requests/{request_id}")
        full.unfold()
        full.look("request-" + "-".join(map(str, how)))
    assert {outcome for outcome, *_ in looked_at} == set(get_args(Outcome))
    server.kill()
    expect(full.tab.page.get_by_text("The connection to the server is lost")).to_be_visible()
    full.look("offline")
    full.tab.problems = [line for line in full.tab.problems if "ERR_CONNECTION_REFUSED" not in line]


@pytest.mark.long
@pytest.mark.parametrize("part", FRAMED_PARTS)
def test_pages_while_they_wait_for_their_data(part: str, inspected: Inspection) -> None:
    """The socket opens and says nothing. Whoever asks for less motion sees nothing pulse meanwhile."""
    tab = inspected.tab
    sign_in(tab)
    tab.page.route_web_socket(re.compile("/_event"), _says_nothing)
    for path in FRAMED_PARTS[part]:
        tab.page.goto(tab.base + path)
        expect(tab.page.locator("h1")).to_be_visible()
        inspected.look("waiting" + path.replace("/", "-"))
        tab.page.emulate_media(reduced_motion="reduce")
        ready(tab.page)
        for found in tab.page.evaluate("checks.endlessMotion()"):
            inspected.note(f"waiting {path}: {found}")
        tab.page.emulate_media(reduced_motion="no-preference")


def _says_nothing(socket: WebSocketRoute) -> None:
    socket.on_message(lambda _message: None)


_SLOWLY = """
const said = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
let before = Promise.resolve();
Object.defineProperty(WebSocket.prototype, "onmessage", { ...said, set(handler) {
  said.set.call(this, (event) => {
    before = before.then(() => new Promise((done) => setTimeout(() => (handler.call(this, event), done()), 120)));
  });
} });
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) window.shifted += one.hadRecentInput ? 0 : one.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.long
@pytest.mark.parametrize("part", FRAMED_PARTS)
def test_nothing_moves_on_a_phone_whose_network_is_slow(part: str, full: Inspection) -> None:
    """What the server says comes bit by bit; whatever is in sight already stays where it is (Web Vitals: 0.1)."""
    page = full.tab.page
    page.set_viewport_size({"width": 412, "height": 823})
    page.add_init_script(_SLOWLY)
    for path in FRAMED_PARTS[part]:
        full.tab.open(path)
        page.wait_for_timeout(700)
        full.seen += 1
        if (shifted := page.evaluate("window.shifted")) >= 0.1:
            full.note(f"{path}: moves by {shifted:.3f}")


@pytest.mark.long
@pytest.mark.parametrize("part", FRAMED_PARTS)
def test_pages_whose_data_cannot_be_read(part: str, full: Inspection, installation: Installation) -> None:
    with without_tables(installation):
        full.pages(FRAMED_PARTS[part], "failed")
    full.tab.problems = []


@contextmanager
def without_tables(installation: Installation) -> Iterator[None]:
    """Whatever a page reads of the database beside who is asking is not there."""
    kept = {
        "person",
        "portal_session",
        "worker",
        "lease",
        "audit_entry",
        "audit_head",
        "sign_in_rule",
        "totp",
        "passkey",
    }

    def rename(pattern: str, to: str) -> None:
        with closing(sqlite3.connect(installation.database_path, timeout=20)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            database.execute("PRAGMA legacy_alter_table = ON")
            for name in names:
                base = name.removeprefix("away_")
                if name.startswith(pattern) and base not in kept and not base.startswith(("sqlite_", "alembic")):
                    database.execute(f'ALTER TABLE "{name}" RENAME TO "{to}{base}"')
            database.commit()

    rename("", "away_")
    yield
    rename("away_", "")


@pytest.mark.long
def test_each_page_has_a_language_and_a_title_of_its_own(full: Inspection) -> None:
    titles: dict[str, str] = {}
    for path in [*FRAMED_PAGES, *PLAIN_PAGES[:-1]]:
        full.tab.open(path)
        title = full.tab.page.title()
        assert title not in titles, f"{path} is called as {titles[title]} is: '{title}'"
        titles[title] = path
        assert full.tab.page.get_attribute("html", "lang") == "en"
        assert full.tab.page.locator("h1").count() == 1


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_changes_pixels_whatever_has_it(scheme: Literal["light", "dark"], full: Inspection) -> None:
    """One control of each look there is, photographed with the focus and without."""
    page, seen = full.tab.page, set[str]()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 1440, "height": 2400})  # tall enough for most of a page
    for path in [*FRAMED_PAGES, "/sign-up"]:
        full.tab.open(path)
        full.unfold()
        for found in focus_that_changes_no_pixel(page, seen):
            full.note(f"{path} {scheme}: {found}")
    full.seen = len(seen)
    assert full.seen > 20


@pytest.mark.long
def test_time_zones_are_listed_once_their_field_has_the_focus(inspected: Inspection) -> None:
    """Four hundred of them, which whoever only comes to the page does not wait for."""
    sign_in(inspected.tab)
    inspected.tab.open("/account")
    names = inspected.tab.page.locator("datalist option")
    expect(names).to_have_count(0)
    inspected.tab.page.get_by_label("Time zone").focus()
    expect(names.first).to_have_attribute("value", "UTC")
    assert names.count() > 300
