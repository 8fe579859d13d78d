"""Every dialog, menu and sheet: opened by keys, looked at in every look, closed by Escape; the focus goes in and comes
back. Which there are is read from the pages and the scripts themselves (`dialogs.py`)."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.dialogs import (
    PageDialog,
    drawn_by_scripts,
    fields_that_forms_add,
    ids_that_rows_share,
    opened_by_keys,
    page_dialogs,
    rows_known_by_their_place,
)
from tests.browser.inspection import Inspection, leave_without_copying, sign_in
from tests.browser.openers import OPENERS
from tests.harness import Installation

pytestmark = pytest.mark.browser

PARTS = {
    "keys": ["/keys"],
    "use": ["/alerts", "/limits", "/preferences", "/aliases", "/cache", "/budgets", "/payloads"],
    "providers": ["/providers", "/providers/[connection]", "/vendors", "/prices", "/shadows"],
    "people": ["/users", "/teams", "/clients", "/clients/[client]"],
    "rest": ["/account", "/account/tokens", "/abuse", "/system", "/alerts/channels", "/alerts/rules"],
    "sso": ["/single-sign-on"],
}
WALKED_SCRIPTS = {
    "OpenDialog": "every dialog of a page",
    "ConfirmButton": "every dialog of a page",
    "RevealOnce": "openers.py: reveal_key, see_key_again, invite, reset_link",
    "Peek": "openers.py: open_request",
    "RecoveryCodes": "openers.py: new_codes",
    "Palette": "test_the_frame_s_own",
    "ShortcutSheet": "test_the_frame_s_own",
    "Shell": "test_the_frame_s_own: the drawer",
}
_IS_INSIDE = "(dialog) => dialog.contains(document.activeElement)"


def test_every_dialog_there_is_is_walked() -> None:
    assert {dialog.route for dialog in page_dialogs()} == {route for part in PARTS.values() for route in part}
    assert drawn_by_scripts() == set(WALKED_SCRIPTS)


def test_a_row_with_a_dialog_is_known_by_what_it_is_about_and_not_by_its_place() -> None:
    """A form to edit a key held the values of the row that had stood there, and saved them to the new one."""
    assert rows_known_by_their_place() == set()


def test_no_field_has_the_same_id_in_every_row() -> None:
    """The label of a price belonged to the first model's field, whichever dialog was open."""
    assert ids_that_rows_share() == set()


def test_a_form_is_sent_with_its_own_fields_alone() -> None:
    """A provider's settings, a key's and a price were refused, whoever saved them, for a field that nobody had made."""
    assert fields_that_forms_add() == set()


def test_what_is_in_a_dialog_is_made_when_it_is_opened_and_stays(inspected: Inspection) -> None:
    """Each row of a list has several, of which few are ever opened: to make them all kept a phone busy for longer than
    the list itself."""
    page = inspected.tab.page
    sign_in(inspected.tab)
    leave_without_copying(inspected.tab)
    inspected.tab.open("/keys")
    expect(page.get_by_role("button", name="Revoke").first).to_be_visible()
    expect(page.locator("#content :is(dialog, form[data-resets])")).to_have_count(0)
    page.get_by_role("button", name="Create key").first.click()
    name = page.locator("dialog[open]").get_by_label("Name")
    expect(name).to_be_focused()
    name.fill("half of a na")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    for way in ("location.hash = 'create'", "document.querySelector('[data-opens=\"Create a key\"]').click()"):
        page.evaluate(way)
        expect(name).to_have_value("half of a na")
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.get_by_role("button", name="Revoke").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Keep it").click()
    expect(page.locator("#content dialog")).to_have_count(2)


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_dialogs_open_by_keys_and_give_the_focus_back(part: str, full: Inspection, installation: Installation) -> None:
    prepare(full, part)
    unseen = [dialog for dialog in page_dialogs() if dialog.route in PARTS[part]]
    for route in PARTS[part]:
        full.tab.open(address(route, installation))
        show_what_waits(full.tab.page, route)
        full.unfold()
        for dialog in [one for one in unseen if one.route == route]:
            if look_at(full, dialog):
                unseen.remove(dialog)
    assert unseen == [], "dialogs that no page showed"


def prepare(full: Inspection, part: str) -> None:
    """What only an answer of the server's own can make: a link that invites, a key that can be seen again."""
    post = full.tab.context.request.post
    origin = {"origin": full.tab.base}
    if part == "people":
        body = {"email": "new@example.test", "role": "developer"}
        assert post(f"{full.tab.base}/auth/secrets/invite", data=body, headers=origin).ok
    if part == "rest":
        body = {"name": "script", "may": "read", "days": "90"}
        assert post(f"{full.tab.base}/auth/secrets/access-tokens", data=body, headers=origin).ok
    if part == "keys":
        body = {"client": "second", "name": "Seen again", "retrievable": "true"}
        assert post(f"{full.tab.base}/auth/secrets/keys", data=body, headers=origin).ok


