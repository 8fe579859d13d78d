# ruff: noqa: E501 - markup is read as it is
"""T-62: markup in every text that somebody stored, and in what a model answers, is text in Chromium. No script runs, no
address of somebody else's is asked, and the Content-Security-Policy has nothing to refuse."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from aiservice.principal import OPERATOR, Person, Role
from aiservice.services.opening import open_core
from aiservice.settings import Settings
from tests.browser.chromium import Tab, chromium
from tests.browser.test_pages import FRAMED_PAGES
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess
from tests.harness.evidence import Evidence
from tests.harness.tenants import plant

pytestmark = [pytest.mark.browser, pytest.mark.long]

DEVELOPER, MARK, AWAY = "developer@example.test", "zq62", "http://evil.test"
RUN = "window.ran.push({0})"
PAYLOADS = [
    "<script>{run}</script>", "</script><script>{run}</script>", '"><script>{run}</script>', "'><script>{run}</script>",
    "</textarea><script>{run}</script>", "</title><script>{run}</script>", "</style><script>{run}</script>",
    '<script src="{away}.js"></script>', "<scr<script>ipt>{run}</scr</script>ipt>", "<svg><script>{run}</script></svg>",
    "<img src=x onerror={run}>", '<img src="{away}.png">', '"><img src=x onerror={run}>', "<svg onload={run}></svg>",
    "<svg><animate onbegin={run} attributeName=x dur=1s></svg>", '<svg><image href="{away}.svg"></image></svg>',
    "<body onload={run}></body>", "<details open ontoggle={run}>x</details>", "<video><source onerror={run}></video>",
    '<audio src="{away}.mp3" autoplay></audio>', "<input autofocus onfocus={run}>", "<marquee onstart={run}>x</marquee>",
    '<iframe src="javascript:parent.{run}"></iframe>', '<iframe srcdoc="<script>parent.{run}</script>"></iframe>',
    '<iframe src="{away}"></iframe>', '<object data="{away}"></object>', '<embed src="{away}">',
    '<link rel=stylesheet href="{away}.css">', '<style>@import "{away}.css";</style>',
    "<div style=\"background:url('{away}.gif')\">x</div>", '<base href="{away}/">',
    '<meta http-equiv=refresh content="0;url={away}">', '<form action="{away}"><input name=q></form>',
    '<a href="javascript:{run}">x</a>', '<math><maction actiontype="statusline" href="javascript:{run}">x</maction></math>',
    "![x]({away}.md.png)", "[x](javascript:{run})", '<img src="{away}.ref.png" alt="[x][r]">', "{{{{constructor.constructor('{run}')()}}}}",
    "${{{run}}}", "<!--><script>{run}</script>-->", "<noscript><p title=\"</noscript><img src=x onerror={run}>\"></noscript>",
]  # fmt: skip
PAYLOADS = [each.format(run=RUN.format(number), away=f"{AWAY}/{number}") for number, each in enumerate(PAYLOADS)]
"""Each notes its number in the window, or asks a stranger."""
ALL = "".join(PAYLOADS)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path)
    installation.add_admin(ADMIN, PASSWORD)
    installation.command("user", "create", "--email", DEVELOPER, stdin=PASSWORD + "\n")
    return installation


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[MockProcess]:
    with MockProcess(tmp_path) as mock:
        yield mock


async def _plant(installation: Installation) -> None:
    async with open_core(Settings(data_dir=installation.data_dir)) as core:
        (user_id,) = [row["id"] for row in installation.query("SELECT id FROM person WHERE email = ?", DEVELOPER)]
        await plant(core, Person(user_id, DEVELOPER, Role.DEVELOPER), MARK)
        await core.clients.create(OPERATOR, "plain", DEVELOPER)


def _mark_up(installation: Installation) -> int:
    """Puts all payloads into every stored text of the tenant's; gives how many values those were."""
    marked = 0
    with closing(sqlite3.connect(installation.database_path)) as database, database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{trigger}"')  # what is never changed is changed here
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'preference'")
        for (table,) in tables.fetchall():  # but chains, whose names are of a given form: others are not read at all
            for _, column, *_ in database.execute(f'PRAGMA table_info("{table}")').fetchall():
                query = (
                    f'SELECT rowid, "{column}" FROM "{table}" WHERE typeof("{column}") = \'text\' AND "{column}" LIKE ?'
                )
                for rowid, value in database.execute(query, [f"%{MARK}%"]).fetchall():
                    words = json.dumps(ALL)[1:-1] if value[:1] in ("[", "{") else ALL
                    database.execute(
                        f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', [value.replace(MARK, words), rowid]
                    )
                    marked += 1
    return marked


