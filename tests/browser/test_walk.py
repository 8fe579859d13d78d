"""The newcomer's walk in Chromium: set up, first call with one click, the tiles move, a key is rolled and revoked.

Once on the loopback address and once on a plain-http name, which is no secure context: there the browser has no
clipboard API and says nothing of it.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import PLAIN_HOST, Tab, chromium
from tests.harness import Installation, ServerProcess
from tests.harness.evidence import Evidence
from tests.harness.process import wait_until

pytestmark = pytest.mark.browser

ADMIN, PASSWORD = "admin@example.test", "a long enough password"
TURN_SECONDS = 2.0


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def server(installation: Installation) -> Iterator[ServerProcess]:
    with installation.server() as server:
        yield server


@pytest.mark.parametrize("host", [pytest.param("127.0.0.1", marks=pytest.mark.long), PLAIN_HOST])
def test_a_newcomer_walks_from_the_setup_link_to_a_revoked_key(
    host: str, installation: Installation, server: ServerProcess, shots: Path, evidence: Evidence
) -> None:
    with chromium() as browser:
        tab = Tab(browser, f"http://{host}:{server.port}", shots)
        assert_context(tab, host)
        set_up(tab, server)
        key, turned = first_call(tab, installation)
        moved = overview_moves(tab, server, key)
        keys_are_made_rolled_and_revoked(tab, installation, server)
        evidence.note(seconds_until_the_page_turned=turned, seconds_until_the_overview_moved=moved)
        assert turned <= TURN_SECONDS
        assert moved <= TURN_SECONDS
        assert tab.problems == []


def assert_context(tab: Tab, host: str) -> None:
    tab.open("/sign-in")
    is_secure = host != PLAIN_HOST
    assert tab.page.evaluate("isSecureContext") is is_secure
    assert tab.page.evaluate("Boolean(navigator.clipboard)") is is_secure


def set_up(tab: Tab, server: ServerProcess) -> None:
    """The link the server printed, on the host under test."""
    wait_until(lambda: "/setup?token=" in server.log_text(), seconds=5)
    (link,) = re.findall(r"http://\S+(/setup\?token=\S+)", server.log_text())
    page = tab.page
    tab.open(link)
    page.get_by_label("E-mail").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    page.wait_for_url("**/first-call")


def first_call(tab: Tab, installation: Installation) -> tuple[str, float]:
    """Runs the example as it is shown; gives the key and the seconds until the page had turned."""
    page = tab.page
    key = page.locator("code[data-secret]").inner_text()
    assert re.fullmatch(r"ais_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", key)
    expect(page.get_by_text("Waiting for your first request…")).to_be_visible()
    shown = page.locator("pre code").inner_text()
    assert key in shown
    assert tab.base in shown
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    clicks(page)
    page.get_by_role("button", name="Run it here").click()
    expect(page.get_by_text("Waiting for your first request…")).to_be_hidden()
    assert clicks(page) == 1  # after the one on "Create the account"
    expect(page.get_by_role("link", name="See its trace")).to_be_visible()
    answer = run_in_bash(shown, installation)
    done_at = time.monotonic()
    assert answer.rpartition("\n")[2] == "200"
    request_id = json.loads(answer.rpartition("\n")[0])["id"]
    expect(page.get_by_text(request_id)).to_be_visible()
    turned = time.monotonic() - done_at
    expect(page.get_by_text("not from a model")).to_be_visible()
    tab.shoot("walk-first-call")
    return key, turned


def clicks(page: Page) -> int:
    """How often the page was clicked since this was asked last; counted in the page itself."""
    return int(
        page.evaluate(
            """() => {
              if (window.counted === undefined) {
                document.addEventListener('click', (event) => { if (event.isTrusted) window.counted += 1; }, true);
              }
              const found = window.counted || 0;
              window.counted = 0;
              return found;
            }"""
        )
    )


def run_in_bash(command: str, installation: Installation) -> str:
    """What the command prints, with the status in the last line. The test's name is resolved by curl's own settings."""
    port = re.findall(r":(\d+)/", command)[0]
    rules = f'resolve = "{PLAIN_HOST}:{port}:127.0.0.1"\nnoproxy = "*"\nsilent\nwrite-out = "\\n%{{http_code}}"\n'
    (installation.folder / ".curlrc").write_text(rules)
    env = {**installation.env, "CURL_HOME": str(installation.folder)}
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def requests_tile(page: Page) -> Locator:
    """The figure of the tile that counts the requests of the last 24 hours."""
    return page.get_by_role("link", name=re.compile(r"^Requests")).get_by_text(re.compile(r"^[\d,]+$"))


def overview_moves(tab: Tab, server: ServerProcess, key: str) -> float:
    """Seconds from a request's answer until tile and list have it, on a page that was not loaded again."""
    page = tab.page
    page.get_by_role("link", name="Overview", exact=True).click()
    requests = requests_tile(page)
    expect(requests).to_have_text("2")
    page.evaluate("window.isTheSamePage = true")
    assert status_of(server, key, "/ai-service") == 200
    done_at = time.monotonic()
    expect(requests).to_have_text("3")
    expect(page.get_by_role("region", name="Newest requests").locator("tbody tr")).to_have_count(3)
    moved = time.monotonic() - done_at
    assert page.evaluate("window.isTheSamePage") is True
    return moved


