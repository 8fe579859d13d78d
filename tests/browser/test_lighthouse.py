"""Lighthouse over every page, as a phone on a slow network sees it: the median of three runs.

Lighthouse comes from npm into a temporary folder; where no registry can be reached the test is skipped, and says so.

It takes the machine for a desktop and slows it down fourfold to a mid-tier phone. On a machine that is slower than that
by Lighthouse's own index the slowdown is calibrated, as its documentation asks for; both figures are in the evidence.
"""

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import sync_playwright

from tests.browser.chromium import _FLAGS
from tests.browser.furnished import PROVIDER_KEY, furnish, send_requests
from tests.browser.test_pages import FRAMED_PAGES
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess
from tests.harness.evidence import Evidence
from tests.harness.process import free_port, wait_until

pytestmark = pytest.mark.browser

VERSION = "12.8.2"
RUNS = int(os.environ.get("LIGHTHOUSE_RUNS", "3"))
# A chart that is in sight loads plotly, which a phone's processor feels.
LEAST = {"performance": 90, "accessibility": 100}
LEAST_OF_USAGE = {"performance": 80, "accessibility": 100}
_FRAMED = [path for path in FRAMED_PAGES if path != "/usage"] + [
    "/requests/{request}",
    "/providers/{connection}",
    "/clients/cli_1000",
]
_SIZE = 4
NOWHERE = "/no-such-page"
# In groups, so that a part can be measured by itself (`-k own-2`): a page takes most of a minute.
PAGES = {
    "links": ["/setup?token=none", "/invite?token=none", "/reset?token=none", NOWHERE],
    "public": ["/sign-in", "/sign-up", "/forgot", "/docs/start", "/docs/errors", "/docs/errors/client_rpm_exceeded"],
    "usage": ["/usage", "/usage?by=model&range=30d&metric=cost"],
    **{f"own-{n // _SIZE + 1}": _FRAMED[n : n + _SIZE] for n in range(0, len(_FRAMED), _SIZE)},
}
ELSEWHERE = ("/first-factor", "/second-factor")
"""Pages that only a sign-in which waits leads to: `test_lighthouse_of_factors.py`."""
_BIN = Path(sys.executable).parent
_TIMEOUT_SECONDS = 180
USUAL_SLOWDOWN = 4.0
SLOW_MACHINE = 1000
"""At most this index, and Lighthouse warns that the machine is slow and its slowdown is to be calibrated."""
SLOWDOWNS = ((150, 1.0), (800, 2.0), (1300, 3.0))
"""Indexes with the slowdown that makes a mid-tier phone of such a machine, linear between them: the calculator that
Lighthouse's docs/throttling.md leads to."""


@pytest.fixture(scope="module")
def lighthouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed for this run alone, or in LIGHTHOUSE_FOLDER for the next ones, too."""
    folder = Path(os.environ.get("LIGHTHOUSE_FOLDER") or tmp_path_factory.mktemp("lighthouse"))
    env = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"lighthouse@{VERSION}"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        pytest.skip(f"the pages were NOT measured: npm could not install lighthouse {VERSION}: {done.stderr[-300:]}")
    return folder / "node_modules" / "lighthouse" / "cli" / "index.js"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a server with a company's month behind it, since a page with nothing to show is always quick,
    and the ids of a request and a provider connection."""
    folder = tmp_path_factory.mktemp("furnished")
    installation = Installation(folder, {"AISERVICE_SIGNUP": "open"})
    with MockProcess(folder, keys=(PROVIDER_KEY,)) as mock:
        keys = furnish(installation, mock.base_url)
        with installation.server() as server:
            request = send_requests(server.url, keys)["asked-200"]
            (row, *_) = installation.query("SELECT id FROM provider_connection WHERE name = 'openai'")
            yield server.url, {"request": request, "connection": row["id"]}


