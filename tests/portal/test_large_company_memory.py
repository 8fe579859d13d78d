"""What 200 openings more of a large company's pages leave in the memory of the process that serves them."""

import asyncio
from collections.abc import Iterable
from itertools import cycle, islice

import pytest

from tests.harness import ServerProcess
from tests.harness.evidence import Evidence
from tests.portal.large_company import LargeCompany
from tests.portal.tab import Page, Tab
from tests.portal.test_large_company import ON_BOTH, pages_of

pytestmark = [pytest.mark.process, pytest.mark.load, pytest.mark.long]

_OPENINGS, _GONE_SECONDS = 200, 65.0


@ON_BOTH
async def test_two_hundred_more_openings_leave_memory_as_it_was(company: LargeCompany, evidence: Evidence) -> None:
    """Of all pages, in new tabs that are closed again, by both people in turns. What a tab showed is let go a minute
    after it. A tenth is allowed: what Python's allocator and SQLite's page cache keep grows by steps, and is not given
    back at once."""
    with company.installation.server() as server:
        cookies = company.cookies(server)
        views = [(cookie, page) for who, cookie in cookies.items() for page in pages_of(company, who)]
        # As many as later: what closed tabs showed is kept for a minute, so they are in memory together.
        await _open_all(server, islice(cycle(views), _OPENINGS))
        await asyncio.sleep(_GONE_SECONDS)
        warm_mb = server.pss_mb()
        await _open_all(server, islice(cycle(views), _OPENINGS))
        at_once_mb = server.pss_mb()
        await asyncio.sleep(_GONE_SECONDS)
        mb = {"warm": warm_mb, "after the last of them": at_once_mb, "a minute later": server.pss_mb()}
    evidence.note(openings=_OPENINGS, pss_mb={name: round(value, 1) for name, value in mb.items()})
    assert mb["a minute later"] <= 1.1 * warm_mb


async def _open_all(server: ServerProcess, views: Iterable[tuple[str, Page]]) -> None:
    for cookie, page in views:
        async with Tab(server, cookie) as tab:
            await tab.open(page)
