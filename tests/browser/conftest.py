"""What tests in a browser share: an admin's installation, a tab that looks, and where the screenshots go."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import Tab, chromium
from tests.browser.filled import OFFERED, PROVIDER_KEY, fill, plant
from tests.browser.inspection import Inspection, leave_without_copying, sign_in
from tests.browser.test_walk import ADMIN, PASSWORD
from tests.harness import Installation, MockProcess, ServerProcess
from tests.harness.evidence import Evidence


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder a run, named at its beginning."""
    folder = tmp_path_factory.mktemp("screenshots")
    print(f"\nscreenshots: {folder}")
    return folder


@pytest.fixture
def installation(tmp_path: Path, request: pytest.FixtureRequest) -> Installation:
    installation = Installation(tmp_path, {"AISERVICE_SIGNUP": "open", **OFFERED, **getattr(request, "param", {})})
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
    if inspection.seen:
        evidence.note(views=inspection.seen, violations=len(inspection.wrong))
    assert inspection.wrong == []
    assert inspection.tab.problems == []


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[MockProcess]:
    with MockProcess(tmp_path, keys=(PROVIDER_KEY,)) as mock:
        yield mock


@pytest.fixture
def full(inspected: Inspection, installation: Installation, server: ServerProcess, mock: MockProcess) -> Inspection:
    """A tab of the admin of an installation that has something on every page."""
    fill(installation, server, mock)
    sign_in(inspected.tab)
    plant(installation, ADMIN)
    leave_without_copying(inspected.tab)
    return inspected
