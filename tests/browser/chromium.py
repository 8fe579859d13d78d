"""Debian's Chromium under Playwright, and what is noted while a page is open. Nothing is ever downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

# A name that is no loopback name to Chromium: over plain http it is not a secure context, as on any LAN.
PLAIN_HOST = "portal.test"
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {PLAIN_HOST} 127.0.0.1",
]


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser of its own. Playwright keeps an event loop running meanwhile: use it in plain tests only."""
    expect.set_options(timeout=15_000)  # what is to be quick is timed; the rest may wait for a busy machine
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*_FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


def _where(line: ConsoleMessage) -> str:
    """What failed to load is not in the message itself."""
    return str(line.location.get("url", "")) if "Failed to load" in line.text else ""


class Tab:
    """A page below `base` (scheme, host, port); `problems` fills with what a developer's console would show in red."""

    def __init__(self, browser: Browser, base: str, shots: Path, **context_options: Any) -> None:
        self.base = base
        self.problems: list[str] = []
        self._shots = shots
        context_options.setdefault("viewport", {"width": 1280, "height": 900})
        context_options.setdefault("color_scheme", "light")
        self.context = browser.new_context(**context_options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda line: self._note(line.type == "error", f"console: {line.text} {_where(line)}"))
        self.page.on("pageerror", lambda error: self._note(True, f"error: {error}"))
        self.page.on("request", lambda request: self._note(self._is_foreign(request.url), f"asked: {request.url}"))

    def _note(self, is_bad: bool, what: str) -> None:
        if is_bad:
            self.problems.append(what)

    def _is_foreign(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.base).netloc

    def open(self, path: str) -> None:
        """Loads a page and waits until it has got its data."""
        self.page.goto(self.base + path)
        expect(self.page.locator("h1")).to_be_visible()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def shoot(self, name: str) -> None:
        self.page.screenshot(path=self._shots / f"{name}.png", full_page=True)

    def close(self) -> None:
        self.context.close()
