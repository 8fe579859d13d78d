"""Every dialog there is: those that pages are written with, found in the pages' own components; those that our scripts
draw, by name. What is added later is in no list here, and so fails the walk until it is walked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import reflex as rx
from playwright.sync_api import ElementHandle, Page
from reflex_components_core.core.foreach import Foreach

from aiservice.aiservice import app
from aiservice.portal import components, layout
from aiservice.portal.components.browser import ConfirmButton, OpenDialog
from aiservice.portal.layout.registry import registered_pages

assert app is not None  # importing it registers every page

_OF_OUR_OWN = re.compile(r'h\(\s*"dialog"|role: "(?:dialog|menu|listbox|alertdialog)"')
_FUNCTION = re.compile(r"^(?:export )?function (\w+)", re.MULTILINE)
_OPENERS = "#content :is([data-opens], [data-asks])"
_TITLES = f"""() => [...document.querySelectorAll('{_OPENERS}')].map((button) => [
  button.textContent.trim(), (button.dataset.opens ?? button.dataset.asks).trim(),
])"""
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(slots=True, frozen=True)
class PageDialog:
    """A button of a page that opens a dialog: patterns of its words and of the dialog's title."""

    route: str
    label: str
    title: str

    def is_it(self, label: str, title: str) -> bool:
        return re.fullmatch(self.label, label) is not None and re.fullmatch(self.title, title) is not None


def page_dialogs() -> list[PageDialog]:
    """All of all pages, each once, whatever lists and conditions they stand in."""
    found: dict[PageDialog, None] = {}
    for page in registered_pages():
        for one in _dialogs_below(page.content()):
            dialog = PageDialog(page.route, _pattern(str(one.label)), _pattern(str(one.title)))
            found[dialog] = None
    return list(found)


def opened_by_keys(page: Page, dialog: PageDialog) -> tuple[ElementHandle, ElementHandle] | None:
    """The first dialog of that kind on the page, now open, and the button that opened it; None where there is none."""
    found = [at for at, (label, title) in enumerate(page.evaluate(_TITLES)) if dialog.is_it(label, title)]
    if not found:
        return None
    opener = page.locator(_OPENERS).nth(found[0]).element_handle()
    opener.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("(opener) => opener.nextElementSibling?.open", arg=opener)
    shown = opener.evaluate_handle("(opener) => opener.nextElementSibling").as_element()
    assert shown is not None
    return shown, opener


def drawn_by_scripts() -> set[str]:
    """The functions of our own scripts that draw a dialog, a menu or a list box."""
    found = set()
    for package in (components, layout):
        for script in Path(next(iter(package.__path__))).glob("*.jsx"):
            text = script.read_text(encoding="utf-8")
            for drawn in _OF_OUR_OWN.finditer(text):
                found.add([name[1] for name in _FUNCTION.finditer(text, 0, drawn.start())][-1])
    return found


def rows_known_by_their_place() -> set[str]:
    """The pages with a list whose rows have dialogs, and no key but their place in it. What a browser holds of such a
    row (what a field began with, a question that is open) stays where it is when another row moves in."""
    return {
        page.route
        for page in registered_pages()
        for part in _parts_of(page.content(), set())
        if isinstance(part, Foreach) and any(_dialogs_below(part)) and _is_place(part.children[0])
    }


def ids_that_rows_share() -> set[tuple[str, str]]:
    """Page and id of each field that has the same id in every row of a list: its label belongs to the first row's."""
    return {
        (page.route, str(field.id))
        for page in registered_pages()
        for rows in _parts_of(page.content(), set())
        if isinstance(rows, Foreach)
        for field in _parts_of(rows.children[0], set())
        if field.id is not None and "_rx_state_" not in str(field.id)
    }


def fields_that_forms_add() -> set[tuple[str, str]]:
    """Page and name of each field that Reflex would send besides a form's own: of an id that is no field's name."""
    return {
        (page.route, name)
        for page in registered_pages()
        for form in _parts_of(page.content(), set())
        if isinstance(form, rx.el.Form)
        for name in form._get_form_refs().keys()
        - {str(getattr(part, "name", "")).strip('"') for part in _parts_of(form, set())}
    }


def _is_place(row: rx.Component) -> bool:
    return row.key is None or str(row.key).startswith("index")


def _dialogs_below(component: rx.Component) -> Iterator[OpenDialog | ConfirmButton]:
    return (one for one in _parts_of(component, set()) if isinstance(one, (OpenDialog, ConfirmButton)))


def _parts_of(component: rx.Component, seen: set[int]) -> Iterator[rx.Component]:
    if id(component) in seen:
        return
    seen.add(id(component))
    yield component
    inside = [*component.children, *component._get_components_in_props()]
    inside += [part for name in ("comp1", "comp2", "component") if (part := getattr(component, name, None)) is not None]
    for part in inside:
        if isinstance(part, rx.Component):
            yield from _parts_of(part, seen)


def _pattern(expression: str) -> str:
    """What a text written as JavaScript may read like: its literal parts, and anything between them."""
    plain = re.sub(r"\?\.\[\"\w+\"\]", "", expression)
    if " ? " in plain:
        return "|".join(re.escape(text) for text in _LITERAL.findall(plain)) or ".*"
    parts = [re.escape(part) if part is not None else ".*" for part in _parts(plain)]
    return "".join(parts) or ".*"


def _parts(expression: str) -> Iterator[str | None]:
    end = 0
    for literal in _LITERAL.finditer(expression):
        if re.search(r"\w", expression[end : literal.start()]):
            yield None
        yield literal[1]
        end = literal.end()
    if re.search(r"\w", expression[end:]):
        yield None
