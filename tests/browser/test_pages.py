"""Every page and open dialog: nothing that axe-core objects to, nothing wider than a phone, nothing red in the console;
and a picture of each in light and dark, wide and narrow, to be looked at."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.chromium import Tab, chromium
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence

pytestmark = pytest.mark.browser

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 360)]
PLAIN_PAGES = ["/sign-in", "/sign-up", "/setup", "/invite", "/reset", "/forgot", "/no-such-page"]
FRAMED_PAGES = [
    *("/", "/first-call", "/playground", "/requests", "/usage", "/keys", "/limits", "/preferences", "/providers"),
    *("/teams", "/users", "/account/tokens"),
    *("/account", "/abuse", "/audit", "/budgets", "/alerts", "/alerts/rules", "/alerts/channels", "/payloads"),
    *(
        "/aliases",
        "/shadows",
        "/cache",
        "/vendors",
        "/sign-in-rules",
        "/single-sign-on",
        "/prices",
        "/clients",
        "/system",
    ),
]
VIEWS = [
    "/usage?by=model&range=1h&metric=cost",
    "/usage?by=key&sub=status&range=24h&compare=1&sum=1",
    "/usage?by=provider&metric=p95&range=24h&compare=1",
    "/usage?by=status&metric=cost",
    "/usage?model=none",
    "/usage?by=colour",
    "/audit?action=none",
    "/requests?ended=failed",
    "/requests?model=none",
    "/requests?status=abc",
    "/requests?range=24h&cache=hit",
    "/keys?state=revoked",
    "/keys?q=nobody",
    "/keys?state=odd",
    "/requests/req_none",
]
PROVIDER_KEY = "sk-of-the-provider"


class Inspection:
    """Looks at what a tab shows in every look, and keeps what is wrong with it."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.seen = 0
        self.wrong: list[str] = []

    def look(self, name: str) -> None:
        page = self.tab.page
        for scheme, width in LOOKS:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator("html")).to_have_class(re.compile(rf"\b{scheme}\b"))
            if page.locator(".js-plotly-plot").count():
                page.wait_for_timeout(400)  # plotly draws anew a moment after the window has changed
            where = f"{name}-{scheme}-{width}"
            self.tab.shoot(where)
            self.seen += 1
            self.wrong += [f"{where}: {found}" for found in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                self.wrong.append(f"{where}: wider than the window")
        page.set_viewport_size({"width": 1280, "height": 800})

    def pages(self, paths: list[str], state: str) -> None:
        for path in paths:
            self.tab.open(path)
            self.look(f"{state}{re.sub('[^a-z0-9]+', '-', path).rstrip('-') or '-overview'}")


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    installation = Installation(tmp_path, {"AISERVICE_SIGNUP": "open", **getattr(request, "param", {})})
    installation.add_admin(ADMIN, PASSWORD)
    return installation


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def inspected(server: ServerProcess, browser: Browser, shots: Path, evidence: Evidence) -> Iterator[Inspection]:
    inspection = Inspection(Tab(browser, server.url, shots))
    yield inspection
    evidence.note(views=inspection.seen, axe_violations=len(inspection.wrong))
    assert inspection.wrong == []
    assert inspection.tab.problems == []


@pytest.mark.long  # 50 s of a tier that has 900
def test_pages_before_anything_has_happened(inspected: Inspection) -> None:
    tab = inspected.tab
    inspected.pages(PLAIN_PAGES, "plain")
    tab.problems = [line for line in tab.problems if "404" not in line]  # the page that is not there
    tab.open("/sign-in")
    tab.page.get_by_label("E-mail").fill(ADMIN)
    tab.page.get_by_label("Password").fill("not the password")
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    expect(tab.page.get_by_role("alert")).to_contain_text("not right")
    inspected.look("plain-sign-in-refused")
    tab.problems = [line for line in tab.problems if "401" not in line]  # the refusal
    sign_in(tab)
    inspected.pages([path for path in FRAMED_PAGES if path != "/first-call"] + ["/first-call"], "empty")
    leave_without_copying(tab)


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[MockProcess]:
    with MockProcess(tmp_path, keys=(PROVIDER_KEY,)) as mock:
        yield mock


@pytest.mark.long
def test_pages_and_dialogs_with_something_in_them(
    inspected: Inspection, installation: Installation, server: ServerProcess, mock: MockProcess
) -> None:
    fill(installation, server, mock)
    tab = inspected.tab
    sign_in(tab)
    leave_without_copying(tab)
    inspected.pages(FRAMED_PAGES, "filled")
    inspected.pages(VIEWS, "view")
    for request_id, row in installation.ledger().items():
        inspected.tab.open(f"/requests/{request_id}")
        inspected.look(f"request-{row['status']}-{row['outcome']}")
    for path, opens in DIALOGS:
        tab.open(path)
        opens(tab.page)
        expect(tab.page.locator("dialog[open]").last).to_be_visible()
        inspected.look("dialog" + path.replace("/", "-") + "-" + opens.__name__.replace("_", "-"))
    server.kill()
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_text("The connection to the server is lost")).to_be_visible()
    inspected.look("offline")
    expected = ("ERR_CONNECTION_REFUSED", "status of 422")  # the server is gone; the provider that was refused
    tab.problems = [line for line in tab.problems if not any(words in line for words in expected)]


