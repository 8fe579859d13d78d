"""The pages of preferences and aliases, used as people use them: a draft, its review, saving, and the way back."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Tab, chromium
from tests.browser.filled import PROVIDER_KEY
from tests.browser.inspection import Inspection, leave_without_copying, sign_in
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence

pytestmark = pytest.mark.browser
LONG = "a-client-with-quite-a-long-name-that-somebody-chose"


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[MockProcess]:
    with MockProcess(tmp_path, keys=(PROVIDER_KEY,)) as mock:
        yield mock


@pytest.mark.long
def test_a_draft_is_reviewed_saved_and_taken_back(
    tmp_path: Path, mock: MockProcess, shots: Path, evidence: Evidence
) -> None:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
    key = installation.add_key(LONG)["key"]
    with installation.server() as server, chromium() as browser:
        inspection = Inspection(Tab(browser, server.url, shots))
        walk(inspection, server, key)
        evidence.note(views=inspection.seen, axe_violations=len(inspection.wrong))
        assert inspection.wrong == []
        assert inspection.tab.problems == []


def walk(inspection: Inspection, server: ServerProcess, key: str) -> None:
    tab, page = inspection.tab, inspection.tab.page
    for _ in range(3):
        ask(server, key, {"task": "chat", "input": "hello"})
    sign_in(tab)
    leave_without_copying(tab)
    tab.open("/preferences")
    page.get_by_label("Whose").select_option(label=f"Client {LONG}")
    page.get_by_label("Task", exact=True).select_option("chat")
    for name in ("mock", "sandbox"):
        page.get_by_label("Connection", exact=True).select_option(name)
        page.get_by_role("button", name="Add to the chain").click()
        expect(page.get_by_role("button", name=f"Remove {name}")).to_be_visible()
    page.get_by_role("button", name="Move sandbox up").press("Enter")
    expect(page.get_by_role("button", name="Move sandbox down")).to_be_focused()  # it has nowhere further up to go
    expect(page.get_by_role("list", name="Chain, first to last").get_by_role("listitem").first).to_contain_text(
        "sandbox"
    )
    the_handle_moves_it_too(page)
    page.get_by_role("button", name="Test mock").click()
    expect(page.get_by_text("costs nothing")).to_be_visible()
    page.get_by_label("Preferably within, ms").fill("900")
    page.get_by_role("button", name="Review the draft").click()
    expect(page.get_by_text("Would have changed 3 of 3 requests: 3 to sandbox.")).to_be_visible()
    inspection.look("preferences-draft")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. Chat goes to sandbox first, then mock; preferably within 900 ms")).to_be_visible()
    assert ask(server, key, {"task": "chat", "input": "hello"}) == "sandbox"
    page.get_by_role("button", name="Remove sandbox").click()
    page.get_by_role("button", name="Review the draft").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved. Chat goes to mock first;")).to_be_visible()
    inspection.look("preferences-saved")
    page.get_by_role("button", name=re.compile("Go back to this, version")).click()
    inspection.look("preferences-going-back")
    page.locator("dialog[open]").get_by_role("button", name="Go back").click()
    expect(page.get_by_text("Gone back to version")).to_be_visible()
    assert ask(server, key, {"task": "chat", "input": "hello"}) == "sandbox"
    aliases(inspection, server, key)


def the_handle_moves_it_too(page: Page) -> None:
    """By its arrow keys, and dragged; afterwards the order is what it was."""
    first = page.get_by_role("list", name="Chain, first to last").get_by_role("listitem").first
    page.get_by_role("button", name="Drag sandbox").press("ArrowDown")
    expect(first).to_contain_text("mock")
    expect(page.get_by_role("button", name="Drag sandbox")).to_be_focused()
    grip, above = (page.get_by_role("button", name=f"Drag {name}").bounding_box() for name in ("sandbox", "mock"))
    assert grip is not None
    assert above is not None
    page.mouse.move(grip["x"] + 9, grip["y"] + 9)
    page.mouse.down()
    page.mouse.move(above["x"] + 9, above["y"] - 9, steps=4)
    page.mouse.up()
    expect(first).to_contain_text("sandbox")


def aliases(inspection: Inspection, server: ServerProcess, key: str) -> None:
    tab, page = inspection.tab, inspection.tab.page
    tab.open("/aliases")
    for to in ("mock/mock-small, sandbox", "sandbox"):
        page.get_by_label("For", exact=True).select_option(label=f"Client {LONG}")
        page.get_by_label("Name", exact=True).fill("fast-chat")
        page.get_by_label("Leads to").fill(to)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text(f"fast-chat leads to {', then '.join(to.split(', '))}.")).to_be_visible()
        first = to.partition("/")[0]
        assert ask(server, key, {"task": "chat", "input": "hello", "model": "fast-chat"}) == first
    page.get_by_role("button", name="History of fast-chat").click()
    expect(page.get_by_role("heading", name="History of fast-chat")).to_be_visible()
    inspection.look("aliases-history")
    page.get_by_role("button", name=re.compile("Go back to this, version")).click()
    page.locator("dialog[open]").get_by_role("button", name="Go back").click()
    expect(page.get_by_text("as in version")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("mock-small")
    page.get_by_label("Leads to").fill("sandbox")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("is a model's own name")).to_be_visible()
    inspection.look("aliases-refused")


def ask(server: ServerProcess, key: str, body: dict[str, object]) -> str:
    """Who answered; the edit was made in this process or is at most a second old."""
    answer = httpx.post(f"{server.url}/ai-service", headers={"Authorization": f"Bearer {key}"}, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["provider"])
