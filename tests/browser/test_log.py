"""The log and usage in Chromium: what is chosen stands in the URL, a reload and another tab show the same, and new
requests are announced without moving a row."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Tab, chromium
from tests.browser.inspection import sign_in
from tests.browser.test_walk import ADMIN, PASSWORD, status_of
from tests.harness import Installation, ServerProcess

pytestmark = pytest.mark.browser


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


def test_views_are_their_urls_and_news_move_nothing(
    installation: Installation, server: ServerProcess, shots: Path
) -> None:
    key = installation.add_key()["key"]
    assert [status_of(server, key, "/ai-service") for _ in range(2)] == [200, 200]
    with chromium() as browser:
        tab = Tab(browser, server.url, shots, timezone_id="Asia/Tokyo")
        sign_in(tab)
        news_are_announced(tab, server, key)
        a_request_is_opened(tab)
        what_is_chosen_stands_in_the_url(tab)
        usage_is_grouped_and_downloaded(tab)
        a_phone_loads_no_chart_that_it_has_not_scrolled_to(tab)
        assert tab.problems == []


def news_are_announced(tab: Tab, server: ServerProcess, key: str) -> None:
    page = tab.page
    tab.open("/requests")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    top = rows.first.bounding_box()
    page.wait_for_timeout(1500)  # the first look of the live pages
    assert status_of(server, key, "/ai-service") == 200
    news = page.get_by_role("button", name="1 new request")
    expect(news).to_be_visible(timeout=3000)
    assert rows.first.bounding_box() == top
    expect(rows).to_have_count(2)
    news.click()
    expect(rows).to_have_count(3)
    expect(news).to_be_hidden()
    live_rows_wait_for_the_pointer(tab, server, key)


def live_rows_wait_for_the_pointer(tab: Tab, server: ServerProcess, key: str) -> None:
    page, rows = tab.page, tab.page.locator("tbody tr")
    page.keyboard.press("l")
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")
    rows.first.hover()
    assert status_of(server, key, "/ai-service") == 200
    expect(page.get_by_role("button", name="1 new request")).to_be_visible(timeout=3000)
    expect(rows).to_have_count(3)
    page.mouse.move(0, 0)
    expect(rows).to_have_count(4, timeout=3000)
    page.keyboard.press("l")
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "false")


def a_request_is_opened(tab: Tab) -> None:
    page = tab.page
    page.locator("tbody tr").first.get_by_role("link").click()
    page.wait_for_url("**/requests?peek=req_*")
    sheet = page.locator("dialog[open]")
    expect(sheet.get_by_text("Attempt 1: sandbox")).to_be_visible()
    first = page.url
    page.keyboard.press("j")
    page.wait_for_url(lambda url: url != first)
    expect(sheet.get_by_text(page.url.rpartition("=")[2]).first).to_be_visible()
    page.keyboard.press("k")
    page.wait_for_url(first)
    other = tab.context.new_page()
    other.goto(first)
    expect(other.locator("dialog[open]").get_by_text("Attempt 1: sandbox")).to_be_visible()
    other.close()
    the_sheet_keeps_the_focus_and_gives_it_back(page)
    page.keyboard.press("Enter")
    sheet.get_by_role("link", name="Its own page").click()
    page.wait_for_url("**/requests/req_*")
    expect(page.get_by_text("Attempt 1: sandbox")).to_be_visible()
    shown = page.locator("main code").first.inner_text()
    assert page.url.endswith(shown)
    page.reload()
    expect(page.get_by_text("Attempt 1: sandbox")).to_be_visible()
    page.get_by_role("button", name="Copy id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()


def the_sheet_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    """It lies over the list on a desk, too: what it covers is not reached by keys, and a click beside it closes it."""
    row = page.locator("tbody tr").first.get_by_role("link")
    assert page.evaluate("document.querySelector('dialog[open]').matches(':modal')")
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 24:
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.mouse.click(20, 400)
    page.wait_for_url("**/requests")
    expect(row).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests?peek=req_*")
    page.locator("dialog[open] h2").first.click()  # and so nothing in it has the focus
    page.keyboard.press("Escape")
    page.wait_for_url("**/requests")
    expect(row).to_be_focused()


def what_is_chosen_stands_in_the_url(tab: Tab) -> None:
    page = tab.page
    tab.open("/requests")
    page.get_by_label("Task", exact=True).select_option("text-generation")
    page.wait_for_url("**task=text-generation*")
    tokyo = page.get_by_role("button", name=re.compile("Tokyo"))
    tokyo.click()
    page.wait_for_url("**tz=Asia*")
    expect(tokyo).to_have_attribute("aria-pressed", "true")
    first = page.locator("tbody tr").first
    shown = first.inner_text()
    page.reload()
    expect(first).to_have_text(re.compile(re.escape(shown.split()[1])))  # the same time of day, in Tokyo
    expect(page.get_by_label("Task", exact=True)).to_have_value("text-generation")
    page.get_by_label("Ended", exact=True).select_option("failed")
    expect(page.get_by_text("No request is like that")).to_be_visible()
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(4)
    bars = page.get_by_role("slider", name="Requests over time")
    bars.press("End")
    expect(bars).to_have_attribute("aria-valuetext", re.compile("4 requests. Enter"))
    bars.press("Enter")
    page.wait_for_url("**from=*")
    expect(page.locator("tbody tr")).to_have_count(4)
    page.get_by_label("Id of request, trace or provider").fill("req_none")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("There is no such request")).to_be_visible()


def usage_is_grouped_and_downloaded(tab: Tab) -> None:
    page = tab.page
    tab.open("/usage")
    page.get_by_role("button", name="24 hours").click()
    page.wait_for_url("**range=24h*")
    page.get_by_label("Group by").select_option("model")
    page.wait_for_url("**by=model*")
    page.get_by_role("figure").scroll_into_view_if_needed()
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("^sandbox"))
    expect(row.get_by_role("cell").nth(1)).to_have_text(re.compile("^4 requests"))
    page.get_by_text("The chart's figures as a table").click()
    expect(page.get_by_role("region", name="The chart's figures")).to_contain_text("4")
    assert downloaded(page) == 4
    url = page.url
    other = tab.context.new_page()
    other.goto(url)
    expect(other.get_by_role("row", name=re.compile("^sandbox")).get_by_role("cell").nth(1)).to_have_text(
        re.compile("^4 requests")
    )
    expect(other.get_by_label("Group by")).to_have_value("model")
    other.close()


def downloaded(page: Page) -> int:
    """The requests in all lines of the file that the page offers."""
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download CSV").click()
    rows = csv.DictReader(Path(begun.value.path()).read_text().splitlines())
    return sum(int(row["requests"]) for row in rows)


def a_phone_loads_no_chart_that_it_has_not_scrolled_to(tab: Tab) -> None:
    """Plotly is a megabyte of script to run: a phone shows what is chosen first, and the bars in plain lines below."""
    page = tab.page
    page.set_viewport_size({"width": 412, "height": 823})
    tab.open("/usage?range=24h&by=model")
    bars = page.get_by_role("figure").locator("svg rect")
    expect(bars.first).to_be_attached()
    page.evaluate("new Promise((done) => requestIdleCallback(() => requestIdleCallback(done)))")
    asked = "performance.getEntriesByType('resource').filter((e) => e.name.includes('plotly')).length"
    assert page.evaluate(asked) == 0
    page.get_by_role("figure").scroll_into_view_if_needed()
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    assert page.evaluate(asked) == 1