@contextmanager
def signed_in_browser(base: str, folder: Path) -> Iterator[int]:
    """A Chromium that is signed in; gives the port of its debugging protocol."""
    port = free_port()
    command = ["chromium", *_FLAGS, f"--remote-debugging-port={port}", f"--user-data-dir={folder / 'profile'}"]
    browser = subprocess.Popen([*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as playwright:
            wait_until(lambda: _is_open(port), seconds=20)
            page = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}").contexts[0].pages[0]
            page.goto(f"{base}/sign-in")
            page.get_by_label("E-mail").fill(ADMIN)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.wait_for_url(re.compile(r"/($|\?)"))
            page.on("dialog", lambda dialog: dialog.accept())
            page.goto("about:blank")
        yield port
    finally:
        browser.terminate()
        browser.wait(10)


def _is_open(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/json/version").status_code == 200
    except httpx.HTTPError:
        return False


def slowdown(index: float) -> float:
    """What makes a mid-tier phone of a machine with that index; never quicker than the machine itself."""
    if index > SLOW_MACHINE:
        return USUAL_SLOWDOWN
    (low, least), *rest = SLOWDOWNS
    for high, most in rest:
        if index <= high:
            return round(max(1.0, least + (index - low) / (high - low) * (most - least)), 2)
        low, least = high, most
    return USUAL_SLOWDOWN


def benchmark_index(lighthouse: Path, port: int) -> float:
    """By Lighthouse's own function, in the browser that measures. The run's own comes too late to be used."""
    functions = lighthouse.parents[1] / "core" / "lib" / "page-functions.js"
    told = "({ pageFunctions: f }) => console.log(f.computeBenchmarkIndex.toString())"
    command = [str(_BIN / "node"), "-e", f"import({json.dumps(functions.as_uri())}).then({told})"]
    source = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    with sync_playwright() as playwright:  # gone before a run: what it watches would be measured, too
        page = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}").contexts[0].pages[0]
        return float(page.evaluate(f"({source})()"))


def measure(lighthouse: Path, url: str, port: int, slower: float) -> dict[str, Any]:
    """One run: scores of 0 to 100, and the figures that performance is made of."""
    command = [str(_BIN / "node"), str(lighthouse), url, f"--port={port}", "--disable-storage-reset", "--quiet"]
    command += ["--output=json", "--only-categories=performance,accessibility", "--throttling-method=simulate"]
    command += [f"--throttling.cpuSlowdownMultiplier={slower}"]
    if url.endswith(NOWHERE):
        command.append("--ignore-status-code")
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True)
    told = json.loads(done.stdout)
    audits, scores = told["audits"], told["categories"]
    assert urlsplit(told["finalDisplayedUrl"]).path == urlsplit(url).path, "another page was measured"
    names = {"lcp_ms": "largest-contentful-paint", "tbt_ms": "total-blocking-time", "cls": "cumulative-layout-shift"}
    return {
        **{name: round((scores[name]["score"] or 0) * 100) for name in LEAST},
        **{short: round(audits[name]["numericValue"], 3) for short, name in names.items()},
        "benchmark_index": told["environment"]["benchmarkIndex"],
        "cpu_slowdown": slower,
        "wrong": [ref["id"] for ref in scores["accessibility"]["auditRefs"] if audits[ref["id"]]["score"] == 0],
    }


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of scores and figures; what was wrong in any run; and of what each run was slowed down by, all."""
    listed = ("benchmark_index", "cpu_slowdown")
    median = {name: statistics.median(run[name] for run in runs) for name in runs[0] if name not in (*listed, "wrong")}
    wrong = sorted({audit for run in runs for audit in run["wrong"]})
    by_run = {name: [run[name] for run in runs] for name in ("performance", *listed)}
    return {**median, "by_run": by_run, "wrong": wrong}


def measured(lighthouse: Path, url: str, port: int) -> dict[str, Any]:
    """The median of all runs of a page."""
    # The slowdown before each run: a machine that others share is not as quick a minute later.
    runs = [measure(lighthouse, url, port, slowdown(benchmark_index(lighthouse, port))) for _ in range(RUNS)]
    median = median_of(runs)
    print(urlsplit(url).path, median)
    return median


@pytest.mark.long
@pytest.mark.parametrize("group", PAGES)
def test_every_page_is_quick_on_a_phone_and_open_to_everybody(
    group: str, lighthouse: Path, furnished: tuple[str, dict[str, str]], tmp_path: Path, evidence: Evidence
) -> None:
    base, ids = furnished
    figures: dict[str, dict[str, Any]] = {}
    with signed_in_browser(base, tmp_path) as port:
        for path in PAGES[group]:
            figures[path] = measured(lighthouse, base + path.format(**ids), port)
    evidence.note(runs=RUNS, lighthouse=VERSION, usual_cpu_slowdown=USUAL_SLOWDOWN, by_page=figures)
    least = LEAST_OF_USAGE if group == "usage" else LEAST
    below = {path: told for path, told in figures.items() if any(told[name] < least[name] for name in least)}
    assert below == {}


def test_every_page_there_is_is_in_a_group() -> None:
    from aiservice.aiservice import app
    from aiservice.portal.layout.registry import registered_pages

    assert app is not None  # importing it registers every page
    paths = [urlsplit(path).path for group in PAGES.values() for path in group] + [*ELSEWHERE]
    patterns = [re.sub(r"\\\[\w+\\\]", "[^/]+", re.escape(page.route)) for page in registered_pages()]
    left_out = [pattern for pattern in patterns if not any(re.fullmatch(pattern, path) for path in paths)]
    assert left_out == ["404"]
    assert NOWHERE in paths  # which is that page


def test_a_slow_machine_is_slowed_down_less_and_no_machine_is_sped_up() -> None:
    told = {index: slowdown(index) for index in (50, 150, 475, 800, 1000, 1001, 2000)}
    assert told == {50: 1.0, 150: 1.0, 475: 1.5, 800: 2.0, 1000: 2.4, 1001: 4.0, 2000: 4.0}
