"""Takes a picture of every screen in every state, to be looked at by a person:

    python -m tests.browser.shots FOLDER [--states empty,full,loading,error] [--only keys,usage]

Empty and full in three looks (light and dark on a desk, light on a phone), loading and error in one.
A picture that is there is not taken again, so a run that was cut goes on where it was; delete what is to be taken anew.
What the full state was made of stays in FOLDER/full and is used again by the next run.
"""

import argparse
import json
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, WebSocketRoute, expect

from tests.browser.chromium import Tab, chromium
from tests.browser.dialogs import opened_by_keys, page_dialogs
from tests.browser.furnished import PROVIDER_KEY, furnish, send_requests
from tests.browser.openers import OPENERS
from tests.browser.test_pages import FRAMED_PAGES, PLAIN_PAGES
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess

LOOKS = (("light", 1440), ("dark", 1440), ("light", 360))
STATES = ("empty", "full", "loading", "error")
DOCS = ["/docs/start", "/docs/first-call", "/docs/errors", "/docs/errors/client_rpm_exceeded", "/docs/search?q=budget"]
# Addresses that only make sense where there is something to see.
FILLED = [
    "/usage?by=model&range=30d&metric=cost",
    "/usage?by=key&sub=status&range=7d&compare=1",
    "/usage?by=provider&metric=p95&range=7d",
    "/requests?range=30d&ended=failed",
    "/keys?q=Production",
    "/clients/cli_1000",
]
# What pages read; without these tables a load handler fails, while a session still holds.
_SESSION_TABLES = {"person", "portal_session", "sign_in_rule", "change", "alembic_version", "master_key_version"}


class Album:
    """Pictures of one run: where they go, which are wanted, and what could not be taken."""

    def __init__(self, folder: Path, only: list[str]) -> None:
        self.folder = folder
        self.only = only
        self.taken: list[Path] = []
        self.failed: list[str] = []

    def wants(self, state: str, screen: str, looks: tuple[tuple[str, int], ...] = LOOKS) -> bool:
        is_asked_for = not self.only or any(word in screen for word in self.only)
        return is_asked_for and not all(self._path(state, screen, *look).exists() for look in looks)

    def _path(self, state: str, screen: str, scheme: str, width: int) -> Path:
        return self.folder / f"{screen}.{state}.{scheme}-{width}.png"

    def take(self, page: Page, state: str, screen: str, looks: tuple[tuple[str, int], ...] = LOOKS) -> None:
        for scheme, width in looks:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 900 if width > 600 else 740})
            page.wait_for_timeout(700 if page.locator(".js-plotly-plot").count() else 150)
            path = self._path(state, screen, scheme, width)
            page.screenshot(path=path, full_page=True)
            self.taken.append(path)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.failed.append(f"{path.name}: wider than the window")
        page.set_viewport_size({"width": 1440, "height": 900})

    @contextmanager
    def noting(self, screen: str) -> Iterator[None]:
        """One screen that cannot be shown does not keep the others from being taken."""
        try:
            yield
        except (Error, AssertionError) as error:
            self.failed.append(f"{screen}: {str(error).splitlines()[0]}")


def name_of(path: str) -> str:
    return re.sub("[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"


def sign_in(page: Page, base: str) -> None:
    page.goto(f"{base}/sign-in")
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(r"/($|\?|first-call)"))
    page.on("dialog", lambda dialog: dialog.accept())


def walk(
    album: Album, tab: Tab, state: str, paths: list[str], *, looks: tuple[tuple[str, int], ...] = LOOKS, name: str = ""
) -> None:
    for path in paths:
        screen = name or name_of(path)
        if album.wants(state, screen, looks):
            with album.noting(f"{state} {path}"):
                tab.open(path)
                tab.page.wait_for_timeout(400)
                album.take(tab.page, state, screen, looks)


def take_empty(album: Album, browser: Browser) -> None:
    """An installation on its first day: nobody has done anything but sign in."""
    installation = Installation(album.folder / "empty", {"AISERVICE_SIGNUP": "open"})
    if not installation.database_path.exists():
        installation.add_admin(ADMIN, PASSWORD)
    with installation.server() as server:
        tab = Tab(browser, server.url, album.folder)
        walk(album, tab, "empty", PLAIN_PAGES)
        sign_in(tab.page, server.url)
        walk(album, tab, "empty", [path for path in FRAMED_PAGES if path != "/first-call"] + ["/first-call"])


@contextmanager
def full(album: Album) -> Iterator[tuple[Installation, str]]:
    """The company of `furnished.py` behind a running server; what it is made of is kept for the next run."""
    installation = Installation(album.folder / "full", {"AISERVICE_SIGNUP": "open", "AISERVICE_LOG_PAYLOADS": "on"})
    (album.folder / "mock").mkdir(exist_ok=True)
    kept, requests = album.folder / "kept.json", album.folder / "requests.json"
    # A provider's key is bound to its address: the next run finds the mock where this one left it.
    port = json.loads(kept.read_text())["port"] if kept.exists() else 0
    with MockProcess(album.folder / "mock", keys=(PROVIDER_KEY,), port=port) as mock:
        if not kept.exists():
            kept.write_text(json.dumps({"port": mock.port, "keys": furnish(installation, mock.base_url)}))
        with installation.server() as server:
            if not requests.exists():
                requests.write_text(json.dumps(send_requests(server.url, json.loads(kept.read_text())["keys"])))
            yield installation, server.url


