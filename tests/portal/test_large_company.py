"""A large company's portal over a process that is served: how soon every page shows its first data.

The aim is one of an otherwise idle machine, and is not scaled by how quick that is. What others used of the machine's
processors meanwhile is measured, since nobody can send them away: where they have a share s, what is left does a page's
work in 1 / (1 - s) of the time it takes alone, at best. So a median is held to the aim times that; on an idle machine
it is the aim itself. All times are told as they were.
"""

import statistics
from collections.abc import Iterable

import pytest

from tests.harness import ServerProcess
from tests.harness.evidence import Evidence
from tests.portal.large_company import LargeCompany, Others
from tests.portal.tab import Page, Tab

pytestmark = [pytest.mark.process, pytest.mark.load, pytest.mark.long]

ON_BOTH = pytest.mark.parametrize(
    "company", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
AIM_MS, _MOST_OF_OTHERS_PERCENT = 500.0, 75.0
_OPENINGS = 7
_MORE_VIEWS = (
    "/usage?by=key&range=30d",
    "/usage?by=model&range=30d",
    "/requests?range=30d&ended=failed",
    "/keys?state=revoked",
)


@ON_BOTH
async def test_every_page_shows_its_first_data_within_half_a_second(company: LargeCompany, evidence: Evidence) -> None:
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with company.installation.server() as server:
        others = Others(lambda: server.cpu_us() + company.database_cpu_us())
        for who, cookie in company.cookies(server).items():
            figures[who] = {page.path: await _opened(server, cookie, page) for page in pages_of(company, who)}
        percent = others.percent()
    slow = {
        (who, path): found
        for who, by_path in figures.items()
        for path, found in by_path.items()
        if found["median"] * (1 - percent / 100) > AIM_MS
    }
    over = {who: sum(each["median"] > AIM_MS for each in found.values()) for who, found in figures.items()}
    evidence.note(openings=_OPENINGS, others_percent=percent, medians_over_the_aim=over, milliseconds=figures)
    assert percent <= _MOST_OF_OTHERS_PERCENT, "others had so much of the machine that this says nothing"
    assert slow == {}


def pages_of(company: LargeCompany, who: str) -> list[Page]:
    """Every page of a developer or of an admin, and some views of the dearest."""
    found = [page for page in company.pages.values() if who == "admin" or not page.is_admin]
    return [*found, *(company.pages[path.partition("?")[0]].at(path) for path in _MORE_VIEWS)]


async def _opened(server: ServerProcess, cookie: str, page: Page) -> dict[str, float]:
    """Opens the page in new tabs, one after another; the first is of those that count."""
    taken = []
    for _ in range(_OPENINGS):
        async with Tab(server, cookie) as tab:
            taken.append(await tab.open(page) * 1000)
    return figures_of(taken)


def figures_of(taken: Iterable[float]) -> dict[str, float]:
    found = sorted(taken)
    named = {"quickest": found[0], "median": statistics.median(found), "slowest": found[-1]}
    return {name: round(value, 1) for name, value in named.items()}
