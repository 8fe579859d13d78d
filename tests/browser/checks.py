"""What no rule of axe-core sees: labels that belong to another, focus that shows and is not covered, targets that can
be hit, text that reflows."""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

REFLOW_WIDTH = 320
"""WCAG 1.4.10: nothing scrolls sideways in a window this wide (CSS pixels)."""
_FOCUS = "(at) => { ofEachLook[at].focus(); return document.activeElement === ofEachLook[at]; }"


def unreachable_by_some(page: Page) -> list[str]:
    """What is wrong with labels, targets and focus in what is open now, at this width and in these colours."""
    ready(page)
    page.keyboard.press("Shift")  # the last thing done was done by a key: focus is to show
    found: list[str] = page.evaluate("[...checks.nameless(), ...checks.smallTargets(), ...checks.focusFaults()]")
    return found


def is_wider_than_its_window(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def what_is_wider(page: Page) -> list[str]:
    """The innermost elements that stand out of the window on its right, and do not scroll within another."""
    found: list[str] = page.evaluate("checks.wider()")
    return found[:3]


def focus_that_changes_no_pixel(page: Page, seen: set[str]) -> list[str]:
    """Controls that look the same with the focus as without. One of each look is photographed; `seen` keeps which."""
    ready(page)
    looks: list[str] = page.evaluate("(seen) => checks.oneOfEachLook(seen)", sorted(seen))
    page.keyboard.press("Shift")
    wrong = []
    for index, look in enumerate(looks):
        seen.add(look)
        if not page.evaluate(
            "(at) => { ofEachLook[at].focus(); return document.activeElement === ofEachLook[at]; }", index
        ):
            continue
        focused = _around(page, index)
        page.evaluate("document.activeElement.blur()")
        if focused and focused == _around(page, index):
            wrong.append(str(page.evaluate("(at) => checks.named(ofEachLook[at])", index)))
    return wrong


def _around(page: Page, index: int) -> bytes | None:
    """The pixels of a control and the six around it; None where it is out of sight."""
    box = page.evaluate("(at) => ofEachLook[at].getBoundingClientRect().toJSON()", index)
    size = page.viewport_size or {"width": 0, "height": 0}
    left, top = max(box["left"] - 6, 0), max(box["top"] - 6, 0)
    right, bottom = min(box["right"] + 6, size["width"]), min(box["bottom"] + 6, size["height"])
    if right - left < 4 or bottom - top < 4:
        return None
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return page.screenshot(clip=clip, caret="hide", animations="disabled")  # type: ignore[arg-type]


def ready(page: Page) -> None:
    """The scripts are in the page. Not as an element: its own Content-Security-Policy stays on."""
    if not page.evaluate("typeof checks === 'object'"):
        page.context.new_cdp_session(page).send("Runtime.evaluate", {"expression": _script()})


@cache
def _script() -> str:
    return Path(__file__).with_name("checks.js").read_text(encoding="utf-8")