def take_full(album: Album, browser: Browser, states: list[str]) -> None:
    with full(album) as (installation, base), ExitStack() as stack:
        tab = Tab(browser, base, album.folder)
        stack.callback(tab.close)
        sign_in(tab.page, base)
        tab.page.wait_for_timeout(2_500)  # for what is written behind the answers
        if "full" in states:
            walk(album, tab, "full", [*FRAMED_PAGES, *FILLED, *DOCS])
            for row in installation.query("SELECT id, name FROM provider_connection WHERE name IN ('openai', 'groq')"):
                walk(album, tab, "full", [f"/providers/{row['id']}"], name=f"connection-{row['name']}")
            for what, request_id in json.loads((album.folder / "requests.json").read_text()).items():
                walk(album, tab, "full", [f"/requests/{request_id}"], name=f"request-{what}")
            take_dialogs(album, tab, installation)
        if "loading" in states:
            take_loading(album, browser, base, tab)
        if "error" in states:
            with without_tables(installation):
                walk(album, tab, "error", FRAMED_PAGES, looks=LOOKS[:1])


def take_dialogs(album: Album, tab: Tab, installation: Installation) -> None:
    """Every dialog of a page that there is something for, and those behind a form or a list."""
    looks = (LOOKS[0], LOOKS[2])
    (connection, *_) = installation.query("SELECT id FROM provider_connection WHERE name = 'openai'")
    ids = {"[connection]": connection["id"], "[client]": "cli_1000"}
    for dialog in page_dialogs():
        screen = name_of(f"dialog{dialog.route}-{dialog.title}")
        path = re.sub(r"\[\w+\]", lambda name: ids[name[0]], dialog.route)
        if album.wants("full", screen, looks):
            with album.noting(screen):
                tab.open(path)
                if opened_by_keys(tab.page, dialog) is not None:
                    album.take(tab.page, "full", screen, looks)
    for path, opens in [one for part in OPENERS.values() for one in part]:
        screen = name_of(f"dialog{path}-{opens.__name__}")
        if album.wants("full", screen, looks):
            with album.noting(screen):
                tab.open(path)
                opens(tab.page)
                expect(tab.page.locator("dialog[open]").last).to_be_visible()
                album.take(tab.page, "full", screen, looks)


def take_loading(album: Album, browser: Browser, base: str, signed_in: Tab) -> None:
    """Every page before its first data: the socket opens, and nothing comes through it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.add_cookies(signed_in.context.cookies())  # type: ignore[arg-type]  # what it gives, it takes
    page = context.new_page()
    page.route_web_socket(re.compile("_event"), _hold)
    for path in FRAMED_PAGES:
        if album.wants("loading", name_of(path), LOOKS[:1]):
            with album.noting(f"loading {path}"):
                page.goto(base + path)
                expect(page.locator("h1")).to_be_visible()
                page.wait_for_timeout(600)  # nothing waits to be seen before 300 ms
                album.take(page, "loading", name_of(path), LOOKS[:1])
    context.close()


def _hold(_socket: WebSocketRoute) -> None:
    """Takes what the page says, and answers nothing."""


@contextmanager
def without_tables(installation: Installation) -> Iterator[None]:
    """While this holds, all but who is signed in has gone from the database."""
    with closing(sqlite3.connect(installation.database_path, timeout=20)) as database:
        database.execute("PRAGMA legacy_alter_table = ON")
        names = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name not in _SESSION_TABLES and not name.startswith("sqlite_")
        ]
        _rename(database, names, "", "_gone")
        try:
            yield
        finally:
            _rename(database, names, "_gone", "")


def _rename(database: sqlite3.Connection, names: list[str], old: str, new: str) -> None:
    with database:
        for name in names:
            database.execute(f'ALTER TABLE "{name}{old}" RENAME TO "{name}{new}"')


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("folder", type=Path, help="where the pictures go; outside the repository")
    reader.add_argument("--states", default=",".join(STATES))
    reader.add_argument("--only", default="", help="only screens whose name has one of these words")
    asked = reader.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    album = Album(asked.folder, [word for word in asked.only.split(",") if word])
    states = asked.states.split(",")
    with chromium() as browser:
        if "empty" in states:
            take_empty(album, browser)
        if {"full", "loading", "error"} & set(states):
            take_full(album, browser, states)
    print(f"{len(album.taken)} pictures in {asked.folder}")
    print("\n".join(album.failed))
    return 1 if album.failed else 0


if __name__ == "__main__":
    sys.exit(main())