@pytest.mark.parametrize("email", [ADMIN, DEVELOPER], ids=["admin", "developer"])
def test_t62_what_was_stored_or_answered_is_text_and_never_markup(
    installation: Installation, mock: MockProcess, shots: Path, evidence: Evidence, email: str
) -> None:
    asyncio.run(_plant(installation))
    installation.add_mock(mock.base_url, models="mock-small")
    marked, seen = _mark_up(installation), 0
    client, request = (installation.query(f"SELECT {what}")[0]["id"] for what in (
        f"id FROM client WHERE name LIKE '%{RUN.format(0)}%'", "request_id AS id FROM ledger_entry"
    ))  # fmt: skip
    places = [*FRAMED_PAGES, f"/clients/{client}", f"/requests/{request}", f"/requests?peek={request}"]
    with installation.server() as server, chromium() as browser:
        tab = Tab(browser, server.url, shots)
        tab.context.add_init_script("window.ran = []")
        _sign_in(tab, email)
        for place in places:
            tab.open(place)
            seen += _looked_at(tab, place)
        _ask_a_model(tab)
        seen += _looked_at(tab, "an answer")
        _is_noticed_where_it_is_markup(tab)
    evidence.note(payloads=len(PAYLOADS), values_marked=marked, views=len(places) + 1, with_markup_as_text=seen, ran=0)
    assert len(PAYLOADS) >= 40
    assert marked > 25
    assert seen > 8


def _sign_in(tab: Tab, email: str) -> None:
    tab.open("/sign-in")
    tab.page.get_by_label("E-mail").fill(email)
    tab.page.get_by_label("Password").fill(PASSWORD)
    tab.page.get_by_role("button", name="Sign in", exact=True).click()
    tab.page.wait_for_url(tab.base + "/")


def _looked_at(tab: Tab, where: str) -> bool:
    """Asserts that nothing ran and nobody was asked; gives whether a payload stands there to be read."""
    tab.page.wait_for_timeout(300)  # what is loaded behind the page
    assert tab.page.evaluate("window.ran") == [], where
    assert [line for line in tab.problems if "status of 40" not in line] == [], where
    assert tab.page.url.startswith(tab.base), where
    tab.problems.clear()
    return "window.ran.push(" in tab.page.locator("body").inner_text()


def _ask_a_model(tab: Tab) -> None:
    page = tab.page
    tab.open("/playground")
    page.get_by_label("Task").select_option("text-generation")
    page.get_by_label("Model", exact=True).select_option("mock/mock-small")
    page.get_by_label("What is asked").fill("(echo)" + ALL)
    page.get_by_label("What is asked").press("Control+Enter")
    answer = page.get_by_role("region", name="Answer", exact=True)
    expect(answer.get_by_role("status")).to_have_text("done")
    expect(answer.get_by_role("region", name="Answer, text")).to_contain_text("window.ran.push(")


def _is_noticed_where_it_is_markup(tab: Tab) -> None:
    """The same payloads as markup of a page: had one of them been, it would have shown."""
    tab.page.evaluate("html => { document.body.innerHTML = html }", ALL)
    tab.page.wait_for_timeout(500)
    assert any("Content Security Policy" in line or AWAY in line for line in tab.problems)
