"""The log, one request, usage and kept bodies: what is chosen stands in the address and comes back in another tab."""

import csv
import json
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import expect

from tests.browser.walk.walker import Walker


def requests(walker: Walker, key: str) -> None:
    page = walker.page
    walker.go("/requests")
    rows = page.locator("#log-rows tbody tr")
    page.wait_for_timeout(1500)  # until the first look of the live pages
    news = walker.button(re.compile(r"^1 new request"))
    took = walker.seconds_until(lambda: walker.leg.ask(key).raise_for_status(), news)
    walker.figures["seconds until the log tells of a request"] = round(took, 2)
    assert took <= 2
    count = rows.count()
    news.click()
    expect(rows).to_have_count(count + 1)
    narrowed(walker)
    peeked(walker)
    found(walker)
    # The tab began with what it had: the download of the search before.
    expect(page.get_by_role("link", name="Download CSV")).to_have_attribute("href", re.compile(r"requests\.csv$"))
    lines = list(csv.DictReader(walker.download("Download CSV").splitlines()))
    listed = json.loads(walker.download("JSON"))
    assert len(lines) == len(listed["data"] if isinstance(listed, dict) else listed) >= count


def narrowed(walker: Walker) -> None:
    """Every select, the range, a span and the zone."""
    page = walker.page
    for label, name, value in (
        ("Task", "task", "text-generation"),
        ("Ended", "ended", "finished"),
        ("Status", "status", "200"),
    ):
        page.get_by_label(label, exact=True).select_option(value)
        page.wait_for_url(f"**{name}={value}**")
    for label in ("Client", "Key", "Model", "Provider"):
        page.get_by_label(label, exact=True).select_option(index=1)
        page.wait_for_url(f"**{label.lower()}=**")
    walker.restored()
    page.get_by_label("Cache", exact=True).select_option("hit")
    walker.said("No request is like that")
    walker.restored()
    page.get_by_role("link", name="Show all requests").click()
    walker.press("24 hours")
    page.wait_for_url("**range=24h**")
    walker.press(re.compile("Tokyo"))
    page.wait_for_url("**tz=Asia**")
    walker.restored()
    page.get_by_label("From", exact=True).fill("2026-01-01T00:00")
    page.get_by_label("To", exact=True).fill("2030-01-01T00:00")
    walker.press("Apply")
    page.wait_for_url("**from=2026**")
    walker.restored()
    page.get_by_role("link", name="Clear all").click()
    page.wait_for_url(lambda url: "?" not in url)
    walker.go("/requests?status=abc")
    walker.said("could not be read like that")
    walker.press("Try again")
    page.get_by_role("link", name="Show all requests").click()
    walker.arrived("/requests")


def peeked(walker: Walker) -> None:
    """A request beside the list, then on its own page; both have an address."""
    page = walker.page
    page.locator("#log-rows tbody tr").first.get_by_role("link").click()
    page.wait_for_url("**peek=req_**")
    walker.said("What is known of it", walker.dialog)
    walker.restored()
    page.keyboard.press("j")
    page.keyboard.press("k")
    walker.dialog.get_by_role("link", name="Its own page").click()
    walker.arrived("/requests/req_.*")
    walker.said("Attempt 1")
    assert walker.copied(walker.button("Copy id")) == page.url.partition("?")[0].rpartition("/")[2]
    curl = walker.copied(walker.button(re.compile("curl")).first)
    assert walker.leg.base in curl
    assert walker.copied(walker.button("Copy for AI")).startswith("# Request req_")
    walker.press(re.compile("Tokyo"))
    page.wait_for_url("**tz=Asia**")
    walker.restored()
    page.get_by_role("link", name="Replay in the playground").click()
    walker.arrived("/playground")


def found(walker: Walker) -> None:
    page = walker.page
    walker.go("/requests")
    page.get_by_label("Id of request, trace or provider").fill("req_none")
    walker.press("Find")
    walker.said("There is no such request")
    walker.go("/requests")
    page.get_by_label("Id of request, trace or provider").fill("0123")
    walker.press("Find")
    page.wait_for_url("**id=0123**")
    walker.restored()
    walker.go("/requests")


def usage(walker: Walker) -> None:
    page = walker.page
    walker.go("/usage")
    walker.press("24 hours")
    page.wait_for_url("**range=24h**")
    for label, name, value in (
        ("Measure", "metric", "output"),
        ("Group by", "by", "task"),
        ("Then by", "sub", "model"),
        ("Roll-up", "roll", "minute"),
        ("Task", "task", "text-generation"),
    ):
        page.get_by_label(label, exact=True).select_option(value)
        page.wait_for_url(f"**{name}={value}**")
    for name, words in (("sum", "Add up"), ("compare", "Compare with the period before")):
        walker.press(words)
        page.wait_for_url(f"**{name}=1**")
    page.get_by_role("figure").scroll_into_view_if_needed()
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    page.get_by_text("The chart's figures as a table").click()
    walker.press(re.compile("Tokyo"))
    page.wait_for_url("**tz=Asia**")
    page.get_by_text("The chart's figures as a table").click()
    walker.restored()
    data = json.loads(walker.download("Download JSON"))["data"]
    assert {row["task"] for row in data if row["requests"]} == {"text-generation"}
    assert len(walker.download("Download CSV").splitlines()) == len(data) + 1
    some_hours_ago = datetime.now(ZoneInfo("Asia/Tokyo")) - timedelta(hours=3)
    page.get_by_label("From", exact=True).fill(f"{some_hours_ago:%Y-%m-%dT%H:%M}")
    walker.press("Apply")
    page.wait_for_url("**from=**")
    walker.restored()
    page.get_by_role("link", name="Back to the default").first.click()  # nothing may be left of the span
    page.wait_for_url(lambda url: "?" not in url)
    walker.go("/usage?model=none")
    walker.said("No data")
    walker.go("/usage?by=colour")
    walker.said("could not be read like that")
    walker.press("Try again")


def kept_bodies(walker: Walker, client: str, key: str) -> None:
    """An admin has a client's bodies kept, reads one, and destroys them."""
    walker.go("/requests")
    walker.page.get_by_role("link", name="Kept bodies").click()
    walker.arrived("/payloads")
    walker.sure("Keep", "Start keeping", walker.row(client))
    walker.told("is kept from now on")
    request = walker.leg.ask(key, input="to be kept").headers["x-request-id"]
    walker.page.wait_for_timeout(2500)  # for what is written behind the answer
    walker.go(f"/requests/{request}")
    walker.press("Show them")
    expect(walker.page.get_by_role("region", name="Asked")).to_contain_text("to be kept")
    walker.go("/payloads")
    walker.sure("Destroy what is kept", "Destroy it", walker.row(client))
    walker.told("kept bodies were destroyed")
    walker.sure("Keep no more", "Keep no more", walker.row(client))
    walker.told("is kept")
    walker.go(f"/requests/{request}")
    walker.said("Neither the prompt nor the answer is kept")
