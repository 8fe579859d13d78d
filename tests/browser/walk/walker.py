"""Who walks: a browser's tab that notes every event it sends, every route it asks, every screen it sees, and whatever
a developer's console would show in red."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Request, Response, WebSocket, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.chromium import Tab
from tests.browser.walk.legs import Leg
from tests.services.oidc import Provider

PASSWORD = "a long enough password"
_SNAPSHOT = """() => {
  const words = (e) => e.innerText.replace(/\\s+/g, ' ').trim();
  const seen = (e) => e.checkVisibility();
  const all = (what) => [...document.querySelectorAll(what)].filter(seen);
  return {
    title: all('h1').map(words),
    fields: all('#content select, #content input:not([type=password])').map((e) => [e.name || e.id, e.value]),
    pressed: all('#content [aria-pressed=true], #content [aria-current=page]').map(words),
    tables: all('#content table, dialog[open] table').map(words),
    dialogs: all('dialog[open] h2').map(words),
    empty: all('#content p.font-medium').map(words),
  };
}"""
_REFUSED = re.compile(r"status of 4\d\d")
# What a page says of now is another word a second later.
_OF_NOW = re.compile(r"\b\d+(\.\d+)? (ms|s|min|h) ago\b|\b\d\d:\d\d:\d\d(\.\d+)?\b|all in \d+ \w+|used \d\d+-\S+ \S+")


class Walker:
    """One person in a browser of their own. `fired` are full names of event handlers, `asked` paths of our routes."""

    def __init__(self, leg: Leg, browser: Browser, shots: Path, email: str) -> None:
        self.leg, self.email, self.is_admin = leg, email, email.startswith("admin@")
        self.tab = Tab(browser, leg.origin, shots, timezone_id="Asia/Tokyo")
        self.page: Page = self.tab.page
        self.fired: dict[str, int] = {}
        self.asked: set[str] = set()
        self.screens: set[str] = set()
        self.restored_views = 0
        self.copies = 0
        self.figures: dict[str, float] = {}
        self.tab.context.on("request", self._note_request)  # also what opens another tab
        self.tab.context.on("page", self._watch)
        self._watch(self.page)
        self.page.on("dialog", lambda dialog: dialog.accept())  # a key that is left without being copied

    def _watch(self, page: Page) -> None:
        page.on("websocket", self._listen)
        page.on("requestfailed", self._note_failure)
        page.on("response", self._note_response)
        page.on("framenavigated", lambda frame: self.screens.add(self._path_of(frame.url)))

    def _listen(self, socket: WebSocket) -> None:
        if not urlsplit(socket.url).path.startswith(f"{self.leg.under}/_event"):
            self.tab.problems.append(f"a socket beside the path: {socket.url}")
        socket.on("framesent", self._note_frame)

    def _note_frame(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else ""
        at = text.find('["event",')
        if at >= 0:
            name = json.loads(text[at:])[1]["name"]
            self.fired[name] = self.fired.get(name, 0) + 1

    def _note_request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https") and not url.path.startswith(f"{self.leg.under}/"):
            self.tab.problems.append(f"asked beside the path: {request.url}")
        path = url.path.removeprefix(self.leg.under)
        if path.startswith("/auth/"):
            self.asked.add(path)

    def _note_failure(self, request: Request) -> None:
        # What was under way when the page was left, and a download, which the browser takes out of the page's hands.
        if request.failure != "net::ERR_ABORTED":
            self.tab.problems.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.tab.problems.append(f"status of {response.status}: {response.request.method} {response.url}")

    def _path_of(self, url: str) -> str:
        return urlsplit(url).path.removeprefix(self.leg.under).rstrip("/") or "/"

    def problems(self) -> list[str]:
        """What went wrong, in the console or on the wire, but for what was refused as it should be."""
        return self.tab.problems

    @contextmanager
    def refused(self) -> Iterator[None]:
        """Inside, something is refused with a 4xx, which the console shows; anything else is a problem still."""
        before = len(self.tab.problems)
        yield
        new = self.tab.problems[before:]
        assert any(_REFUSED.search(line) for line in new), f"nothing was refused: {new}"
        self.tab.problems[before:] = [line for line in new if not _REFUSED.search(line)]

    @contextmanager
    def beside(self, provider: Provider) -> Iterator[None]:
        """Inside, the browser may go there, too: a provider of single sign-on."""
        before = len(self.tab.problems)
        yield
        there = f"http://127.0.0.1:{provider.port}/"
        self.tab.problems[before:] = [line for line in self.tab.problems[before:] if there not in line]

    def go(self, path: str) -> None:
        """Loads a page of the portal, sees that it came, and that each of its links stays inside."""
        self.tab.open(self.leg.under + path)
        links = self.page.eval_on_selector_all("a[href^='/']", "(links) => links.map((a) => a.getAttribute('href'))")
        outside = [link for link in links if not f"{link}/".startswith(f"{self.leg.under}/")]
        assert outside == [], f"{path} links to {outside}"

    def arrived(self, path: str) -> None:
        """The address is that path, whatever its query is."""
        self.page.wait_for_url(re.compile(rf"^{re.escape(self.leg.base)}{path}/?(\?.*)?$"))
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def has_arrived(self, path: str) -> bool:
        """Whether it is that path within a second."""
        try:
            self.page.wait_for_url(re.compile(rf"^{re.escape(self.leg.base)}{path}/?(\?.*)?$"), timeout=1_000)
        except PlaywrightTimeout:
            return False
        return True

    def button(self, name: str | re.Pattern[str], within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name, exact=isinstance(name, str))

    def press(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        self.button(name, within).first.click()

    def row(self, text: str, table: str = "") -> Locator:
        """The first row of a table that has that text."""
        of = self.page.get_by_role("region", name=table) if table else self.page
        return of.locator("tbody tr", has_text=text).first

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]").last

    def sure(self, opener: str | re.Pattern[str], confirm: str, within: Locator | None = None) -> None:
        """Opens a question, sees that Escape closes it and changes nothing, opens it again and says yes."""
        self.press(opener, within)
        expect(self.dialog).to_be_visible()
        self.page.keyboard.press("Escape")
        expect(self.page.locator("dialog[open]")).to_have_count(0)
        self.press(opener, within)
        self.press(confirm, self.dialog)

    def told(self, words: str | re.Pattern[str]) -> None:
        """The notice says so; it is dismissed, so that the next one is a new one."""
        notice = self.page.get_by_role("alert").filter(has_text=words)
        expect(notice.first).to_be_visible()
        self.press("Dismiss")
        expect(notice).to_have_count(0)

    def refused_in_dialog(self, words: str | re.Pattern[str]) -> None:
        """A page's own handler has refused: the notice that says so lies behind the dialog, which says it, too."""
        expect(self.dialog.get_by_role("alert").filter(has_text=words)).to_be_visible()

    def said(self, words: str | re.Pattern[str], within: Locator | None = None) -> None:
        """Text that is to be seen, in the page or in a part of it."""
        expect((within or self.page).get_by_text(words).first).to_be_visible()

    def fill(self, within: Locator | None = None, **values: str) -> None:
        """Fills fields by their labels, where `_` stands for a space."""
        for label, value in values.items():
            (within or self.page).get_by_label(label.replace("_", " "), exact=True).fill(value)

    def copied(self, button: Locator, done: str = "Copied") -> str:
        """What the button has put into the clipboard: pasted with the keyboard into a field made for it."""
        button.click()
        expect(self.page.get_by_role("button", name=done).first).to_be_visible()
        self.page.evaluate(
            """() => {
              const field = Object.assign(document.createElement('textarea'), { id: 'pasted', ariaLabel: 'pasted' });
              ([...document.querySelectorAll('dialog[open]')].at(-1) || document.body).append(field);
              field.focus();
            }"""
        )
        self.page.keyboard.press("Control+V")
        text = self.page.locator("#pasted").input_value()
        self.page.evaluate("document.getElementById('pasted').remove()")
        assert text, "nothing was copied"
        self.copies += 1
        return text

    def revealed(self, copy: str = "Copy key", code: str = "code[data-secret]") -> str:
        """What is shown once: copied, compared with what is shown, and closed."""
        gate = self.dialog
        secret = self.copied(self.button(copy, gate))
        self.press("Show", gate)
        assert gate.locator(code).inner_text() == secret
        self.leg.installation.secrets.add(secret)
        self.press("Done", gate)
        expect(self.page.locator("dialog[open]")).to_have_count(0)
        return secret

    def download(self, link: str) -> str:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("link", name=link, exact=True).first.click()
        self.asked.add(self._path_of(waiting.value.url))  # which is no request of the page's
        return Path(waiting.value.path()).read_text()

    def restored(self) -> None:
        """Another tab with this one's address shows the same: fields, tables, what is pressed, what is open."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        other = self.tab.context.new_page()
        try:
            other.goto(self.page.url)
            deadline = time.monotonic() + 15
            while (differs := _difference(self.page, other)) and time.monotonic() < deadline:
                other.wait_for_timeout(200)
            assert differs == [], f"{self.page.url}: {differs}"
        finally:
            other.close()
        self.restored_views += 1

    def seconds_until(self, happens: Callable[[], object], shown: Locator) -> float:
        """Seconds from the end of `happens` until that is to be seen."""
        happens()
        ended = time.monotonic()
        expect(shown.first).to_be_visible()
        return time.monotonic() - ended

    def close(self) -> None:
        self.tab.close()


def _difference(here: Page, there: Page) -> list[tuple[str, str, str]]:
    """What the two pages show differently: which, and both."""
    shown, found = here.evaluate(_SNAPSHOT), there.evaluate(_SNAPSHOT)
    words = [(what, *(_OF_NOW.sub("", json.dumps(each[what])) for each in (shown, found))) for what in shown]
    return [(what, one, other) for what, one, other in words if one != other]