def keys_are_made_rolled_and_revoked(tab: Tab, installation: Installation, server: ServerProcess) -> None:
    page = tab.page
    page.get_by_role("link", name="Keys").click()
    made = create_key(tab, "Walked")
    row = page.locator("tr", has_text="Walked")
    assert status_of(server, made) == 200

    rolled = roll(page, row, "1 hour")
    assert (status_of(server, made), status_of(server, rolled)) == (200, 200)
    row.get_by_role("button", name="End overlap").click()
    page.locator("dialog[open]").get_by_role("button", name="End it").click()
    expect(page.get_by_text("The old secret is refused from now on.")).to_be_visible()
    assert (status_of(server, made), status_of(server, rolled)) == (401, 200)

    at_once = roll(page, row, "Not at all: end it now")
    assert (status_of(server, rolled), status_of(server, at_once)) == (401, 200)

    newest = old_secret_ends_with_its_overlap(installation, server, at_once)

    row.get_by_role("button", name="Revoke").click()
    page.locator("dialog[open]").get_by_role("button", name="Revoke").click()
    expect(row.get_by_text("revoked")).to_be_visible()
    wait_until(lambda: status_of(server, newest) == 401, seconds=1)
    tab.shoot("walk-keys")


def create_key(tab: Tab, name: str) -> str:
    """Makes a key through the reveal gate; gives it as it was pasted from the clipboard."""
    page = tab.page
    page.get_by_role("button", name="Create key").first.click()
    page.locator("dialog[open]").get_by_label("Name").fill(name)
    page.locator("dialog[open]").get_by_role("button", name="Create key").click()
    gate = page.get_by_role("dialog", name=re.compile("^Copy the key"))
    expect(gate).to_be_visible()
    assert "•" in gate.locator("code").inner_text()
    page.keyboard.press("Escape")
    expect(gate.get_by_text("You have not copied it yet")).to_be_visible()
    pasted = copied_and_pasted(page, gate.get_by_role("button", name="Copy key"))
    gate.get_by_role("button", name="Show").click()
    assert gate.locator("code").inner_text() == pasted
    gate.get_by_role("button", name="Done").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    return pasted


def copied_and_pasted(page: Page, button: Locator) -> str:
    """Presses the copy button, then pastes with the keyboard into an input made for it inside the open dialog."""
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.evaluate(
        """() => {
          const field = Object.assign(document.createElement('input'), { id: 'pasted', ariaLabel: 'pasted' });
          [...document.querySelectorAll('dialog[open]')].at(-1).append(field);
          field.focus();
        }"""
    )
    page.keyboard.press("Control+V")
    text = page.locator("#pasted").input_value()
    page.evaluate("document.getElementById('pasted').remove()")
    return text


def roll(page: Page, row: Locator, overlap: str) -> str:
    row.get_by_role("button", name="Roll").click()
    page.locator("dialog[open]").get_by_label("The old secret works for another").select_option(overlap)
    page.locator("dialog[open]").get_by_role("button", name="Roll").click()
    gate = page.get_by_role("dialog", name=re.compile("^Copy the key"))
    secret = copied_and_pasted(page, gate.get_by_role("button", name="Copy key"))
    gate.get_by_role("button", name="Done").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    return secret


def old_secret_ends_with_its_overlap(installation: Installation, server: ServerProcess, old: str) -> str:
    """An overlap shorter than the page offers: by the command line, while the server runs."""
    key_id = next(row["id"] for row in installation.command("key", "list") if row["name"] == "Walked")
    new: str = installation.command("key", "roll", key_id, "--overlap", "6s")["key"]
    assert (status_of(server, old), status_of(server, new)) == (200, 200)
    wait_until(lambda: status_of(server, old) == 401, seconds=9, every=0.1)
    assert status_of(server, new) == 200
    return new


def status_of(server: ServerProcess, key: str, path: str = "/v1/models") -> int:
    headers = {"Authorization": f"Bearer {key}"}
    if path == "/ai-service":
        return httpx.post(server.url + path, headers=headers, json={"input": "Write a haiku about keys"}).status_code
    return httpx.get(server.url + path, headers=headers).status_code