@pytest.mark.long
@pytest.mark.parametrize("installation", [{"AISERVICE_LOG_PAYLOADS": "on"}], indirect=True)
def test_a_request_whose_bodies_are_kept_and_one_that_was_replayed(
    inspected: Inspection, installation: Installation, server: ServerProcess
) -> None:
    key = installation.add_key("kept")["key"]
    installation.command("client", "payloads", "on", "kept")
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "a-key"}
    ids = [
        httpx.post(f"{server.url}/ai-service", headers=headers, json={"input": "hello"}).headers["x-request-id"]
        for _ in range(2)
    ]
    tab = inspected.tab
    sign_in(tab)
    leave_without_copying(tab)
    tab.page.wait_for_timeout(3000)  # for what is written behind the answers
    tab.open(f"/requests/{ids[0]}")
    expect(tab.page.get_by_text("1 retry got the same answer")).to_be_visible()
    tab.page.get_by_role("button", name="Show them").click()
    expect(tab.page.get_by_role("region", name="Asked")).to_contain_text("hello")
    expect(tab.page.get_by_role("region", name="Answered")).to_contain_text("finish_reason")
    inspected.look("request-kept")
    tab.open(f"/requests/{ids[1]}")
    expect(tab.page.get_by_text("Replayed from")).to_be_visible()
    inspected.look("request-replayed")
    tab.page.get_by_role("link", name=ids[0]).click()
    expect(tab.page.get_by_text("1 retry got the same answer")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Show them")).to_be_visible()


@pytest.mark.long
def test_what_a_thief_would_want_asks_for_the_password_where_it_is_done(
    inspected: Inspection, installation: Installation
) -> None:
    """T-68, as a person sees it: the form, or the notice over the page, asks; what was filled in stays."""
    installation.add_key("second")
    tab = inspected.tab
    sign_in(tab)
    leave_without_copying(tab)
    tab.open("/keys")
    age_sessions(installation)
    roll_key(tab.page)
    roll = tab.page.locator("dialog[open]").first
    roll.get_by_role("button", name="Roll", exact=True).click()
    expect(roll.get_by_label("Your password")).to_be_focused()
    inspected.look("asked-in-a-form")
    roll.get_by_label("Your password").fill(PASSWORD)
    roll.get_by_role("button", name="Roll", exact=True).click()
    expect(tab.page.get_by_role("dialog", name=re.compile("^Copy the key"))).to_be_visible()
    tab.open("/budgets")
    age_sessions(installation)
    tab.page.get_by_label("Amount").fill("25")
    tab.page.get_by_role("button", name="Set budget").click()
    expect(tab.page.get_by_label("Your password")).to_be_focused()
    inspected.look("asked-in-the-notice")
    tab.page.get_by_label("Your password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Confirm").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("Now do it again")
    expect(tab.page.get_by_label("Amount")).to_have_value("25")
    tab.page.get_by_role("button", name="Set budget").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("may now spend")
    tab.problems = [line for line in tab.problems if "403" not in line]  # the form that was refused


def age_sessions(installation: Installation) -> None:
    """Whatever password was said is six minutes old."""
    with closing(sqlite3.connect(installation.database_path, timeout=10)) as database, database:
        database.execute("UPDATE portal_session SET created_us = created_us - 360000000, confirmed_us = NULL")


def fill(installation: Installation, server: ServerProcess, mock: MockProcess) -> None:
    """A second person, keys in every state, a provider, a chain, and requests that went well and that did not."""
    installation.command("user", "create", "--email", "developer@example.test", stdin=PASSWORD + "\n")
    installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
    key = installation.add_key("a-client-with-quite-a-long-name-that-somebody-chose")["key"]
    rolled = installation.add_key("second", "--name", "Rolled", "--expires-in", "30d")["id"]
    installation.command("key", "roll", rolled)
    revoked = installation.add_key("second", "--name", "Revoked", is_new_client=False)["id"]
    installation.command("key", "revoke", revoked)
    installation.command("team", "create", "--name", "search")
    installation.command("client", "set-team", "second", "search")
    installation.command("team", "limits", "set", "search", "--rpm", "60", "--limit", "tokens/day=5000000")
    installation.command("client", "limits", "set", "a-client-with-quite-a-long-name-that-somebody-chose", "--rpm", "3")
    installation.command("key", "limits", "set", rolled, "--concurrency", "4")
    bound = ("--scope", "read", "--allow-ip", "203.0.113.0/24", "--allow-ip", "2001:db8:1234:5678::/64")
    leaked = installation.add_key("second", "--name", "Leaked", *bound, is_new_client=False)["key"]
    installation.command("key", "report-leak", stdin=leaked + "\n")
    installation.add_key("second", "--name", "Bound", *bound, is_new_client=False)
    installation.command("client", "budget", "set", "second", "--usd", "20", "--period", "month")
    installation.command("key", "budget", "set", rolled, "--tokens", "500000", "--period", "day", "--rolling")
    installation.command(
        "abuse", "policy", "--client", "second", "--set", "automatic", "--ceiling", "cost/hour=25:alert"
    )
    installation.command("client", "payloads", "on", "second")
    installation.command("preference", "set", "--client", "second", "--task", "chat", "--order", "mock,sandbox")
    installation.command("alert", "channel", "add", "pager", "--webhook", f"{mock.base_url}/hook", "--allow-private")
    installation.command("alert", "rule", "set", "any request", "--metric", "requests", "--above", "0")
    installation.command("provider", "set-quota", "mock", "--rpm", "20", "--tpm", "100000")
    away = ("--name", "away", "--base-url", "http://127.0.0.1:9/v1", "--allow-private", "--models", "gpt-away")
    installation.command("provider", "add", "openai-compatible", *away, "--no-test", stdin=f"{PROVIDER_KEY}\n")
    installation.command("shadow", "set", "--client", "second", "--to", "mock:mock-large", "--percent", "5")
    refused = {"input": "(retry-after-90) hello", "model": "mock/mock-large"}
    for body in (
        {"input": "hello", "model": "away/gpt-away"},
        {"input": "hello", "model": "away/gpt-away"},
        {"input": "hello"},
        {"input": "hello", "model": "mock/mock-small"},
        {"input": "x", "model": "none"},
        refused,
    ):
        httpx.post(f"{server.url}/ai-service", headers={"Authorization": f"Bearer {key}"}, json=body)
    installation.command(
        "cache", "policy", "set", "--team", "search", "--ttl", "7d", "--max-ttl", "7d", "--shared-by", "team"
    )
    installation.command("cache", "policy", "set", "--client", "second", "--task", "embedding", "--mode", "off")
    asking = {
        "Authorization": f"Bearer {installation.add_key('second', '--name', 'Cached', is_new_client=False)['key']}"
    }
    for _ in range(3):
        httpx.post(
            f"{server.url}/ai-service", headers=asking, json={"input": "hello", "task": "chat", "cache": {"ttl": 60}}
        )


def sign_in(tab: Tab) -> None:
    tab.open("/sign-in")
    tab.page.get_by_label("E-mail").fill(ADMIN)
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.wait_for_url(re.compile(r"/$"))


def leave_without_copying(tab: Tab) -> None:
    """The first key is shown once: the browser asks before it is lost, and is told to go."""
    tab.page.on("dialog", lambda dialog: dialog.accept())
    tab.open("/first-call")
    tab.open("/")


def open_request(page: Page) -> None:
    page.locator("tbody tr").first.get_by_role("link").click()
    expect(page.locator("dialog[open]").get_by_role("heading", name="What is known of it")).to_be_visible()


def create_key(page: Page) -> None:
    page.get_by_role("button", name="Create key").first.click()


def create_bounded_key(page: Page) -> None:
    create_key(page)
    page.get_by_text("Limits, scope and expiry").first.click()
    expect(page.locator("dialog[open]").get_by_label("Only these tasks")).to_be_visible()


def roll_key(page: Page) -> None:
    page.get_by_role("button", name="Roll", exact=True).first.click()


def revoke_key(page: Page) -> None:
    page.get_by_role("button", name="Revoke", exact=True).first.click()


def edit_key(page: Page) -> None:
    page.get_by_role("button", name="Edit", exact=True).first.click()


def see_key_again(page: Page) -> None:
    create_key(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Name").fill("Seen again")
    form.get_by_label("I can see it again").check()
    form.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Copy key").click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="See again").first.click()
    form = page.get_by_role("dialog", name="See Seen again again")
    form.get_by_label("Your password").fill(PASSWORD)
    form.get_by_role("button", name="Show the key").click()
    expect(page.get_by_role("dialog", name="The key 'Seen again'")).to_be_visible()


def end_overlap(page: Page) -> None:
    page.get_by_role("button", name="End overlap").first.click()


def add_provider(page: Page) -> None:
    page.get_by_role("button", name="Add provider").first.click()


def add_provider_of_aws(page: Page) -> None:
    add_provider(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Kind").select_option("bedrock")
    expect(form.get_by_text("ACCESS_KEY_ID:SECRET_ACCESS_KEY")).to_be_visible()
    expect(form.get_by_text("bedrock-runtime.us-east-1.amazonaws.com")).to_be_visible()


def add_provider_refused(page: Page) -> None:
    add_provider(page)
    form = page.locator("dialog[open]")
    form.get_by_label("Name").fill("here")
    form.get_by_role("textbox", name="Address").fill("http://127.0.0.1:9/v1")
    form.get_by_role("button", name="Test and add").click()
    expect(form.get_by_role("alert")).to_be_visible()


def add_alert_rule(page: Page) -> None:
    page.get_by_role("button", name="Add rule").first.click()


def change_alert_rule(page: Page) -> None:
    page.get_by_role("button", name="Change").first.click()


def add_alert_channel(page: Page) -> None:
    page.get_by_role("button", name="Add channel").first.click()


def new_alert_secret(page: Page) -> None:
    page.get_by_role("button", name="New secret").first.click()


def open_connection(page: Page) -> None:
    page.get_by_role("link", name="mock", exact=True).click()
    expect(page.get_by_role("heading", name="Keys of mock")).to_be_visible()


def remove_provider(page: Page) -> None:
    open_connection(page)
    page.get_by_role("button", name="Remove this connection").click()


def add_provider_key(page: Page) -> None:
    open_connection(page)
    page.get_by_role("button", name="Add key").click()


def set_price(page: Page) -> None:
    page.get_by_role("button", name="Set price").first.click()


def new_client(page: Page) -> None:
    page.get_by_role("button", name="New client").click()


def disable_client(page: Page) -> None:
    page.get_by_role("link", name="second", exact=True).click()
    page.get_by_role("button", name="Disable", exact=True).click()


def set_provider_key(page: Page) -> None:
    page.get_by_role("button", name="Set key").first.click()


def state_data(page: Page) -> None:
    page.get_by_role("button", name="Data").first.click()


def clear_limit(page: Page) -> None:
    page.get_by_role("button", name="Clear").first.click()


def purge_answers(page: Page) -> None:
    page.get_by_role("button", name="Purge the answers").first.click()


def rename_team(page: Page) -> None:
    page.get_by_role("button", name="Rename").first.click()


def clear_chain(page: Page) -> None:
    page.get_by_label("Whose").select_option(label="Client second")  # something is stored there
    page.get_by_label("Task", exact=True).select_option("chat")
    page.get_by_role("button", name="Clear").first.click()


def invite(page: Page) -> None:
    page.get_by_label("E-mail").fill("new@example.test")
    page.get_by_role("button", name="Make an invitation link").click()


def reset_link(page: Page) -> None:
    page.get_by_role("button", name="Reset link").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Make a reset link").click()
    expect(page.get_by_text("Copy the reset link")).to_be_visible()


def disable_user(page: Page) -> None:
    page.get_by_role("button", name="Disable").first.click()


def change_role(page: Page) -> None:
    page.get_by_role("button", name="Make admin").first.click()


def take_back(page: Page) -> None:
    page.get_by_role("button", name="Take back").first.click()


def clear_budget(page: Page) -> None:
    page.get_by_role("button", name="Clear").first.click()


def keep_bodies(page: Page) -> None:
    page.get_by_role("button", name="Keep", exact=True).first.click()


def destroy_bodies(page: Page) -> None:
    page.get_by_role("button", name="Destroy what is kept").first.click()


def reveal_key(page: Page) -> None:
    create_key(page)
    page.locator("dialog[open]").get_by_role("button", name="Create key").click()
    expect(page.get_by_role("dialog", name=re.compile("^Copy the key"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("You have not copied it yet")).to_be_visible()


DIALOGS: list[tuple[str, Callable[[Page], None]]] = [
    ("/requests", open_request),
    ("/keys", create_key),
    ("/keys", create_bounded_key),
    ("/keys", roll_key),
    ("/keys", edit_key),
    ("/keys", see_key_again),
    ("/keys", revoke_key),
    ("/keys", end_overlap),
    ("/keys", reveal_key),
    ("/providers", state_data),
    ("/limits", clear_limit),
    ("/budgets", clear_budget),
    ("/payloads", keep_bodies),
    ("/payloads", destroy_bodies),
    ("/cache", purge_answers),
    ("/teams", rename_team),
    ("/preferences", clear_chain),
    ("/alerts/rules", add_alert_rule),
    ("/alerts/rules", change_alert_rule),
    ("/alerts/channels", add_alert_channel),
    ("/alerts/channels", new_alert_secret),
    ("/providers", add_provider),
    ("/providers", add_provider_of_aws),
    ("/providers", add_provider_refused),
    ("/providers", remove_provider),
    ("/providers", set_provider_key),
    ("/providers", add_provider_key),
    ("/prices", set_price),
    ("/clients", new_client),
    ("/clients", disable_client),
    ("/users", invite),
    ("/users", reset_link),
    ("/users", disable_user),
    ("/users", change_role),
    ("/users", take_back),
]
