"""One server for all tests of the portal's rights: they only need people of their own."""

from collections.abc import Iterator

import pytest

from tests.portal.large_company import LargeCompany, large_company
from tests.portal.server import PortalServer, portal_server


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with portal_server(tmp_path_factory.mktemp("portal")) as server:
        yield server


@pytest.fixture(scope="session")
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LargeCompany]:
    """A large company on the database that is asked for, not served yet; seeding it takes minutes."""
    with large_company(request.param, tmp_path_factory.mktemp(f"company-{request.param}")) as company:
        yield company
