"""One server for all tests of the portal's rights: they only need people of their own."""

from collections.abc import Iterator

import pytest

from tests.portal.server import PortalServer, portal_server


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with portal_server(tmp_path_factory.mktemp("portal")) as server:
        yield server
