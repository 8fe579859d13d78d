"""A developer's first day in Chromium, on plain http: the first call with two clicks, the playground, usage from its
address, and an overview that moves only while it is looked at."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.chromium import PLAIN_HOST, Tab, chromium
from tests.browser.test_walk import PASSWORD, clicks
from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence

pytestmark = [pytest.mark.browser, pytest.mark.long]

EMAIL = "grace@example.test"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path, {"AISERVICE_SIGNUP": "open"})
    installation.command("user", "create", "--email", EMAIL, stdin=PASSWORD)
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_a_developers_first_day(
    installation: Installation, server: ServerProcess, browser: Browser, shots: Path, evidence: Evidence
) -> None:
    tab = Tab(browser, f"http://{PLAIN_HOST}:{server.port}", shots)
    counted, key = first_call(tab)
    evidence.note(clicks_from_sign_in_to_the_first_call=counted)
    assert counted <= 3
    playground(tab)
    for _ in range(3):
        assert ask(server, key) == 200
    usage_from_its_address(tab)
    overview_only_in_sight(tab, installation, server, key)
    assert tab.problems == []


def ask(server: ServerProcess, key: str) -> int:
    body = {"task": "summarization", "input": "A long text about keys and doors."}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{server.url}/ai-service", headers=headers, json=body).status_code


def first_call(tab: Tab) -> tuple[int, str]:
    """From the sign-in page to an answer of one's own; the clicks that took, and the key that was shown."""
    page = tab.page
    tab.open("/sign-in")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile(r"/($|\?)"))
    page.get_by_role("link", name="Make your first call").click()
    clicks(page)
    key = page.locator("code[data-secret]").inner_text()
    page.get_by_role("button", name="Run it here").click()
    expect(page.get_by_role("link", name="See its trace")).to_be_visible()
    counted = 2 + clicks(page)
    for name in ("Python openai", "Python anthropic", "JS", "AI SDK", "LangChain", "Claude Code", "Codex"):
        page.get_by_role("tab", name=name, exact=True).click()
        shown = page.locator("pre code").inner_text()
        assert key in shown, name
        assert tab.base in shown, name
    page.get_by_role("button", name="Copy the prompt").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    tab.shoot("first-call-done")
    assert violations(page) == []
    page.get_by_role("link", name="See its trace").click()
    expect(page.get_by_role("heading", name="Why it went there")).to_be_visible()
    return counted, key


def playground(tab: Tab) -> None:
    page = tab.page
    tab.open("/playground")
    expect(page.get_by_label("As client").locator("option")).to_have_count(1)
    page.get_by_label("Task").select_option("text-generation")
    page.get_by_label("Beside it").select_option("sandbox/sandbox")
    page.get_by_label("What is asked").fill("Write a haiku about keys")
    page.get_by_label("What is asked").press("Control+Enter")
    for name in ("First", "Beside it"):
        answer = page.get_by_role("region", name=name, exact=True)
        expect(answer.get_by_role("status")).to_have_text("done")
        expect(answer.get_by_text("First token")).to_be_visible()
        expect(answer.get_by_role("heading", name="Why it went there")).to_be_visible()
        assert answer.get_by_role("region", name=f"{name}, text").inner_text().strip()
    page.get_by_role("button", name="Get the code").click()
    for name in ("curl", "JS", "Python", "Python openai", "Python anthropic"):
        page.get_by_role("tab", name=name, exact=True).click()
        assert "Write a haiku about keys" in page.locator("pre code").inner_text()
    shoot_in_all_looks(tab, "playground-two")
    page.get_by_label("Model", exact=True).select_option("sandbox/sandbox")
    page.get_by_role("group").get_by_text("Parameters").click()
    page.get_by_label("Others, as JSON").fill('{"no_such": 1}')
    page.get_by_role("button", name="Run").click()
    refused = page.get_by_role("region", name="First", exact=True).get_by_role("alert")
    expect(refused).to_contain_text("no_such")
    expect(refused).to_contain_text("HTTP 400")
    shoot_in_all_looks(tab, "playground-refused")
    tab.problems = [line for line in tab.problems if "400" not in line]
    page.reload()
    expect(page.get_by_label("Task")).to_have_value("text-generation")
    expect(page.get_by_role("combobox", name="Beside it")).to_have_value("sandbox/sandbox")


def shoot_in_all_looks(tab: Tab, name: str) -> None:
    page = tab.page
    for scheme, width in (("light", 1280), ("dark", 1280), ("dark", 360)):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": width, "height": 800})
        expect(page.locator("html")).to_have_class(re.compile(rf"\b{scheme}\b"))
        tab.shoot(f"{name}-{scheme}-{width}")
        assert violations(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 800})


def usage_from_its_address(tab: Tab) -> None:
    """What is chosen stands in the address, and another tab shows the same of it; the downloads say it too."""
    page = tab.page
    tab.open("/usage?range=24h")
    page.get_by_label("Group by").select_option("task")
    page.wait_for_url("**by=task**")
    page.get_by_label("Then by").select_option("model")
    page.wait_for_url("**sub=model**")
    page.get_by_label("Measure").select_option("output")
    page.wait_for_url("**metric=output**")
    page.get_by_role("button", name="Compare with the period before").click()
    page.wait_for_url("**compare=1**")
    expect(page.get_by_role("columnheader", name="Measure before")).to_be_visible()
    rows = page.get_by_role("region", name="Usage by group over the whole range").locator("tbody tr")
    expect(rows).to_have_count(3)  # two tasks and all together
    shown = rows.all_text_contents()
    tab.shoot("usage-compared")
    other = page.context.new_page()
    other.goto(page.url)
    again = other.get_by_role("region", name="Usage by group over the whole range").locator("tbody tr")
    expect(again).to_have_count(len(shown))
    assert again.all_text_contents() == shown
    other.close()
    data = json.loads(downloaded(page, "Download JSON"))["data"]
    assert {row["task"] for row in data if row["requests"]} == {"text-generation", "summarization"}
    assert len(downloaded(page, "Download CSV").splitlines()) == len(data) + 1
    page.get_by_text("The chart's figures as a table").click()
    page.get_by_role("region", name="The chart's figures").get_by_role("link").first.click()
    page.wait_for_url("**/requests?from=**")
    expect(page.locator("tbody tr").first).to_be_visible()


def downloaded(page: Page, button: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=button).click()
    return waiting.value.path().read_text()


def overview_only_in_sight(tab: Tab, installation: Installation, server: ServerProcess, key: str) -> None:
    page = tab.page
    tab.open("/")
    requests = page.get_by_role("link", name=re.compile(r"^Requests")).get_by_text(re.compile(r"^[\d,]+$"))
    settled = installation.query("SELECT count(*) AS n FROM ledger_entry")[0]["n"]
    expect(requests).to_have_text(str(settled))  # the tab begins with what it showed last
    before = int(requests.inner_text())
    see(page, "hidden")
    page.wait_for_timeout(500)
    assert ask(server, key) == 200
    page.wait_for_timeout(3_000)
    assert int(requests.inner_text()) == before
    see(page, "visible")
    expect(requests).to_have_text(str(before + 1), timeout=3_000)


def see(page: Page, state: str) -> None:
    """Has the page believe that its tab is in sight, or out of it."""
    page.evaluate(
        """(state) => {
          Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )
