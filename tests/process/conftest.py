"""The rig: a mock provider, an installation connected to it, and a running server."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import Installation, MockProcess, ServerProcess

PROVIDER_KEY = "sk-provider-key-of-the-rig"


@dataclass(slots=True)
class Rig:
    """Everything a process test needs; `key` is a client key that may use the mock."""

    installation: Installation
    mock: MockProcess
    server: ServerProcess
    key: str
    key_id: str


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A ready server (`serve`) with one client, one key and the mock as its only provider beside the sandbox."""
    with MockProcess(tmp_path, keys=(PROVIDER_KEY,)) as mock:
        installation = Installation(tmp_path)
        created = installation.add_key()
        installation.add_mock(mock.base_url, key=PROVIDER_KEY, models="mock-small,mock-large,mock-embedding")
        with installation.server() as server:
            yield Rig(installation, mock, server, created["key"], created["id"])
