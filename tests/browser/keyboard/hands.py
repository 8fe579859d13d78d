"""A person without a mouse. Locators are their eyes: they say where something is, and only keys ever act on it."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import Tab

_MOST_TABS = 250
_IS_HERE = "(one) => one === document.activeElement"
# 4: the target comes after what has the focus; 2: before it; the page's beginning comes before everything.
_IS_BEHIND = """(one) => {
  const here = document.activeElement;
  return here !== document.body && Boolean(here.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING);
}"""
_IS_SKIPPABLE = (
    """(one) => Boolean(one.closest('#content')) && document.activeElement.getAttribute('href') === '#content'"""
)


class Hands:
    """Presses keys and counts them, by task."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self.page: Page = tab.page
        self.keys: Counter[str] = Counter()
        self._task = ""

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """What is pressed meanwhile counts for the task of that name."""
        self._task = name
        self.keys[name] += 0
        yield
        self._task = ""

    def give_up(self, name: str) -> None:
        """Leaves what could not be done, with a picture of it, for a page that is as new."""
        self._tab.shoot("undone-" + re.sub("[^a-z]+", "-", name.lower()))
        self._tab.open("/")

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)
            self.keys[self._task] += 1

    def write(self, text: str) -> None:
        """Types, a key a character."""
        self.page.keyboard.type(text)
        self.keys[self._task] += len(text)

    def reach(self, target: Locator) -> Locator:
        """Goes on with Tab, or back with Shift+Tab, until the target has the focus; past the frame by the link that is
        there for it.

        Raises:
            AssertionError: it is not reached.
        """
        expect(target).to_be_visible()
        key = "Shift+Tab" if target.evaluate(_IS_BEHIND) else "Tab"
        for _ in range(_MOST_TABS):
            if target.evaluate(_IS_HERE):
                return target
            self.press("Enter" if target.evaluate(_IS_SKIPPABLE) else key)
        raise AssertionError(f"not reached by {key}: {target}")

    def act(self, target: Locator, key: str = "Enter") -> None:
        self.reach(target)
        self.press(key)

    def button(self, name: str | re.Pattern[str], within: Locator | None = None, **how: Any) -> None:
        """Reaches the first button of that name, and presses it."""
        how.setdefault("exact", isinstance(name, str))
        self.act((within or self.page).get_by_role("button", name=name, **how).first)

    def link(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        self.act((within or self.page).get_by_role("link", name=name, exact=isinstance(name, str)).first)

    def fill(self, label: str | re.Pattern[str], text: str, within: Locator | None = None) -> None:
        """Writes into the first field of that label, in place of what is in it."""
        self.reach((within or self.page).get_by_label(label, exact=isinstance(label, str)).first)
        self.press("Control+a")
        if text:
            self.write(text)
        else:
            self.press("Delete")

    def tick(self, label: str, within: Locator | None = None) -> None:
        self.act((within or self.page).get_by_label(label).first, "Space")

    def choose(self, label: str, option: str, within: Locator | None = None) -> None:
        """In a list of choices: by as many letters of the option as tell it from the others."""
        field = self.reach((within or self.page).get_by_label(label, exact=True).first)
        expect(field.locator("option", has_text=option).first).to_be_attached()
        texts: list[str] = field.evaluate("(one) => [...one.options].map((each) => each.textContent)")
        wanted = next(text for text in texts if text.startswith(option))
        lengths = range(1, len(wanted) + 1)
        others = [text.lower() for text in texts if text != wanted]
        enough = next(n for n in lengths if not any(text.startswith(wanted[:n].lower()) for text in others))
        self.write(wanted[:enough])
        expect(field.locator("option:checked")).to_have_text(wanted)

    def go(self, title: str) -> None:
        """To a page, by the palette."""
        self.press("Control+k")
        palette = self.page.get_by_role("combobox", name=re.compile("^Search pages"))
        expect(palette).to_be_focused()
        self.write(title)
        expect(self.page.get_by_role("listbox", name="Results").get_by_role("option", selected=True)).to_contain_text(
            title
        )
        self.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_have_text(title)
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    @property
    def dialog(self) -> Locator:
        """The topmost open one."""
        return self.page.locator("dialog[open]").last

    def confirm(self, yes: str) -> None:
        """Says yes to what asks first."""
        expect(self.dialog.get_by_role("button", name=yes, exact=True)).to_be_visible()
        self.button(yes, self.dialog)
        expect(self.page.locator("dialog[open]")).to_have_count(0)

    def keep_secret(self) -> None:
        """Copies what is shown once, and closes it."""
        expect(self.dialog.locator("[data-secret]")).to_be_visible()
        self.button(re.compile("^Copy"), self.dialog)
        expect(self.dialog.get_by_role("button", name="Copied")).to_be_visible()
        self.button("Done", self.dialog)
        expect(self.page.locator("dialog[open]")).to_have_count(0)

    def told(self, words: str | re.Pattern[str]) -> None:
        """The page says it."""
        expect(self.page.get_by_text(words).first).to_be_visible()