def address(route: str, installation: Installation) -> str:
    """The address of a page, with the name or id of what it is about."""
    if route == "/providers/[connection]":
        (row,) = installation.query("SELECT id FROM provider_connection WHERE name = 'mock'")
        return f"/providers/{row['id']}"
    if route == "/clients/[client]":
        (row,) = installation.query("SELECT id FROM client WHERE name = 'second'")
        return f"/clients/{row['id']}"
    return route


def show_what_waits(page: Page, route: str) -> None:
    """What a page shows only once it was asked for."""
    if route == "/preferences":
        page.get_by_label("Whose").select_option(label="Client second")  # something is stored there
        page.get_by_label("Task", exact=True).select_option("chat")
        expect(page.get_by_role("button", name="Clear").first).to_be_visible()
    if route == "/aliases":
        page.get_by_role("button", name=re.compile("^History of")).first.click()
        expect(page.get_by_role("heading", name=re.compile("^History of"))).to_be_visible()


def look_at(full: Inspection, dialog: PageDialog) -> bool:
    """Opens the first of that kind on the page; False where there is none."""
    page = full.tab.page
    found = opened_by_keys(page, dialog)
    if found is None:
        return False
    shown, opener = found
    name = f"dialog{dialog.route}-{dialog.title}"
    if not page.evaluate(_IS_INSIDE, shown):
        full.note(f"{name}: the focus stays outside")
    full.unfold()
    full.look(re.sub("[^a-z0-9]+", "-", name.lower()))
    page.keyboard.press("Escape")
    if page.evaluate("(dialog) => dialog.open", shown):
        full.note(f"{name}: Escape does not close it")
        page.evaluate("(dialog) => dialog.close()", shown)
    elif not page.evaluate("(opener) => document.activeElement === opener", opener):
        full.note(f"{name}: the focus does not come back")
    return True


@pytest.mark.long
@pytest.mark.parametrize("part", OPENERS)
def test_dialogs_behind_a_form_or_a_list(part: str, full: Inspection) -> None:
    for path, opens in OPENERS[part]:
        full.tab.open(path)
        opens(full.tab.page)
        expect(full.tab.page.locator("dialog[open]").last).to_be_visible()
        full.look("dialog" + path.replace("/", "-") + "-" + opens.__name__.replace("_", "-"))
    full.tab.problems = [line for line in full.tab.problems if "status of 422" not in line]  # who was refused


@pytest.mark.long
def test_the_frame_s_own(full: Inspection) -> None:
    """Palette, shortcuts and drawer."""
    page = full.tab.page
    full.tab.open("/keys")
    link = page.get_by_role("link", name="Usage")
    palette = page.get_by_role("dialog", name="Search or jump")
    for text in ("", "second", "zzzzzz"):
        opened(page, link, palette, lambda: page.keyboard.press("Control+k"))
        page.keyboard.type(text)
        expect(palette.get_by_text("Looking…")).to_be_hidden()
        full.look(f"palette-{text or 'empty'}")
        closed(full, "the palette", link, palette)
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    opened(page, link, sheet, lambda: page.keyboard.press("?"))
    full.look("shortcuts")
    closed(full, "the sheet of shortcuts", link, sheet)
    page.set_viewport_size({"width": 360, "height": 800})
    menu = page.get_by_role("button", name="Menu", exact=True)
    drawer = page.get_by_role("dialog", name="Menu")
    opened(page, menu, drawer, lambda: page.keyboard.press("Enter"))
    full.look_as_it_is("drawer")
    closed(full, "the drawer", menu, drawer)


def opened(page: Page, before: Locator, dialog: Locator, press: Callable[[], None]) -> None:
    before.focus()
    press()
    expect(dialog).to_be_visible()
    page.wait_for_function("document.activeElement.closest('[role=dialog], dialog') !== null")


def closed(full: Inspection, name: str, before: Locator, dialog: Locator) -> None:
    full.tab.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    if not before.evaluate("(one) => one === document.activeElement"):
        full.note(f"{name}: the focus does not come back")


@pytest.mark.long
def test_a_modal_dialog_keeps_the_focus_whatever_is_pressed(full: Inspection) -> None:
    page = full.tab.page
    full.tab.open("/keys")
    page.get_by_role("button", name="Create key").first.focus()
    page.keyboard.press("Enter")
    for key in ["Tab"] * 30 + ["Shift+Tab"] * 30:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")


def test_words_of_a_dialog_written_as_javascript_are_found_again() -> None:
    dialogs = {dialog.title: dialog for dialog in page_dialogs()}
    roll = next(dialog for dialog in dialogs.values() if dialog.label == "Roll")
    assert roll.is_it("Roll", "Roll my key")
    assert not roll.is_it("Roll", "Revoke my key?")
